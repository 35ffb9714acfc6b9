/**
 * Who is next. Runs wait in lanes (tenant, namespace, agent, lane key). A free slot goes to the tenant that holds the fewest on this
 * node, in it to the agent that holds the fewest, then to the lane key, and within a lane to the run that is due longest.
 * Pure: the caller brings what waits, what is held and what is left of the limits.
 */

import type { Json } from '@longhaul/protocol'

/** Where a run waits and what it is counted under. A run without a lane key has an empty one. */
export type Scope = { tenantId: string; namespace: string; agent: string; laneKey: string }

/** The order within a lane. Those from `begun` on are no first starts any more; `ending` only writes down its cancellation. */
export const ranks = { low: 0, normal: 1, high: 2, begun: 3, ending: 4 } as const

/**
 * A rank is a head start, never a right of way: a run of a lower one that has waited longer by the difference goes first. So a stream
 * of high ones delays a low one by two minutes, and no longer.
 */
const headStartMs: readonly number[] = [-60_000, 0, 60_000, 600_000, Infinity]

export type Waiting = { id: string; dueMs: number }
/** Runs of one rank in a lane that are due, the longest due first. */
export type Lane = Scope & { rank: number; waiting: readonly Waiting[] }

/** What is left of a limit. `starts` is null when it limits none; begun runs need a place but no start. */
export type Cap = { running: number; starts: number | null }

/** The lane key of a run that was started without one: what its agent says is one, in the run's input. None where there is no text, number or yes or no. */
export function laneKeyAt(input: Json, path: string | undefined): string {
  let found: Json | undefined = path === undefined ? undefined : input
  for (const name of path?.split('.') ?? [])
    found = typeof found === 'object' && found !== null && !Array.isArray(found) && Object.hasOwn(found, name) ? found[name] : undefined
  return typeof found === 'string' || typeof found === 'number' || typeof found === 'boolean' ? String(found).slice(0, laneKeyLengthMax).toWellFormed() : ''
}
const laneKeyLengthMax = 128

/** Slots held on this node, by tenant, by agent, by lane. */
export type Held = { of(name: string): number }

export function openSlots(): Held & { take(scope: Scope): void; give(scope: Scope): void; count(): number } {
  const counts = new Map<string, number>()
  let total = 0
  const add = (scope: Scope, more: 1 | -1) => {
    total += more
    for (const name of [tenantName(scope), agentName(scope), laneName(scope)]) {
      const count = (counts.get(name) ?? 0) + more
      if (count === 0) counts.delete(name)
      else counts.set(name, count)
    }
  }
  return { of: (name) => counts.get(name) ?? 0, take: (scope) => add(scope, 1), give: (scope) => add(scope, -1), count: () => total }
}

export type Choice = {
  /** In the order of their choice. */
  chosen: { id: string; lane: Lane }[]
  /** Lanes in which runs that are due were left waiting. */
  leftOver: Set<string>
}

export const tenantName = ({ tenantId }: Scope): string => JSON.stringify([tenantId])
export const agentName = ({ tenantId, namespace, agent }: Scope): string => JSON.stringify([tenantId, namespace, agent])
export const laneName = ({ tenantId, namespace, agent, laneKey }: Scope): string => JSON.stringify([tenantId, namespace, agent, laneKey])

/**
 * Who holds many slots leaves the last ones: a tenant or agent gets another one only while it holds less than this many times the free
 * ones. Alone it stops at 15 of 16 of a node. Where several share one, the last slot may be taken; then whoever comes next gets the first that is given back.
 */
const shareOfFree = 15
export const hasRoom = (held: number, free: number): boolean => free > 0 && held < shareOfFree * free

type Queue = Scope & { names: readonly [string, string, string]; ranks: { lane: Lane; at: number }[]; caps: readonly Cap[] }

/** Chooses at most `room` runs. `capsOf` gives what is left of each limit on a lane: the same object for each lane under it, used up here. */
export function chooseRuns(lanes: readonly Lane[], { room, held, capsOf }: { room: number; held: Held; capsOf(scope: Scope): readonly Cap[] }): Choice {
  const chosen: Choice['chosen'] = []
  const leftOver = new Set<string>()
  const taken = new Map<string, number>()
  const countOf = (name: string) => held.of(name) + (taken.get(name) ?? 0)
  let open = queuesOf(lanes, capsOf)
  for (let free = room; open.length > 0;) {
    // Cancellations first: they run nothing, so they need no slot and no limit holds them.
    let best: Queue | undefined
    for (const queue of open) if (!best || comesBefore(queue, best, countOf)) best = queue
    if (!best) break
    const queue = best
    const head = headOf(queue)
    const next = head?.lane.waiting[head.at]
    if (!head || !next) {
      open = open.filter((other) => other !== queue)
      continue
    }
    const { rank } = head.lane
    const isEnding = rank === ranks.ending
    const hasPlace = hasRoom(countOf(queue.names[0]), free) && hasRoom(countOf(queue.names[1]), free) && queue.caps.every(({ running }) => running > 0)
    const hasStart = rank >= ranks.begun || queue.caps.every(({ starts }) => starts === null || starts >= 1)
    if (!isEnding && !(hasPlace && hasStart)) {
      leftOver.add(queue.names[2])
      // No start is left, but a run that has begun needs none.
      queue.ranks = queue.ranks.filter(({ lane }) => lane.rank === ranks.ending || (hasPlace && lane.rank === ranks.begun))
      continue
    }
    head.at++
    chosen.push({ id: next.id, lane: head.lane })
    if (isEnding) continue
    free--
    for (const name of queue.names) taken.set(name, (taken.get(name) ?? 0) + 1)
    for (const cap of queue.caps) {
      cap.running--
      if (cap.starts !== null && rank < ranks.begun) cap.starts--
    }
  }
  return { chosen, leftOver }
}

function queuesOf(lanes: readonly Lane[], capsOf: (scope: Scope) => readonly Cap[]): Queue[] {
  return [...Map.groupBy(lanes, laneName).values()].flatMap((group) => {
    const [first] = group
    if (!first) return []
    const { tenantId, namespace, agent, laneKey } = first
    const names = [tenantName(first), agentName(first), laneName(first)] as const
    return [{ tenantId, namespace, agent, laneKey, names, ranks: group.map((lane) => ({ lane, at: 0 })), caps: capsOf(first) }]
  })
}

/** The rank whose first run is due longest, its head start counted. */
function headOf(queue: Queue): { lane: Lane; at: number } | undefined {
  let best: { lane: Lane; at: number } | undefined
  for (const entry of queue.ranks) if (entry.at < entry.lane.waiting.length && (!best || turnOf(entry) < turnOf(best))) best = entry
  return best
}

const turnOf = ({ lane, at }: { lane: Lane; at: number }): number => (lane.waiting[at]?.dueMs ?? Infinity) - (headStartMs[lane.rank] ?? 0)

function comesBefore(a: Queue, b: Queue, countOf: (name: string) => number): boolean {
  const [headA, headB] = [headOf(a), headOf(b)]
  if (!headA || !headB) return headA !== undefined
  const endingA = headA.lane.rank === ranks.ending
  if (endingA !== (headB.lane.rank === ranks.ending)) return endingA
  for (const level of [0, 1, 2] as const) {
    const difference = countOf(a.names[level]) - countOf(b.names[level])
    if (difference !== 0) return difference < 0
  }
  return turnOf(headA) < turnOf(headB)
}
