/** The programs of hosted MCP servers that live here: found again by their key, bounded for each tenant and key of a caller, ended when idle, stopped or not permitted any more. */
import type { Caller } from '../../identity/index.ts'
import { AppError, type Log, after, monotonicMs } from '../../kernel/index.ts'
import { type Admission, watchAdmission } from '../admission.ts'
import type { Exchange } from './exchange.ts'
import type { Pipe } from './pipe.ts'
import type { Session } from './session.ts'

export type Kept = {
  readonly key: string
  readonly caller: Caller
  readonly agent: string
  readonly pipe: Pipe
  readonly session?: Session
  readonly exchange?: Exchange
}
export type Keeper = {
  find(key: string): Kept | undefined
  /** Has a program started that will be kept. Throws `over_limit` when there is no room; the one that was idle for the longest makes room. */
  starting<Result>(caller: Caller, work: () => Promise<Result>): Promise<Result>
  /** `end`: of what is kept, also when it is ended from here. */
  keep(made: Omit<Kept, 'caller'>, of: { admission: Admission; idleMs: number; end(): Promise<void> }): Kept
  /** It has ended by itself, and is not found any more. */
  forget(one: Kept): void
  endAll(): Promise<void>
}

type Held = { one: Kept; usedAtMs: number; stopWatching(): void; end(): Promise<void> }

/** On this server. */
const perTenantMax = 32
const perKeyMax = 16
const lookEveryMs = 1_000

/** `whyStopped`: undefined while nobody has stopped it. */
export function openKeeper({ log, whyStopped }: { log: Log; whyStopped(one: Kept): string | undefined }): Keeper {
  const held = new Map<string, Held>()
  /** For whom programs are being started. */
  const claims = new Set<{ caller: Caller }>()

  function forget(one: Kept): void {
    const found = held.get(one.key)
    if (found?.one !== one) return
    found.stopWatching()
    held.delete(one.key)
  }

  async function end({ one, end: endIt }: Held): Promise<void> {
    forget(one)
    await endIt()
  }

  function makeRoom(caller: Caller): void {
    const isOfTenant = (one: Caller) => one.tenantId === caller.tenantId
    const isOfKey = (one: Caller) => isSame(one, caller)
    const callers = [...[...held.values()].map(({ one }) => one.caller), ...[...claims].map((claim) => claim.caller)]
    const crowd = callers.filter(isOfKey).length >= perKeyMax ? isOfKey : callers.filter(isOfTenant).length >= perTenantMax ? isOfTenant : undefined
    if (!crowd) return
    const [idlest] = [...held.values()]
      .filter(({ one }) => crowd(one.caller) && one.pipe.waiting.size === 0)
      .toSorted((one, other) => one.usedAtMs - other.usedAtMs)
    if (!idlest)
      throw new AppError(
        'over_limit',
        `${callers.filter(crowd).length} programs of hosted MCP servers work here already for this ${crowd === isOfKey ? 'key' : 'tenant'}.`,
      )
    void end(idlest)
  }

  /** Until it is not kept any more. */
  function look(of: Held, idleMs: number, useCount: number): void {
    const { one } = of
    const again = () => {
      if (held.get(one.key) !== of) return
      const count = one.pipe.useCount()
      if (count !== useCount || one.pipe.waiting.size > 0) of.usedAtMs = monotonicMs()
      const why = whyStopped(one) ?? (monotonicMs() - of.usedAtMs >= idleMs ? 'Nobody asked it anything.' : undefined)
      if (why === undefined) return look(of, idleMs, count)
      log.info('a hosted MCP server was ended', { tenantId: one.caller.tenantId, name: one.agent, why })
      void end(of)
    }
    after(Math.min(lookEveryMs, idleMs), again, false)
  }

  return {
    find: (key) => held.get(key)?.one,
    async starting(caller, work) {
      makeRoom(caller)
      const claim = { caller }
      claims.add(claim)
      try {
        return await work()
      } finally {
        claims.delete(claim)
      }
    },
    keep(made, { admission, idleMs, end: endIt }) {
      const watch = watchAdmission(admission)
      const one: Kept = { ...made, caller: admission.caller }
      const of: Held = { one, usedAtMs: monotonicMs(), stopWatching: watch.stop, end: endIt }
      held.set(one.key, of)
      watch.signal.addEventListener('abort', () => void end(of))
      look(of, idleMs, one.pipe.useCount())
      return one
    },
    forget,
    endAll: async () => void (await Promise.all([...held.values()].map(end))),
  }
}

export const isSame = (one: Caller, other: Caller): boolean => one.tenantId === other.tenantId && one.keyId === other.keyId
