/** `npm run verify -- <name> [--seed N] [--minutes M] [--programs P]`: long searches for faults that no test names. Prints one JSON object per line; exits with 1 when something was found. */
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { verifyCrashes } from '../packages/server/test/verify/crashes.ts'
import { verifyMcpConformance } from '../packages/server/test/verify/mcp-conformance.ts'
import { verifyMcpClient } from '../packages/server/test/verify/mcp-client-conformance.ts'
import { verifySandboxRoot } from '../packages/server/test/verify/sandbox-root.ts'
import { verifySandboxes } from '../packages/server/test/verify/sandbox-leaks.ts'

/** The whole crash matrix, which takes as long as it takes. */
const verifyMatrix = async (): Promise<boolean> => passes(['crash'], { CRASH_POINTS: 'all' })

/** Callers' own sandboxes and those of runs, with all that they do, with a kernel of their own: seconds in bubblewrap, minutes there. */
const verifyGvisor = async (): Promise<boolean> =>
  passes(
    ['egress', 'managed', 'previews', 'runs', 'templates'].map((name) => `sandbox/${name}`),
    { SANDBOX_DRIVER: 'gvisor' },
  )

function passes(names: readonly string[], env: Record<string, string>): boolean {
  const files = names.map((name) => `packages/server/test/${name}.test.ts`)
  return spawnSync('npx', ['vitest', 'run', '--testTimeout', '120000', ...files], { stdio: 'inherit', env: { ...process.env, ...env } }).status === 0
}

/** What a sandbox limits and leaves, with every driver and user that this machine has; `npm test` tries it with the first. */
const verifyModes = async (): Promise<boolean> =>
  passes(
    ['folders', 'life', 'limits', 'trees', 'walls'].map((name) => `sandbox/${name}`),
    { SANDBOX_MODES: 'all' },
  )

const searches = {
  crashes: verifyCrashes,
  'mcp-client-conformance': verifyMcpClient,
  matrix: verifyMatrix,
  modes: verifyModes,
  sandbox: verifySandboxes,
  'sandbox-root': verifySandboxRoot,
  gvisor: verifyGvisor,
  'mcp-conformance': verifyMcpConformance,
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string' }, minutes: { type: 'string' }, programs: { type: 'string' } },
})
const search = Object.entries(searches).find(([name]) => name === positionals[0])?.[1]
const seed = Number(values.seed ?? Date.now() % 1_000_000)
const programs = values.programs === undefined ? undefined : Number(values.programs)
/** It has an end of its own: that of its scenarios. */
const minutesOf: Record<string, number> = { 'mcp-client-conformance': 45 }
const minutes = Number(values.minutes ?? (programs === undefined ? (minutesOf[positionals[0] ?? ''] ?? 5) : 120))
if (!search || positionals.length !== 1 || !Number.isInteger(seed) || !(minutes > 0) || (programs !== undefined && !(programs > 0))) {
  process.stderr.write(`npm run verify -- <${Object.keys(searches).join('|')}> [--seed N] [--minutes M] [--programs P, of crashes]\n`)
  process.exit(2)
}
const isFine = await search({ seed, minutes, ...(programs !== undefined && { programs }) }, (fact) => process.stdout.write(`${JSON.stringify(fact)}\n`))
process.exit(isFine ? 0 : 1)
