/**
 * A thousand sandboxes, one in ten with a command that runs into its time-out, one in ten whose agent is killed from
 * within, one in ten ended in the middle of a command; and then: is anything left? Too long for every run of the tests.
 *
 *     node --conditions=longhaul-source packages/server/test/verify/sandbox-leaks.ts [count]
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '../../src/kernel/index.ts'
import { gapNames, openSandboxes, type Sandbox } from '../../src/sandbox/index.ts'
import { familyOf } from '../../src/sandbox/processes.ts'

const count = Number(process.argv[2] ?? 1_000)
const atOnce = 4
const withinMs = 10 * 60_000
const never = new AbortController().signal
const megabyte = 1024 * 1024

const root = mkdtempSync(join(tmpdir(), 'longhaul-leaks-'))
const startedMs = performance.now()
const sandboxes = await openSandboxes({ driver: 'bwrap', root, log: silentLog, accept: gapNames })
const outcomes: Record<string, number> = {}

async function live(index: number): Promise<void> {
  const sandbox = await sandboxes.open(`leak-${index}`)
  const outcome = await perform(sandbox, index % 10)
  outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
  await sandbox.destroy()
}

async function perform(sandbox: Sandbox, kind: number): Promise<string> {
  const sh = (script: string, timeoutMs = 20_000) => sandbox.exec({ script, timeoutMs }, { signal: never })
  if (kind === 0) return (await sh('(setsid sleep 300 &); sleep 300', 60)).isTimedOut ? 'timed out' : 'wrong: no time-out'
  if (kind === 1) return (await sh('kill -9 -1; sleep 5')).signal === 'SIGKILL' ? 'killed itself' : 'wrong: not killed'
  if (kind === 2) {
    const running = sh('sleep 300').then(
      (result) => result.signal,
      () => 'SIGKILL',
    )
    await sandbox.stop()
    return (await running) === 'SIGKILL' ? 'stopped in the middle' : 'wrong: went on'
  }
  return (await sh('echo fine; (setsid sleep 300 &)')).stdout === 'fine\n' ? 'fine' : 'wrong: no answer'
}

type Held = { descriptors: number; processes: number; groups: number; mounts: number; folders: number; memoryMb: number }

function measure(): Held {
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    processes: familyOf(process.pid).length,
    groups: Number(execFileSync('sh', ['-c', 'find /sys/fs/cgroup -type d -path "*longhaul-*" -name "leak-*" | wc -l'], { encoding: 'utf8' })),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').split('\n').length,
    folders: readdirSync(root).filter((name) => !name.startsWith('.')).length,
    memoryMb: Math.round(process.memoryUsage().rss / megabyte),
  }
}

async function round(from: number, to: number): Promise<void> {
  let next = from
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < to) {
        if (performance.now() - startedMs > withinMs) throw new Error(`Not done within ${withinMs} ms.`)
        await live(next++)
      }
    }),
  )
}

await round(0, 20) // What is made once is made by now.
const before = measure()
await round(20, 20 + count)
const after = measure()
await sandboxes.stop()
rmSync(root, { recursive: true, force: true })

const leaks = (['descriptors', 'processes', 'groups', 'mounts', 'folders'] as const).filter((name) => after[name] > before[name])
const wrong = Object.keys(outcomes).filter((outcome) => outcome.startsWith('wrong'))
const memoryGrowthMb = after.memoryMb - before.memoryMb
process.stdout.write(
  `${JSON.stringify({ count, seconds: Math.round((performance.now() - startedMs) / 1_000), outcomes, before, after, leaks, wrong }, undefined, 2)}\n`,
)
process.exitCode = leaks.length > 0 || wrong.length > 0 || memoryGrowthMb > 150 ? 1 : 0
