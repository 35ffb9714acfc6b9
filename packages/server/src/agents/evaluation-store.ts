import type { Evaluation, VersionRecord } from '@longhaul/protocol'
import { type TenantTx, sql } from '../db/index.ts'

type Row = Omit<Evaluation, 'createdAt'> & { createdAt: Date }

const columns = sql`
  id, agent, version, suite, passed_count as "passedCount", case_count as "caseCount", failed_cases as "failedCases", judgments, model, cost_usd as "costUsd",
  duration_ms as "durationMs", made_by as "madeBy", created_at as "createdAt"`
const toEvaluation = ({ createdAt, ...row }: Row): Evaluation => ({ ...row, createdAt: createdAt.toISOString() })

export type NewEvaluation = Omit<Evaluation, 'createdAt'> & { tenantId: string }

export async function insertEvaluation(db: TenantTx, one: NewEvaluation): Promise<Evaluation> {
  const { id, tenantId, agent, version, suite, passedCount, caseCount, failedCases, judgments, model, costUsd, durationMs, madeBy } = one
  const [row] = await db.rows<Row>(sql`
    insert into evaluations (id, tenant_id, agent, version, suite, passed_count, case_count, failed_cases, judgments, model, cost_usd, duration_ms, made_by)
    values (${id}, ${tenantId}, ${agent}, ${version}, ${suite}, ${passedCount}, ${caseCount}, ${JSON.stringify(failedCases)}, ${JSON.stringify(judgments)}, ${model}, ${costUsd},
      ${durationMs}, ${madeBy})
    returning ${columns}`)
  return toEvaluation(row!) // An insert without `on conflict` returns its row.
}

export async function listEvaluations(
  db: TenantTx,
  tenantId: string,
  agent: string,
  { limit, before, version, suite }: { limit: number; before: string | undefined; version?: string | undefined; suite?: string | undefined },
): Promise<Evaluation[]> {
  const rows = await db.rows<Row>(sql`
    select ${columns} from evaluations
    where tenant_id = ${tenantId} and agent = ${agent}
      and (${version ?? null}::text is null or version = ${version ?? null})
      and (${suite ?? null}::text is null or suite = ${suite ?? null})
      and (${before ?? null}::uuid is null or id < ${before ?? null}::uuid)
    order by id desc limit ${limit}`)
  return rows.map(toEvaluation)
}

const suitesMax = 100

/** The newest evaluation of each suite. */
export async function scoresOf(db: TenantTx, tenantId: string, agent: string, version: string): Promise<NonNullable<VersionRecord['scores']>> {
  const rows = await db.rows<{ suite: string; passedCount: number; caseCount: number }>(sql`
    select distinct on (suite) suite, passed_count as "passedCount", case_count as "caseCount" from evaluations
    where tenant_id = ${tenantId} and agent = ${agent} and version = ${version}
    order by suite, id desc limit ${suitesMax}`)
  return Object.fromEntries(rows.map(({ suite, ...score }) => [suite, score]))
}
