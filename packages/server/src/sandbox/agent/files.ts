import type { FilesResult } from '@longhaul/protocol'
import { z } from 'zod'
import { withTimeout } from '../../kernel/index.ts'
import { failure } from '../failures.ts'
import { listEntriesMax } from '../limits.ts'
import type { CheckedFilesRequest } from '../requests.ts'
import type { AgentClient, AgentMessage } from './agent-client.ts'
import { FrameError } from './frames.ts'

export type FilesHost = { client: AgentClient; kill(why: string): void }

/** Of one request. Only regular files are opened, so nothing but a hostile agent takes this long. */
const timeoutMs = 60_000
const pieceBytes = 64 * 1024
const listBytesMax = 4 * 1024 * 1024

export async function transferFiles(host: FilesHost, request: CheckedFilesRequest): Promise<FilesResult> {
  switch (request.action) {
    case 'write':
      for (const { path, bytes } of request.files) await ask(host, { do: 'write', path }, 0, bytes)
      return { action: 'write', count: request.files.length }
    case 'read': {
      const { bytes, done } = await ask(host, { do: 'read', path: request.path, bytesMax: request.bytesMax }, request.bytesMax)
      return { action: 'read', base64: bytes.toString('base64'), bytes: Math.max(done.bytes ?? 0, bytes.length), isTruncated: done.isTruncated ?? false }
    }
    case 'list': {
      const { bytes } = await ask(host, { do: 'list', path: request.path, entriesMax: listEntriesMax }, listBytesMax)
      return { action: 'list', entries: parseEntries(bytes) }
    }
  }
}

type Done = Extract<AgentMessage, { event: 'done' }>

/** One request to the agent, with what it sends for an answer: `bytesMax` at most. */
async function ask(host: FilesHost, message: object, bytesMax: number, content?: Buffer): Promise<{ bytes: Buffer; done: Done }> {
  const answer = Promise.withResolvers<{ bytes: Buffer; done: Done }>()
  const pieces: Buffer[] = []
  let bytes = 0
  const agent = host.client.request(message, {
    message(message) {
      if (message.event === 'done') answer.resolve({ bytes: Buffer.concat(pieces), done: message })
      else if (message.event === 'failed') answer.reject(explain(message))
      else throw new FrameError('A message out of turn.')
    },
    data(_, piece) {
      bytes += piece.length
      if (bytes > bytesMax) throw new FrameError('More than was asked for.')
      pieces.push(piece)
    },
    lost: () => answer.reject(failure('sandbox_lost', 'The sandbox ended during a file transfer. It starts again with the next request.')),
  })
  if (content) {
    for (let at = 0; at < content.length; at += pieceBytes) agent.data(content.subarray(at, at + pieceBytes))
    agent.end()
  }
  try {
    return await withTimeout(timeoutMs, answer.promise, () => {
      host.kill('the agent does not answer')
      return failure('sandbox_lost', `The sandbox did not answer a file request within ${timeoutMs} ms and was ended.`)
    })
  } finally {
    agent.close()
  }
}

export function explain({ code, message }: { code: string; message: string }): Error {
  if (code === 'ENOENT' || code === 'ENOTDIR') return failure('not_found', message)
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG' || code === 'EMFILE') return failure('over_limit', message)
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return failure('not_permitted', message)
  return failure('invalid', message)
}

const Entry = z.tuple([z.string().max(1_024), z.enum(['file', 'directory', 'other']), z.number().int().min(0)])

function parseEntries(bytes: Buffer): { name: string; type: 'file' | 'directory' | 'other'; bytes: number }[] {
  const lines = bytes.toString('utf8').split('\n').filter(Boolean)
  if (lines.length > listEntriesMax) throw failure('sandbox_lost', 'The sandbox sent a listing that is too long.')
  return lines
    .map((line) => {
      try {
        const [name, type, size] = Entry.parse(JSON.parse(line))
        return { name, type, bytes: size }
      } catch (error) {
        throw failure('sandbox_lost', 'The sandbox sent a listing that cannot be read.', error)
      }
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
}
