import { type TenantTx, type Tx, sql } from '../../db/index.ts'

export type KeptAnswer = {
  /** `provider/model` that gave it. */
  model: string
  headers: Record<string, string>
  body: Buffer
  ageMs: number
  leftMs: number
}

export async function findAnswer(tx: TenantTx, key: Buffer): Promise<KeptAnswer | undefined> {
  const [row] = await tx.rows<KeptAnswer>(sql`
    select model, headers, body,
      extract(epoch from ${tx.now} - kept_at)::float8 * 1000 as "ageMs",
      extract(epoch from expires_at - ${tx.now})::float8 * 1000 as "leftMs"
    from kept_answers
    where tenant_id = ${tx.tenantId} and key = ${key} and expires_at > ${tx.now}`)
  return row
}

export async function replaceAnswer(
  tx: TenantTx,
  { key, ttlMs, model, headers, body }: { key: Buffer; ttlMs: number } & Pick<KeptAnswer, 'model' | 'headers' | 'body'>,
): Promise<void> {
  await tx.rows(sql`
    insert into kept_answers (tenant_id, key, model, headers, body, kept_at, expires_at)
    values (${tx.tenantId}, ${key}, ${model}, ${JSON.stringify(headers)}, ${body}, ${tx.now}, ${tx.now} + ${ttlMs} * interval '1 ms')
    on conflict (tenant_id, key) do update
    set model = excluded.model, headers = excluded.headers, body = excluded.body, kept_at = excluded.kept_at, expires_at = excluded.expires_at`)
}

export async function deleteAnswers(tx: TenantTx): Promise<number> {
  const [row] = await tx.rows<{ count: number }>(sql`
    with deleted as (delete from kept_answers where tenant_id = ${tx.tenantId} returning 1)
    select count(*)::int as count from deleted`)
  return row?.count ?? 0
}

/** Of all tenants. How many there were, at most `limit`. */
export async function deleteExpired(db: Tx, limit: number): Promise<number> {
  const [row] = await db.rows<{ count: number }>(sql`
    with old as (
      select tenant_id, key from kept_answers
      where expires_at <= ${db.now}
      order by expires_at
      limit ${limit}
      for update skip locked
    ), deleted as (
      delete from kept_answers using old
      where kept_answers.tenant_id = old.tenant_id and kept_answers.key = old.key
      returning 1
    )
    select count(*)::int as count from deleted`)
  return row?.count ?? 0
}
