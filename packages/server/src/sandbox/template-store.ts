import type { Template, TemplateDetail } from '@longhaul/protocol'
import { type Audience, type Db, type Sql, type TenantTx, type Tx, sql } from '../db/index.ts'
import { AppError } from '../kernel/index.ts'
import { type Quota, type StoredLimits, assertRoom } from './sandbox-store.ts'

export type TemplateRow = Omit<Template, 'createdAt' | 'preparedAt' | 'usedAt'> & {
  tenantId: string
  digest: string
  limits: StoredLimits
  env: Record<string, string>
  home: string
  snapshotId: string | null
  createdAt: Date
  preparedAt: Date | null
  usedAt: Date
}
export type NewTemplate = Pick<TemplateRow, 'tenantId' | 'id' | 'name' | 'digest' | 'limits' | 'env' | 'home' | 'stepCount' | 'image'> & {
  ownerId: string | null
  /** Whether its maker is a key with limited access, which adds to its own names alone. */
  isLimited: boolean
  spec: object
}

const columns = sql`tenant_id as "tenantId", id, name, version, state, digest, limits, image, env, home, snapshot_id as "snapshotId", bytes, problem, step, steps_done as "stepsDone",
  step_count as "stepCount", created_at as "createdAt", prepared_at as "preparedAt", used_at as "usedAt", use_count as "useCount"`

/** A key with limited access has what it prepared itself: another's may hold more than it may see. */
const isFor = ({ tenantId, askerId }: Audience): Sql =>
  askerId === undefined ? sql`tenant_id = ${tenantId}` : sql`tenant_id = ${tenantId} and owner_id = ${askerId}`

/** The next version of its name. Throws `over_limit` when the tenant has no room for another. */
export async function insertTemplate(db: Db, template: NewTemplate, quota: Quota): Promise<TemplateRow> {
  const { tenantId, id, name, ownerId, isLimited, spec, digest, limits, image, env, home, stepCount } = template
  return db.forTenant(tenantId).transaction(async (tx) => {
    await assertRoom(tx, { ...quota, countMax: Number.MAX_SAFE_INTEGER }) // It holds the tenant's lock, so that no two take one number.
    const [found] = await tx.rows<{ count: number; last: number; owner: string | null }>(sql`
      select count(*)::int as count, coalesce(max(version) filter (where name = ${name}), 0)::int as last,
        (array_agg(owner_id::text order by version desc) filter (where name = ${name}))[1] as owner
      from templates
      where tenant_id = ${tenantId}`)
    const { count = 0, last = 0, owner = null } = found ?? {}
    if (count >= quota.countMax)
      throw new AppError(
        'over_limit',
        `There are ${count} versions of templates already; ${quota.countMax} are allowed. Delete some, or raise LONGHAUL_SANDBOXES_PER_TENANT.`,
      )
    if (isLimited && last > 0 && owner !== ownerId) throw new AppError('conflict', `The template ${name} is another key's. Give another name.`)
    const [row] = await tx.rows<TemplateRow>(sql`
      insert into templates (tenant_id, id, name, version, owner_id, state, spec, digest, limits, image, env, home, step_count)
      values (${tenantId}, ${id}, ${name}, ${last + 1}, ${ownerId}, 'preparing', ${JSON.stringify(spec)}, ${digest}, ${JSON.stringify(limits)}, ${image}, ${JSON.stringify(env)}, ${home}, ${stepCount})
      returning ${columns}`)
    return row! // An insert that did not fail returns its row.
  })
}

/** By id, by `name@version`, or by name: the newest version, of those that are ready if `isReady`. */
export async function findTemplate(db: TenantTx, audience: Audience, ref: string, isReady: boolean): Promise<TemplateRow | undefined> {
  const isId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(ref)
  const [name = '', version] = ref.split('@')
  const which = isId ? sql`id = ${ref}` : version === undefined ? sql`name = ${name}` : sql`name = ${name} and version = ${Number(version)}`
  const [row] = await db.rows<TemplateRow>(sql`
    select ${columns}
    from templates
    where ${isFor(audience)} and ${which} and ${isReady && version === undefined ? sql`state = 'ready'` : sql`true`}
    order by version desc
    limit 1`)
  return row
}

/** A preparation whose server is gone for good is not waited for any longer. */
const preparingMsMax = 6 * 3_600_000

/** The newest that an agent's version has declared with this digest; one that failed, for `retryAfterMs` after that. */
export async function findDeclared(
  db: TenantTx,
  { tenantId, name, digest, retryAfterMs }: { tenantId: string; name: string; digest: string; retryAfterMs: number },
): Promise<TemplateRow | undefined> {
  const [row] = await db.rows<TemplateRow>(sql`
    select ${columns}
    from templates
    where tenant_id = ${tenantId} and name = ${name} and digest = ${digest}
      and (state <> 'failed' or prepared_at > ${db.now} - ${retryAfterMs} * interval '1 ms')
      and (state <> 'preparing' or created_at > ${db.now} - ${preparingMsMax} * interval '1 ms')
    order by version desc
    limit 1`)
  return row
}

export async function listTemplates(
  db: TenantTx,
  audience: Audience,
  { limit, before, name }: { limit: number; before: string | undefined; name: string | undefined },
): Promise<TemplateRow[]> {
  return db.rows<TemplateRow>(sql`
    select ${columns}
    from templates
    where ${isFor(audience)} and ${name === undefined ? sql`true` : sql`name = ${name}`} and ${before === undefined ? sql`true` : sql`id < ${before}`}
    order by id desc
    limit ${limit}`)
}

export async function readLog(db: TenantTx, { tenantId, id }: TemplateRow): Promise<Pick<TemplateDetail, 'log' | 'isLogCut'>> {
  const [row] = await db.rows<{ log: string; isLogCut: boolean }>(sql`
    select log, is_log_cut as "isLogCut"
    from templates
    where tenant_id = ${tenantId} and id = ${id}`)
  return row ?? { log: '', isLogCut: false }
}

export type Progress = { step: string | null; stepsDone: number; log: string; isLogCut: boolean }

/** How far a preparation is. False when it was deleted meanwhile. */
export async function recordProgress(db: Tx, { tenantId, id }: TemplateRow, { step, stepsDone, log, isLogCut }: Progress): Promise<boolean> {
  const rows = await db.rows(sql`
    update templates
    set step = ${step}, steps_done = ${stepsDone}, log = ${log}, is_log_cut = ${isLogCut}
    where tenant_id = ${tenantId} and id = ${id} and state = 'preparing'
    returning id`)
  return rows.length === 1
}

export async function recordReady(db: Tx, { tenantId, id }: TemplateRow, snapshotId: string, bytes: number): Promise<TemplateRow | undefined> {
  const [row] = await db.rows<TemplateRow>(sql`
    update templates
    set state = 'ready', snapshot_id = ${snapshotId}, bytes = ${bytes}, step = null, prepared_at = ${db.now}, used_at = ${db.now}
    where tenant_id = ${tenantId} and id = ${id} and state = 'preparing'
    returning ${columns}`)
  return row
}

export async function recordFailed(db: Tx, { tenantId, id }: TemplateRow, problem: string): Promise<void> {
  await db.rows(sql`
    update templates
    set state = 'failed', problem = ${problem}, prepared_at = ${db.now}
    where tenant_id = ${tenantId} and id = ${id} and state = 'preparing'`)
}

/** What a server on this folder was preparing when it was killed. */
export async function failInterrupted(db: Tx, home: string, problem: string): Promise<number> {
  const rows = await db.rows(sql`
    update templates
    set state = 'failed', problem = ${problem}, prepared_at = ${db.now}
    where state = 'preparing' and home = ${home}
    returning id`)
  return rows.length
}

export async function recordTemplateUse(db: Tx, { tenantId, id }: TemplateRow): Promise<void> {
  await db.rows(sql`update templates set used_at = ${db.now}, use_count = use_count + 1 where tenant_id = ${tenantId} and id = ${id}`)
}

export async function deleteTemplate(db: Tx, { tenantId, id }: Pick<TemplateRow, 'tenantId' | 'id'>): Promise<TemplateRow | undefined> {
  const [row] = await db.rows<TemplateRow>(sql`
    delete from templates
    where tenant_id = ${tenantId} and id = ${id}
    returning ${columns}`)
  return row
}

/** Unused for so long, and nobody's newest: a newer version is ready, it failed, or an agent declares it, which would have it prepared again. */
export async function listUnused(db: Tx, keepMs: number, limit: number): Promise<TemplateRow[]> {
  return db.rows<TemplateRow>(sql`
    select ${columns}
    from templates t
    where state <> 'preparing' and used_at < ${db.now} - ${keepMs} * interval '1 ms'
      and (owner_id is null or state = 'failed' or exists (
        select 1 from templates newer
        where newer.tenant_id = t.tenant_id and newer.name = t.name and newer.version > t.version and newer.state = 'ready'))
    order by used_at
    limit ${limit}`)
}

export const toTemplate = ({ createdAt, preparedAt, usedAt, ...row }: TemplateRow): Template => ({
  id: row.id,
  name: row.name,
  version: row.version,
  state: row.state,
  problem: row.problem,
  stepsDone: row.stepsDone,
  stepCount: row.stepCount,
  step: row.step,
  image: row.image,
  bytes: row.bytes,
  createdAt: createdAt.toISOString(),
  preparedAt: preparedAt?.toISOString() ?? null,
  usedAt: usedAt.toISOString(),
  useCount: row.useCount,
})
