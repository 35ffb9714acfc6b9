import type { Asker } from '@longhaul/protocol'
import { type Audience, type TenantTx, type Tx, audienceOf, isRunFor, sql } from '../../db/index.ts'

export type AttachmentRow = {
  id: string
  namespace: string
  name: string
  mediaType: string
  bytes: number
  digest: string
  uploadedBy: string
  createdAt: Date
  isUsed: boolean
}
export type Given = Pick<AttachmentRow, 'id' | 'name' | 'mediaType' | 'bytes' | 'digest'>

const columns = sql`
  attachments.id, attachments.namespace, attachments.name, media_type as "mediaType", bytes, digest, uploaded_by as "uploadedBy", attachments.created_at as "createdAt",
  exists (select from attachment_uses where attachment_id = attachments.id) as "isUsed"`

/** Of whoever sent it, and of whoever may read a run that has it. */
const isFor = (audience: Audience & { keyId: string }) => sql`
  attachments.tenant_id = ${audience.tenantId}
  ${audience.namespaces ? sql`and attachments.namespace = any(${audience.namespaces})` : sql``}
  and (attachments.uploaded_by = ${audience.keyId}
    or exists (select from attachment_uses used join runs on runs.id = used.run_id where used.attachment_id = attachments.id and ${isRunFor(audience)}))`

export async function findAttachment(db: TenantTx, audience: Audience & { keyId: string }, id: string): Promise<AttachmentRow | undefined> {
  const [row] = await db.rows<AttachmentRow>(sql`select ${columns} from attachments where attachments.id = ${id} and ${isFor(audience)}`)
  return row
}

/** Those of these that this one sent, in no order. */
export async function listOwn(db: TenantTx, who: { tenantId: string; keyId: string; namespace: string }, ids: readonly string[]): Promise<AttachmentRow[]> {
  return db.rows<AttachmentRow>(sql`
    select ${columns} from attachments
    where tenant_id = ${who.tenantId} and id = any(${ids}::uuid[]) and uploaded_by = ${who.keyId} and namespace = ${who.namespace} limit 1000`)
}

/** The names of files in a conversation. */
export async function listNames(db: TenantTx, { tenantId, agent, session }: { tenantId: string; agent: string; session: string }) {
  return db.rows<{ id: string; name: string }>(sql`
    select used.attachment_id as id, used.name from attachment_uses used join runs on runs.id = used.run_id
    where used.tenant_id = ${tenantId} and runs.tenant_id = ${tenantId} and runs.agent = ${agent} and runs.session_id = ${session} limit 10000`)
}

export type ReadingRun = { id: string; tenantId: string; namespace: string; agent: string; asker: Asker }

/**
 * The files that a run may use, under their names in its conversation, the latest first: those of its own message, and of the messages before it as far as its asker may
 * read them. A fork goes on from a conversation without being in it.
 */
export async function listUsable(db: TenantTx, run: ReadingRun, limit: number): Promise<Given[]> {
  const { tenantId, asker, agent, namespace } = run
  const isBefore = sql`
    runs.agent = ${agent} and runs.session_id = (select coalesce(me.session_id, me.fork ->> 'session') from runs me where me.id = ${run.id})
    and ${isRunFor({ ...audienceOf(tenantId, asker), namespaces: [namespace] })}`
  const rows = await db.rows<Given>(sql`
    select attachments.id, min(used.name) as name, media_type as "mediaType", bytes, digest
    from attachments join attachment_uses used on used.attachment_id = attachments.id join runs on runs.id = used.run_id
    where attachments.tenant_id = ${tenantId} and (used.run_id = ${run.id} or ${isBefore})
    group by attachments.id
    order by max(used.created_at) desc, attachments.id desc limit ${limit}`)
  return rows
}

export async function insertAttachment(tx: TenantTx, row: Omit<AttachmentRow, 'createdAt' | 'isUsed'>): Promise<Date> {
  const { id, namespace, name, mediaType, bytes, digest, uploadedBy } = row
  const [made] = await tx.rows<{ createdAt: Date }>(sql`
    insert into attachments (id, tenant_id, namespace, name, media_type, bytes, digest, uploaded_by)
    values (${id}, ${tx.tenantId}, ${namespace}, ${name}, ${mediaType}, ${bytes}, ${digest}, ${uploadedBy})
    returning created_at as "createdAt"`)
  return made!.createdAt // An insert of one row returns it.
}

/** Bytes under one digest are written and deleted by one at a time. */
export async function lockDigest(tx: TenantTx, digest: string): Promise<void> {
  await tx.rows(sql`select pg_advisory_xact_lock(hashtextextended(${`attachment ${tx.tenantId} ${digest}`}, 0))`)
}

const isUnused = sql`not exists (select from attachment_uses where attachment_id = attachments.id)`
const isOlder = (ms: number) => sql`created_at < clock_timestamp() - ${ms} * interval '1 millisecond'`

/** One that no message has. While its row is held no message can come to have it. Returns its digest. */
export async function deleteUnused(tx: TenantTx, of: { id: string } | { olderThanMs: number }): Promise<{ id: string; digest: string } | undefined> {
  const [row] = await tx.rows<{ id: string; digest: string }>(sql`
    with held as (
      select id from attachments
      where tenant_id = ${tx.tenantId} and ${'id' in of ? sql`id = ${of.id}` : isOlder(of.olderThanMs)} and ${isUnused}
      order by created_at limit 1 for update skip locked
    )
    delete from attachments where id = (select id from held) and ${isUnused}
    returning id, digest`)
  return row
}

export async function tenantsWithUnused(db: Tx, olderThanMs: number): Promise<string[]> {
  const rows = await db.rows<{ tenantId: string }>(sql`
    select distinct tenant_id as "tenantId" from attachments where ${isOlder(olderThanMs)} and ${isUnused} limit 10000`)
  return rows.map(({ tenantId }) => tenantId)
}

export async function isDigestUsed(tx: TenantTx, digest: string): Promise<boolean> {
  return (await tx.rows(sql`select from attachments where tenant_id = ${tx.tenantId} and digest = ${digest} limit 1`)).length > 0
}
