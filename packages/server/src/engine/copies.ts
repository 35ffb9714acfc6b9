/** Runs that begin with the journal of another: those that are read in from a file, and forks. The other run is only read. */
import {
  type Asker,
  type Fork,
  type ForkChanges,
  type Json,
  type JournalEntry,
  type Run,
  RunEvent,
  journalHash,
  whyNotChained,
  whyNotJson,
} from '@longhaul/protocol'
import type { Audience, Db } from '../db/index.ts'
import { AppError, newId } from '../kernel/index.ts'
import { type CopiedRow, insertCopy } from './copy-store.ts'
import { type RecordedEvent, prefixOf } from './fork-prefix.ts'
import { History } from './history.ts'
import { type ChildEndRow, findChildEnds, findForkable, listJournal, loadRun } from './run-store.ts'
import { sha256 } from './run/event-row.ts'

export type ImportedRun = { tenantId: string; namespace: string; agent: string; version: string; exportedAs: string; journal: JournalEntry[]; asker: Asker }
export type ForkStart = {
  audience: Audience
  runId: string
  op?: string | undefined
  changes: ForkChanges
  isLive: boolean
  mayApprove: boolean
  idempotencyKey?: string | undefined
  asker: Asker
}

export type Copies = {
  /** Throws `invalid` for a journal that is not whole or has not ended. */
  importRun(run: ImportedRun): Promise<Run>
  forkRun(fork: ForkStart): Promise<Run>
}

type CopiesOptions = {
  db: Db
  nowMs(): number
  onStarted(): void
  assertMayStart(scope: { tenantId: string; namespace: string; agent: string; laneKey: string }): void
}

const pageMax = 1_000

export function makeCopies({ db, nowMs, onStarted, assertMayStart }: CopiesOptions): Copies {
  return {
    async importRun({ tenantId, namespace, agent, version, exportedAs, journal, asker }) {
      const problem = whyNotChained(sha256, exportedAs, journal)
      if (problem) throw new AppError('invalid', `The run is not whole: ${problem}`)
      const { first, last, history } = foldImported(journal)
      const id = newId()
      await insertCopy(
        db.forTenant(tenantId),
        {
          id,
          tenantId,
          namespace,
          agent,
          version,
          input: first.data.input,
          ...endOf(last),
          asker,
          usage: history.usage,
          labels: [...history.trust.labels],
          startedAt: first.at,
          endedAt: last.at,
          imported: { runId: exportedAs, hash: journal.at(-1)?.hash ?? '', by: asker.name, at: new Date(nowMs()).toISOString() },
          withholdsWrites: false,
        },
        chained(id, journal),
      )
      return loadRun(db, { tenantId, askerId: undefined }, id)
    },

    async forkRun({ audience, runId, op, changes, isLive, mayApprove, idempotencyKey, asker }) {
      const { tenantId } = audience
      const original = await loadRun(db, audience, runId)
      const problem = whyNotJson(changes)
      if (problem) throw new AppError('invalid', `The changes cannot be stored: ${problem}.`)
      assertMayStart({ tenantId, namespace: original.namespace, agent: original.agent, laneKey: '' })
      const prefix = prefixOf(await journalUntil(db, tenantId, runId, op), op, changes.input)
      if (!prefix) throw new AppError('not_found', `Run ${runId} has no step ${op}. Its history (runs.events) names its steps.`)
      if (isLive && original.imported) throw new AppError('forbidden', 'An imported run says what a file says: its forks write nothing.')
      if (isLive && !mayApprove && prefix.events.some(isApproval))
        throw new AppError(
          'forbidden',
          'Somebody approved something before that step, for the other run. To have it hold for a live fork takes the permission approvals:decide.',
        )
      const ends = await endsOf(db, audience, prefix.openChildren)
      const events: RecordedEvent[] = [
        ...prefix.events,
        ...ends.map((end): RecordedEvent => ({ type: 'child.ended', op: null, data: JSON.stringify({ end }) })),
      ]
      const more = await findForkable(db.forTenant(tenantId), runId)
      const labels = new History()
      labels.trust.add(more.labels ?? [])
      for (const event of events) labels.apply({ type: event.type, op: event.op ?? undefined, data: JSON.parse(event.data) as object })
      const id = newId()
      const fork: Fork = {
        runId,
        op: op ?? null,
        eventCount: events.length,
        session: original.session ?? original.fork?.session ?? null,
        changes,
        isLive,
        ...(prefix.events.some(mayLeaveFiles) && { isWithoutFiles: true }),
      }
      await insertCopy(
        db.forTenant(tenantId),
        {
          id,
          tenantId,
          namespace: original.namespace,
          agent: original.agent,
          version: changes.version ?? original.version,
          state: 'pending',
          input: changes.input === undefined ? original.input : changes.input,
          asker,
          part: more.part,
          costUsdMax: more.costUsdMax,
          labels: [...labels.trust.labels],
          destinations: isLive ? more.destinations : null,
          idempotencyKey,
          fork,
          withholdsWrites: !isLive,
        },
        chained(id, events),
      )
      onStarted()
      return loadRun(db, { tenantId, askerId: undefined }, id)
    },
  }
}

const isApproval = ({ type, data }: RecordedEvent) => type === 'wait.completed' && (JSON.parse(data) as { kind: string }).kind === 'approval' // As this engine wrote it.

const mayLeaveFiles = ({ type, data }: RecordedEvent) => type === 'step.completed' && ['exec', 'files'].includes((JSON.parse(data) as { kind: string }).kind) // As above.

/** The rows under another id, chained anew. */
function chained(id: string, events: readonly (RecordedEvent | JournalEntry)[]): CopiedRow[] {
  let hash = ''
  return events.map((event, seq) => {
    const { type, op, data } = event
    hash = journalHash(sha256, hash, id, { seq, type, op, data })
    return { seq, type, op, data, hash, ...('at' in event && { at: event.at }) }
  })
}

type End = Extract<RunEvent, { type: 'run.completed' | 'run.failed' | 'run.cancelled' }>

/** Every event has the shape of its type, the first one starts the run, and the last one alone ends it. */
function foldImported(journal: readonly JournalEntry[]): { first: Extract<RunEvent, { type: 'run.started' }>; last: End; history: History } {
  const history = new History()
  const events = journal.map(({ seq, at, type, op, data }) => {
    const parsed = RunEvent.safeParse({ seq, at, type, ...(op !== null && { op }), data: parse(data) })
    if (!parsed.success || whyNotJson(parse(data)) !== undefined)
      throw new AppError('invalid', `Event ${seq} (${type}) is none that a run of this version may have.`)
    history.apply({ type: parsed.data.type, op: parsed.data.op, data: parsed.data.data })
    return parsed.data
  })
  const first = events[0]
  const last = events.at(-1)
  if (first?.type !== 'run.started') throw new AppError('invalid', 'The first event of a run is run.started.')
  if (!last || !isEnd(last) || events.findIndex(isEnd) < events.length - 1)
    throw new AppError('invalid', 'Only a run that has ended can be imported, and its end is its last event. Export it again when it has ended.')
  return { first, last, history }
}

const isEnd = (event: RunEvent): event is End => event.type === 'run.completed' || event.type === 'run.failed' || event.type === 'run.cancelled'

const endOf = (event: End) =>
  event.type === 'run.completed'
    ? { state: 'completed' as const, output: event.data.output }
    : event.type === 'run.failed'
      ? { state: 'failed' as const, failure: event.data.failure }
      : { state: 'cancelled' as const }

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    throw new AppError('invalid', 'The data of an event is not JSON.')
  }
}

/** All of it up to the first event of the step; only the first event when there is no step. */
async function journalUntil(db: Db, tenantId: string, runId: string, op: string | undefined): Promise<RecordedEvent[]> {
  if (op === undefined) return (await listJournal(db.forTenant(tenantId), tenantId, runId, -1, 1)) as RecordedEvent[] // Types of events, as this engine wrote them.
  const events: JournalEntry[] = []
  for (let after = -1; ;) {
    const page = await listJournal(db.forTenant(tenantId), tenantId, runId, after, pageMax)
    events.push(...page)
    if (page.length < pageMax || page.some((entry) => entry.op === op)) return events as RecordedEvent[]
    after = page.at(-1)?.seq ?? after
  }
}

/** Children tell their own parent of their end. The fork is told here, so each of them must have ended. */
async function endsOf(db: Db, audience: Audience, children: string[]): Promise<Json[]> {
  const ends: ChildEndRow[] = children.length === 0 ? [] : await findChildEnds(db.forTenant(audience.tenantId), audience, children)
  const missing = children.find((id) => !ends.some((end) => end.runId === id))
  if (missing) throw new AppError('conflict', `Run ${missing}, which was started before that step, has not ended. Fork when it has, or from an earlier step.`)
  return ends.map(({ end }) => end)
}
