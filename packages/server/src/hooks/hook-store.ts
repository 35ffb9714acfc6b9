/** Hooks and what came to them. Everything under its tenant's own rights. */
import type { Asker, Channel, Hook, HookAction, HookDelivery, HookScheme } from '@longhaul/protocol'
import { type Audience, type Sql, type TenantTx, join, sql } from '../db/index.ts'

export type HookRow = Omit<Hook, 'path' | 'setAt' | 'scheme' | 'action' | 'asker' | 'channel'> & {
  scheme: HookScheme
  action: HookAction
  asker: Asker
  /** Null with a `fromVersion`: declared no longer, and kept because somebody has paused it. */
  channel: Channel | null
  setAt: Date
}

const columns = sql`hooks.id, hooks.name, hooks.agent, hooks.namespace, hooks.scheme, hooks.secret, hooks.action, hooks.events, hooks.tolerance_ms as "toleranceMs",
  hooks.is_paused as "isPaused", hooks.from_version as "fromVersion", hooks.channel, hooks.asker, hooks.set_by as "setBy", hooks.set_at as "setAt"`

/** A key with limited access has to do with its own hooks alone: another's start runs that see more. */
const isFor = ({ tenantId, askerId, agents, namespaces }: Audience): Sql =>
  join(
    [
      sql`hooks.tenant_id = ${tenantId}`,
      ...(askerId === undefined ? [] : [sql`hooks.asker ->> 'id' = ${askerId}`]),
      ...(agents ? [sql`hooks.agent = any(${agents})`] : []),
      ...(namespaces ? [sql`hooks.namespace = any(${namespaces})`] : []),
    ],
    sql` and `,
  )

/** Replaces the one of that name, if it is for this audience. Undefined when it is another's. */
export async function upsertHook(tx: TenantTx, audience: Audience, row: Omit<HookRow, 'isPaused' | 'setAt'>): Promise<HookRow | undefined> {
  const [made] = await tx.rows<HookRow>(sql`
    insert into hooks (tenant_id, id, name, agent, namespace, scheme, secret, action, events, tolerance_ms, asker, set_by, from_version, channel)
    values (${tx.tenantId}, ${row.id}, ${row.name}, ${row.agent}, ${row.namespace}, ${row.scheme}, ${row.secret}, ${JSON.stringify(row.action)}, ${row.events},
      ${row.toleranceMs}, ${JSON.stringify(row.asker)}, ${row.setBy}, ${row.fromVersion}, ${row.channel && JSON.stringify(row.channel)})
    on conflict (tenant_id, name) do update set agent = excluded.agent, namespace = excluded.namespace, scheme = excluded.scheme, secret = excluded.secret,
      action = excluded.action, events = excluded.events, tolerance_ms = excluded.tolerance_ms, asker = excluded.asker, set_by = excluded.set_by, set_at = clock_timestamp(),
      from_version = excluded.from_version, channel = excluded.channel
    where ${isFor(audience)}
    returning ${columns}`)
  return made
}

export async function countOtherHooks(tx: TenantTx, name: string): Promise<number> {
  const [row] = await tx.rows<{ count: number }>(sql`select count(*)::int as count from hooks where tenant_id = ${tx.tenantId} and name <> ${name}`)
  return row?.count ?? 0
}

export async function findHook(db: TenantTx, audience: Audience, name: string): Promise<HookRow | undefined> {
  const [row] = await db.rows<HookRow>(sql`select ${columns} from hooks where ${isFor(audience)} and name = ${name}`)
  return row
}

/** For what comes from outside. Nothing comes in for a tenant that is suspended. */
export async function findOpenHook(db: TenantTx, name: string): Promise<HookRow | undefined> {
  const [row] = await db.rows<HookRow>(sql`
    select ${columns} from hooks
    where hooks.tenant_id = ${db.tenantId} and name = ${name} and not exists (select from tenants where tenants.id = hooks.tenant_id and is_suspended)`)
  return row
}

/** What the folder of the agent's version that is, or was, live has declared. */
export async function listDeclared(tx: TenantTx, agent: string): Promise<HookRow[]> {
  return tx.rows<HookRow>(
    sql`select ${columns} from hooks where tenant_id = ${tx.tenantId} and agent = ${agent} and from_version is not null order by name for update`,
  )
}

export async function withdrawHook(tx: TenantTx, id: string): Promise<void> {
  await tx.rows(sql`update hooks set channel = null where id = ${id}`)
}

/** By name, from the one after `after`. */
export async function listHooks(db: TenantTx, audience: Audience, { limit, after }: { limit: number; after?: string | undefined }): Promise<HookRow[]> {
  return db.rows<HookRow>(sql`
    select ${columns} from hooks where ${isFor(audience)} and (${after ?? null}::text is null or name > ${after ?? null}) order by name limit ${limit}`)
}

export async function pauseHook(tx: TenantTx, audience: Audience, name: string, isPaused: boolean): Promise<HookRow | undefined> {
  const [row] = await tx.rows<HookRow>(sql`update hooks set is_paused = ${isPaused} where ${isFor(audience)} and name = ${name} returning ${columns}`)
  return row
}

export async function deleteHook(tx: TenantTx, audience: Audience, name: string): Promise<HookRow | undefined> {
  const [row] = await tx.rows<HookRow>(sql`delete from hooks where ${isFor(audience)} and name = ${name} returning ${columns}`)
  return row
}

export type NewDelivery = Omit<HookDelivery, 'receivedAt'> & { hookId: string; key: string | null }

/** False when an event of that key was taken before: by now it has a row. */
export async function insertDelivery(tx: TenantTx, { id, hookId, eventId, key, outcome, reason, runId }: NewDelivery): Promise<boolean> {
  const rows = await tx.rows(sql`
    insert into hook_deliveries (tenant_id, id, hook_id, event_id, key, outcome, reason, run_id)
    select ${tx.tenantId}, ${id}, hooks.id, ${eventId}, ${key}, ${outcome}, ${reason}, ${runId} from hooks where hooks.id = ${hookId}
    on conflict do nothing returning id`)
  return rows.length > 0
}

/** What an event of that key became, if one was taken. */
export async function findTaken(db: TenantTx, hookId: string, key: string): Promise<{ runId: string | null } | undefined> {
  const [row] = await db.rows<{ runId: string | null }>(sql`
    select run_id as "runId" from hook_deliveries where hook_id = ${hookId} and key = ${key} and outcome in ('started', 'signalled')`)
  return row
}

/** Strangers can make refusals: of each hook the newest are kept. */
export async function pruneDeliveries(tx: TenantTx, hookId: string, { days, refusedMax }: { days: number; refusedMax: number }): Promise<void> {
  await tx.rows(sql`delete from hook_deliveries where tenant_id = ${tx.tenantId} and received_at < clock_timestamp() - ${days} * interval '1 day'`)
  await tx.rows(sql`
    delete from hook_deliveries where hook_id = ${hookId} and outcome = 'refused'
      and id < (select id from hook_deliveries where hook_id = ${hookId} and outcome = 'refused' order by id desc offset ${refusedMax - 1} limit 1)`)
}

type DeliveryRow = Omit<HookDelivery, 'receivedAt'> & { receivedAt: Date }
export type DeliveryPage = { limit: number; before?: string | undefined; outcome?: HookDelivery['outcome'] | undefined }

export async function listDeliveries(db: TenantTx, hookId: string, { limit, before, outcome }: DeliveryPage): Promise<HookDelivery[]> {
  const rows = await db.rows<DeliveryRow>(sql`
    select id, event_id as "eventId", outcome, reason, run_id as "runId", received_at as "receivedAt" from hook_deliveries
    where hook_id = ${hookId} and (${before ?? null}::uuid is null or id < ${before ?? null}) and (${outcome ?? null}::text is null or outcome = ${outcome ?? null})
    order by id desc limit ${limit}`)
  return rows.map(({ receivedAt, ...row }) => ({ ...row, receivedAt: receivedAt.toISOString() }))
}
