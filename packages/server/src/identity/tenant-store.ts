import type { Consumption, Namespace, Tenant } from '@longhaul/protocol'
import { type TenantTx, type Tx, sql } from '../db/index.ts'

type TenantRow = Omit<Tenant, 'createdAt'> & { createdAt: Date }
type NamespaceRow = Omit<Namespace, 'createdAt'> & { createdAt: Date }
const dated = <Row extends { createdAt: Date }>(row: Row) => ({ ...row, createdAt: row.createdAt.toISOString() })

const tenantColumns = sql`id, description, is_suspended as "isSuspended", quotas, sandbox_policy as "sandboxPolicy", approval_mails as "approvalMails", created_at as "createdAt"`
const namespaceColumns = sql`name, description, quotas, sandbox_policy as "sandboxPolicy", created_at as "createdAt"`

/** Undefined when there is one of that name. */
export async function insertTenant(
  tx: TenantTx,
  { description, quotas, sandboxPolicy }: Pick<Tenant, 'description' | 'quotas' | 'sandboxPolicy'>,
): Promise<Tenant | undefined> {
  const [row] = await tx.rows<TenantRow>(sql`
    insert into tenants (id, description, quotas, sandbox_policy)
    values (${tx.tenantId}, ${description}, ${JSON.stringify(quotas)}, ${JSON.stringify(sandboxPolicy)})
    on conflict do nothing
    returning ${tenantColumns}`)
  return row && dated(row)
}

export async function findTenant(db: TenantTx): Promise<Tenant | undefined> {
  const [row] = await db.rows<TenantRow>(sql`select ${tenantColumns} from tenants where id = ${db.tenantId}`)
  return row && dated(row)
}

/** Across tenants: for whoever manages the installation. */
export async function listTenants(db: Tx, limit: number, after: string): Promise<Tenant[]> {
  return (await db.rows<TenantRow>(sql`select ${tenantColumns} from tenants where id > ${after} order by id limit ${limit}`)).map(dated)
}

type Change<Of> = { [Field in keyof Of]?: Of[Field] | undefined }

export async function updateTenant(
  tx: TenantTx,
  change: Change<Pick<Tenant, 'description' | 'isSuspended' | 'quotas' | 'sandboxPolicy' | 'approvalMails'>>,
): Promise<Tenant | undefined> {
  const [row] = await tx.rows<TenantRow>(sql`
    update tenants
    set description = coalesce(${change.description ?? null}, description),
      is_suspended = coalesce(${change.isSuspended ?? null}, is_suspended),
      quotas = coalesce(${change.quotas ? JSON.stringify(change.quotas) : null}, quotas),
      sandbox_policy = coalesce(${change.sandboxPolicy ? JSON.stringify(change.sandboxPolicy) : null}, sandbox_policy),
      approval_mails = coalesce(${change.approvalMails ?? null}, approval_mails)
    where id = ${tx.tenantId}
    returning ${tenantColumns}`)
  return row && dated(row)
}

export async function putNamespace(
  tx: TenantTx,
  name: string,
  change: Change<Pick<Namespace, 'description' | 'quotas' | 'sandboxPolicy'>>,
): Promise<Namespace> {
  const [row] = await tx.rows<NamespaceRow>(sql`
    insert into namespaces as n (tenant_id, name, description, quotas, sandbox_policy)
    values (${tx.tenantId}, ${name}, ${change.description ?? ''}, ${JSON.stringify(change.quotas ?? {})}, ${JSON.stringify(change.sandboxPolicy ?? {})})
    on conflict (tenant_id, name) do update set
      description = coalesce(${change.description ?? null}, n.description), quotas = coalesce(${change.quotas ? JSON.stringify(change.quotas) : null}, n.quotas),
      sandbox_policy = coalesce(${change.sandboxPolicy ? JSON.stringify(change.sandboxPolicy) : null}, n.sandbox_policy)
    returning ${namespaceColumns}`)
  return dated(row!) // An insert that updates instead returns its row either way.
}

export async function listNamespaces(db: TenantTx, limit: number): Promise<Namespace[]> {
  return (await db.rows<NamespaceRow>(sql`select ${namespaceColumns} from namespaces where tenant_id = ${db.tenantId} order by name limit ${limit}`)).map(dated)
}

export async function findNamespace(db: TenantTx, name: string): Promise<Namespace | undefined> {
  const [row] = await db.rows<NamespaceRow>(sql`select ${namespaceColumns} from namespaces where tenant_id = ${db.tenantId} and name = ${name}`)
  return row && dated(row)
}

export async function deleteNamespace(tx: TenantTx, name: string): Promise<Namespace | undefined> {
  const [row] = await tx.rows<NamespaceRow>(sql`
    delete from namespaces
    where tenant_id = ${tx.tenantId} and name = ${name}
    returning ${namespaceColumns}`)
  return row && dated(row)
}

/** Of the tenant, or of one of its namespaces. */
export async function readConsumption(db: TenantTx, namespace?: string): Promise<Consumption> {
  const isIn = namespace === undefined ? sql`runs.tenant_id = ${db.tenantId}` : sql`runs.tenant_id = ${db.tenantId} and runs.namespace = ${namespace}`
  const files =
    namespace === undefined
      ? sql`files.tenant_id = ${db.tenantId}`
      : sql`files.tenant_id = ${db.tenantId} and exists (select from runs where runs.id = files.run_id and ${isIn})`
  const [row] = await db.rows<Consumption>(sql`
    select
      (select count(*)::int from runs where ${isIn} and state in ('pending', 'running', 'waiting')) as "runsInFlight",
      (select count(*)::int from runs where ${isIn} and id >= ${lowestIdSql(60)} and created_at > clock_timestamp() - interval '1 minute') as "startsInLastMinute",
      (select coalesce(sum(bytes), 0)::double precision from files where ${files})
        + (select coalesce(sum(bytes), 0)::double precision from attachments where tenant_id = ${db.tenantId} ${namespace === undefined ? sql`` : sql`and namespace = ${namespace}`}) as "storageBytes",
      (select count(*)::int from sandbox_places where tenant_id = ${db.tenantId} and seen_at > clock_timestamp() - interval '5 minutes' ${namespace === undefined ? sql`` : sql`and namespace = ${namespace}`})
        + ${namespace === undefined ? sql`(select count(*)::int from sandboxes where tenant_id = ${db.tenantId} and state <> 'stopped')` : sql`0`} as sandboxes`)
  return row! // A select without a from has one row.
}

/** Of each namespace in which there is anything. */
export async function readConsumptions(db: TenantTx): Promise<Map<string, Consumption>> {
  const rows = await db.rows<Consumption & { namespace: string }>(sql`
    with flying as (
      select namespace, count(*)::int as count from runs where tenant_id = ${db.tenantId} and state in ('pending', 'running', 'waiting') group by namespace
    ), recent as (
      select namespace, count(*)::int as count from runs
      where tenant_id = ${db.tenantId} and id >= ${lowestIdSql(60)} and created_at > clock_timestamp() - interval '1 minute'
      group by namespace
    ), stored as (
      select namespace, sum(bytes)::double precision as bytes from (
        select namespace, bytes from files join runs on runs.id = files.run_id where files.tenant_id = ${db.tenantId}
        union all
        select namespace, bytes from attachments where tenant_id = ${db.tenantId}
      ) kept group by namespace
    ), places as (
      select namespace, count(*)::int as count from sandbox_places where tenant_id = ${db.tenantId} and seen_at > clock_timestamp() - interval '5 minutes' group by namespace
    )
    select namespace, coalesce(flying.count, 0) as "runsInFlight", coalesce(recent.count, 0) as "startsInLastMinute", coalesce(bytes, 0) as "storageBytes",
      coalesce(places.count, 0) as sandboxes
    from flying full join recent using (namespace) full join stored using (namespace) full join places using (namespace)
    limit 10000`)
  return new Map(rows.map(({ namespace, ...consumption }) => [namespace, consumption]))
}

/** Ids begin with the millisecond of their making by the clock of a node, which may be some seconds off. */
const lowestIdSql = (seconds: number) => sql`
  (lpad(to_hex((extract(epoch from clock_timestamp() - ${seconds + 60} * interval '1 second') * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid`
