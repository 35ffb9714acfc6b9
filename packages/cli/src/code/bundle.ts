/** Code with the packages that it imports, as files that need no `node_modules`. */
import { existsSync } from 'node:fs'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BuildOptions } from 'esbuild'
import { z } from 'zod'
import { Problem } from '../problem.ts'

/** What every worker brings: one copy for all, so it must not be bundled. */
const provided = ['@longhaul/sdk', 'zod']

const Manifest = z.object({ dependencies: z.record(z.string(), z.string()).default({}) })

/** Names of the packages that the folder's `package.json` asks for and the server does not bring; to a program of its own it brings none. */
export async function packagesOf(root: string, isProgram = false): Promise<string[]> {
  const text = await readFile(join(root, 'package.json'), 'utf8').catch(() => undefined) // Most agents have none.
  if (text === undefined) return []
  try {
    const names = Object.keys(Manifest.parse(JSON.parse(text)).dependencies)
    return isProgram ? names : names.filter((name) => !provided.includes(name) && !name.startsWith('@longhaul/'))
  } catch (error) {
    throw new Problem('invalid', `package.json cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** What of `agent/agent.json` matters here. Another kind of agent has none, and what is wrong with one, the server says. */
export async function declarationOf(root: string): Promise<{ kind?: string | undefined; args?: string[] | undefined }> {
  const text = await readFile(join(root, 'agent', 'agent.json'), 'utf8').catch(() => '{}')
  return z
    .object({ kind: z.string().optional(), args: z.array(z.string()).optional() })
    .catch({})
    .parse(jsonOf(text))
}

/** The script of this folder that a custom agent's program or an MCP server is, if its declaration names one: `"args": ["main.ts"]`. */
export async function scriptOf(root: string): Promise<string | undefined> {
  const { args = [] } = await declarationOf(root)
  return args.find((arg) => /^[\w./-]+\.(ts|js|mts|mjs)$/.test(arg) && !arg.includes('..') && existsSync(join(root, 'agent', arg)))
}

/** What is wrong with it, the server says with the file's name. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}

/**
 * Writes the script to `target` as one file with everything that it needs, since its sandbox has no packages, and the declaration that names that file.
 * As JavaScript: types in a bundle of megabytes would be looked for at every start.
 */
export async function bundleScript(root: string, script: string, target: string): Promise<void> {
  const bundled = script.replace(/\.(ts|js|mts|mjs)$/, '.mjs')
  await buildOrSay({ ...shared(root), entryPoints: [join('agent', script)], outfile: join(target, 'agent', bundled), legalComments: 'none' })
  const declared = z.looseObject({ args: z.array(z.string()) }).parse(JSON.parse(await readFile(join(root, 'agent', 'agent.json'), 'utf8')))
  const args = declared.args.map((arg) => (arg === script ? bundled : arg))
  await writeFile(join(target, 'agent', 'agent.json'), `${JSON.stringify({ ...declared, args }, null, 2)}\n`)
}

/** Writes `agent/agent.js` and `agent/tools/*.js` to `target`, each with what it needs, what they share in files of its own. */
export async function bundle(root: string, target: string): Promise<void> {
  const tools = await readdir(join(root, 'agent', 'tools')).catch(() => []) // An agent may have none.
  const isCode = (name: string) => /(?<!\.d|\.test)\.(ts|js|mts|mjs)$/.test(name)
  const agent = (await readdir(join(root, 'agent'))).filter((name) => /^agent\.(ts|js|mts|mjs)$/.test(name))
  await buildOrSay({
    ...shared(root),
    entryPoints: [...agent.map((name) => join('agent', name)), ...tools.filter(isCode).map((name) => join('agent', 'tools', name))],
    outdir: target,
    outbase: '.',
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    external: provided.flatMap((name) => [name, `${name}/*`]),
    sourcemap: 'inline',
    sourcesContent: true,
  })
}

const shared = (root: string): BuildOptions => ({
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  logLevel: 'silent',
  // Older packages call `require`, which a module has not.
  banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
})

async function buildOrSay(options: BuildOptions): Promise<void> {
  const { build } = await import('esbuild')
  try {
    await build(options)
  } catch (error) {
    throw new Problem('invalid', `The code cannot be bundled:\n${whatFailed(error)}`, 'npm install in the folder brings the packages that package.json names.')
  }
}

function whatFailed(error: unknown): string {
  const Failed = z.object({ errors: z.array(z.object({ text: z.string(), location: z.object({ file: z.string(), line: z.number() }).nullable() })) })
  const parsed = Failed.safeParse(error)
  if (!parsed.success) return error instanceof Error ? error.message : String(error)
  return parsed.data.errors.map(({ text, location }) => `${location ? `${location.file}:${location.line}: ` : ''}${text}`).join('\n')
}
