/** What a request asks for, from its path, query and body. Everything is bounded and checked before any of it is used. */
import { whyNotJson } from '@longhaul/protocol'
import type { z } from 'zod'
import { AppError } from '../kernel/index.ts'

export async function readInput(request: Request, pathParameters: Record<string, string>, bodyBytesMax: number): Promise<Record<string, unknown>> {
  const body = request.method === 'POST' ? await readBody(request, bodyBytesMax) : {}
  const input = { ...readQuery(request.url), ...body, ...pathParameters }
  const why = whyNotJson(input) // Nesting too deep, U+0000, half characters: nothing further on could store them.
  if (why) throw new AppError('invalid', `The request holds what cannot be stored: ${why}.`)
  return input
}

export function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message))
  throw new AppError('invalid', problems.join('; '))
}

function readQuery(url: string): Record<string, string> {
  const start = url.indexOf('?')
  if (start === -1) return {}
  const query = new URLSearchParams(url.slice(start))
  for (const name of new Set(query.keys())) {
    if (query.getAll(name).length > 1) throw new AppError('invalid', `${name}: given more than once.`)
  }
  return Object.fromEntries(query)
}

async function readBody(request: Request, bytesMax: number): Promise<Record<string, unknown>> {
  const bytes = await readBytes(request, bytesMax)
  if (bytes.length === 0) return {}
  let body: unknown
  try {
    body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new AppError('invalid', `The body is not JSON: ${cause instanceof Error ? cause.message : cause}`, cause)
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new AppError('invalid', 'The body must be a JSON object.')
  return body as Record<string, unknown> // An object that is no array.
}

export async function readBytes(request: Request, bytesMax: number): Promise<Uint8Array> {
  const tooLarge = () => new AppError('too_large', `The body is larger than ${bytesMax} bytes.`)
  const announced = request.headers.get('content-length')
  if (announced !== null) {
    if (Number(announced) > bytesMax) throw tooLarge()
    return new Uint8Array(await request.arrayBuffer()) // HTTP sees to it that no more comes than was announced.
  }
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of request.body ?? []) {
    length += chunk.length
    if (length > bytesMax) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
