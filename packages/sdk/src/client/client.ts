import { addresses } from './addresses.ts'
import { ApiError, errorFromResponse } from './api-error.ts'
import type { Calls, CallOptions, OperationId } from './contract.ts'

export type ClientOptions = {
  /** Where the server is, such as `http://127.0.0.1:8080`. In a browser `''` is the page's own origin. */
  url: string
  /** The API key, or how to get the one to use now. */
  key?: string | (() => string | undefined)
  /** How long an answer may take. Default one minute. */
  timeoutMs?: number
  /** Of every request, as `if-match`. */
  headers?: Record<string, string>
  /** Told when the server says that what was asked for will be gone. */
  onDeprecated?: (about: Deprecation) => void
  fetch?: typeof globalThis.fetch
}

/** `sunset`: when it may be gone, as the server says it. `link`: where it is written what to do instead. */
export type Deprecation = { operation: OperationId; sunset: string | undefined; link: string | undefined }

export type RequestOptions = {
  method?: string
  headers?: Record<string, string>
  body?: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>
  signal?: AbortSignal | undefined
}

export type Client = Calls & {
  readonly url: string
  /** Any address of the server, with the key. Throws an `ApiError` unless the answer is a success. Has no time limit of its own. */
  request(path: string, options?: RequestOptions): Promise<Response>
  /** The bytes of a file that an answer shows. */
  file(fileId: string, options?: CallOptions): Promise<Uint8Array>
}

type Call = (input?: Record<string, unknown>, callOptions?: CallOptions) => Promise<unknown>

/** A client with one method for each operation: `client.runs.start({ agent, input })`. Works in browsers and in Node. */
export function createClient(options: ClientOptions): Client {
  const url = options.url.replace(/\/+$/, '')
  const timeoutMs = options.timeoutMs ?? 60_000
  const limited = (call?: CallOptions) => {
    const timeout = AbortSignal.timeout(call?.timeoutMs ?? timeoutMs)
    return call?.signal ? AbortSignal.any([call.signal, timeout]) : timeout
  }

  async function request(path: string, { headers, ...init }: RequestOptions = {}): Promise<Response> {
    const key = typeof options.key === 'function' ? options.key() : options.key
    const response = await unlessLost(url, init.signal, () =>
      (options.fetch ?? fetch)(`${url}${path}`, {
        ...init,
        signal: init.signal ?? null,
        ...(init.body instanceof ReadableStream && { duplex: 'half' }),
        headers: { ...(key ? { authorization: `Bearer ${key}` } : {}), ...options.headers, ...headers },
      }),
    )
    if (!response.ok) throw await errorFromResponse(response)
    return response
  }

  async function call(id: OperationId, input: Record<string, unknown>, callOptions?: CallOptions): Promise<unknown> {
    const { method, path, body } = toHttp(id, input)
    const signal = limited(callOptions)
    const headers = { accept: 'application/json', ...(body !== undefined && { 'content-type': 'application/json' }), ...preconditionsOf(callOptions) }
    const response = await request(path, { method, signal, headers, ...(body !== undefined && { body }) })
    if (response.headers.has('deprecation')) options.onDeprecated?.(deprecationOf(id, response.headers))
    const text = await unlessLost(url, signal, () => response.text())
    try {
      return JSON.parse(text)
    } catch (cause) {
      throw new ApiError('internal', `${url} did not answer with JSON. Is it a Longhaul server?`, { status: response.status, cause })
    }
  }

  const calls: Record<string, Record<string, Call>> = {}
  for (const id of Object.keys(addresses) as OperationId[]) {
    const [noun = '', verb = ''] = id.split('.')
    const verbs = (calls[noun] ??= {})
    verbs[verb] = (input = {}, callOptions) => call(id, input, callOptions)
  }

  async function file(fileId: string, callOptions?: CallOptions): Promise<Uint8Array> {
    const signal = limited(callOptions)
    const response = await request(`/v1/files/${encodeURIComponent(fileId)}`, { signal })
    return new Uint8Array(await unlessLost(url, signal, () => response.arrayBuffer()))
  }

  return { ...(calls as unknown as Calls), url, request, file } // As the table of addresses, which has all that the contract has.
}

const deprecationOf = (operation: OperationId, headers: Headers): Deprecation => ({
  operation,
  sunset: headers.get('sunset') ?? undefined,
  link: /<([^>]*)>[^<]*rel="deprecation"/.exec(headers.get('link') ?? '')?.[1],
})

const preconditionsOf = ({ ifMatch, ifAbsent }: CallOptions = {}): Record<string, string> => ({
  ...(ifMatch !== undefined && { 'if-match': `"${ifMatch}"` }),
  ...(ifAbsent && { 'if-none-match': '*' }),
})

/** Fields named in the path go there; the others are the query of a GET or DELETE and the body of a POST. */
export function toHttp(id: OperationId, input: Record<string, unknown>): { method: string; path: string; body: string | undefined } {
  const [method, template] = addresses[id]
  const rest = new Map(Object.entries(input).filter(([, value]) => value !== undefined))
  const path = template.replace(/\{(\w+)\}/g, (_, field: string) => {
    const value = rest.get(field)
    // An empty segment would be another address, and `..` would climb: neither is ever a valid id or name.
    if (value === undefined || value === '' || value === '.' || value === '..') throw new ApiError('invalid', `${id} needs ${field}.`)
    rest.delete(field)
    return encodeURIComponent(String(value))
  })
  if (method === 'POST') return { method, path, body: JSON.stringify(Object.fromEntries(rest)) }
  const query = new URLSearchParams([...rest].map(([field, value]): [string, string] => [field, String(value)]))
  return { method, path: rest.size > 0 ? `${path}?${query}` : path, body: undefined }
}

/** Turns every way in which a network fails into `unavailable`. The caller's own abort stays what it is. */
async function unlessLost<Result>(url: string, signal: AbortSignal | null | undefined, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof ApiError) throw cause
    if (signal?.aborted && signal.reason?.name !== 'TimeoutError') throw signal.reason
    throw new ApiError('unavailable', `No answer from ${url || 'the server'}: ${whyLost(cause)}.`, { cause })
  }
}

const reasons: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
  ENOTFOUND: 'no host of that name',
  EAI_AGAIN: 'the name could not be looked up',
  EHOSTUNREACH: 'no way to that host',
  ENETUNREACH: 'no way to that network',
  ETIMEDOUT: 'it took too long',
  UND_ERR_CONNECT_TIMEOUT: 'it took too long',
  UND_ERR_HEADERS_TIMEOUT: 'it took too long',
}

/** Node hides the cause of a failed fetch in `cause.code`; browsers tell nothing. */
export function whyLost(error: unknown): string {
  if (error instanceof DOMException && error.name === 'TimeoutError') return 'it took too long'
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    const code = 'code' in at ? String(at.code) : ''
    if (reasons[code]) return reasons[code]
    if (/certificate|self.signed|SSL|TLS/i.test(`${code} ${at.message}`)) return at.message
  }
  return error instanceof Error ? error.message : String(error)
}
