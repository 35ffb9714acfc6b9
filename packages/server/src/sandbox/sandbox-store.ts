import type { Egress, SandboxInfo } from '@longhaul/protocol'
import { type Audience, type Db, type Sql, type TenantTx, type Tx, sql, sqlState, uniqueViolation } from '../db/index.ts'
import { AppError } from '../kernel/index.ts'
import type { SandboxLimits } from './driver.ts'
import { type SandboxQuotas, assertQuotas, lockSandboxes } from './place-store.ts'

export type StoredLimits = Omit<SandboxLimits, 'outputBytesMax'>
/** Rules without the values of their credentials. */
export type StoredEgress = Omit<Egress, 'rules'> & { rules: (Omit<Egress['rules'][number], 'credential'> & { credential?: { header: string } })[] }
export type SandboxRow = {
  tenantId: string
  id: string
  name: string | null
  ownerId: string
  state: SandboxInfo['state']
  home: string | null
  /** What it was opened in last; null before this was written down. */
  driver: string | null
  snapshotId: string | null
  limits: StoredLimits
  /** Its root, where it has one of its own. */
  image: string | null
  env: Record<string, string>
  egress: StoredEgress | null
  egressBytes: number
  egressRequests: number
  madeFrom: SandboxInfo['madeFrom']
  diskBytes: number
  ttlMs: number
  createdAt: Date
  usedAt: Date
  expiresAt: Date
}
export type NewSandbox = Pick<
  SandboxRow,
  'tenantId' | 'id' | 'name' | 'ownerId' | 'home' | 'driver' | 'limits' | 'image' | 'env' | 'egress' | 'madeFrom' | 'ttlMs'
>
export type Quota = { countMax: number; diskBytesMax: number }

const columns = sql`tenant_id as "tenantId", id, name, owner_id as "ownerId", state, home, driver, snapshot_id as "snapshotId", limits, image, env, egress, egress_bytes as "egressBytes",
  egress_requests as "egressRequests", made_from as "madeFrom", disk_bytes as "diskBytes", ttl_ms as "ttlMs", created_at as "createdAt", used_at as "usedAt", expires_at as "expiresAt"`

/** A key with limited access has its own sandboxes alone: another's may hold more than it may see. */
const isFor = ({ tenantId, askerId }: Audience): Sql =>
  askerId === undefined ? sql`tenant_id = ${tenantId}` : sql`tenant_id = ${tenantId} and owner_id = ${askerId}`

/** Makes the row unless the tenant has no room. Those who make one at the same time queue for the tenant's lock, so that the quota is a limit and no guess. */
export async function insertSandbox(db: Db, sandbox: NewSandbox, { atOnce, ...quota }: Quota & { atOnce: SandboxQuotas }): Promise<SandboxRow> {
  try {
    return await db.forTenant(sandbox.tenantId).transaction(async (tx) => {
      await assertRoom(tx, quota)
      const [row] = await tx.rows<SandboxRow>(sql`
        insert into sandboxes (tenant_id, id, name, owner_id, state, home, driver, limits, image, env, egress, made_from, ttl_ms, expires_at)
        values (${sandbox.tenantId}, ${sandbox.id}, ${sandbox.name}, ${sandbox.ownerId}, 'active', ${sandbox.home}, ${sandbox.driver}, ${JSON.stringify(sandbox.limits)}, ${sandbox.image}, ${JSON.stringify(sandbox.env)},
          ${sandbox.egress && JSON.stringify(sandbox.egress)}, ${JSON.stringify(sandbox.madeFrom)}, ${sandbox.ttlMs}, ${tx.now} + ${sandbox.ttlMs} * interval '1 ms')
        returning ${columns}`)
      await assertQuotas(tx, undefined, atOnce)
      return row! // An insert that did not fail returns its row.
    })
  } catch (error) {
    if (sqlState(error) === uniqueViolation)
      throw new AppError('conflict', `There is a sandbox ${sandbox.name} already. Stop it, or ask with ifExists "use".`, error)
    throw error
  }
}

/** Throws `over_limit` when the tenant has as many sandboxes, or as much in them and in snapshots, as it may. Holds the tenant's lock to the transaction's end. */
export async function assertRoom(tx: TenantTx, { countMax, diskBytesMax }: Quota): Promise<void> {
  const { tenantId } = tx
  await lockSandboxes(tx)
  const [used] = await tx.rows<{ count: number; bytes: number }>(sql`
    select
      (select count(*)::int from sandboxes where tenant_id = ${tenantId} and state <> 'stopped') as count,
      (select coalesce(sum(disk_bytes), 0)::bigint from sandboxes where tenant_id = ${tenantId} and state = 'active')
        + (select coalesce(sum(bytes), 0)::bigint from snapshots where tenant_id = ${tenantId}) as bytes`)
  if (!used) return
  if (used.count >= countMax)
    throw new AppError('over_limit', `There are ${used.count} sandboxes already; ${countMax} are allowed. Stop some, or raise LONGHAUL_SANDBOXES_PER_TENANT.`)
  if (used.bytes >= diskBytesMax)
    throw new AppError(
      'over_limit',
      `Sandboxes and snapshots hold ${used.bytes} bytes; ${diskBytesMax} are allowed. Delete some, or raise LONGHAUL_SANDBOX_DISK_BYTES_PER_TENANT.`,
    )
}

/** By id, or by the name of one that was not stopped. */
export async function findSandbox(db: Tx, audience: Audience, idOrName: string): Promise<SandboxRow | undefined> {
  const isId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(idOrName)
  const [row] = await db.rows<SandboxRow>(sql`
    select ${columns}
    from sandboxes
    where ${isFor(audience)} and ${isId ? sql`id = ${idOrName}` : sql`name = ${idOrName} and state <> 'stopped'`}`)
  return row
}

export async function listSandboxes(
  db: Tx,
  audience: Audience,
  { limit, before, state }: { limit: number; before: string | undefined; state: SandboxRow['state'] | undefined },
): Promise<SandboxRow[]> {
  return db.rows<SandboxRow>(sql`
    select ${columns}
    from sandboxes
    where ${isFor(audience)} and ${state ? sql`state = ${state}` : sql`state <> 'stopped'`} and ${before === undefined ? sql`true` : sql`id < ${before}`}
    order by id desc
    limit ${limit}`)
}

/** Notes a use, and that the sandbox lives so much longer. */
export async function recordUse(db: Tx, { tenantId, id }: SandboxRow): Promise<void> {
  await db.rows(sql`
    update sandboxes
    set used_at = ${db.now}, expires_at = ${db.now} + ttl_ms * interval '1 ms'
    where tenant_id = ${tenantId} and id = ${id} and state <> 'stopped'`)
}

export async function recordDriver(db: Tx, { tenantId, id }: SandboxRow, driver: string): Promise<void> {
  await db.rows(sql`update sandboxes set driver = ${driver} where tenant_id = ${tenantId} and id = ${id}`)
}

export async function recordDisk(db: Tx, { tenantId, id }: SandboxRow, bytes: number): Promise<void> {
  await db.rows(sql`update sandboxes set disk_bytes = ${bytes} where tenant_id = ${tenantId} and id = ${id}`)
}

export async function recordEgress(
  db: Tx,
  { tenantId, id }: Pick<SandboxRow, 'tenantId' | 'id'>,
  egress: StoredEgress | null,
): Promise<SandboxRow | undefined> {
  const [row] = await db.rows<SandboxRow>(sql`
    update sandboxes
    set egress = ${egress && JSON.stringify(egress)}
    where tenant_id = ${tenantId} and id = ${id} and state <> 'stopped'
    returning ${columns}`)
  return row
}

/** The workspace went into a snapshot. False when the sandbox is no longer where and what it was. */
export async function recordRelease(db: Tx, { tenantId, id, home }: SandboxRow, snapshotId: string): Promise<boolean> {
  const rows = await db.rows(sql`
    update sandboxes
    set state = 'released', home = null, snapshot_id = ${snapshotId}, disk_bytes = 0
    where tenant_id = ${tenantId} and id = ${id} and state = 'active' and home = ${home}
    returning id`)
  return rows.length === 1
}

/** A server takes a released sandbox to itself. Undefined when another was first. */
export async function recordReturn(db: Tx, { tenantId, id, snapshotId }: SandboxRow, home: string): Promise<SandboxRow | undefined> {
  const [row] = await db.rows<SandboxRow>(sql`
    update sandboxes
    set state = 'active', home = ${home}, snapshot_id = null, used_at = ${db.now}, expires_at = ${db.now} + ttl_ms * interval '1 ms'
    where tenant_id = ${tenantId} and id = ${id} and state = 'released' and snapshot_id = ${snapshotId}
    returning ${columns}`)
  return row
}

/** The end of a sandbox. Undefined when it had ended before. */
export async function recordStop(db: Tx, { tenantId, id }: Pick<SandboxRow, 'tenantId' | 'id'>): Promise<SandboxRow | undefined> {
  const [row] = await db.rows<SandboxRow>(sql`
    update sandboxes
    set state = 'stopped', disk_bytes = 0
    where tenant_id = ${tenantId} and id = ${id} and state <> 'stopped'
    returning ${columns}`)
  return row
}

/** Sandboxes whose time is over, of this server or of none. */
export async function listExpired(db: Tx, home: string, limit: number): Promise<SandboxRow[]> {
  return db.rows<SandboxRow>(sql`
    select ${columns}
    from sandboxes
    where expires_at < ${db.now} and state <> 'stopped' and (home = ${home} or home is null)
    order by expires_at
    limit ${limit}`)
}

/** Sandboxes of this server that nobody used for so long. */
export async function listIdle(db: Tx, home: string, idleMs: number, limit: number): Promise<SandboxRow[]> {
  return db.rows<SandboxRow>(sql`
    select ${columns}
    from sandboxes
    where home = ${home} and state = 'active' and used_at < ${db.now} - ${idleMs} * interval '1 ms'
    order by used_at
    limit ${limit}`)
}

/** As rules are stored and shown: of credentials only which header they set. */
export const withoutValues = (egress: Egress | null): StoredEgress | null =>
  egress && { ...egress, rules: egress.rules.map(({ credential, ...rule }) => ({ ...rule, ...(credential && { credential: { header: credential.header } }) })) }
