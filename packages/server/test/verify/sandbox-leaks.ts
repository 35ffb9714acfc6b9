/**
 * A thousand sandboxes, half of them from the pool, one in ten with a command that runs into its time-out, one in ten whose agent is killed from
 * within, one in ten ended in the middle of a command, one in ten forked; and then: is anything left? Too long for every run of the tests.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '../../src/kernel/index.ts'
import { gapNames, openSandboxes, type Sandbox, type Sandboxes } from '../../src/sandbox/index.ts'
import { familyOf } from '../../src/sandbox/processes.ts'

const owner = { tenantId: 'leaks' }
const count = 1_000
const atOnce = 4
const never = new AbortController().signal
const megabyte = 1024 * 1024

type Tell = (fact: Record<string, unknown>) => void

/** True when nothing was left. Ends early when the minutes are over, with what it has. */
export async function verifySandboxes({ minutes }: { minutes: number }, tell: Tell): Promise<boolean> {
  const root = mkdtempSync(join(tmpdir(), 'longhaul-leaks-'))
  const startedMs = performance.now()
  const sandboxes = await openSandboxes({ driver: 'bwrap', root, log: silentLog, accept: gapNames, poolSize: 2 })
  const outcomes: Record<string, number> = {}
  const isOver = () => performance.now() - startedMs > minutes * 60_000
  const round = async (from: number, to: number) => {
    let next = from
    const work = async () => {
      while (next < to && !isOver()) {
        const outcome = await live(sandboxes, next++)
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
      }
    }
    await Promise.all(Array.from({ length: atOnce }, work))
    return next - from
  }
  await round(0, 20) // What is made once is made by now.
  await poolIsFull(root)
  const before = measure(root)
  const done = await round(20, 20 + count)
  await poolIsFull(root)
  const after = measure(root)
  await sandboxes.stop()
  const left = readdirSync(root).filter((name) => !name.startsWith('.'))
  rmSync(root, { recursive: true, force: true })
  const leaks = (['descriptors', 'processes', 'groups', 'mounts', 'folders'] as const).filter((name) => after[name] > before[name])
  const wrong = Object.keys(outcomes).filter((outcome) => outcome.startsWith('wrong'))
  tell({ count: done, seconds: Math.round((performance.now() - startedMs) / 1_000), outcomes, before, after, leaks, wrong, left })
  return leaks.length === 0 && wrong.length === 0 && left.length === 0 && after.memoryMb - before.memoryMb < 150
}

/** Two warm ones: what is being started would count as left. */
async function poolIsFull(root: string): Promise<void> {
  const end = performance.now() + 30_000
  const warm = () => readdirSync(root).filter((name) => name.startsWith('pool-') && existsSync(join(root, name, 'live.json'))).length
  while (warm() < 2 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 50))
  await new Promise((resolve) => setTimeout(resolve, 1_000)) // And has run its first command.
}

async function live(sandboxes: Sandboxes, index: number): Promise<string> {
  const sandbox = await sandboxes.open(`leak-${index}`, { owner })
  const outcome = await perform(sandboxes, sandbox, index)
  await sandbox.destroy()
  return outcome
}

async function perform(sandboxes: Sandboxes, sandbox: Sandbox, index: number): Promise<string> {
  const kind = index % 10
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
  if (kind === 3) {
    await sh('echo copied > note')
    const target = await sandboxes.open(`leak-${index}-fork`, { owner })
    if (sandbox.trees) await target.trees?.copyFrom(sandbox.trees)
    const { stdout } = await target.exec({ script: 'cat note', timeoutMs: 20_000 }, { signal: never })
    await target.destroy()
    return stdout === 'copied\n' ? 'forked' : 'wrong: no copy'
  }
  return (await sh('echo fine; (setsid sleep 300 &)')).stdout === 'fine\n' ? 'fine' : 'wrong: no answer'
}

type Held = { descriptors: number; processes: number; groups: number; mounts: number; folders: number; memoryMb: number }

function measure(root: string): Held {
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    processes: familyOf(process.pid).length,
    groups: Number(execFileSync('sh', ['-c', 'find /sys/fs/cgroup -type d -path "*longhaul-*" -name "leak-*" | wc -l'], { encoding: 'utf8' })),
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').split('\n').length,
    folders: readdirSync(root).filter((name) => !name.startsWith('.')).length,
    memoryMb: Math.round(process.memoryUsage().rss / megabyte),
  }
}
