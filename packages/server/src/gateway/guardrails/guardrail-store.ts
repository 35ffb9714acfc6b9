import type { GuardDecision, Guardrail } from '@longhaul/protocol'
import { type TenantTx, type Tx, sql } from '../../db/index.ts'

export type GuardrailSpec = Omit<Guardrail, 'name' | 'updatedAt'>
type Row = { name: string; spec: GuardrailSpec; updatedAt: Date }

const toGuardrail = ({ name, spec, updatedAt }: Row): Guardrail => ({ name, ...spec, updatedAt: updatedAt.toISOString() })

export async function listGuardrails(tx: TenantTx, limit: number): Promise<Guardrail[]> {
  const rows = await tx.rows<Row>(sql`
    select name, spec, updated_at as "updatedAt"
    from guardrails
    where tenant_id = ${tx.tenantId}
    order by name
    limit ${limit}`)
  return rows.map(toGuardrail)
}

/** Undefined when it is new and there are `countMax` of them already. */
export async function replaceGuardrail(tx: TenantTx, name: string, spec: GuardrailSpec, countMax: number): Promise<Guardrail | undefined> {
  const [row] = await tx.rows<Row>(sql`
    insert into guardrails (tenant_id, name, spec, updated_at)
    select ${tx.tenantId}, ${name}, ${JSON.stringify(spec)}, ${tx.now}
    where exists (select from guardrails where tenant_id = ${tx.tenantId} and name = ${name})
      or (select count(*) from guardrails where tenant_id = ${tx.tenantId}) < ${countMax}
    on conflict (tenant_id, name) do update
    set spec = excluded.spec, updated_at = excluded.updated_at
    returning name, spec, updated_at as "updatedAt"`)
  return row && toGuardrail(row)
}

export async function deleteGuardrail(tx: TenantTx, name: string): Promise<Guardrail | undefined> {
  const [row] = await tx.rows<Row>(sql`
    delete from guardrails
    where tenant_id = ${tx.tenantId} and name = ${name}
    returning name, spec, updated_at as "updatedAt"`)
  return row && toGuardrail(row)
}

export async function insertDecisions(tx: TenantTx, decisions: readonly Omit<GuardDecision, 'at'>[]): Promise<void> {
  await tx.rows(sql`
    insert into guard_decisions (tenant_id, id, at, guardrail, guard, side, action, found, model, request_id, key_id, agent, run_id)
    select ${tx.tenantId}, id, ${tx.now}, guardrail, guard, "on", action, found, model, "requestId", "keyId", agent, "runId"
    from json_to_recordset(${JSON.stringify(decisions)}::json) as s(id uuid, guardrail text, guard text, "on" text, action text, found json, model text,
      "requestId" text, "keyId" text, agent text, "runId" uuid)`)
}

export type DecisionFilter = {
  limit: number
  before: string | undefined
  guardrail: string | undefined
  action: string | undefined
  requestId: string | undefined
  runId: string | undefined
  /** Only of these. */
  agents?: readonly string[] | undefined
}

export async function listDecisions(tx: TenantTx, { limit, before, guardrail, action, requestId, runId, agents }: DecisionFilter): Promise<GuardDecision[]> {
  const rows = await tx.rows<Omit<GuardDecision, 'at'> & { at: Date }>(sql`
    select id, at, guardrail, guard, side as "on", action, found, model, request_id as "requestId", key_id as "keyId", agent, run_id as "runId"
    from guard_decisions
    where tenant_id = ${tx.tenantId}
      and (${before ?? null}::uuid is null or id < ${before ?? null}::uuid)
      and (${guardrail ?? null}::text is null or guardrail = ${guardrail ?? null})
      and (${action ?? null}::text is null or action = ${action ?? null})
      and (${requestId ?? null}::text is null or request_id = ${requestId ?? null})
      and (${runId ?? null}::uuid is null or run_id = ${runId ?? null}::uuid)
      and (${agents ?? null}::text[] is null or agent = any(${agents ?? null}::text[]))
    order by id desc
    limit ${limit}`)
  return rows.map((row) => ({ ...row, at: row.at.toISOString() }))
}

/** Of all tenants. How many there were, at most `limit`. */
export async function deleteOldDecisions(db: Tx, days: number, limit: number): Promise<number> {
  const [row] = await db.rows<{ count: number }>(sql`
    with old as (
      select id from guard_decisions where at < ${db.now} - ${days} * interval '1 day' order by at limit ${limit} for update skip locked
    ), deleted as (
      delete from guard_decisions using old where guard_decisions.id = old.id returning 1
    )
    select count(*)::int as count from deleted`)
  return row?.count ?? 0
}
