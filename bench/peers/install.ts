/** Others that are measured beside us. None is a dependency: what a benchmark needs is installed when it first runs, at the versions below, without install scripts. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

const packages = {
  restate: { '@restatedev/restate-server': '1.7.12', '@restatedev/restate-sdk': '1.17.2' },
  dbos: { '@dbos-inc/dbos-sdk': '5.3.0' },
  mastra: { '@mastra/core': '1.71.0', '@mastra/pg': '1.27.1', zod: '4.6.7' },
  langgraph: { '@langchain/langgraph': '1.7.3', '@langchain/langgraph-checkpoint-postgres': '1.0.5', '@langchain/core': '1.4.0' },
  'ai-sdk': { ai: '7.0.173', zod: '4.6.7' },
  portkey: { '@portkey-ai/gateway': '1.15.2' },
  'sandbox-runtime': { '@anthropic-ai/sandbox-runtime': '0.0.83' },
}
export type Peer = keyof typeof packages

const cache = join(import.meta.dirname, '../../node_modules/.cache/longhaul-bench')

/** Where the peer's packages are. The folder is named after the versions, and is whole or not there. */
export async function installPeer(peer: Peer): Promise<string> {
  const wanted = packages[peer]
  const folder = join(cache, `${peer}-${Object.values(wanted).join('-')}`)
  if (existsSync(folder)) return folder
  const making = `${folder}.new`
  await rm(making, { recursive: true, force: true })
  await mkdir(making, { recursive: true })
  await writeFile(join(making, 'package.json'), JSON.stringify({ private: true, type: 'module', dependencies: wanted }))
  await promisify(execFile)('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'], { cwd: making })
  await rename(making, folder)
  return folder
}

/** A package of a peer. What it exports is for whoever imports it to say. */
export async function importFrom<Exports>(folder: string, name: string): Promise<Exports> {
  return (await import(pathToFileURL(createRequire(join(folder, 'package.json')).resolve(name)).href)) as Exports
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
