import { PassThrough } from 'node:stream'
import { z } from 'zod'
import { monotonicMs, newId, sleep } from '../../../kernel/index.ts'
import { collectEnds } from '../../agent/chain.ts'
import type { LaunchOptions, Launched } from '../../agent/host.ts'
import { failure } from '../../failures.ts'
import type { SandboxCgroup } from '../../host/cgroup.ts'
import { type Cluster, ClusterError } from './cluster.ts'
import { type PodParts, describePod, limited } from './pod.ts'

const Waiting = z.looseObject({ reason: z.string().optional(), message: z.string().optional() })
const Pod = z.looseObject({
  status: z.looseObject({
    phase: z.string().optional(),
    reason: z.string().optional(),
    message: z.string().optional(),
    containerStatuses: z
      .array(
        z.looseObject({
          state: z.looseObject({ waiting: Waiting.nullish(), terminated: z.looseObject({ reason: z.string().optional() }).nullish() }).optional(),
        }),
      )
      .nullish(),
  }),
})
/** What a container waits for in vain. */
const hopeless = /^(ErrImage|ImagePullBackOff|InvalidImageName|CreateContainer|RunContainerError|CrashLoopBackOff)/
const startWithinMs = 120_000
const goneWithinMs = 30_000
/** The processes are in another machine's process table: no number of theirs is ever signalled. */
const nobody = { pid: 0, startedAt: '', boot: 'none' }

/** Stops every process but the first and itself, and looks whether any runs on: whoever forks meanwhile is found in the next round. */
const freeze = `i=0
while [ "$i" -lt 200 ]; do i=$((i+1)); kill -STOP -1 2>/dev/null; runs=0
for f in /proc/[0-9]*/stat; do read -r p rest <"$f" 2>/dev/null || continue; [ "$p" = 1 ] && continue; [ "$p" = "$$" ] && continue
case "\${rest##*) }" in [TtZX]*) ;; *) runs=1;; esac; done
[ "$runs" = 0 ] && exit 0; done; exit 1`
const count = `cat /sys/fs/cgroup/memory.current 2>/dev/null || echo -; grep -s usage_usec /sys/fs/cgroup/cpu.stat || echo -; ls -d /proc/[0-9]* | wc -l`

/** Starts a pod and, once it runs, the command in it. Streams are there at once, and connected when it is. */
export function launch(api: Cluster, parts: PodParts, options: LaunchOptions): Launched {
  const name = `longhaul-sandbox-${newId()}`
  const [input, output, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const complaints = collectEnds(stderr)
  let isMade = false
  let isKilled = false
  let problem = ''
  let memoryKills = 0

  async function run(): Promise<number | null> {
    await api.call('POST', '/pods', describePod(parts, name, options))
    isMade = true
    try {
      await untilRunning(api, name, () => isKilled)
      if (isKilled) return null
      const command = api.exec(name, limited(options))
      input.pipe(command.input)
      command.output.pipe(output)
      command.stderr.pipe(stderr)
      const code = await command.ended
      problem = command.why()
      const state = await podOf(api, name)
      memoryKills = state?.status.containerStatuses?.some((each) => each.state?.terminated?.reason === 'OOMKilled') ? 1 : 0
      return isKilled ? null : code
    } finally {
      await removePod(api, name)
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
      const { code } = await ask(api, name, ['/bin/sh', '-c', isFrozen ? freeze : 'kill -CONT -1'])
      if (isFrozen && code !== 0) throw failure('sandbox_unavailable', 'The sandbox could not be brought to a halt. Try again when less runs in it.')
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
      if (isMade) void remove(api, name).catch(() => {}) // Whoever waits for its end tries again.
    },
    engine: {
      group,
      async usage() {
        const [memory = '', cpu = '', processes = ''] = (await ask(api, name, ['/bin/sh', '-c', count])).said.split('\n')
        const cpuUs = /(\d+)/.exec(cpu)?.[1]
        return {
          memoryBytes: /^\d+$/.test(memory) ? Number(memory) : 0,
          cpuMs: cpuUs === undefined ? undefined : Number(cpuUs) / 1_000,
          processCount: Number(processes) || 0,
        }
      },
    },
  }
}

async function ask(api: Cluster, pod: string, words: readonly string[]): Promise<{ code: number | null; said: string }> {
  const command = api.exec(pod, words)
  let said = ''
  command.output.on('data', (bytes: Buffer) => {
    if (said.length < 4_096) said += bytes.toString()
  })
  command.stderr.resume()
  return { code: await command.ended, said }
}

async function podOf(api: Cluster, name: string): Promise<z.infer<typeof Pod> | undefined> {
  try {
    return Pod.parse(await api.call('GET', `/pods/${name}`))
  } catch (error) {
    if (error instanceof ClusterError && error.status === 404) return undefined
    throw error
  }
}

async function untilRunning(api: Cluster, name: string, isGivenUp: () => boolean): Promise<void> {
  const deadline = monotonicMs() + startWithinMs
  for (let waitMs = 20; !isGivenUp(); waitMs = Math.min(500, waitMs * 1.5)) {
    const pod = await podOf(api, name)
    const { phase, reason, message, containerStatuses } = pod?.status ?? { reason: 'it was removed' }
    if (phase === 'Running') return
    const waiting = containerStatuses?.[0]?.state?.waiting
    const why = [waiting?.reason ?? reason, waiting?.message ?? message].filter(Boolean).join(': ')
    if (!pod || phase === 'Failed' || phase === 'Succeeded' || hopeless.test(waiting?.reason ?? '')) throw new ClusterError(`the pod does not start: ${why}`)
    if (monotonicMs() > deadline) throw new ClusterError(`the pod does not run after ${startWithinMs} ms: ${why || 'nobody says why'}`)
    await sleep(waitMs)
  }
}

async function remove(api: Cluster, name: string): Promise<void> {
  await api.call('DELETE', `/pods/${name}?gracePeriodSeconds=1`).catch((error: unknown) => {
    if (!(error instanceof ClusterError && error.status === 404)) throw error
  })
}

/** Returns when nothing of it is left: the pod stays in the list until its node says so. */
export async function removePod(api: Cluster, name: string): Promise<void> {
  await remove(api, name)
  const deadline = monotonicMs() + goneWithinMs
  for (let waitMs = 10; await podOf(api, name); waitMs = Math.min(500, waitMs * 2)) {
    if (monotonicMs() > deadline) throw new ClusterError(`the pod ${name} is not gone after ${goneWithinMs} ms`)
    await sleep(waitMs)
  }
}
