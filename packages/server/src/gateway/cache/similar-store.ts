import { type TenantTx, type Tx, sql } from '../../db/index.ts'

export type SimilarEntry = { key: Buffer; text: string; embedding: Buffer }

/** Of one scope, what was kept last first. */
export async function listSimilar(tx: TenantTx, { scope, model, limit }: { scope: Buffer; model: string; limit: number }): Promise<SimilarEntry[]> {
  return tx.rows<SimilarEntry>(sql`
    select key, text, embedding from similar_answers
    where tenant_id = ${tx.tenantId} and scope = ${scope} and model = ${model} and expires_at > ${tx.now}
    order by kept_at desc
    limit ${limit}`)
}

export async function replaceSimilar(tx: TenantTx, entry: SimilarEntry & { scope: Buffer; model: string; ttlMs: number }): Promise<void> {
  const { key, scope, model, text, embedding, ttlMs } = entry
  await tx.rows(sql`
    insert into similar_answers (tenant_id, key, scope, model, text, embedding, kept_at, expires_at)
    values (${tx.tenantId}, ${key}, ${scope}, ${model}, ${text}, ${embedding}, ${tx.now}, ${tx.now} + ${ttlMs} * interval '1 ms')
    on conflict (tenant_id, key) do update set scope = excluded.scope, model = excluded.model, text = excluded.text, embedding = excluded.embedding,
      kept_at = excluded.kept_at, expires_at = excluded.expires_at`)
}

export async function deleteSimilar(tx: TenantTx): Promise<void> {
  await tx.rows(sql`delete from similar_answers where tenant_id = ${tx.tenantId}`)
}

/** Of all tenants. How many there were, at most `limit`. */
export async function deleteExpiredSimilar(db: Tx, limit: number): Promise<number> {
  const rows = await db.rows(sql`
    with old as (
      select tenant_id, key from similar_answers where expires_at <= ${db.now} order by expires_at limit ${limit} for update skip locked
    )
    delete from similar_answers using old where similar_answers.tenant_id = old.tenant_id and similar_answers.key = old.key
    returning 1`)
  return rows.length
}
