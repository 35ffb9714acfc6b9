/** What a caller sent, read within bounds and checked before any of it is used. */
import { isAscii, isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { jsonDepthMax, whyNotJson } from '@longhaul/protocol'
import { StepFailure, after } from '../../kernel/index.ts'
import { type Place, outlineOf } from './json-places.ts'

export type FaceBody = {
  /** As they came. */
  bytes: Buffer
  fields: Record<string, unknown>
  places: Place[]
}

export const refuse = (code: string, message: string): StepFailure => new StepFailure({ code, message, retryable: false })

const readMsMax = 60_000
/** What is sent on after a refusal is read and thrown away for a while, because a client that is still sending does not listen. */
export const drainBytesMax = 128 * 1024 * 1024

/** Rejects when the caller sends too much, too slowly, or leaves. */
export function readBytes(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const tooLarge = () => refuse('body_too_large', `The request is larger than ${bytesMax} bytes. Send less, or raise LONGHAUL_MODEL_BODY_BYTES_MAX.`)
  const encoding = request.headers['content-encoding']
  if (encoding && encoding !== 'identity') return Promise.reject(refuse('bad_media_type', `The body is compressed (${encoding}). Send it as it is.`))
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) return Promise.reject(tooLarge())
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    const cancel = after(readMsMax, () => end(() => reject(refuse('slow_body', `The request did not come within ${readMsMax / 1000} s.`))))
    let isOver = false
    const end = (then: () => void) => {
      if (isOver) return // After the end of the body comes the end of the connection.
      isOver = true
      cancel()
      request.off('data', onData)
      then()
    }
    const onData = (chunk: Buffer) => {
      length += chunk.length
      if (length > bytesMax) return end(() => reject(tooLarge()))
      chunks.push(chunk)
    }
    request.on('data', onData)
    request.on('end', () => end(() => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))) // There is one.
    request.on('error', () => end(() => reject(refuse('aborted', 'The request broke off.'))))
    request.on('close', () => end(() => reject(refuse('aborted', 'The request broke off.'))))
  })
}

/** Escapes that stand for what no text can hold. Only a body that has one is searched for where. */
const badEscape = /\\u(?:0000|[dD][89a-fA-F])/

export function parseBody(bytes: Buffer): FaceBody {
  const raw = bytes.toString('latin1')
  const text = isAscii(bytes) ? raw : decode(bytes)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw refuse('bad_request', `The body is not JSON: ${cause instanceof Error ? cause.message.slice(0, 200) : cause}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse('bad_request', 'The body must be a JSON object.')
  const { places, depth } = outlineOf(raw)
  if (depth > jsonDepthMax) throw refuse('bad_request', `The body is nested deeper than ${jsonDepthMax} levels.`)
  const why = badEscape.test(text) ? whyNotJson(value) : undefined
  if (why) throw refuse('bad_request', `${why}. Take it out of the text before you send it.`)
  const seen = new Set<string>()
  for (const { key } of places) {
    // Which of the two counts would be decided by each reader for itself, and what we check must be what the provider reads.
    if (seen.has(key)) throw refuse('bad_request', `The field ${JSON.stringify(key.slice(0, 100))} is given twice.`)
    seen.add(key)
  }
  return { bytes, fields: value as Record<string, unknown>, places } // An object that is no array.
}

function decode(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw refuse('bad_request', 'The body is not UTF-8.')
  return bytes.toString('utf8')
}
