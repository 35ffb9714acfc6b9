import { type TenantTx, sql } from '../db/index.ts'

export type ProviderEntry = {
  name: string
  secrets: string[]
  baseUrl: string | null
  awsRegion: string | null
  setById: string | null
  setBy: string
  setAt: Date
}
/** `versions`: the newest of each secret, in their order; null where there is none. */
export type VersionedEntry = ProviderEntry & { versions: (number | null)[] }

const columns = sql`name, secrets, base_url as "baseUrl", aws_region as "awsRegion", set_by_id as "setById", set_by as "setBy", set_at as "setAt"`

export async function listProviders(tx: TenantTx): Promise<VersionedEntry[]> {
  return tx.rows<VersionedEntry>(sql`
    select ${columns}, array(
      select (select max(version) from secrets known where known.tenant_id = ${tx.tenantId} and known.name = wanted.name)
      from unnest(providers.secrets) with ordinality as wanted(name, place)
      order by place
    ) as versions
    from providers
    where tenant_id = ${tx.tenantId}
    order by name
    limit 100`)
}

export async function upsertProvider(tx: TenantTx, entry: Omit<ProviderEntry, 'setAt'>): Promise<ProviderEntry> {
  const { name, secrets, baseUrl, awsRegion, setById, setBy } = entry
  const [row] = await tx.rows<ProviderEntry>(sql`
    insert into providers (tenant_id, name, secrets, base_url, aws_region, set_by_id, set_by)
    values (${tx.tenantId}, ${name}, ${secrets}, ${baseUrl}, ${awsRegion}, ${setById}, ${setBy})
    on conflict (tenant_id, name) do update set secrets = excluded.secrets, base_url = excluded.base_url, aws_region = excluded.aws_region,
      set_by_id = excluded.set_by_id, set_by = excluded.set_by, set_at = clock_timestamp()
    returning ${columns}`)
  return row! // An upsert returns its row.
}

export async function deleteProvider(tx: TenantTx, name: string): Promise<ProviderEntry | undefined> {
  const [row] = await tx.rows<ProviderEntry>(sql`delete from providers where tenant_id = ${tx.tenantId} and name = ${name} returning ${columns}`)
  return row
}
