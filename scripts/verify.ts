/** `npm run verify -- <name> [--seed N] [--minutes M] [--programs P]`: long searches for faults that no test names. Prints one JSON object per line; exits with 1 when something was found. */
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { verifyCrashes } from '../packages/server/test/verify/crashes.ts'
import { verifySandboxes } from '../packages/server/test/verify/sandbox-leaks.ts'

/** The whole crash matrix, which takes as long as it takes. */
async function verifyMatrix(): Promise<boolean> {
  const { status } = spawnSync('npx', ['vitest', 'run', 'packages/server/test/crash.test.ts'], {
    stdio: 'inherit',
    env: { ...process.env, CRASH_POINTS: 'all' },
  })
  return status === 0
}

/** What a sandbox limits and leaves, with every driver and user that this machine has; `npm test` tries it with the first. */
async function verifyModes(): Promise<boolean> {
  const files = ['life', 'limits', 'trees', 'walls'].map((name) => `packages/server/test/sandbox/${name}.test.ts`)
  const { status } = spawnSync('npx', ['vitest', 'run', ...files], { stdio: 'inherit', env: { ...process.env, SANDBOX_MODES: 'all' } })
  return status === 0
}

const searches = { crashes: verifyCrashes, matrix: verifyMatrix, modes: verifyModes, sandbox: verifySandboxes }

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string' }, minutes: { type: 'string' }, programs: { type: 'string' } },
})
const search = Object.entries(searches).find(([name]) => name === positionals[0])?.[1]
const seed = Number(values.seed ?? Date.now() % 1_000_000)
const programs = values.programs === undefined ? undefined : Number(values.programs)
const minutes = Number(values.minutes ?? (programs === undefined ? 5 : 120))
if (!search || positionals.length !== 1 || !Number.isInteger(seed) || !(minutes > 0) || (programs !== undefined && !(programs > 0))) {
  process.stderr.write(`npm run verify -- <${Object.keys(searches).join('|')}> [--seed N] [--minutes M] [--programs P, of crashes]\n`)
  process.exit(2)
}
const isFine = await search({ seed, minutes, ...(programs !== undefined && { programs }) }, (fact) => process.stdout.write(`${JSON.stringify(fact)}\n`))
process.exit(isFine ? 0 : 1)
