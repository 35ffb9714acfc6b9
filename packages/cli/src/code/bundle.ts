/** Code with the packages that it imports, as files that need no `node_modules`. */
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { Problem } from '../problem.ts'

/** What every worker brings: one copy for all, so it must not be bundled. */
const provided = ['@longhaul/sdk', 'zod']

const Manifest = z.object({ dependencies: z.record(z.string(), z.string()).default({}) })

/** Names of the packages that the folder's `package.json` asks for and the server does not bring. */
export async function packagesOf(root: string): Promise<string[]> {
  const text = await readFile(join(root, 'package.json'), 'utf8').catch(() => undefined) // Most agents have none.
  if (text === undefined) return []
  try {
    return Object.keys(Manifest.parse(JSON.parse(text)).dependencies).filter((name) => !provided.includes(name) && !name.startsWith('@longhaul/'))
  } catch (error) {
    throw new Problem('invalid', `package.json cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Writes `agent/agent.js` and `agent/tools/*.js` to `target`, each with what it needs, what they share in files of its own. */
export async function bundle(root: string, target: string): Promise<void> {
  const { build } = await import('esbuild')
  const tools = await readdir(join(root, 'agent', 'tools')).catch(() => []) // An agent may have none.
  const isCode = (name: string) => /(?<!\.d|\.test)\.(ts|js|mts|mjs)$/.test(name)
  const agent = (await readdir(join(root, 'agent'))).filter((name) => /^agent\.(ts|js|mts|mjs)$/.test(name))
  try {
    await build({
      entryPoints: [...agent.map((name) => join('agent', name)), ...tools.filter(isCode).map((name) => join('agent', 'tools', name))],
      absWorkingDir: root,
      outdir: target,
      outbase: '.',
      bundle: true,
      splitting: true,
      chunkNames: 'chunks/[name]-[hash]',
      format: 'esm',
      platform: 'node',
      target: 'node24',
      external: provided.flatMap((name) => [name, `${name}/*`]),
      sourcemap: 'inline',
      sourcesContent: true,
      logLevel: 'silent',
      // Older packages call `require`, which a module has not.
      banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
    })
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
