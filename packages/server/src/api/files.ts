/** Files that tools made, by number. Their bytes are of unknown origin and are given no rights in the browser. */
import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import type { Audience } from '../db/index.ts'
import { AppError } from '../kernel/index.ts'
import { filePolicy } from './guard.ts'

export type StoredFile = { path: string; mediaType: string; name: string; bytes: number }
export type FindFile = (audience: Audience, fileId: string) => Promise<StoredFile | undefined>

/** Shown in place. Everything else is offered for saving. */
const shown = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/svg+xml', 'text/plain', 'application/json'])

export async function sendFile(file: StoredFile | undefined, fileId: string, method: string): Promise<Response> {
  if (!file) throw new AppError('not_found', `No file ${fileId}.`)
  return openedFile(file, fileId, { method, isShown: true })
}

/** `isShown`: in place, where its kind can be. */
export async function openedFile(file: StoredFile, fileId: string, { method = 'GET', isShown }: { method?: string; isShown: boolean }): Promise<Response> {
  const handle = await openFile(file, fileId)
  const { size } = await handle.stat()
  const mediaType = /^[\w.+-]{1,60}\/[\w.+-]{1,60}$/.test(file.mediaType) ? file.mediaType : 'application/octet-stream'
  if (method === 'HEAD') await handle.close() // Nobody would read, and so nobody close it.
  const body = method === 'HEAD' ? null : (Readable.toWeb(createReadStream('', { fd: handle })) as ReadableStream) // Node's type of the same thing.
  return new Response(body, {
    headers: {
      'content-type': mediaType.startsWith('text/') ? `${mediaType}; charset=utf-8` : mediaType,
      'content-length': String(size),
      'content-disposition': disposition(isShown && shown.has(mediaType) ? 'inline' : 'attachment', file.name),
      'content-security-policy': filePolicy,
      'cache-control': 'private, max-age=3600',
      vary: 'authorization',
    },
  })
}

async function openFile({ path }: StoredFile, fileId: string): Promise<FileHandle> {
  try {
    return await open(path)
  } catch (cause) {
    throw new AppError('internal', `The bytes of file ${fileId} are missing.`, cause)
  }
}

/** RFC 6266: a plain name for the old, the real one encoded. Nothing in it can end the header or name a folder. */
function disposition(kind: 'inline' | 'attachment', name: string): string {
  const base = name.replaceAll(/[\\/\p{Cc}]/gu, '_').slice(0, 200) || 'file'
  const plain = base.replaceAll(/[^\x20-\x7e]|["%]/g, '_')
  const encoded = encodeURIComponent(base.toWellFormed()).replaceAll(/['()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`)
  return `${kind}; filename="${plain}"; filename*=UTF-8''${encoded}`
}
