/** The places of runs' sandboxes among those that their tenant and namespace may have at once: taken before the first use, given back some time after the last. */
import type { Db } from '../db/index.ts'
import { type Log, after, loop } from '../kernel/index.ts'
import { type SandboxQuotas, dropPlace, dropPlacesOf, renewPlaces, takePlace } from './place-store.ts'
import type { SandboxOwner } from './policy.ts'

export type SandboxQuotasOf = (owner: SandboxOwner) => Promise<SandboxQuotas>
export type Places = {
  /** Resolves with what ends the use. Throws `over_limit` when there is no room, at whichever server the others are. */
  hold(sandboxId: string, owner: SandboxOwner): Promise<() => void>
  start(): Promise<void>
  stop(): Promise<void>
}

/** As long as drivers keep the processes of a sandbox that nobody uses. */
const idleMsDefault = 60_000
const renewEveryMs = 60_000

type Held = { taken: Promise<void>; users: number; cancelIdle(): void }

export function openPlaces({
  db,
  log,
  home,
  quotasOf,
  idleMs = idleMsDefault,
}: {
  db: Db
  log: Log
  home: string
  quotasOf: SandboxQuotasOf
  idleMs?: number
}): Places {
  const places = new Map<string, Held>()
  const drops = new Map<string, Promise<void>>()

  async function take(sandboxId: string, owner: SandboxOwner): Promise<void> {
    await drops.get(sandboxId) // Else it would take the new place away.
    await takePlace(db, { tenantId: owner.tenantId, namespace: owner.namespace ?? 'default', sandboxId, home }, await quotasOf(owner))
  }

  function drop(sandboxId: string, { tenantId }: SandboxOwner): void {
    places.delete(sandboxId)
    const dropped = dropPlace(db, { tenantId, sandboxId, home })
      .catch((error: unknown) => log.warn('a sandbox’s place was not given back; it stops counting in some minutes', { error, sandboxId }))
      .finally(() => drops.get(sandboxId) === dropped && drops.delete(sandboxId))
    drops.set(sandboxId, dropped)
  }

  const renewing = loop({
    everyMs: renewEveryMs,
    onError: (error) => log.warn('the places of sandboxes were not renewed', { error }),
    work: () => renewPlaces(db, home, [...places.keys()]),
  })

  return {
    async hold(sandboxId, owner) {
      const held = places.get(sandboxId) ?? { taken: take(sandboxId, owner), users: 0, cancelIdle() {} }
      places.set(sandboxId, held)
      held.cancelIdle()
      held.users++
      await held.taken.catch((error: unknown) => {
        if (places.get(sandboxId) === held) places.delete(sandboxId) // The next one asks anew.
        throw error
      })
      return () => {
        held.users--
        if (held.users === 0) held.cancelIdle = after(idleMs, () => drop(sandboxId, owner), false)
      }
    },
    async start() {
      await dropPlacesOf(db, home)
      await renewing.start()
    },
    async stop() {
      await renewing.stop()
      for (const { cancelIdle } of places.values()) cancelIdle()
      await Promise.all(drops.values())
      await dropPlacesOf(db, home).catch((error: unknown) => log.warn('places of sandboxes were not given back; they stop counting in some minutes', { error }))
    },
  }
}
