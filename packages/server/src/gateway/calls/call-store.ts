/** Calls outside of runs, what was said in them, and what is kept of it, as tables. */
import type { CallPrivacy, CallPrivacyRule, LoggedCall } from '@longhaul/protocol'
import { type Audience, type Sql, type TenantTx, type Tx, join, sql } from '../../db/index.ts'

/** A call as it is written. Costs are in billionths of a dollar. */
export type CallRow = Omit<LoggedCall, 'at' | 'costUsd' | 'inputTokens' | 'outputTokens' | 'tags'> & {
  at: string
  days: number
  cost: number | null
  input: number
  output: number
  tags: Record<string, string> | null
}
export type SealedTexts = { request: Buffer | null; answer: Buffer | null; isCut: boolean }

/** One that is there already is left as it is: it is sent again after an answer that was lost. */
export async function insertCalls(tx: TenantTx, rows: readonly CallRow[], texts: readonly (SealedTexts & { id: string })[]): Promise<void> {
  await tx.rows(sql`
    insert into calls (tenant_id, id, at, namespace, key_id, user_id, session_id, face, is_stream, model, answered_by, outcome, status, code, is_kept_answer,
      input, output, is_estimated, cost, duration_ms, tags, privacy, expires_at)
    select ${tx.tenantId}, id, at, namespace, "keyId", "user", session, face, "isStream", model, "answeredBy", outcome, status, code, "isKeptAnswer",
      input, output, "isEstimated", cost, "durationMs", tags, privacy, at + days * interval '1 day'
    from json_to_recordset(${JSON.stringify(rows)}::json) as s(id uuid, at timestamptz, namespace text, "keyId" text, "user" text, session text, face text,
      "isStream" boolean, model text, "answeredBy" text, outcome text, status int, code text, "isKeptAnswer" boolean, input bigint, output bigint, "isEstimated" boolean, cost bigint,
      "durationMs" int, tags json, privacy text, days int)
    on conflict do nothing`)
  if (texts.length === 0) return
  const values = texts.map(({ id, request, answer, isCut }) => sql`(${tx.tenantId}, ${id}::uuid, ${request}::bytea, ${answer}::bytea, ${isCut}::boolean)`)
  await tx.rows(sql`insert into call_texts (tenant_id, id, request, answer, is_cut) values ${join(values)} on conflict do nothing`)
}

const columns = sql`calls.id, at, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "cursorAt", namespace, key_id as "keyId", user_id as "user",
  session_id as session, face, is_stream as "isStream", model, answered_by as "answeredBy", outcome, status, code, is_kept_answer as "isKeptAnswer", input, output,
  is_estimated as "isEstimated", cost,
  duration_ms as "durationMs", tags, privacy`

export type StoredCall = Omit<CallRow, 'at' | 'days'> & { at: Date; cursorAt: string }

export type CallFilter = {
  limit: number
  before: { at: string; id: string } | undefined
  from?: string | undefined
  to?: string | undefined
  namespace?: string | undefined
  model?: string | undefined
  key?: string | undefined
  user?: string | undefined
  session?: string | undefined
  outcome?: string | undefined
  status?: number | undefined
  costMin?: number | undefined
  costMax?: number | undefined
}

/** Newest first. */
export async function listCalls(tx: TenantTx, audience: Audience, { limit, before, ...filter }: CallFilter): Promise<StoredCall[]> {
  return tx.rows<StoredCall>(sql`
    select ${columns}
    from calls
    where ${isCallFor(audience)} and ${fits(filter)} and ${before ? sql`(at, id) < (${before.at}::timestamptz, ${before.id}::uuid)` : sql`true`}
    order by at desc, id desc
    limit ${limit}`)
}

export async function findCall(tx: TenantTx, audience: Audience, id: string): Promise<(StoredCall & SealedTexts) | undefined> {
  const [row] = await tx.rows<StoredCall & SealedTexts>(sql`
    select ${columns}, request, answer, coalesce(is_cut, false) as "isCut"
    from calls left join call_texts on call_texts.tenant_id = calls.tenant_id and call_texts.id = calls.id
    where ${isCallFor(audience)} and calls.id = ${id}::uuid`)
  return row
}

/** No call outside of runs is an agent's, so who is limited to agents has none. Who sees only what they asked for themselves has their own. */
const isCallFor = ({ tenantId, askerId, namespaces, agents }: Audience): Sql =>
  join(
    [
      sql`calls.tenant_id = ${tenantId}`,
      ...(askerId === undefined ? [] : [sql`key_id = ${askerId}`]),
      ...(namespaces ? [sql`namespace = any(${namespaces})`] : []),
      ...(agents ? [sql`false`] : []),
    ],
    sql` and `,
  )

function fits({ from, to, namespace, model, key, user, session, outcome, status, costMin, costMax }: Omit<CallFilter, 'limit' | 'before'>): Sql {
  const wanted: Sql[] = [
    ...(from === undefined ? [] : [sql`at >= ${from}::timestamptz`]),
    ...(to === undefined ? [] : [sql`at < ${to}::timestamptz`]),
    ...(namespace === undefined ? [] : [sql`namespace = ${namespace}`]),
    ...(model === undefined ? [] : [sql`(model = ${model} or answered_by = ${model})`]),
    ...(key === undefined ? [] : [sql`key_id = ${key}`]),
    ...(user === undefined ? [] : [sql`user_id = ${user}`]),
    ...(session === undefined ? [] : [sql`session_id = ${session}`]),
    ...(outcome === undefined ? [] : [sql`outcome = ${outcome}`]),
    ...(status === undefined ? [] : [sql`status = ${status}`]),
    ...(costMin === undefined ? [] : [sql`cost >= ${costMin}`]),
    ...(costMax === undefined ? [] : [sql`cost <= ${costMax}`]),
  ]
  return wanted.length === 0 ? sql`true` : join(wanted, sql` and `)
}

/** Of all tenants. How many there were, at most `limit`. */
export async function deleteExpiredCalls(db: Tx, limit: number): Promise<number> {
  const [row] = await db.rows<{ count: number }>(sql`
    with old as (
      select tenant_id, id from calls where expires_at <= ${db.now} order by expires_at limit ${limit} for update skip locked
    ), texts as (
      delete from call_texts using old where call_texts.tenant_id = old.tenant_id and call_texts.id = old.id
    ), deleted as (
      delete from calls using old where calls.tenant_id = old.tenant_id and calls.id = old.id returning 1
    )
    select count(*)::int as count from deleted`)
  return row?.count ?? 0
}

export type PrivacyRow = Omit<CallPrivacyRule, 'namespace' | 'setAt'> & { namespace: string; setAt: Date }
const privacyColumns = sql`namespace, privacy, days, set_by as "setBy", set_at as "setAt"`

/** In the order of their namespaces; what holds for all others comes first. */
export async function listPrivacy(tx: TenantTx, { after, limit }: { after?: string | undefined; limit: number }): Promise<PrivacyRow[]> {
  return tx.rows<PrivacyRow>(sql`
    select ${privacyColumns} from call_privacy
    where tenant_id = ${tx.tenantId} and ${after === undefined ? sql`true` : sql`namespace > ${after}`}
    order by namespace limit ${limit}`)
}

export async function upsertPrivacy(tx: TenantTx, rule: { namespace: string; privacy: CallPrivacy; days: number; setBy: string }): Promise<PrivacyRow> {
  const { namespace, privacy, days, setBy } = rule
  const [row] = await tx.rows<PrivacyRow>(sql`
    insert into call_privacy (tenant_id, namespace, privacy, days, set_by)
    values (${tx.tenantId}, ${namespace}, ${privacy}, ${days}, ${setBy})
    on conflict (tenant_id, namespace) do update set privacy = excluded.privacy, days = excluded.days, set_by = excluded.set_by, set_at = clock_timestamp()
    returning ${privacyColumns}`)
  return row! // An upsert returns its row.
}

/** Calls that are there are kept no longer than the rule says; a longer time does not hold for what was made under a shorter one. */
export async function shortenLife(tx: TenantTx, namespace: string, days: number): Promise<void> {
  await tx.rows(sql`
    update calls set expires_at = at + ${days} * interval '1 day'
    where tenant_id = ${tx.tenantId} and expires_at > at + ${days} * interval '1 day'
      and ${namespace === '' ? sql`namespace not in (select namespace from call_privacy where tenant_id = ${tx.tenantId})` : sql`namespace = ${namespace}`}`)
}
