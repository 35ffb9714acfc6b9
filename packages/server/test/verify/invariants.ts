/** What must be true of every run, whatever was killed while it went on. Each finding is a sentence; none is what one wants. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { type Json, type Run, type RunEvent, isTerminal } from '@longhaul/protocol'
import type { Client } from '@longhaul/sdk/client'
import { type Db, sql } from '../../src/db/index.ts'
import type { Played } from './person.ts'
import { type Command, childCountOf, outputOf, stepsOf, writesOf } from './programs.ts'

/** From now on the database remembers each change of the journal that is no addition. */
export async function watchJournal(db: Db): Promise<void> {
  await db.rows(sql`create table if not exists journal_changes (run_id uuid, seq int, what text)`)
  await db.rows(sql`
    create or replace function note_journal_change() returns trigger language plpgsql as $body$
    begin
      insert into journal_changes values (old.run_id, old.seq, tg_op);
      return coalesce(new, old);
    end $body$`)
  await db.rows(sql`create or replace trigger journal_changed before update or delete on events for each row execute function note_journal_change()`)
}

export type Ledger = Map<string, number>

/** How often each step of a run has taken effect, by the effects themselves. */
export function readLedger(file: string): Ledger {
  const ledger: Ledger = new Map()
  for (const line of read(file).split('\n').filter(Boolean)) {
    const step = line.replace(/ \d+$/, '')
    ledger.set(step, (ledger.get(step) ?? 0) + 1)
  }
  return ledger
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return '' // Nothing has taken effect yet.
  }
}

/** `executed` is how often each step had taken effect, and `recorded` of how many attempts the outcome was recorded, when something was killed. */
export type Cut = { executed: Ledger; recorded: Ledger }

export async function cutOf(db: Db, key: string, ledgerOf: (runId: string) => string): Promise<Cut> {
  const runs = await db.rows<{ id: string }>(sql`select id from runs where idempotency_key = ${key}`)
  const runId = runs[0]?.id
  if (runId === undefined) return { executed: new Map(), recorded: new Map() }
  const rows = await db.rows<{ name: string; count: number }>(sql`
    select data ->> 'name' as name, count(*)::int as count from events
    where run_id = ${runId} and type in ('step.completed', 'step.failed') and data ->> 'kind' = 'step' group by 1`)
  return { executed: readLedger(ledgerOf(runId)), recorded: new Map(rows.map(({ name, count }) => [name, count])) }
}

export type Checked = {
  commands: Command[]
  played: Played
  ledger: Ledger
  /** Or how often each step may have taken effect without its being recorded. */
  cuts: Cut[] | number
  /** It was told to end early, so it need not have got anywhere. */
  isCancelled?: boolean
}

export async function findViolations(client: Client, db: Db, { commands, played, ledger, cuts, isCancelled = false }: Checked): Promise<string[]> {
  const { runId } = played
  const run = await client.runs.get({ runId })
  return [
    ...(isCancelled && run.state === 'cancelled' ? [] : checkEnd(run, outputOf(commands))),
    ...(await checkSingle(db, played)),
    ...(await checkJournal(db, runId, run.state)),
    ...(await checkStream(client, played)),
    ...(await checkChildren(db, runId, childCountOf(commands), run.state)),
    ...checkEffects(stepsOf(commands), withoutWrites(ledger, commands), cuts, run.state === 'cancelled'),
    ...checkWrites(writesOf(commands), ledger, played.events, run.state === 'cancelled'),
  ]
}

/** I1: accepted means ended, once, with what the program comes to. */
function checkEnd({ state, output, failure }: Run, expected: Json): string[] {
  if (state !== 'completed') return [`I1: the run is ${state}: ${JSON.stringify(failure)}`]
  return isDeepStrictEqual(output, expected) ? [] : [`I1: the output is ${JSON.stringify(output)} and not ${JSON.stringify(expected)}`]
}

/** I5: one key, one run. */
async function checkSingle(db: Db, { key }: Played): Promise<string[]> {
  const runs = await db.rows(sql`select id from runs where idempotency_key = ${key}`)
  return runs.length === 1 ? [] : [`I5: the idempotency key has ${runs.length} runs`]
}

/** One child for each time that one was asked for, each of them ended. Those of a cancelled run may be hearing of it just now. */
async function checkChildren(db: Db, runId: string, expected: number, state: Run['state']): Promise<string[]> {
  if (state === 'cancelled') return checkLeftChildren(db, runId, expected)
  const children = await db.rows<{ id: string; state: string }>(sql`select id, state from runs where parent_id = ${runId}`)
  return [
    ...(children.length === expected ? [] : [`I5: the run has ${children.length} children and not ${expected}`]),
    ...children.flatMap(({ id, state }) => (state === 'completed' ? [] : [`I1: child ${id} is ${state}`])),
  ]
}

async function checkLeftChildren(db: Db, runId: string, most: number): Promise<string[]> {
  for (const from = performance.now(); ;) {
    const children = await db.rows<{ id: string; state: Run['state'] }>(sql`select id, state from runs where parent_id = ${runId}`)
    if (children.length > most) return [`I5: the run has ${children.length} children, more than ${most}`]
    const open = children.filter(({ state }) => !isTerminal(state))
    if (open.length === 0) return []
    if (performance.now() - from > 60_000) return open.map(({ id, state }) => `I17: child ${id} of a cancelled run is ${state}`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

type Row = { seq: number; epoch: number; type: string; op: string | null; text: string; hash: string }

/** I2 and I3: numbered without gaps, chained, written by one owner after the other, never changed, every question answered once. */
async function checkJournal(db: Db, runId: string, state: Run['state']): Promise<string[]> {
  const rows = await db.rows<Row>(
    sql`select seq, epoch, type, op, data::text as text, encode(hash, 'hex') as hash from events where run_id = ${runId} order by seq`,
  )
  const changes = await db.rows<{ what: string; seq: number }>(sql`select what, seq from journal_changes where run_id = ${runId}`)
  const problems = changes.map(({ what, seq }) => `I3: event ${seq} was changed afterwards (${what})`)
  const results = new Set<string>()
  let previous = ''
  let epoch = 0
  for (const [i, row] of rows.entries()) {
    if (row.seq !== i) problems.push(`I3: event ${row.seq} stands where ${i} should`)
    const hash = createHash('sha256')
      .update(`${previous}\n${runId} ${row.seq} ${row.type} ${row.op ?? ''}\n${row.text}`)
      .digest('hex')
    if (hash !== row.hash) problems.push(`I3: the chain breaks at event ${row.seq}`)
    previous = row.hash
    if (row.epoch < epoch) problems.push(`I2: event ${row.seq} is of epoch ${row.epoch} after one of epoch ${epoch}`)
    epoch = row.epoch
    if (row.op !== null && isResult(row)) {
      if (results.has(row.op)) problems.push(`I3: operation ${row.op} has a second result, event ${row.seq}`)
      results.add(row.op)
    }
    if (/^run\.(completed|failed|cancelled)$/.test(row.type) && i !== rows.length - 1) problems.push(`I1: event ${row.seq} (${row.type}) is not the last one`)
  }
  if (rows.at(-1)?.type !== `run.${state}`) problems.push(`I1: the journal ends with ${rows.at(-1)?.type}, and the run is ${state}`)
  return problems
}

const isResult = ({ type, text }: Row): boolean =>
  type === 'step.completed' || type === 'wait.completed' || (type === 'step.failed' && JSON.parse(text).retryInMs === null)

/** I8: what one client saw, across all reconnects, is the journal. */
async function checkStream(client: Client, { runId, events }: Played): Promise<string[]> {
  const journal: RunEvent[] = []
  for (let next: number | null = -1; next !== null;) {
    const page: { items: RunEvent[]; next: number | null } = await client.runs.events({ runId, after: next, limit: 1_000 })
    journal.push(...page.items)
    next = page.next
  }
  if (isDeepStrictEqual(events, journal)) return []
  return [`I8: the stream had events ${events.map(({ seq }) => seq).join(' ')}, the journal has ${journal.map(({ seq }) => seq).join(' ')}`]
}

/** I4: nothing is executed less often than it must, nor again after its outcome was recorded, and once more at most for each time that it was not. */
function checkEffects(expected: Ledger, ledger: Ledger, cuts: Cut[] | number, isCancelled: boolean): string[] {
  const problems: string[] = []
  for (const [step, least] of expected) {
    const count = ledger.get(step) ?? 0
    const lost =
      typeof cuts === 'number' ? cuts : cuts.reduce((sum, { executed, recorded }) => sum + Number((executed.get(step) ?? 0) > (recorded.get(step) ?? 0)), 0)
    if ((count < least && !isCancelled) || count > least + lost)
      problems.push(`I4: step ${step} took effect ${count} times; ${least} plus at most ${lost} that were not recorded are right`)
  }
  for (const step of ledger.keys()) if (!expected.has(step) && step !== 'fails') problems.push(`I4: step ${step} is not in the program`)
  return problems
}

const withoutWrites = (ledger: Ledger, commands: Command[]): Ledger => {
  const writes = writesOf(commands)
  return new Map([...ledger].filter(([step]) => !writes.has(step)))
}

/** I4 for writes, whatever was killed: with a check exactly once; without one at most once, and if not at all, then a person has been asked. */
function checkWrites(writes: Map<string, boolean>, ledger: Ledger, events: RunEvent[], isCancelled: boolean): string[] {
  const problems: string[] = []
  for (const [name, isChecked] of writes) {
    const count = ledger.get(name) ?? 0
    const isAsked = events.some((event) => event.type === 'step.doubted' && event.data.name === name && event.data.needs === 'person')
    if (count > 1) problems.push(`I4: write ${name} took effect ${count} times`)
    if (count === 0 && !isCancelled && (isChecked || !isAsked)) problems.push(`I4: write ${name} never took effect, and nobody was asked`)
    if (isChecked && isAsked) problems.push(`I4: a person was asked about write ${name}, which has a check`)
  }
  return problems
}
