/** Clients of 2026-07-28, which keep no session: their requests go to one program of their key, under ids of ours, and come back under theirs. */
import {
  type JSONRPCMessage,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResponse,
  type RequestId,
  SUBSCRIPTION_ID_META_KEY,
} from '@modelcontextprotocol/server'
import { after } from '../../kernel/index.ts'
import { type Mirrored, mirroredIn, whyArgumentsDiffer } from './headers.ts'
import { type Pipe, type PipeOptions, isSubscription, openPipe, problem } from './pipe.ts'

export type Exchange = {
  pipe: Pipe
  /** JSON when nothing is said before the answer, else a stream of events. Who hangs up has cancelled. */
  ask(request: JSONRPCRequest, headers: Headers, gone: AbortSignal): Promise<Response>
  tell(message: JSONRPCNotification): Response
}

type Asked = { id: RequestId; progressToken: unknown; isListening: boolean; say(message: JSONRPCMessage): void }

const keepAliveMs = 15_000
const pagesMax = 16
/** Errors that are about the request as HTTP sees it. */
const statuses: Record<number, number> = { [-32_601]: 404, [-32_021]: 400, [-32_022]: 400 }

export function openExchange(options: Omit<PipeOptions, 'onSaid'>): Exchange {
  const asked = new Map<RequestId, Asked>()
  /** By tool, of those that have any. */
  const mirrored = new Map<string, Mirrored[]>()
  let listing: Promise<void> | undefined
  let count = 0
  const pipe = openPipe({
    ...options,
    onSaid(message) {
      // In this generation a program asks by its answer; it has nobody to ask otherwise.
      if ('id' in message) return pipe.answer(problem(message.id, -32_601, 'Nobody can be asked here: answer with what input you need.'))
      if (message.method === 'notifications/tools/list_changed') listing = undefined
      const [to, renamed] = addressee(message)
      to?.say(renamed)
    },
  })

  /** Whose it is, and as they know it. */
  function addressee(message: JSONRPCNotification): [Asked | undefined, JSONRPCNotification] {
    const { params } = message
    if (message.method === 'notifications/progress') {
      const one = asked.get(params?.['progressToken'] as RequestId) // Ours is the request's id; another finds nothing.
      return [one, { ...message, params: { ...params, progressToken: one?.progressToken } }]
    }
    const listener = asked.get(params?._meta?.[SUBSCRIPTION_ID_META_KEY] as RequestId) // As above.
    if (listener) return [listener, { ...message, params: { ...params, _meta: { ...params?._meta, [SUBSCRIPTION_ID_META_KEY]: listener.id } } }]
    return [[...asked.values()].findLast(({ isListening }) => !isListening), message]
  }

  function named(message: JSONRPCRequest, id: number): JSONRPCRequest {
    const { params } = message
    const hasToken = params?._meta?.progressToken !== undefined
    return { ...message, id, ...(hasToken && { params: { ...params, _meta: { ...params._meta, progressToken: id } } }) }
  }

  async function mirroredBy({ params }: JSONRPCRequest): Promise<readonly Mirrored[]> {
    await (listing ??= learn(params?._meta))
    return mirrored.get(String(params?.['name'])) ?? []
  }

  /** Asks the program for its tools, as a client that calls one has presented itself. */
  async function learn(meta: Record<string, unknown> | undefined): Promise<void> {
    mirrored.clear()
    for (let page = 0, cursor: unknown; page < pagesMax && (page === 0 || typeof cursor === 'string'); page++) {
      const params = { ...(meta && { _meta: withoutToken(meta) }), ...(typeof cursor === 'string' && { cursor }) }
      const answer = await pipe.ask({ jsonrpc: '2.0', id: ++count, method: 'tools/list', params })
      const { tools, nextCursor } = answer && 'result' in answer ? answer.result : {}
      for (const tool of Array.isArray(tools) ? (tools as { name?: unknown; inputSchema?: unknown }[]) : []) {
        const found = mirroredIn(tool.inputSchema)
        if (found.length > 0) mirrored.set(String(tool.name), found)
      }
      cursor = nextCursor
    }
  }

  return {
    pipe,
    async ask(request, headers, gone) {
      const why = request.method === 'tools/call' ? whyArgumentsDiffer(await mirroredBy(request), request.params?.['arguments'], headers) : undefined
      if (why !== undefined) return Response.json(problem(request.id, -32_020, why), { status: 400 })
      const id = ++count
      const hangUp = () => pipe.cancel(id, 'Its client has gone.')
      const stream = openStream(hangUp)
      asked.set(id, { id: request.id, progressToken: request.params?._meta?.progressToken, isListening: isSubscription(request), say: stream.write })
      const answered = pipe.ask(named(request, id)).then((answer) => {
        gone.removeEventListener('abort', hangUp)
        asked.delete(id)
        return answer && outward(answer, request.id)
      })
      gone.addEventListener('abort', hangUp)
      if (gone.aborted) hangUp()
      void answered.then((answer) => stream.end(answer))
      return Promise.race([stream.begun, answered.then((answer) => inJson(answer ?? problem(request.id, -32_000, 'It was cancelled.')))])
    },
    tell(message) {
      // Who has changed their mind hangs up. By a request of its own, one client of this key could cancel what another asked under the same id.
      if (message.method !== 'notifications/cancelled') pipe.tell(message)
      return new Response(null, { status: 202 })
    },
  }
}

const withoutToken = ({ progressToken: _progressToken, ...meta }: Record<string, unknown>) => meta

/** Under the id that its client gave it. */
function outward(answer: JSONRPCResponse, id: RequestId): JSONRPCResponse {
  const meta = 'result' in answer ? answer.result._meta : undefined
  return meta && SUBSCRIPTION_ID_META_KEY in meta && 'result' in answer
    ? { ...answer, id, result: { ...answer.result, _meta: { ...meta, [SUBSCRIPTION_ID_META_KEY]: id } } }
    : { ...answer, id }
}

const inJson = (answer: JSONRPCResponse): Response => Response.json(answer, { status: 'error' in answer ? (statuses[answer.error.code] ?? 200) : 200 })

/** `begun` resolves with the response when the first message is written. */
function openStream(onGone: () => void) {
  const encoder = new TextEncoder()
  const { promise: begun, resolve } = Promise.withResolvers<Response>()
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  let cancelTimer = () => {}
  const put = (text: string) => controller?.enqueue(encoder.encode(text))
  const keepAlive = () => {
    put(': \n\n')
    cancelTimer = after(keepAliveMs, keepAlive, false)
  }
  function open(): void {
    const body = new ReadableStream<Uint8Array>({
      start: (made) => void (controller = made),
      cancel() {
        controller = undefined
        cancelTimer()
        onGone()
      },
    })
    cancelTimer = after(keepAliveMs, keepAlive, false)
    resolve(new Response(body, { headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' } }))
  }
  let isOpen = false
  const write = (message: JSONRPCMessage) => {
    if (!isOpen) open()
    isOpen = true
    put(`event: message\ndata: ${JSON.stringify(message)}\n\n`)
  }
  return {
    begun,
    write,
    /** With the answer, if there is one and the stream has begun. */
    end(answer: JSONRPCResponse | undefined) {
      if (!isOpen) return
      if (answer) write(answer)
      cancelTimer()
      controller?.close()
      controller = undefined
    },
  }
}
