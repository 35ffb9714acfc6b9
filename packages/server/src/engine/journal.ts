/**
 * The journal's one writer on this node. Everything that became ready while the previous flush committed goes into the next:
 * one transaction, one round trip (group commit). Entries of a run keep their order, and are told so in that order.
 *
 * What can go wrong and what then happens:
 * - The connection is lost during a flush: it may or may not have been committed. The node's row is read back; its counter says which.
 * - The fence has moved: somebody decided something about our runs. What is still ours is read back, the rest is dropped and told
 *   so, and the flush is made again.
 * - The lost flush is committed only after that, while it is made again: the second one finds no fence, and the counter says why.
 * - The database refuses the values: the flush is cut in half until the guilty run is alone; that one is failed, the others go on.
 * - The database can do nothing for now (no space, a deadlock, a shutdown): the flush is made again until it can.
 */
import { type Connection, type Db, isConnectionLost, sqlState } from '../db/index.ts'
import { AppError, type Log, type Service, monotonicMs, probe, sleep } from '../kernel/index.ts'
import { type Booking, existingRuns, makeFlush, ownedRuns, readNode } from './flush-store.ts'
import type { Scope } from './lanes.ts'
import type { Node } from './node.ts'
import { isFreeLane, readPolicies } from './policies.ts'

/** Rows of one run that belong together. JSON texts, as the flush wants them. */
export type Entry = {
  runId: string
  epoch: number
  /** A new run: `row` for `runs`. Its events are dropped with it when its idempotency key is taken. */
  start?: string | undefined
  /** Where a new run that begins on this node counts. It is refused when it may not begin there by itself any more. */
  begins?: Scope | undefined
  /** New runs that this one starts. Written only with the entry as a whole, and so only while the run is ours. */
  children?: string[] | undefined
  events: string[]
  change?: string | undefined
  approvals?: string[] | undefined
  taken?: string[] | undefined
  /** Rows for the booking that the engine was given. */
  booked?: string[] | undefined
  bytes: number
  /** Called once, when it is durable. `isNew` is false for a start whose idempotency key was taken. */
  onDurable(isNew: boolean, nodeId: string): void
  /** Called once instead: it will never be written. `superseded` when the run is not ours any more; `not-free` when a limit or a stop came between. */
  onRefused(why: 'superseded' | 'invalid' | 'not-free', error?: unknown): void
}

export type Journal = Service & {
  append(entry: Entry): void
  /** As much waits to be written as may: the database is away, or slower than what comes. New runs are refused then, with what is under way it goes on. */
  isFull(): boolean
  /** What has kept it from writing since its last success, as a sentence. */
  trouble(): string | undefined
  /** Resolves when everything appended so far has been told of. */
  settled(): Promise<void>
  stats: { flushCount: number; rowCount: number }
}

const rowsMax = 2_000
const bytesMax = 4_000_000
/** Runs under way add what they add; each waits for its own. */
const queuedBytesMax = 64_000_000
/** No fault of the values: a standby, a deadlock, no space or memory, a lock held too long, an operator, the machine. It will pass. */
const willPass = (error: unknown) => error instanceof AppError || isConnectionLost(error) || /^(25|40|53|55|57|58)/.test(sqlState(error) ?? '')

export type JournalOptions = { db: Db; node: Node; log: Log; booking?: Booking | undefined }

export function openJournal({ db, node, log, booking }: JournalOptions): Journal {
  const flush = makeFlush(booking)
  let queue: Entry[] = []
  let queuedBytes = 0
  let running: Promise<void> | undefined
  let connection: Connection | undefined
  let flushNumber = 0
  let flushedNode = ''
  let isStopped = false
  let trouble: string | undefined
  const stats = { flushCount: 0, rowCount: 0 }

  async function connect(): Promise<Connection> {
    if (connection) return connection
    const opened = await db.connection('journal', { answerTimeoutMs: 30_000 })
    opened.onLost(() => {
      if (connection === opened) connection = undefined
    })
    await node.assertIncarnation(opened)
    if (!isStopped) return (connection = opened)
    await opened.end()
    throw new AppError('unavailable', 'The journal is stopped.')
  }

  function takeBatch(): Entry[] {
    let bytes = 0
    let rows = 0
    let count = 0
    for (const entry of queue) {
      bytes += entry.bytes
      rows += entry.events.length + 1 + (entry.children?.length ?? 0)
      if (count > 0 && (bytes > bytesMax || rows > rowsMax)) break
      count++
    }
    const batch = count === queue.length ? queue : queue.slice(0, count)
    for (const entry of batch) queuedBytes -= entry.bytes
    queue = count === queue.length ? [] : queue.slice(count)
    return batch
  }

  async function drain(): Promise<void> {
    await Promise.resolve() // What is appended in the same turn goes into the same flush.
    while (queue.length > 0) {
      const batch = takeBatch()
      stats.flushCount++
      for (const entry of batch) stats.rowCount += entry.events.length
      await write(batch)
    }
    running = undefined
  }

  /** Returns when each entry has been told what became of it, however long the database is away. */
  async function write(batch: Entry[]): Promise<void> {
    for (let tries = 0; ; tries++) {
      if (isStopped) return batch.forEach((entry) => refuse(entry, 'superseded'))
      const nodeId = node.current()
      if (nodeId === undefined) {
        await sleep(20)
        continue
      }
      batch = batch.filter((entry) => node.isCurrent(entry.runId, entry.epoch, entry.start !== undefined) || refuse(entry, 'superseded'))
      // Under the fence of this flush these hold until its commit.
      batch = batch.filter((entry) => !entry.begins || isFreeLane(node.policies(), entry.begins) || refuse(entry, 'not-free'))
      if (batch.length === 0) return
      if (flushedNode !== nodeId) {
        flushedNode = nodeId
        flushNumber = 0
      }
      let started: Set<string> | undefined
      let isAttempted = false
      try {
        const open = await connect()
        if (node.current() !== nodeId) continue
        isAttempted = true
        probe('flush.before')
        const askedAt = monotonicMs()
        const result = await flush(open, nodeId, { number: flushNumber + 1, fence: node.fence(), ...rowsOf(batch) })
        probe('flush.after')
        if (result.isFenceHeld) {
          node.clock.set(result.nowMs, askedAt)
          node.prove(nodeId, askedAt)
          started = new Set(result.started)
        } else started = await resolveFence(open, nodeId, flushNumber + 1, batch)
      } catch (error) {
        if (!willPass(error)) return refuseGuilty(batch, error)
        if (tries % 20 === 0) log.warn('journal cannot write; it keeps trying', { error })
        if (error instanceof AppError) trouble = error.message
        await sleep(Math.min(1_000, 20 * 2 ** Math.min(tries, 6)))
        if (isAttempted) started = await readBack(nodeId, flushNumber + 1, batch)
      }
      if (!started) continue
      trouble = undefined
      flushNumber++
      return tell(batch, started, nodeId)
    }
  }

  /** The values of one run cannot be stored. Whatever else it wants to write builds on them. */
  async function refuseGuilty(batch: Entry[], error: unknown): Promise<void> {
    const half = splitByRun(batch)
    if (half) {
      await write(half[0])
      return write(half[1])
    }
    const runId = batch[0]?.runId
    const later = queue.filter((entry) => entry.runId === runId)
    queue = queue.filter((entry) => entry.runId !== runId)
    for (const entry of later) queuedBytes -= entry.bytes
    for (const entry of [...batch, ...later]) refuse(entry, 'invalid', error)
  }

  /** After an unknown outcome: the new runs of the flush when it was committed, undefined when it was not, or not yet. */
  async function readBack(nodeId: string, attempted: number, batch: Entry[]): Promise<Set<string> | undefined> {
    for (let tries = 0; !isStopped; tries++) {
      try {
        const open = await connect()
        const row = await readNode(open, nodeId)
        if (!row || row.flush < attempted) return undefined
        return await startedRuns(open, batch)
      } catch (error) {
        if (tries % 20 === 0) log.warn('journal waits for the database to learn what became of a flush', { error })
        await sleep(Math.min(1_000, 20 * 2 ** Math.min(tries, 6)))
      }
    }
  }

  /** The flush did nothing. Either the one before it, thought lost, was committed after all: its new runs are returned. Or somebody has decided something about our runs. */
  async function resolveFence(open: Connection, nodeId: string, attempted: number, batch: Entry[]): Promise<Set<string> | undefined> {
    const row = await readNode(open, nodeId)
    if (row && row.flush >= attempted) return startedRuns(open, batch)
    // It counts less than what was acknowledged: the database was set back to an earlier state, a backup of its disk.
    if (!row || row.isDead || row.flush < attempted - 1) node.declareDead(nodeId)
    else node.adopt({ nodeId, fence: row.fence, owned: await ownedRuns(open, nodeId), policies: await readPolicies(open) })
    return undefined
  }

  const startedRuns = async (open: Connection, batch: Entry[]) =>
    new Set(
      await existingRuns(
        open,
        batch.flatMap((entry) => (entry.start ? [entry.runId] : [])),
      ),
    )

  /** What an entry's owner does with the news is its own affair: no fault of it may keep the others from theirs. */
  function guarded(runId: string, tellIt: () => void): void {
    try {
      tellIt()
    } catch (error) {
      log.error('whoever was told of a journal entry failed', { error, runId })
    }
  }

  function tell(batch: Entry[], started: Set<string>, nodeId: string): void {
    for (const entry of batch) guarded(entry.runId, () => entry.onDurable(entry.start === undefined || started.has(entry.runId), nodeId))
  }

  function refuse(entry: Entry, why: 'superseded' | 'invalid' | 'not-free', error?: unknown): false {
    guarded(entry.runId, () => entry.onRefused(why, error))
    return false
  }

  return {
    stats,
    isFull: () => queuedBytes > queuedBytesMax,
    trouble: () => trouble,
    append(entry) {
      queue.push(entry)
      queuedBytes += entry.bytes
      running ??= drain()
    },
    async settled() {
      while (running) await running
    },
    async start() {
      isStopped = false
      await connect()
    },
    async stop() {
      const from = monotonicMs()
      while (running && monotonicMs() - from < 5_000) await Promise.race([running, sleep(50)])
      if (running) log.warn('journal stopped with entries that are not written; their runs go on from what is', { entryCount: queue.length })
      isStopped = true
      await connection?.end()
      connection = undefined
      await running
    },
  }
}

function rowsOf(batch: Entry[]) {
  const starts: string[] = []
  const changes: string[] = []
  const events: string[] = []
  const approvals: string[] = []
  const taken: string[] = []
  const booked: string[] = []
  for (const entry of batch) {
    if (entry.start) starts.push(entry.start)
    if (entry.children) starts.push(...entry.children)
    if (entry.change) changes.push(entry.change)
    for (const event of entry.events) events.push(event)
    if (entry.approvals) approvals.push(...entry.approvals)
    if (entry.taken) taken.push(...entry.taken)
    if (entry.booked) booked.push(...entry.booked)
  }
  const list = (rows: string[]) => `[${rows.join(',')}]`
  return {
    starts: list(starts),
    changes: list(changes),
    events: list(events),
    approvals: list(approvals),
    taken,
    booked: booked.length === 0 ? undefined : list(booked),
  }
}

/** Two parts with no run in both, in order; undefined when all is one run's. */
function splitByRun(batch: Entry[]): [Entry[], Entry[]] | undefined {
  const runs = [...new Set(batch.map((entry) => entry.runId))]
  if (runs.length === 1) return undefined
  const first = new Set(runs.slice(0, runs.length >> 1))
  return [batch.filter((entry) => first.has(entry.runId)), batch.filter((entry) => !first.has(entry.runId))]
}
