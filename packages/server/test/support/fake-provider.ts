/**
 * A model provider on loopback that speaks the real wire protocols: OpenAI responses, Anthropic messages, Google generateContent,
 * and OpenAI-compatible chat completions, all on one port. A script says what each request gets, faults of the network included.
 */
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import type { Json } from '@longhaul/protocol'
import { type Dialect, type FakeAnswer, answerEvents, dialectOf, errorBody, errorEvent, keyOf } from './fake-dialects.ts'
import { whyRefused } from './fake-requests.ts'
import { wholeAnswer } from './fake-wholes.ts'

/** How the answer travels. Absent: at once and whole. */
export type FakeFault =
  /** Takes the request and never says a word. */
  | { type: 'silence' }
  /** Status and headers, then nothing. */
  | { type: 'headers-only' }
  /** So many events, then nothing more, but the connection stays. */
  | { type: 'stall'; afterEvents: number }
  /** So many events, then a TCP reset. */
  | { type: 'reset'; afterEvents: number }
  /** So many events, then a clean end of the body, as if that were all. */
  | { type: 'end'; afterEvents: number }
  /** So many events, then an error event of the dialect. */
  | { type: 'error-event'; afterEvents: number; error: { type: string; message: string } }
  /** One byte at a time, which cuts characters and lines anywhere. */
  | { type: 'drip'; everyMs: number }
  /** Segments of this many bytes, sent one by one without waiting: cuts lines and UTF-8 sequences. */
  | { type: 'split'; bytes: number }
  /** A small compressed body that unpacks to `bytes` zeros. */
  | { type: 'gzip-bomb'; bytes: number }
  /** A line that never ends. */
  | { type: 'endless' }
  /** These bytes instead of the answer, in segments of so many or all at once; `length` is what the headers claim. */
  | { type: 'raw'; body: string | Buffer; contentType?: string; segmentBytes?: number; length?: number }

/** `json`: this body, whatever was asked; for embeddings and counts of tokens. */
export type FakeStep =
  | (FakeAnswer & { fault?: FakeFault })
  | { json: Json }
  | { status: number; error?: { type: string; message: string }; headers?: Record<string, string> }

export type FakeRequest = {
  dialect: Dialect | undefined
  path: string
  headers: IncomingMessage['headers']
  /** The key that came with it. */
  key: string | undefined
  model: string | undefined
  body: Json
  /** The body as it came. */
  text: string
  /** Settles when the connection of this request is closed or the answer was sent whole; tells which. */
  closed: Promise<'sent' | 'cut'>
  /** Bytes of the connection that the system has taken. */
  taken(): number
}

export type FakeProvider = {
  /** `http://127.0.0.1:port`, without a path. */
  url: string
  /** As the gateway wants them. */
  baseUrls: { openai: string; anthropic: string; google: string }
  compatibleUrl: string
  requests: FakeRequest[]
  /** The next request, when it has come whole. */
  nextRequest(): Promise<FakeRequest>
  [Symbol.asyncDispose](): Promise<void>
}

/** What each request gets: one step after the other, the last one ever after; or a function that decides. */
export type FakeScript = readonly FakeStep[] | ((request: FakeRequest, index: number) => FakeStep)

export async function startFakeProvider(script: FakeScript): Promise<FakeProvider> {
  const requests: FakeRequest[] = []
  const sockets = new Set<Socket>()
  let waiting: ((request: FakeRequest) => void)[] = []

  const server = createServer(async (incoming, response) => {
    const request = await readRequest(incoming, response)
    requests.push(request)
    for (const tell of waiting.splice(0)) tell(request)
    const step = typeof script === 'function' ? script(request, requests.length - 1) : script[Math.min(requests.length, script.length) - 1]
    await answer(request, response, step ?? { status: 500, error: { type: 'server_error', message: 'The script has no step.' } })
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => {}) // The other side left; that is what many tests are about.
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    url,
    baseUrls: { openai: `${url}/v1`, anthropic: `${url}/v1`, google: `${url}/v1beta` },
    compatibleUrl: `${url}/v1`,
    requests,
    nextRequest: () => new Promise((resolve) => waiting.push(resolve)),
    async [Symbol.asyncDispose]() {
      waiting = []
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function readRequest(incoming: IncomingMessage, response: ServerResponse): Promise<FakeRequest> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  const path = incoming.url ?? ''
  const dialect = dialectOf(incoming.method ?? '', path)
  const text = Buffer.concat(chunks).toString('utf8')
  const body = JSON.parse(text || 'null') as Json
  const fields = (body ?? {}) as Record<string, Json>
  const model = dialect === 'google' ? /models\/([^:]+):/.exec(path)?.[1] : (fields['model'] as string | undefined)
  const closed = new Promise<'sent' | 'cut'>((resolve) => response.on('close', () => resolve(response.writableFinished ? 'sent' : 'cut')))
  const { socket } = incoming
  return {
    dialect,
    path,
    headers: incoming.headers,
    key: dialect && keyOf(dialect, incoming.headers),
    model,
    body,
    text,
    closed,
    taken: () => socket.bytesWritten - socket.writableLength,
  }
}

async function answer(request: FakeRequest, response: ServerResponse, step: FakeStep): Promise<void> {
  const { dialect } = request
  if (!dialect) return refuse(response, 'compatible', { status: 404, error: { type: 'not_found', message: `Unknown path ${request.path}.` } })
  if ('status' in step) return refuse(response, dialect, step)
  if ('json' in step) {
    response.writeHead(200, { 'content-type': 'application/json' })
    return void response.end(JSON.stringify(step.json))
  }
  const why = whyRefused(dialect, request.body)
  if (why) return refuse(response, dialect, { status: 400, error: { type: 'invalid_request_error', message: why } })
  const isWhole = dialect !== 'google' && (request.body as Record<string, Json>)['stream'] !== true
  const events = isWhole ? [JSON.stringify(wholeAnswer(dialect, step, request.model ?? ''))] : answerEvents[dialect](step, request.model ?? '')
  await send(response, dialect, isWhole || !hidesUsage(request) ? events : events.filter((event) => !event.includes('"choices":[]')), step.fault, isWhole)
}

/** OpenAI counts tokens in a stream of chat completions only when it is asked to. */
function hidesUsage({ dialect, body }: FakeRequest): boolean {
  const options = (body as Record<string, Json>)['stream_options'] as Record<string, Json> | undefined
  return dialect === 'compatible' && options?.['include_usage'] !== true
}

function refuse(response: ServerResponse, dialect: Dialect, { status, error, headers }: Extract<FakeStep, { status: number }>): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(error ? JSON.stringify(errorBody(dialect, status, error)) : '')
}

async function send(response: ServerResponse, dialect: Dialect, events: string[], fault: FakeFault | undefined, isWhole: boolean): Promise<void> {
  if (fault?.type === 'silence') return
  const contentType = (fault?.type === 'raw' && fault.contentType) || (isWhole ? 'application/json' : 'text/event-stream')
  response.writeHead(200, {
    'content-type': contentType,
    ...(fault?.type === 'gzip-bomb' ? { 'content-encoding': 'gzip' } : {}),
    ...(fault?.type === 'raw' && fault.length !== undefined ? { 'content-length': fault.length } : {}),
  })
  response.flushHeaders()
  const begin = async (count: number) => {
    for (const event of events.slice(0, count)) await write(response, event)
  }
  switch (fault?.type) {
    case undefined:
      await begin(events.length)
      return void response.end()
    case 'headers-only':
      return
    case 'stall':
      return begin(fault.afterEvents)
    case 'reset':
      await begin(fault.afterEvents)
      return void (response.socket as Socket).resetAndDestroy()
    case 'end':
      await begin(fault.afterEvents)
      return void response.end()
    case 'error-event':
      await begin(fault.afterEvents)
      return void response.end(errorEvent(dialect, fault.error))
    case 'drip':
      return inPieces(response, Buffer.from(events.join('')), 1, fault.everyMs)
    case 'split':
      return inPieces(response, Buffer.from(events.join('')), fault.bytes, 0)
    case 'gzip-bomb':
      return void response.end(gzipSync(Buffer.alloc(fault.bytes), { level: 9 }))
    case 'endless':
      await write(response, 'data: {"text":"')
      while (!response.destroyed) await write(response, 'x'.repeat(64 * 1024))
      return
    case 'raw':
      if (fault.segmentBytes !== undefined) return inPieces(response, Buffer.from(fault.body), fault.segmentBytes, 0)
      if (fault.length === undefined) return void response.end(fault.body)
      await write(response, fault.body)
      return void response.socket?.end()
  }
}

async function inPieces(response: ServerResponse, bytes: Buffer, size: number, everyMs: number): Promise<void> {
  response.socket?.setNoDelay(true)
  for (let at = 0; at < bytes.length && !response.destroyed; at += size) {
    await write(response, bytes.subarray(at, at + size))
    await new Promise((resolve) => (everyMs > 0 ? setTimeout(resolve, everyMs) : setImmediate(resolve)))
  }
  response.end()
}

/** Resolves when the bytes were handed to the system, or the other side is gone. */
function write(response: ServerResponse, bytes: string | Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed) return resolve()
    response.once('close', resolve)
    response.write(bytes, () => {
      response.off('close', resolve)
      resolve()
    })
  })
}
