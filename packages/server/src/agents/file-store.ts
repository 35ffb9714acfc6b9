/** Files that answers show: a row each, and the bytes in the blob folder under their own digest. */
import { createHash } from 'node:crypto'
import { mkdir, open, rename, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ArtifactRequest, FilePart } from '@longhaul/protocol'
import { type Audience, type Db, isOfRunFor, sql } from '../db/index.ts'
import type { Tenants } from '../identity/index.ts'
import { StepFailure, newId } from '../kernel/index.ts'

const bytesMax = 8_000_000

export type Files = {
  /** Keeps a file for a run's answer. The bytes are on disk before the row that names them. */
  store(tenantId: string, runId: string, request: ArtifactRequest): Promise<FilePart>
  find(audience: Audience, fileId: string): Promise<{ path: string; mediaType: string; name: string; bytes: number } | undefined>
}

export function openFiles({ db, folder, assertStorage = async () => {} }: { db: Db; folder: string; assertStorage?: Tenants['assertStorage'] }): Files {
  const pathOf = (digest: string) => join(folder, digest.slice(0, 2), digest)
  return {
    async store(tenantId, runId, { name, mediaType, title, base64 }) {
      const content = Buffer.from(base64, 'base64')
      if (content.length > bytesMax)
        throw new StepFailure({ message: `The file ${name} has ${content.length} bytes; at most ${bytesMax} are kept.`, code: 'too_large', retryable: false })
      const digest = createHash('sha256').update(content).digest('hex')
      await assertStorage(tenantId, content.length)
      await writeOnce(pathOf(digest), content)
      const id = newId()
      await db.forTenant(tenantId).rows(sql`
        insert into files (id, tenant_id, run_id, name, media_type, bytes, digest)
        values (${id}, ${tenantId}, ${runId}, ${name}, ${mediaType}, ${content.length}, ${digest})`)
      return { type: 'file', fileId: id, name, mediaType, bytes: content.length, ...(title !== undefined && { title }) }
    },
    async find(audience, fileId) {
      if (!/^[0-9a-f-]{36}$/.test(fileId)) return undefined
      const [row] = await db.forTenant(audience.tenantId).rows<{ name: string; mediaType: string; bytes: number; digest: string }>(sql`
        select name, media_type as "mediaType", bytes, digest from files where id = ${fileId} and ${isOfRunFor(audience)}`)
      return row && { path: pathOf(row.digest), mediaType: row.mediaType, name: row.name, bytes: row.bytes }
    },
  }
}

/** The same bytes are kept once. A half-written file never bears the name. */
export async function writeOnce(path: string, content: Buffer): Promise<void> {
  const known = await stat(path).catch(() => undefined) // Absent: the usual case.
  if (known?.size === content.length) return
  await mkdir(dirname(path), { recursive: true })
  const draft = `${path}.${newId()}`
  const handle = await open(draft, 'wx')
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, path)
}
