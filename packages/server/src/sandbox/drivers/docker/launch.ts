import { PassThrough } from 'node:stream'
import { z } from 'zod'
import { withTimeout } from '../../../kernel/index.ts'
import { collectEnds } from '../../agent/chain.ts'
import type { LaunchOptions, Launched } from '../../agent/host.ts'
import { failure } from '../../failures.ts'
import type { SandboxCgroup } from '../../host/cgroup.ts'
import { type ContainerParts, describeContainer } from './container.ts'
import { type Engine, EngineError } from './engine.ts'
import { splitStreams } from './streams.ts'

const Created = z.looseObject({ Id: z.string().regex(/^[0-9a-f]{12,64}$/) })
const Ended = z.looseObject({ State: z.looseObject({ OOMKilled: z.boolean() }) })
const Stats = z.looseObject({
  memory_stats: z.looseObject({ usage: z.number().optional() }),
  cpu_stats: z.looseObject({ cpu_usage: z.looseObject({ total_usage: z.number().optional() }) }),
  pids_stats: z.looseObject({ current: z.number().optional() }),
})

/** What a container that has ended may still have to say. */
const drainWithinMs = 5_000
/** The engine's processes are no children of ours, and may run in another machine's process table: no number of theirs is ever signalled. */
const nobody = { pid: 0, startedAt: '', boot: 'none' }

/** Starts a container with this command. Streams are there at once, and connected when it is. */
export function launch(engine: Engine, parts: ContainerParts, options: LaunchOptions): Launched {
  const [input, output, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const complaints = collectEnds(stderr)
  let id: string | undefined
  let isKilled = false
  let problem = ''
  let memoryKills = 0

  const end = () => void engine.call('POST', `/containers/${id}/kill`).catch(() => {}) // It has ended, or is not started yet.

  async function run(): Promise<number | null> {
    const created = Created.parse(await engine.call('POST', '/containers/create', describeContainer(parts, options)))
    id = created.Id
    try {
      const { socket, head } = await engine.attach(id)
      const closed = new Promise<void>((resolve) => socket.once('close', resolve))
      splitStreams(socket, head, { stdout: output, stderr })
      let cancelWait = () => {}
      try {
        const { code, cancel } = await engine.wait(id)
        cancelWait = cancel
        if (isKilled) return null
        await engine.call('POST', `/containers/${id}/start`)
        if (isKilled) end()
        input.pipe(socket)
        const exitCode = await code
        await withTimeout(drainWithinMs, closed, () => new Error('late')).catch(() => {})
        memoryKills = Ended.parse(await engine.call('GET', `/containers/${id}/json`)).State.OOMKilled ? 1 : 0
        return isKilled ? null : exitCode
      } finally {
        cancelWait()
        socket.destroy()
      }
    } finally {
      await removeContainer(engine, id)
    }
  }

  const exited = run()
    .catch((error: unknown) => {
      if (!isKilled) problem = error instanceof Error ? error.message : String(error)
      return null
    })
    .finally(() => {
      for (const each of [output, stderr]) each.end()
      input.destroy()
    })

  const group: SandboxCgroup = {
    joinFiles: [],
    waiting: () => [],
    command: () => undefined,
    setLimits() {}, // What runs keeps its limits: only what was asked for with the same ones is taken from the pool.
    async setFrozen(isFrozen) {
      try {
        await engine.call('POST', `/containers/${id}/${isFrozen ? 'pause' : 'unpause'}`)
      } catch (error) {
        if (isFrozen) throw failure('sandbox_unavailable', `The sandbox could not be brought to a halt: ${String(error)}`, error)
      }
      return true
    },
    usage: () => ({ memoryBytes: undefined, cpuMs: undefined, processCount: undefined }),
    memoryKills: () => memoryKills,
    remove: async () => {},
  }

  return {
    input,
    output,
    complaints: () => [problem, complaints().trim()].filter(Boolean).join(' '),
    exited,
    outer: nobody,
    kill() {
      isKilled = true
      if (id !== undefined) end()
    },
    engine: {
      group,
      async usage() {
        const { memory_stats, cpu_stats, pids_stats } = Stats.parse(await engine.call('GET', `/containers/${id}/stats?stream=false&one-shot=true`))
        const cpuNs = cpu_stats.cpu_usage.total_usage
        return { memoryBytes: memory_stats.usage ?? 0, cpuMs: cpuNs === undefined ? undefined : cpuNs / 1e6, processCount: pids_stats.current ?? 0 }
      },
    },
  }
}

/** With everything in it, and whatever volumes its image made. */
export async function removeContainer(engine: Engine, id: string): Promise<void> {
  await engine.call('DELETE', `/containers/${id}?force=true&v=true`).catch((error: unknown) => {
    if (!(error instanceof EngineError && error.status === 404)) throw error
  })
}
