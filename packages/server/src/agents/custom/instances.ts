/** The instances of this server: found again by their session, watched while they are idle, released when nobody needs them. */
import { type Log, StepFailure, after, monotonicMs, secret, toFailure } from '../../kernel/index.ts'
import type { Door } from '../../sandbox/index.ts'
import { type Instance, type InstanceOptions, startInstance } from './instance.ts'

/** `Use`: for whom it works at the moment. */
export type Entry<Use> = {
  readonly token: string
  /** Undefined while nobody asks it anything. */
  use: Use | undefined
}

export type Instances<Use> = {
  /**
   * Has `work` done with the instance of this key, which is started when there is none. Whatever makes `work` reject ends the instance: nobody knows what
   * its program goes on with. `isOnce`: it ends with the work.
   */
  use<Result>(key: string, options: Wanted<Use>, work: (instance: Instance) => Promise<Result>): Promise<Result>
  /** Who has this token. */
  find(token: string): Entry<Use> | undefined
  /** Resolves when none is left. */
  stop(): Promise<void>
}

export type Wanted<Use> = Omit<InstanceOptions, 'hosted' | 'token' | 'door' | 'onEnd'> & { use: Use; isOnce: boolean; doorFor(entry: Entry<Use>): Door }

type Kept<Use> = Entry<Use> & { key: string; opening: Promise<Instance>; cancelWatch(): void; freeAtMs: number }

/** Instances at once on this server: each is a sandbox. */
const instancesMax = 64
const pingEveryMs = 10_000
const missesMax = 3

export const tokenPrefix = 'lhi_'

export function openInstances<Use>({ hosted, log, pingMs = pingEveryMs }: { hosted: InstanceOptions['hosted']; log: Log; pingMs?: number }): Instances<Use> {
  const byKey = new Map<string, Kept<Use>>()
  const byToken = new Map<string, Kept<Use>>()
  let isStopped = false

  function forget(kept: Kept<Use>): void {
    kept.cancelWatch()
    byToken.delete(kept.token)
    if (byKey.get(kept.key) === kept) byKey.delete(kept.key)
  }

  async function end(kept: Kept<Use>, why: string): Promise<void> {
    forget(kept)
    await kept.opening.then((instance) => instance.end(why)).catch(() => {}) // It never started, and has said so.
  }

  function open(key: string, { doorFor, use, tenantId, namespace, seed, image, declared, egress }: Wanted<Use>): Kept<Use> {
    if (isStopped) throw new StepFailure({ message: 'The server is stopping.', code: 'unavailable', retryable: true })
    if (byToken.size >= instancesMax) {
      const [idlest] = [...byKey.values()].filter((kept) => kept.use === undefined).toSorted((one, other) => one.freeAtMs - other.freeAtMs)
      if (!idlest)
        throw new StepFailure({ message: `${instancesMax} programs of custom agents work on this server already.`, code: 'over_limit', retryable: true })
      void end(idlest, 'Its place was needed.')
    }
    const entry: Entry<Use> = { token: tokenPrefix + secret(), use }
    const opening = startInstance({
      ...{ hosted, tenantId, namespace, seed, image, declared, egress, token: entry.token, door: doorFor(entry) },
      onEnd(why) {
        forget(kept)
        log.info('an instance of a custom agent has ended', { tenantId, why })
      },
    })
    const kept: Kept<Use> = Object.assign(entry, { key, opening, cancelWatch: () => {}, freeAtMs: 0 })
    byKey.set(key, kept)
    byToken.set(kept.token, kept)
    opening.catch(() => forget(kept))
    return kept
  }

  /** Pings it while nobody uses it, and lets it go when its time is up. */
  function watch(kept: Kept<Use>, instance: Instance, idleMs: number, misses = 0): void {
    const look = async (): Promise<number> => {
      const status = await instance.ping().catch((error: unknown) => {
        log.warn('an instance of a custom agent does not answer its ping', { why: toFailure(error).message })
        return undefined
      })
      if (kept.use !== undefined || byKey.get(kept.key) !== kept) return 0
      if (status === undefined && misses + 1 >= missesMax) await end(kept, `It did not answer ${missesMax} pings in a row.`)
      if (status === 'Healthy' && monotonicMs() - kept.freeAtMs >= idleMs) await end(kept, 'Nobody needed it any more.')
      return status === undefined ? misses + 1 : 0
    }
    const waitMs = Math.min(pingMs, Math.max(1, idleMs - (monotonicMs() - kept.freeAtMs)))
    kept.cancelWatch = after(
      idleMs - (monotonicMs() - kept.freeAtMs) > 0 ? waitMs : pingMs,
      () => void look().then((missed) => kept.use === undefined && byKey.get(kept.key) === kept && watch(kept, instance, idleMs, missed)),
      false,
    )
  }

  return {
    find: (token) => byToken.get(token),
    async use(key, wanted, work) {
      let kept = byKey.get(key)
      if (kept?.use !== undefined)
        throw new StepFailure({ message: 'The instance of this session is busy with another run.', code: 'over_limit', retryable: true })
      if (kept) {
        kept.cancelWatch()
        kept.use = wanted.use
      } else kept = open(key, wanted)
      let isDone = false
      try {
        const instance = await kept.opening
        const result = await work(instance)
        isDone = true
        return result
      } finally {
        kept.freeAtMs = monotonicMs()
        const instance = await kept.opening.catch(() => undefined) // It has thrown already.
        if (instance) instance.onOutput = undefined
        if (!isDone || wanted.isOnce) await end(kept, isDone ? 'Its run is over.' : 'What it did was stopped.')
        kept.use = undefined
        if (instance && byKey.get(key) === kept) watch(kept, instance, wanted.declared.idleMs)
      }
    },
    async stop() {
      isStopped = true
      await Promise.all([...byToken.values()].map((kept) => end(kept, 'The server is stopping.')))
    },
  }
}
