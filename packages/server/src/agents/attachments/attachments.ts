/** Files that people send along with a message: kept by their digest, each tenant's apart, until no message has them any more. */
import { createHash } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Asker, Attachment, AttachmentRef, Json } from '@longhaul/protocol'
import { type Audience, type Db, noteAudit } from '../../db/index.ts'
import { type Caller, type Tenants, whoIs } from '../../identity/index.ts'
import { AppError, type Log, type Service, loop, newId } from '../../kernel/index.ts'
import { writeOnce } from '../file-store.ts'
import * as store from './attachment-store.ts'
import { mediaTypeOf } from './sniff.ts'
import { fileNameOf, unusedName } from './names.ts'

export type AttachmentLimits = { bytesMax: number; countMax: number; keepMs: number }
export type UsableAttachment = store.Given
export type AttachmentFile = { path: string; mediaType: string; name: string; bytes: number }

export type Attachments = Service & {
  /** Deletes all that no message has and whose time is up. Returns how many. A server does so by itself. */
  sweep(): Promise<number>
  create(caller: Caller, file: { name: string; namespace?: string | undefined; content: Buffer }): Promise<Attachment>
  get(caller: Caller, id: string): Promise<Attachment>
  /** Where its bytes are. */
  open(caller: Caller, id: string): Promise<AttachmentFile>
  delete(caller: Caller, id: string): Promise<{ id: string }>
  /** The input of a run whose message has these files, each under a name of its own in the conversation. Throws `not_found` for one that the asker did not send. */
  withAttachments(about: MessageAbout, input: Json, ids: readonly string[]): Promise<Json>
  /** What a run may use, the latest first. */
  usable(run: store.ReadingRun): Promise<UsableAttachment[]>
  /** Undefined when the bytes are gone. */
  read(tenantId: string, file: Pick<UsableAttachment, 'digest'>): Promise<Buffer | undefined>
}

export type MessageAbout = { tenantId: string; asker: Asker; namespace: string; agent: string; session?: string | undefined }

/** In one conversation. What was sent before is not given to its model and its sandbox any more. */
const usableMax = 100
const sweepMs = 60_000

type Options = { db: Db; log: Log; folder: string; limits: AttachmentLimits; assertStorage: Tenants['assertStorage'] }

export function openAttachments({ db, log, folder, limits, assertStorage }: Options): Attachments {
  const pathOf = (tenantId: string, digest: string) => join(folder, 'attachments', tenantId, digest.slice(0, 2), digest)
  const shown = ({ isUsed, createdAt, ...row }: store.AttachmentRow): Attachment => ({
    ...row,
    createdAt: createdAt.toISOString(),
    expiresAt: isUsed ? null : new Date(createdAt.getTime() + limits.keepMs).toISOString(),
  })
  const find = async (audience: Audience & { keyId: string }, id: string) => {
    const row = await store.findAttachment(db.forTenant(audience.tenantId), audience, id)
    if (!row) throw notFound(id)
    return row
  }

  /** The bytes go before the commit: should that fail, the row is still one that no message has, and goes with the next sweep. */
  async function deleteOne(tenantId: string, of: { id: string } | { olderThanMs: number }, by?: Caller): Promise<boolean> {
    return db.forTenant(tenantId).transaction(async (tx) => {
      const gone = await store.deleteUnused(tx, of)
      if (!gone) return false
      await store.lockDigest(tx, gone.digest)
      if (by) await noteAudit(tx, { who: whoIs(by), action: 'attachments.delete', target: gone.id })
      if (!(await store.isDigestUsed(tx, gone.digest))) await rm(pathOf(tenantId, gone.digest), { force: true })
      return true
    })
  }

  const sweeping = loop({
    everyMs: sweepMs,
    onError: (error) => log.warn('files that no message has could not be deleted; it is tried again', { error }),
    async work(signal) {
      const count = await sweep(signal)
      if (count > 0) log.info('files that no message has were deleted', { count })
    },
  })
  async function sweep(signal?: AbortSignal): Promise<number> {
    let count = 0
    for (const tenantId of await store.tenantsWithUnused(db, limits.keepMs))
      while (!signal?.aborted && (await deleteOne(tenantId, { olderThanMs: limits.keepMs }))) count++
    return count
  }

  return {
    start: sweeping.start,
    stop: sweeping.stop,
    sweep: () => sweep(),
    async create(caller, { name: given, namespace = caller.namespaces?.[0] ?? 'default', content }) {
      const name = fileNameOf(given)
      if (content.length === 0) throw new AppError('invalid', `The file ${name} is empty.`)
      if (content.length > limits.bytesMax)
        throw new AppError('too_large', `The file ${name} has ${content.length} bytes; at most ${limits.bytesMax} are taken.`)
      await assertStorage(caller.tenantId, content.length)
      const digest = createHash('sha256').update(content).digest('hex')
      const row = { id: newId(), namespace, name, mediaType: mediaTypeOf(content, name), bytes: content.length, digest, uploadedBy: caller.keyId }
      const createdAt = await db.forTenant(caller.tenantId).transaction(async (tx) => {
        await store.lockDigest(tx, digest)
        await writeOnce(pathOf(caller.tenantId, digest), content)
        await noteAudit(tx, {
          who: whoIs(caller),
          action: 'attachments.create',
          target: row.id,
          detail: { bytes: row.bytes, mediaType: row.mediaType, digest },
        })
        return store.insertAttachment(tx, row)
      })
      return shown({ ...row, createdAt, isUsed: false })
    },
    get: async (caller, id) => shown(await find(caller, id)),
    async open(caller, id) {
      const { name, mediaType, bytes, digest } = await find(caller, id)
      return { path: pathOf(caller.tenantId, digest), name, mediaType, bytes }
    },
    async delete(caller, id) {
      const row = await find(caller, id)
      if (row.uploadedBy !== caller.keyId) throw new AppError('forbidden', `The file ${id} was sent by somebody else. Only they can take it back.`)
      if (row.isUsed || !(await deleteOne(caller.tenantId, { id }, caller)))
        throw new AppError('conflict', `A message has the file ${id}, so it is kept as long as the run. Retention says how long that is.`)
      return { id }
    },
    async withAttachments({ tenantId, asker, namespace, agent, session }, input, ids) {
      if (ids.length > limits.countMax) throw new AppError('too_large', `attachments: a message can have at most ${limits.countMax} files.`)
      if (new Set(ids).size < ids.length) throw new AppError('invalid', 'attachments: a file is named twice.')
      const message = asMessage(input)
      const scoped = db.forTenant(tenantId)
      const found = new Map((await store.listOwn(scoped, { tenantId, keyId: asker.id, namespace }, ids)).map((row) => [row.id, row]))
      // The same request again gives the same names.
      const known = session === undefined ? [] : await store.listNames(scoped, { tenantId, agent, session })
      const names = new Map(known.map((item) => [item.id, item.name]))
      const attachments = ids.map((id): AttachmentRef => {
        const row = found.get(id)
        if (!row) throw notFound(id)
        const name = names.get(id) ?? unusedName(row.name, names.values())
        names.set(id, name)
        return { id, name, mediaType: row.mediaType, bytes: row.bytes, digest: row.digest }
      })
      return { ...message, attachments }
    },
    async usable(run) {
      const files = await store.listUsable(db.forTenant(run.tenantId), run, usableMax)
      return files.map((file) => ({ ...file, name: fileNameOf(file.name) }))
    },
    async read(tenantId, { digest }) {
      try {
        return await readFile(pathOf(tenantId, digest))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error // Node's errors of files have a code.
        log.error('the bytes of a file are missing', { tenantId, digest })
        return undefined
      }
    },
  }
}

const notFound = (id: string) => new AppError('not_found', `No file ${id} that you sent. It may have been deleted, or be of another namespace.`)

/** Its words under `message`, where it is a text. */
function asMessage(input: Json): { [field: string]: Json } {
  if (input === null) return { message: '' }
  if (typeof input === 'string') return { message: input }
  if (typeof input === 'object' && !Array.isArray(input)) return input
  throw new AppError('invalid', 'input: with attachments it must be a text or an object, which has its words under message.')
}
