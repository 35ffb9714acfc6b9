/**
 * Nodes that start, claim, end and die on a clock of their own, thousands of steps for each seed. The database is an array; who is next is decided
 * by the code that decides it in production. A seed that fails is printed; put it alone into `seeds` to look at it.
 */
import { expect, test } from 'vitest'
import { type Cap, type Lane, type Scope, chooseRuns, hasRoom, laneName, openSlots, tenantName, ranks } from './lanes.ts'
import { type Bucket, type Limit, covers, fullBucket, groupOf, refill, spend, startsIn } from './limits.ts'

const seeds = Array.from({ length: 1_000 }, (_, i) => i + 1)

/** Numbers that look random and are the same for the same seed. */
function dice(seed: number) {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  return { below: (max: number) => Math.floor(next() * max), chance: (part: number) => next() < part }
}
type Dice = ReturnType<typeof dice>

/** Millions of times, so without the ceremony of `expect`. */
function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`Broken: ${what}`)
}

type SimRun = Scope & {
  lane: string
  id: string
  rank: number
  dueMs: number
  node: SimNode | undefined
  claims: number
  leftMs: number
  isEnded: boolean
  begunMs: number | undefined
}
type SimNode = { slots: ReturnType<typeof openSlots>; activeMax: number; runs: Set<SimRun> }
type World = {
  nowMs: number
  runs: SimRun[]
  nodes: SimNode[]
  limits: Limit[]
  buckets: Map<string, Bucket>
  starts: Map<string, number[]>
  reached: Set<string>
}

function makeWorld({ below, chance }: Dice): World {
  const tenants = 1 + below(4)
  const runs = Array.from({ length: 12 + below(36) }, (_, i): SimRun => {
    const tenantId = `t${Math.min(below(tenants), below(tenants))}` // The first have more than the last.
    const rank = [ranks.low, ranks.normal, ranks.normal, ranks.high][below(4)] ?? ranks.normal
    const laneKey = chance(0.3) ? `k${below(3)}` : ''
    const scope: Scope = { tenantId, namespace: 'default', agent: `a${below(3)}`, laneKey }
    return {
      ...scope,
      id: `r${i}`,
      lane: laneName(scope),
      rank,
      dueMs: below(2) * below(120_000),
      node: undefined,
      claims: 0,
      leftMs: 0,
      isEnded: false,
      begunMs: undefined,
    }
  })
  const limits = Array.from({ length: below(4) }, (_, i): Limit => ({
    id: `l${i}`,
    tenantId: `t${below(tenants)}`,
    namespace: '',
    agent: chance(0.5) ? `a${below(3)}` : '',
    laneKey: chance(0.3) ? '*' : '',
    runningMax: chance(0.7) ? 1 + below(4) : null,
    startsPerSecond: chance(0.2) ? 1 + below(5) : null,
    startsPerMinute: chance(0.2) ? 10 + below(50) : null,
  }))
  const nodes = Array.from({ length: 1 + below(3) }, (): SimNode => ({ slots: openSlots(), activeMax: 1 + below(12), runs: new Set() }))
  return { nowMs: 0, runs, nodes, limits, buckets: new Map(), starts: new Map(), reached: new Set() }
}

/** One look of a node, as `claims.ts` makes it under the locks: what is due, what is left of the limits, and the choice. */
function claim(world: World, node: SimNode, { below }: Dice): void {
  const due = world.runs.filter((run) => !run.isEnded && !run.node && run.dueMs <= world.nowMs)
  const lanes = [...Map.groupBy(due, (run) => `${run.lane} ${run.rank}`).values()].map((runs): Lane => {
    const waiting = runs.toSorted((a, b) => a.dueMs - b.dueMs).slice(0, 1 + below(10))
    return { ...runs[0]!, waiting }
  })
  const caps = new Map<string, { limit: Limit; group: string; cap: Cap; starts: number; bucket: Bucket }>()
  const capsOf = (scope: Scope): Cap[] =>
    world.limits
      .filter((limit) => covers(limit, scope))
      .map((limit) => {
        const group = groupOf(limit, scope)
        const name = `${limit.id} ${group}`
        const bucket = refill(limit, world.buckets.get(name) ?? fullBucket(limit, world.nowMs), world.nowMs)
        const starts = startsIn(limit, bucket)
        const entry = caps.get(name) ?? {
          limit,
          group,
          bucket,
          starts: starts ?? 0,
          cap: { running: (limit.runningMax ?? Infinity) - running(world, limit, group), starts },
        }
        caps.set(name, entry)
        return entry.cap
      })
  const { chosen, leftOver } = chooseRuns(lanes, { room: node.activeMax - node.slots.count(), held: node.slots, capsOf })
  if (leftOver.size > 0) world.reached.add('left over')
  const byId = new Map(due.map((run) => [run.id, run]))
  for (const { id, lane } of chosen) {
    const run = byId.get(id)!
    check(run.node === undefined, 'a run is claimed once')
    // First in, first out: whoever waits in the same lane with the same rank has been due for no longer.
    for (const other of due) if (other.lane === run.lane && other.rank === run.rank && !other.node) check(other.dueMs >= run.dueMs, 'first in, first out')
    if (run.claims++ > 0) world.reached.add('claimed again')
    if (run.rank < ranks.begun) {
      run.begunMs = world.nowMs
      for (const limit of world.limits.filter((each) => covers(each, run))) {
        const name = `${limit.id} ${groupOf(limit, run)}`
        world.starts.set(name, [...(world.starts.get(name) ?? []), world.nowMs])
      }
      run.rank = ranks.begun
    }
    check(
      lane.waiting.some((waiting) => waiting.id === id),
      'what is chosen was there',
    )
    run.node = node
    run.leftMs = 1 + below(10_000)
    node.runs.add(run)
    node.slots.take(run)
  }
  for (const [name, { bucket, starts, cap }] of caps)
    if (cap.starts !== null && starts > cap.starts) world.buckets.set(name, spend(bucket, starts - cap.starts))
}

const running = (world: World, limit: Limit, group: string) =>
  world.runs.filter((run) => run.node && covers(limit, run) && groupOf(limit, run) === group).length

function assertLimits(world: World): void {
  for (const limit of world.limits) {
    const groups = Map.groupBy(
      world.runs.filter((run) => run.node && covers(limit, run)),
      (run) => groupOf(limit, run),
    )
    for (const runs of groups.values()) {
      check(runs.length <= (limit.runningMax ?? Infinity), 'a limit holds')
      if (runs.length === limit.runningMax) world.reached.add('limit reached')
    }
  }
  for (const node of world.nodes) {
    check(node.slots.count() === node.runs.size && node.runs.size <= node.activeMax, 'no more runs than slots')
  }
}

function end(world: World, run: SimRun, how: 'ended' | 'sleeps' | 'lost', ms = 0): void {
  run.node?.runs.delete(run)
  run.node?.slots.give(run)
  run.node = undefined
  run.isEnded = how === 'ended'
  run.dueMs = world.nowMs + ms
}

function advance(world: World, { below, chance }: Dice): void {
  const ms = 1 + below(2_000)
  world.nowMs += ms
  for (const node of world.nodes) {
    for (const run of node.runs) {
      run.leftMs -= ms
      if (run.leftMs <= 0) end(world, run, chance(0.2) && run.claims < 5 ? 'sleeps' : 'ended', below(5_000))
    }
    if (chance(0.01)) {
      // It dies: its runs are anybody's.
      world.reached.add('a node died')
      for (const run of node.runs) end(world, run, 'lost')
    }
  }
}

/** No more than a bucket and what flowed into it meanwhile. */
function assertStarts(world: World): void {
  for (const limit of world.limits) {
    for (const [name, starts] of world.starts) {
      if (!name.startsWith(`${limit.id} `)) continue
      for (const [max, windowMs] of [
        [limit.startsPerSecond, 1_000],
        [limit.startsPerMinute, 60_000],
      ] as const) {
        if (max === null) continue
        for (const from of starts) check(starts.filter((at) => at >= from && at < from + windowMs).length <= 2 * max, 'a bucket gives what it has')
      }
    }
  }
}

const everything = new Set<string>()

test('with any mix of lanes, limits, priorities, nodes and deaths, limits hold, order is kept, and every run comes to its end', { timeout: 180_000 }, () => {
  for (const seed of seeds) {
    try {
      const random = dice(seed)
      const world = makeWorld(random)
      for (let step = 0; world.runs.some((run) => !run.isEnded); step++) {
        if (step > 20_000)
          throw new Error(`Still waiting: ${JSON.stringify(world.runs.filter((run) => !run.isEnded).map(({ id, dueMs, rank }) => ({ id, dueMs, rank })))}`)
        claim(world, world.nodes[random.below(world.nodes.length)]!, random)
        assertLimits(world)
        advance(world, random)
      }
      assertStarts(world)
      for (const name of world.reached) everything.add(name)
    } catch (error) {
      throw new Error(`Seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }
  // What was meant to be tried was tried.
  expect([...everything].toSorted()).toEqual(['a node died', 'claimed again', 'left over', 'limit reached'])
})

test('a tenant that has a node to itself leaves slots for whoever comes', () => {
  for (let activeMax = 17; activeMax < 2_000; activeMax += 13) {
    const slots = openSlots()
    const scope: Scope = { tenantId: 'all', namespace: 'default', agent: 'a', laneKey: '' }
    while (hasRoom(slots.of(tenantName(scope)), activeMax - slots.count())) slots.take(scope)
    expect(activeMax - slots.count()).toBeGreaterThan(0)
    expect(slots.count()).toBeGreaterThan(activeMax * 0.9 - 1)
  }
})

test('a low priority is delayed by a stream of high ones for two minutes and no longer', () => {
  const scope: Scope = { tenantId: 't', namespace: 'default', agent: 'a', laneKey: '' }
  let high = 0
  for (let nowMs = 0; ; nowMs += 1_000) {
    const lanes: Lane[] = [
      { ...scope, rank: ranks.low, waiting: [{ id: 'low', dueMs: 0 }] },
      { ...scope, rank: ranks.high, waiting: [{ id: `high${nowMs}`, dueMs: nowMs }] },
    ]
    const [first] = chooseRuns(lanes, { room: 1, held: openSlots(), capsOf: () => [] }).chosen
    if (first?.id === 'low') break
    high++
  }
  expect(high).toBe(120)
})
