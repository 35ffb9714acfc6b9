/** One look for runs that are due: what waits, who is next under the limits, and the claim, in one transaction. */
import type { Db, Tx } from '../db/index.ts'
import { type Cursor, claimChosen, readLanes } from './lane-store.ts'
import { type Cap, type Held, type Scope, chooseRuns, ranks } from './lanes.ts'
import { lockLimits, readUses, writeBuckets } from './limit-store.ts'
import { type Bucket, type Limit, covers, fullBucket, groupOf, refill, refilledInMs, spend, startsIn } from './limits.ts'
import type { ClaimedRun } from './run-store.ts'

export type Claim = {
  runs: ClaimedRun[]
  /** The node's fence is another than it knew: nothing was claimed. */
  isFenceLost: boolean
  /** Lanes in which runs that are due were left waiting, for want of room or under a limit. */
  leftOver: Set<string>
  /** When a limit on starts lets the next one through, if one is waiting for that. */
  againMs: number | undefined
  cursor: Cursor
}

export type ClaimOptions = { nodeId: string; fence: number; room: number; held: Held; cursor: Cursor }

/** At most this many in one transaction, so that a burst is taken in by many short ones. */
export const claimMax = 100

export async function claimRuns(db: Db, { nodeId, fence, room, held, cursor }: ClaimOptions): Promise<Claim> {
  return db.transaction(async (tx) => {
    const { lanes, next, isLimited } = await readLanes(tx, cursor, claimMax)
    const none: Claim = { runs: [], isFenceLost: false, leftOver: new Set(), againMs: undefined, cursor: next }
    if (lanes.length === 0) return none
    const counts = await lockedCounts(tx, isLimited ? lanes.filter(({ rank }) => rank < ranks.ending) : [])
    const { chosen, leftOver } = chooseRuns(lanes, { room: Math.min(room, claimMax), held, capsOf: counts.capsOf })
    const left = { ...none, leftOver, againMs: counts.againMs() }
    if (chosen.length === 0) return left
    const runs = await claimChosen(tx, { nodeId, fence, ids: chosen.map(({ id }) => id) })
    if (!runs) return { ...none, isFenceLost: true }
    await counts.write()
    const order = new Map(chosen.map(({ id }, at) => [id, at]))
    return { ...left, runs: runs.toSorted((a, b) => (order.get(a.id) ?? 0) - (order.get(b.id) ?? 0)) }
  })
}

type Counted = { limit: Limit; group: string; cap: Cap; startsBefore: number; bucket: Bucket }

/** What is left under the limits of these lanes. From here to the commit nobody else claims under them. */
async function lockedCounts(tx: Tx, lanes: Scope[]) {
  const limits = lanes.length > 0 ? await lockLimits(tx, lanes) : []
  const counted = new Map<string, Counted>()
  const { uses, nowMs } =
    limits.length > 0
      ? await readUses(
          tx,
          limits.map(({ id }) => id),
        )
      : { uses: [], nowMs: 0 }
  const count = (limit: Limit, group: string): Counted => {
    const known = counted.get(`${limit.id} ${group}`)
    if (known) return known
    const use = uses.find(({ limitId, group: of }) => limitId === limit.id && of === group)
    const bucket = use?.bucket ? refill(limit, use.bucket, nowMs) : fullBucket(limit, nowMs)
    const starts = startsIn(limit, bucket)
    const made = { limit, group, bucket, startsBefore: starts ?? 0, cap: { running: (limit.runningMax ?? Infinity) - (use?.running ?? 0), starts } }
    counted.set(`${limit.id} ${group}`, made)
    return made
  }
  const spent = ({ cap, startsBefore }: Counted) => (cap.starts === null ? 0 : startsBefore - cap.starts)
  return {
    capsOf: (scope: Scope): Cap[] => limits.filter((limit) => covers(limit, scope)).map((limit) => count(limit, groupOf(limit, scope)).cap),
    againMs(): number | undefined {
      const waits = [...counted.values()].flatMap((of) =>
        of.cap.starts !== null && of.cap.starts < 1 ? [refilledInMs(of.limit, spend(of.bucket, spent(of)))] : [],
      )
      return waits.length > 0 ? Math.min(...waits) : undefined
    },
    write: () =>
      writeBuckets(
        tx,
        [...counted.values()].flatMap((of) =>
          spent(of) > 0 ? [{ tenantId: of.limit.tenantId, limitId: of.limit.id, group: of.group, bucket: spend(of.bucket, spent(of)) }] : [],
        ),
      ),
  }
}
