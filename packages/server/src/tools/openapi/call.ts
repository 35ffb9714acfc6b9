/** Documents of OpenAPI connections, and one call of an operation. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Api, type ApiOperation, type Json, type OpenApiConnection, readApi, visibleText } from '@longhaul/protocol'
import { parse } from 'yaml'
import type { z } from 'zod'
import { StepFailure } from '../../kernel/index.ts'
import type { Egress } from '../egress/egress.ts'
import { failed, httpFailure, networkFailure } from '../failures.ts'
import { readHeaders } from '../mcp/transports.ts'
import type { Bearers } from '../oauth/bearers.ts'
import type { SecretsUser, ToolSecrets } from '../secrets.ts'

const documentBytesMax = 5_000_000
const responseBytesMax = 4_000_000

/** Read once per version: its code never changes. Throws a `StepFailure` that names the file. */
export const loadApi = async (codeFolder: string, declared: z.output<typeof OpenApiConnection>): Promise<Api> =>
  parseApi(declared.document, await readDocument(codeFolder, declared))

/** The document as it lies beside its declaration. Throws as `loadApi` does. */
export async function readDocument(codeFolder: string, { document }: z.output<typeof OpenApiConnection>): Promise<string> {
  try {
    return await readFile(join(codeFolder, 'agent', 'connections', document), 'utf8')
  } catch (error) {
    throw failed('bad_document', `connections/${document}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Throws a `StepFailure` that names the file. */
export function parseApi(document: string, text: string): Api {
  try {
    if (text.length > documentBytesMax) throw new Error(`has more than ${documentBytesMax} characters`)
    return readApi(parse(text, { maxAliasCount: 1_000 })) // JSON is YAML.
  } catch (error) {
    throw failed('bad_document', `connections/${document}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

export type ApiCall = {
  connection: string
  user: SecretsUser
  declared: z.output<typeof OpenApiConnection>
  api: Api
  operation: ApiOperation
  input: Json
  key: string
  signal: AbortSignal
}

export async function callApi(
  { connection, user, declared, api, operation, input, key, signal }: ApiCall,
  { egress, secrets, bearers }: { egress: Egress; secrets: ToolSecrets; bearers: Bearers },
): Promise<{ output: Json; origin: string }> {
  const base = declared.url ?? api.baseUrl
  if (base === undefined || !URL.canParse(base)) throw failed('bad_document', `Where the API of ${connection} is, neither its document nor its \`url\` says.`)
  const { url, headers, body } = requestOf(new URL(base), operation, input)
  const isSafe = operation.method === 'GET' || operation.method === 'HEAD'
  const isRepeatable = isSafe || operation.method === 'PUT' || operation.method === 'DELETE'
  const held = await readHeaders(user, declared.headers, url.hostname, secrets)
  const { oauth } = declared
  const bearer = oauth && (await unlessAborted(signal, bearers.of(user, { connection, address: base, oauth })))
  const who = `The API of ${connection}`
  const send = (token: string | undefined) => {
    const init = {
      method: operation.method,
      signal,
      headers: {
        accept: 'application/json',
        ...headers,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(!isSafe && { 'idempotency-key': key }),
        ...held,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body }),
    }
    return egress.fetch(url, init, { hosts: [url.hostname], bytesMax: responseBytesMax })
  }
  try {
    let response = await send(bearer?.token)
    if (bearer && response.status === 401) {
      const token = await unlessAborted(signal, bearer.renew())
      if (token !== undefined) {
        await response.body?.cancel()
        // By any method: a request that was refused for want of credentials has not been applied (RFC 9110, 15.5.2).
        response = await send(token)
      }
    }
    const text = visibleText(await response.text())
    if (!response.ok) throw httpFailure(response.status, who, { isRepeatable, detail: text, retryAfter: response.headers.get('retry-after') })
    return { output: asJson(text), origin: url.host }
  } catch (error) {
    if (signal.aborted || error instanceof StepFailure) throw error
    throw networkFailure(error, who, isRepeatable) ?? error
  }
}

/** What others wait for as well goes on without this call. */
async function unlessAborted<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result> {
  const aborted = Promise.withResolvers<never>()
  const stop = () => aborted.reject(signal.reason as Error)
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** Puts the arguments where the document says. What it does not know is refused, not dropped. */
export function requestOf(
  base: URL,
  { path, parameters, body: bodyName }: ApiOperation,
  input: Json,
): { url: URL; headers: Record<string, string>; body: string | undefined } {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) throw failed('invalid', 'The arguments must be a JSON object.')
  const unknown = Object.keys(input).find((name) => name !== bodyName && !parameters.some((parameter) => parameter.name === name))
  if (unknown !== undefined)
    throw failed(
      'invalid',
      `There is no argument ${unknown}. There are: ${[...parameters.map(({ name }) => name), ...(bodyName ? [bodyName] : [])].join(', ') || 'none'}.`,
    )
  const inPath = path.replaceAll(/\{([^}]+)\}/g, (_, name: string) => {
    const value = plain(input[name])
    // `..` would lead to another operation than the one that was asked for.
    if (value === undefined || value === '' || /^\.{1,2}$/.test(value))
      throw failed('invalid', `${name}: must be a text, a number or a truth that can stand in a path.`)
    return encodeURIComponent(value)
  })
  const url = new URL(base.pathname.replace(/\/$/, '') + inPath, base.origin)
  const headers: Record<string, string> = {}
  for (const { name, in: place } of parameters) {
    const given = input[name]
    if (given === undefined || given === null || place === 'path') continue
    for (const one of Array.isArray(given) ? given : [given]) {
      const value = plain(one) ?? JSON.stringify(one)
      if (place === 'query') url.searchParams.append(name, value)
      else headers[name.toLowerCase()] = value
    }
  }
  const body = bodyName === undefined || input[bodyName] === undefined ? undefined : JSON.stringify(input[bodyName])
  return { url, headers, body }
}

const plain = (value: Json | undefined): string | undefined =>
  typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined

function asJson(text: string): Json {
  if (text === '') return null
  try {
    return JSON.parse(text) as Json
  } catch {
    return text // It is what it is.
  }
}
