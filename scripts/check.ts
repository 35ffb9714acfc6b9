/** `npm run check`: everything that can be held against the source without running it. Says what to do about whatever it finds. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { trackedFiles } from './tracked-files.ts'

type Stage = { name: string; command: readonly string[]; remedy: string; env?: Record<string, string> }

const root = join(import.meta.dirname, '..')
const bin = (name: string) => join('node_modules', '.bin', name)
const node = [process.execPath, '--conditions=longhaul-source']

const stages: readonly Stage[] = [
  { name: 'format', command: [bin('oxfmt'), '--check', '--no-error-on-unmatched-pattern', '.'], remedy: 'npx oxfmt' },
  {
    name: 'lint',
    command: [bin('oxlint')],
    remedy: 'npx oxlint --fix mends part of it; a rule that is in the way of good code is changed in .oxlintrc.json, with its reason',
  },
  { name: 'types', command: [bin('tsc'), '-p', '.'], remedy: 'mend the types' },
  ...(existsSync(join(root, 'packages/console/tsconfig.json'))
    ? [
        { name: 'types of the console', command: [bin('tsc'), '-p', 'packages/console'], remedy: 'mend the types' },
        {
          name: 'size of the console’s shell',
          command: ['npm', 'run', 'build', '-w', '@longhaul/console'],
          env: { SHELL_LIMIT: 'strict' },
          remedy: 'load what only some pages need with them',
        },
      ]
    : []),
  { name: 'tidy', command: [bin('vitest'), 'run', '--reporter=dot', 'packages/server/test/tidy.test.ts'], remedy: 'each line above names its own' },
  { name: 'generated files', command: [...node, 'scripts/generate.ts', '--check'], remedy: 'npm run generate, and commit what changes' },
]

let failed = 0
for (const { name, command, remedy, env } of stages) {
  const from = performance.now()
  const [program = '', ...args] = command
  const { status, error, stdout, stderr } = spawnSync(program, args, {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    maxBuffer: 64 * 1024 * 1024,
  })
  const seconds = ((performance.now() - from) / 1_000).toFixed(1)
  if (status === 0) {
    console.log(`ok      ${name} (${seconds} s)`)
    continue
  }
  failed++
  console.log(`${stdout}${stderr}${error ? `${error.message}\n` : ''}FAILED  ${name} (${seconds} s): ${remedy}`)
}

console.log(`\nThe longest files, a place to look and never a failure:\n${longest(8).join('\n')}`)
console.log(failed === 0 ? '\nAll checks passed.' : `\n${failed} of ${stages.length} checks failed.`)
process.exitCode = failed === 0 ? 0 : 1

function longest(count: number): string[] {
  return trackedFiles()
    .filter((file) => /\.(ts|tsx)$/.test(file) && !/\.test\.tsx?$/.test(file))
    .map((file) => ({ file, lines: readFileSync(join(root, file), 'utf8').split('\n').length - 1 }))
    .toSorted((one, other) => other.lines - one.lines)
    .slice(0, count)
    .map(({ file, lines }) => `${String(lines).padStart(6)}  ${file}`)
}
