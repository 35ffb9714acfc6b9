/**
 * This process as the database knows it. Its id is new with each start, so that nothing of an earlier life can speak for it.
 * A lease on the node stands for leases on all its runs: one renewal, however many they are.
 */
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Connection, Db } from '../db/index.ts'
import { type Log, type Service, loop, machineMs, monotonicMs, newId, probe, sleep } from '../kernel/index.ts'
import { ownedRuns, readNode } from './flush-store.ts'
import { buryNodes, insertNode, nodesOfPlace, readIncarnation, renewLease, retireNode } from './node-store.ts'
import { type Policies, noPolicies, readPolicies } from './policies.ts'
import { recordHeard } from './stop-store.ts'

/**
 * The database's clock, carried on by this process's monotonic one since it was last read. The answer took some time to come, so
 * the exact instant lies between two bounds: timers begin at the later one and end at the earlier, and so never fire early.
 */
export type DbClock = {
  /** At the earliest. */
  nowMs(): number
  /** At the latest. */
  latestMs(): number
  /** The database said `nowMs` to a question asked at `askedAt` on this process's clock. */
  set(nowMs: number, askedAt: number): void
}

export type Node = Service & {
  readonly clock: DbClock
  /** Undefined while it is not registered. */
  current(): string | undefined
  fence(): number
  /** As of that fence. */
  policies(): Policies
  /** Whether an entry of that run and epoch may still be written. New runs have no owner yet. */
  isCurrent(runId: string, epoch: number, isStart: boolean): boolean
  /** The database was found to be another one than this node registered with: a standby took over, or a backup was restored. */
  assertIncarnation(connection: Connection): Promise<void>
  /** The journal found the node declared dead: everything it owned is another's. */
  declareDead(nodeId: string): void
  /** A raised fence was found: these are what is still ours, and what holds from now on. */
  adopt(found: { nodeId: string; fence: number; owned: Map<string, number>; policies: Policies }): void
  /** A statement that was sent at `askedAt`, on this process's clock, found the fence as this node knows it: until then nothing was decided over its head. */
  prove(nodeId: string, askedAt: number): void
  /** For workers: until when code of theirs may begin, on the machine's clock. */
  readonly licence: NodeLicence
  /** Looks whether somebody has decided over this node's head, acts on it, and says so in the node's row. */
  listen(): Promise<void>
  /** Runs of nodes whose lease ran out are put up for claiming. */
  buryDead(): Promise<number>
}

export type NodeLicence = {
  untilMs(): number
  /** One that holds for a while yet, asked of the database where need be. It has run out when the database does not answer. */
  renew(): Promise<number>
}

/** How long a proof that nothing was decided over this node's head lets its workers begin something. Whoever decides waits longer for nodes that do not answer. */
export const licenceMs = 1_000

export type NodeOptions = {
  db: Db
  log: Log
  leaseMs: number
  /** The runs that this process executes, by id. */
  owned: ReadonlyMap<string, { readonly epoch: number; readonly nodeId: string }>
  /** They are another's now, as far as this node can tell: stop, write nothing. */
  onSuperseded(runIds: string[]): void
  /** Resolves when nothing executes any more of what was taken away because it was stopped. Undefined when nothing does. */
  ending(): Promise<unknown> | undefined
}

export function openNode({ db, log, leaseMs, owned, onSuperseded, ending }: NodeOptions): Node {
  let id = ''
  let fence = 0
  let heardFence = 0
  let policies = noPolicies
  let provenAt = -Infinity
  let incarnation = ''
  let registering: Promise<void> | undefined
  let isStopped = false
  let heart: Connection | undefined
  const place = placeName()
  const clock = makeClock()

  async function connectHeart(): Promise<Connection> {
    if (heart) return heart
    const opened = await db.connection('heartbeat', { answerTimeoutMs: leaseMs })
    opened.onLost(() => {
      if (heart === opened) heart = undefined
    })
    return (heart = opened)
  }

  /** Registers under a new id, however long the database is away. */
  async function register(): Promise<void> {
    for (let tries = 0; !isStopped; tries++) {
      try {
        const connection = await connectHeart()
        const next = newId()
        const found = await readIncarnation(connection)
        const askedAt = monotonicMs()
        clock.set(await insertNode(connection, { id: next, incarnation: found, place, pid: process.pid, leaseMs }), askedAt)
        policies = await readPolicies(connection)
        incarnation = found
        fence = heardFence = 0
        registering = undefined
        id = next
        return
      } catch (error) {
        if (tries % 20 === 0) log.warn('node cannot register; it keeps trying', { error })
        await sleep(Math.min(1_000, 50 * 2 ** Math.min(tries, 5)))
      }
    }
  }

  function loseAll(why: string): void {
    if (!id) return
    const runIds = [...owned.keys()]
    log.warn('node gives up its runs and registers anew', { why, nodeId: id, runCount: runIds.length })
    id = ''
    provenAt = -Infinity
    registering ??= register()
    onSuperseded(runIds)
  }

  function adopt(found: { nodeId: string; fence: number; owned: Map<string, number>; policies: Policies }): void {
    if (found.nodeId !== id || found.fence < fence) return // Another look was quicker.
    fence = found.fence
    policies = found.policies
    const lost = [...owned].flatMap(([runId, { epoch }]) => (found.owned.get(runId) === epoch ? [] : [runId]))
    if (lost.length > 0) onSuperseded(lost)
  }

  async function listen(): Promise<void> {
    const nodeId = id
    const askedAt = monotonicMs()
    const row = nodeId ? await readNode(db, nodeId) : undefined
    if (!row || row.isDead || id !== nodeId) return // The heartbeat finds that out.
    if (row.fence > fence) {
      const kept = await ownedRuns(db, nodeId)
      adopt({ nodeId, fence: row.fence, owned: kept, policies: await readPolicies(db) })
    }
    if (row.fence === fence) prove(nodeId, askedAt)
    if (fence <= heardFence || id !== nodeId) return
    const heard = fence
    const left = ending()
    if (!left) return hear(nodeId, heard)
    void left.then(() => hear(nodeId, heard)).catch((error: unknown) => log.warn('it could not be said what was heard; it is tried again', { error }))
  }

  async function hear(nodeId: string, heard: number): Promise<void> {
    if (id !== nodeId || heard <= heardFence) return
    await recordHeard(db, nodeId, heard)
    heardFence = heard
  }

  function prove(nodeId: string, askedAt: number): void {
    if (nodeId === id) provenAt = Math.max(provenAt, askedAt)
  }

  const licence: NodeLicence = {
    untilMs: () => machineMs() - monotonicMs() + provenAt + licenceMs,
    async renew() {
      if (provenAt + licenceMs / 2 < monotonicMs()) await listen()
      return licence.untilMs()
    },
  }

  const heartbeat = loop({
    everyMs: Math.max(200, leaseMs / 4),
    onError: (error) => log.warn('heartbeat failed; it keeps trying', { error }),
    async work() {
      if (!id) return
      const renewing = id
      const connection = await connectHeart()
      const askedAt = monotonicMs()
      const row = await renewLease(connection, renewing, leaseMs)
      if (row) clock.set(Number(row.nowMs), askedAt)
      else if (id === renewing) loseAll('its lease ran out and another node took over')
    },
  })

  return {
    clock,
    current: () => id || undefined,
    fence: () => fence,
    policies: () => policies,
    isCurrent(runId, epoch, isStart) {
      const run = owned.get(runId)
      return isStart || (run?.epoch === epoch && run.nodeId === id)
    },
    async assertIncarnation(connection) {
      const found = await readIncarnation(connection)
      if (incarnation && found !== incarnation) loseAll(`the database is another one than before (${incarnation} → ${found})`)
    },
    declareDead(nodeId) {
      if (id === nodeId) loseAll('it was declared dead')
    },
    adopt,
    prove,
    licence,
    listen,
    async buryDead() {
      const { nodeIds, runCount } = await buryNodes(db)
      if (nodeIds.length > 0) log.warn('took over the runs of nodes that went away', { nodeIds, runCount })
      return runCount
    },
    async start() {
      isStopped = false
      await (registering ??= register())
      const orphans = (await nodesOfPlace(db, place)).filter((node) => node.id !== id && !isAlive(node.pid)).map((node) => node.id)
      if (orphans.length > 0) {
        probe('burial.before')
        const { runCount } = await buryNodes(db, orphans)
        probe('burial.after')
        log.info('took over from an earlier process on this machine that has ended', { nodeIds: orphans, runCount })
      }
      await heartbeat.start()
    },
    async stop() {
      isStopped = true
      await heartbeat.stop()
      await registering
      registering = undefined
      if (id) await retireNode(db, id).catch((error: unknown) => log.warn('node could not say goodbye; its lease will run out', { error }))
      await heart?.end()
      heart = undefined
      id = ''
    },
  }
}

function makeClock(): DbClock {
  let earliest = 0
  let latest = 0
  return {
    nowMs: () => earliest + monotonicMs(),
    latestMs: () => latest + monotonicMs(),
    set(nowMs, askedAt) {
      earliest = nowMs - monotonicMs()
      latest = nowMs - askedAt
    },
  }
}

/** Process ids mean the same thing only within one boot of one machine and one namespace of process ids. */
function placeName(): string {
  const read = (path: string, of: (path: string) => string) => {
    try {
      return of(path).trim()
    } catch {
      return '' // Not Linux: the host's name has to do.
    }
  }
  return [
    hostname(),
    read('/proc/sys/kernel/random/boot_id', (path) => readFileSync(path, 'utf8')),
    read('/proc/self/ns/pid', (path) => readlinkSync(path)),
  ].join(' ')
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return pid !== process.pid
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
