/** Sandboxes that a tenant has at once, on all servers: those that callers made and those that runs use. */
import { type Db, type TenantTx, type Tx, sql } from '../db/index.ts'
import { AppError } from '../kernel/index.ts'

/** How many sandboxes there may be at once. Undefined: as many as one likes. */
export type SandboxQuotas = { tenant?: number | undefined; namespace?: number | undefined }
export type Place = { tenantId: string; namespace: string; sandboxId: string; home: string }

/** What a server has not said for so long that it has, it does not have any more. */
const isHeld = sql`seen_at > clock_timestamp() - interval '5 minutes'`

/** Until the end of the transaction nobody else takes or makes a sandbox of this tenant's. */
export async function lockSandboxes(tx: TenantTx): Promise<void> {
  await tx.rows(sql`select pg_advisory_xact_lock(hashtextextended('sandboxes ' || ${tx.tenantId}, 0))`)
}

/** Throws `over_limit` when there are more than the quotas allow, whoever was counted in. Under the lock. */
export async function assertQuotas(tx: TenantTx, namespace: string | undefined, quotas: SandboxQuotas): Promise<void> {
  const { tenantId } = tx
  const [used] = await tx.rows<{ made: number; used: number; usedIn: number }>(sql`
    select (select count(*)::int from sandboxes where tenant_id = ${tenantId} and state <> 'stopped') as made,
      count(*)::int as used, (count(*) filter (where namespace = ${namespace ?? null}))::int as "usedIn"
    from sandbox_places where tenant_id = ${tenantId} and ${isHeld}`)
  const { made = 0, used: usedByRuns = 0, usedIn = 0 } = used ?? {}
  if (namespace !== undefined) assertWithin(`namespace ${namespace}`, usedIn, quotas.namespace)
  assertWithin(`tenant ${tenantId}`, made + usedByRuns, quotas.tenant)
}

function assertWithin(what: string, countWithThis: number, max: number | undefined): void {
  if (max === undefined || countWithThis <= max) return
  throw new AppError(
    'over_limit',
    `The ${what} has ${countWithThis - 1} sandboxes, and ${max} are allowed at once. A run gives its own back a minute after its last use; those that you made, when you stop them. Or have the quota raised.`,
  )
}

/** Throws `over_limit` when the quotas have no room. Without quotas nobody waits for anybody. */
export async function takePlace(db: Db, place: Place, quotas: SandboxQuotas): Promise<void> {
  const { tenantId, namespace, sandboxId, home } = place
  await db.forTenant(tenantId).transaction(async (tx) => {
    const isLimited = quotas.tenant !== undefined || quotas.namespace !== undefined
    if (isLimited) await lockSandboxes(tx)
    await tx.rows(sql`
      insert into sandbox_places (tenant_id, namespace, sandbox_id, home) values (${tenantId}, ${namespace}, ${sandboxId}, ${home})
      on conflict (tenant_id, sandbox_id, home) do update set seen_at = clock_timestamp(), namespace = excluded.namespace`)
    if (isLimited) await assertQuotas(tx, namespace, quotas)
  })
}

export async function dropPlace(db: Tx, { tenantId, sandboxId, home }: Omit<Place, 'namespace'>): Promise<void> {
  await db.rows(sql`delete from sandbox_places where tenant_id = ${tenantId} and sandbox_id = ${sandboxId} and home = ${home}`)
}

/** Says of these that they are still held; those of any home that nobody has said it of for long are deleted. */
export async function renewPlaces(db: Tx, home: string, sandboxIds: string[]): Promise<void> {
  await db.rows(sql`update sandbox_places set seen_at = clock_timestamp() where home = ${home} and sandbox_id = any(${sandboxIds})`)
  await db.rows(sql`delete from sandbox_places where not (${isHeld}) and seen_at < clock_timestamp() - interval '1 hour'`)
}

/** A home has one server at a time: what an earlier one held it does not hold. */
export async function dropPlacesOf(db: Tx, home: string): Promise<void> {
  await db.rows(sql`delete from sandbox_places where home = ${home}`)
}
