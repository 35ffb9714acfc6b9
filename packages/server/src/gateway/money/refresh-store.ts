import type { CatalogueVersion, ModelFacts } from '@longhaul/protocol'
import { type TenantTx, sql } from '../../db/index.ts'

export type VersionRow = Omit<CatalogueVersion, 'madeAt' | 'appliedAt'> & { madeAt: Date; appliedAt: Date | null }

const columns = sql`id, source, to_char(read_on, 'YYYY-MM-DD') as "readOn", change_count as "changeCount", made_by as "madeBy", made_at as "madeAt",
  applied_by as "appliedBy", applied_at as "appliedAt", is_current as "isCurrent"`

/** Those that were never applied are forgotten after the latest few. */
const unappliedMax = 10

export async function insertVersion(
  tx: TenantTx,
  version: Pick<CatalogueVersion, 'id' | 'source' | 'readOn' | 'changeCount' | 'madeBy'> & { models: readonly ModelFacts[] },
): Promise<void> {
  const { id, source, readOn, changeCount, madeBy, models } = version
  await tx.rows(sql`
    insert into catalogue_versions (tenant_id, id, source, read_on, models, change_count, made_by)
    values (${tx.tenantId}, ${id}, ${source}, ${readOn}::date, ${JSON.stringify(models)}, ${changeCount}, ${madeBy})`)
  await tx.rows(sql`
    delete from catalogue_versions where tenant_id = ${tx.tenantId} and id in (
      select id from catalogue_versions where tenant_id = ${tx.tenantId} and applied_at is null order by id desc offset ${unappliedMax})`)
}

export async function listVersions(tx: TenantTx, { before, limit }: { before: string | undefined; limit: number }): Promise<VersionRow[]> {
  return tx.rows<VersionRow>(sql`
    select ${columns} from catalogue_versions
    where tenant_id = ${tx.tenantId} and (${before ?? null}::uuid is null or id < ${before ?? null}::uuid)
    order by id desc limit ${limit}`)
}

export async function findVersion(tx: TenantTx, id: string): Promise<(VersionRow & { models: ModelFacts[] }) | undefined> {
  const [row] = await tx.rows<VersionRow & { models: ModelFacts[] }>(sql`
    select ${columns}, models from catalogue_versions where tenant_id = ${tx.tenantId} and id = ${id}::uuid`)
  return row
}

export async function currentVersionId(tx: TenantTx): Promise<string | undefined> {
  const [row] = await tx.rows<{ id: string }>(sql`select id from catalogue_versions where tenant_id = ${tx.tenantId} and is_current`)
  return row?.id
}

/** Those who change which one counts do it one after the other. */
export async function lockVersions(tx: TenantTx): Promise<void> {
  await tx.rows(sql`select pg_advisory_xact_lock(hashtextextended(${`catalogue ${tx.tenantId}`}, 0))`)
}

/** None counts any more. */
export async function retireCurrent(tx: TenantTx): Promise<void> {
  await tx.rows(sql`update catalogue_versions set is_current = false where tenant_id = ${tx.tenantId} and is_current`)
}

/** `models`: as they were put together when it was applied. Absent: as they are. */
export async function applyVersion(tx: TenantTx, id: string, appliedBy: string, models: readonly ModelFacts[] | undefined): Promise<VersionRow> {
  const [row] = await tx.rows<VersionRow>(sql`
    update catalogue_versions set is_current = true, applied_by = ${appliedBy}, applied_at = clock_timestamp()
      ${models ? sql`, models = ${JSON.stringify(models)}` : sql``}
    where tenant_id = ${tx.tenantId} and id = ${id}::uuid
    returning ${columns}`)
  return row! // It was found in this transaction.
}

/** One that counted before counts again, with the day on which it did first: going back twice goes back two. */
export async function restoreVersion(tx: TenantTx, id: string): Promise<VersionRow> {
  const [row] = await tx.rows<VersionRow>(sql`
    update catalogue_versions set is_current = true where tenant_id = ${tx.tenantId} and id = ${id}::uuid returning ${columns}`)
  return row! // It was found in this transaction.
}

/** The last one that counted before the one that does. */
export async function previousApplied(tx: TenantTx): Promise<string | undefined> {
  const [row] = await tx.rows<{ id: string }>(sql`
    select id from catalogue_versions
    where tenant_id = ${tx.tenantId} and not is_current and applied_at < (select applied_at from catalogue_versions where tenant_id = ${tx.tenantId} and is_current)
    order by applied_at desc limit 1`)
  return row?.id
}
