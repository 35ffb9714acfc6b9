/** Runs that are written with a journal, in one transaction. */
import type { Asker, ChannelReply, Destination, Failure, Fork, Imported, Json, RunState, Usage } from '@longhaul/protocol'
import { type TenantDb, noteAudit, sql } from '../db/index.ts'
import { AppError } from '../kernel/index.ts'

export type Copy = {
  id: string
  tenantId: string
  namespace: string
  agent: string
  version: string
  state: Extract<RunState, 'pending' | 'completed' | 'failed' | 'cancelled'>
  input: Json
  output?: Json
  failure?: Failure
  asker: Asker
  usage?: Usage
  startedAt?: string
  endedAt?: string
  part?: string | null
  costUsdMax?: number | null
  labels?: string[] | null
  destinations?: (Destination | ChannelReply)[] | null
  idempotencyKey?: string | undefined
  imported?: Imported
  fork?: Fork
  withholdsWrites: boolean
}

/** `at` is absent for what is written down now. */
export type CopiedRow = { seq: number; type: string; op: string | null; data: string; hash: string; at?: string }

const rowsMax = 1_000

/** Due at once when it is pending. No operator need look at it when it has failed, unless its writes take effect. */
export async function insertCopy(db: TenantDb, run: Copy, rows: readonly CopiedRow[]): Promise<void> {
  const json = (value: unknown) => (value === undefined || value === null ? null : JSON.stringify(value))
  await db.transaction(async (tx) => {
    const inserted = await tx.rows(sql`
      insert into runs (id, tenant_id, namespace, agent, version, state, input, output, failure, asker, usage, event_count, started_at, ended_at, due_at,
        part, cost_usd_max, labels, destinations, imported, fork, withholds_writes, is_dismissed, idempotency_key, request_hash)
      values (${run.id}, ${run.tenantId}, ${run.namespace}, ${run.agent}, ${run.version}, ${run.state}, ${JSON.stringify(run.input)}, ${run.output === undefined ? null : JSON.stringify(run.output)},
        ${json(run.failure)}, ${JSON.stringify(run.asker)}, ${json(run.usage)}, ${rows.length}, ${run.startedAt ?? null}, ${run.endedAt ?? null},
        ${run.state === 'pending' ? sql`clock_timestamp()` : sql`null`}, ${run.part ?? null}, ${run.costUsdMax ?? null}, ${json(run.labels)}, ${json(run.destinations)},
        ${json(run.imported)}, ${json(run.fork)}, ${run.withholdsWrites}, ${run.imported !== undefined || run.withholdsWrites}, ${run.idempotencyKey ?? null}, ${run.idempotencyKey === undefined ? null : ''})
      on conflict (tenant_id, agent, idempotency_key) where idempotency_key is not null do nothing
      returning id`)
    if (inserted.length === 0)
      throw new AppError('conflict', `Run ${run.fork?.runId} has a live fork from there already. To have another one, fork the run itself.`)
    for (let from = 0; from < rows.length; from += rowsMax) {
      // The text of each row goes as a string, so that the journal has it to the byte.
      const some = rows.slice(from, from + rowsMax)
      await tx.rows(sql`
        insert into events (run_id, seq, tenant_id, epoch, at, type, op, data, hash)
        select ${run.id}, e.seq, ${run.tenantId}, 0, coalesce(e.at, clock_timestamp()), e.type, e.op, e.data::json, decode(e.hash, 'hex')
        from json_to_recordset(${JSON.stringify(some)}::json) as e(seq int, type text, op text, data text, hash text, at timestamptz)`)
    }
    await noteAudit(tx, {
      who: { id: run.asker.id, name: run.asker.name },
      action: run.imported ? 'runs.import' : 'runs.fork',
      target: run.id,
      detail: { agent: run.agent, namespace: run.namespace, from: run.imported?.runId ?? run.fork?.runId ?? null, isLive: run.fork?.isLive ?? false },
    })
  })
}
