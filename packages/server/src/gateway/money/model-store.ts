/** What operators say of models, and the rates that calls were billed at. */
import { type Tx, sql } from '../../db/index.ts'
import type { Override, PricedModel } from './catalogue.ts'

export const overridesMax = 2_000

export async function listOverrides(db: Tx, tenantId: string): Promise<Override[]> {
  return db.rows<Override>(sql`
    select model, to_char(since, 'YYYY-MM-DD') as since, facts
    from model_overrides
    where tenant_id = ${tenantId}
    order by model, since
    limit ${overridesMax}`)
}

export async function upsertOverride(db: Tx, tenantId: string, { model, since, facts }: Override, setBy: string): Promise<boolean> {
  const rows = await db.rows(sql`
    insert into model_overrides (tenant_id, model, since, facts, set_by)
    select ${tenantId}, ${model}, ${since}::date, ${JSON.stringify(facts)}, ${setBy}
    where (select count(*) from model_overrides where tenant_id = ${tenantId}) < ${overridesMax}
      or exists (select from model_overrides where tenant_id = ${tenantId} and model = ${model} and since = ${since}::date)
    on conflict (tenant_id, model, since) do update set facts = excluded.facts, set_by = excluded.set_by, set_at = clock_timestamp()
    returning model`)
  return rows.length > 0
}

/** All of a model's, or the one of a day. Returns how many there were. */
export async function deleteOverrides(db: Tx, tenantId: string, model: string, since: string | undefined): Promise<number> {
  const rows = await db.rows(sql`
    delete from model_overrides
    where tenant_id = ${tenantId} and model = ${model} and (${since ?? null}::date is null or since = ${since ?? null}::date)
    returning model`)
  return rows.length
}

export async function insertPrice(db: Tx, tenantId: string, model: string, { priceId, source, price }: PricedModel): Promise<void> {
  await db.rows(sql`
    insert into prices (tenant_id, id, model, source, rates)
    values (${tenantId}, ${priceId}, ${model}, ${source}, ${JSON.stringify(price)})
    on conflict do nothing`)
}
