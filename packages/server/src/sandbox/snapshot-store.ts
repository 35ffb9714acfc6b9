import type { Snapshot } from '@longhaul/protocol'
import { type Audience, type Db, type Sql, type Tx, sql, sqlState, uniqueViolation } from '../db/index.ts'
import { AppError } from '../kernel/index.ts'
import { type Quota, type StoredLimits, assertRoom } from './sandbox-store.ts'

export type SnapshotRow = {
  tenantId: string
  id: string
  name: string | null
  ownerId: string
  sandboxId: string
  isInternal: boolean
  limits: StoredLimits
  image: string | null
  bytes: number
  digest: string
  createdAt: Date
}

const columns = sql`tenant_id as "tenantId", id, name, owner_id as "ownerId", sandbox_id as "sandboxId", is_internal as "isInternal", limits, image, bytes, digest, created_at as "createdAt"`
const isFor = ({ tenantId, askerId }: Audience): Sql =>
  askerId === undefined ? sql`tenant_id = ${tenantId} and not is_internal` : sql`tenant_id = ${tenantId} and not is_internal and owner_id = ${askerId}`

/** `quota` undefined: the snapshot takes the place of a workspace, so nothing is added. */
export async function insertSnapshot(db: Db, snapshot: Omit<SnapshotRow, 'createdAt'>, quota: Quota | undefined): Promise<SnapshotRow> {
  try {
    return await db.forTenant(snapshot.tenantId).transaction(async (tx) => {
      if (quota) await assertRoom(tx, { ...quota, countMax: Number.MAX_SAFE_INTEGER })
      const [row] = await tx.rows<SnapshotRow>(sql`
        insert into snapshots (tenant_id, id, name, owner_id, sandbox_id, is_internal, limits, image, bytes, digest)
        values (${snapshot.tenantId}, ${snapshot.id}, ${snapshot.name}, ${snapshot.ownerId}, ${snapshot.sandboxId}, ${snapshot.isInternal}, ${JSON.stringify(snapshot.limits)}, ${snapshot.image}, ${snapshot.bytes}, ${snapshot.digest})
        returning ${columns}`)
      return row! // An insert that did not fail returns its row.
    })
  } catch (error) {
    if (sqlState(error) === uniqueViolation)
      throw new AppError('conflict', `There is a snapshot ${snapshot.name} already. Delete it first, or give another name.`, error)
    throw error
  }
}

export async function findSnapshot(db: Tx, audience: Audience, idOrName: string): Promise<SnapshotRow | undefined> {
  const isId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(idOrName)
  const [row] = await db.rows<SnapshotRow>(sql`
    select ${columns}
    from snapshots
    where ${isFor(audience)} and ${isId ? sql`id = ${idOrName}` : sql`name = ${idOrName}`}`)
  return row
}

export async function listSnapshots(db: Tx, audience: Audience, { limit, before }: { limit: number; before: string | undefined }): Promise<SnapshotRow[]> {
  return db.rows<SnapshotRow>(sql`
    select ${columns}
    from snapshots
    where ${isFor(audience)} and ${before === undefined ? sql`true` : sql`id < ${before}`}
    order by id desc
    limit ${limit}`)
}

/** Also of a released sandbox, whose snapshot nobody sees. */
export async function deleteSnapshot(db: Tx, tenantId: string, id: string): Promise<SnapshotRow | undefined> {
  const [row] = await db.rows<SnapshotRow>(sql`
    delete from snapshots
    where tenant_id = ${tenantId} and id = ${id}
    returning ${columns}`)
  return row
}

/** Of these ids, those that have a row. */
export const knownSnapshots = async (db: Tx, ids: readonly string[]): Promise<string[]> =>
  (await db.rows<{ id: string }>(sql`select id from snapshots where id = any(${ids})`)).map(({ id }) => id)

export const toSnapshot = ({ id, name, sandboxId, image, bytes, digest, createdAt }: SnapshotRow): Snapshot => ({
  id,
  name,
  sandboxId,
  image,
  bytes,
  digest,
  createdAt: createdAt.toISOString(),
})
