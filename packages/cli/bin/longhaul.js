#!/usr/bin/env -S node --conditions=longhaul-source
// Everything this file needs must run on any Node, so that an old one gets a sentence and not a syntax error.
import module from 'node:module'

const major = Number(process.versions.node.split('.')[0])
if (major < 24) {
  console.error(
    `Longhaul needs Node 24 or newer; this is ${process.version}.\nRun it as "npx longhaul" from the folder where npm install ran: npm has brought the right Node.`,
  )
  process.exit(1)
}
module.enableCompileCache?.()
await import('../src/main.ts')
