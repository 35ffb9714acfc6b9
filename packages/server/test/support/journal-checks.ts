/** What must hold of every journal, checked from the tables alone: by no code of the engine. */
import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { type Db, sql } from '../../src/db/index.ts'

type Row = { run: string; seq: number; epoch: number; type: string; op: string | null; text: string; hash: string }

/** From here on every write to the journal is noted, in the order of the statements, with its transaction. */
export async function watchJournal(db: Db): Promise<void> {
  for (const statement of [
    sql`create table journal_writes (n bigserial primary key, action text not null, run_id uuid not null, seq int not null, epoch int not null, xid xid8 not null)`,
    sql`create function note_journal_write() returns trigger language plpgsql as $$
      declare r record;
      begin
        r := case when tg_op = 'DELETE' then old else new end;
        insert into journal_writes (action, run_id, seq, epoch, xid) values (tg_op, r.run_id, r.seq, r.epoch, pg_current_xact_id());
        return null;
      end $$`,
    sql`create trigger note after insert or update or delete on events for each row execute function note_journal_write()`,
  ])
    await db.rows(statement)
}

/** Dense, chained, epochs never going back, one start, at most one end and nothing after it; nothing ever changed or deleted. */
export async function checkJournals(db: Db): Promise<{ runCount: number; eventCount: number }> {
  const rows = await db.rows<Row>(
    sql`select run_id as run, seq, epoch, type, op, data::text as text, encode(hash, 'hex') as hash from events order by run_id, seq`,
  )
  const byRun = Map.groupBy(rows, ({ run }) => run)
  const ends = new Set(['run.completed', 'run.failed', 'run.cancelled'])
  for (const [run, events] of byRun) {
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i))
    let previous = ''
    let epoch = 0
    for (const { seq, type, op, text, hash, epoch: found } of events) {
      expect(hash, `hash of event ${seq} of ${run}`).toBe(
        createHash('sha256')
          .update(`${previous}\n${run} ${seq} ${type} ${op ?? ''}\n${text}`)
          .digest('hex'),
      )
      expect(found, `epoch of event ${seq} of ${run}`).toBeGreaterThanOrEqual(epoch)
      previous = hash
      epoch = found
    }
    const types = events.map(({ type }) => type)
    expect(types.indexOf('run.started')).toBe(0)
    expect(types.lastIndexOf('run.started')).toBe(0)
    const end = types.findIndex((type) => ends.has(type))
    if (end >= 0) expect(end).toBe(types.length - 1)
    const completed = events.filter(({ type }) => type === 'step.completed').map(({ op }) => op)
    expect(new Set(completed).size, `steps of ${run} completed once`).toBe(completed.length)
  }
  const orphans = await db.rows(sql`select id from runs where not exists (select from events where run_id = runs.id)`)
  expect(orphans).toEqual([])
  const ended = await db.rows<{ id: string; last: string; state: string }>(sql`
    select id, state, (select type from events where run_id = runs.id order by seq desc limit 1) as last from runs where state in ('completed', 'failed', 'cancelled')`)
  for (const { id, state, last } of ended) expect(last, `last event of ${id}`).toBe(`run.${state}`)
  const [watched] = await db.rows<{ exists: boolean }>(sql`select to_regclass('journal_writes') is not null as exists`)
  if (watched?.exists) {
    expect(await db.rows(sql`select * from journal_writes where action <> 'INSERT' limit 10`)).toEqual([])
    // In the order of writing, not only of numbering.
    expect(
      await db.rows(sql`
      select * from (select run_id, seq, epoch, lag(epoch) over (partition by run_id order by n) as before, lag(seq) over (partition by run_id order by n) as seq_before from journal_writes) as writes
      where epoch < before or seq <> seq_before + 1 limit 10`),
    ).toEqual([])
  }
  return { runCount: byRun.size, eventCount: rows.length }
}
