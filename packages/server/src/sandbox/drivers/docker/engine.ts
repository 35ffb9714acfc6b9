/** The Docker Engine's HTTP API over its Unix socket: no more of it than sandboxes need. */
import { type IncomingMessage, request as httpRequest } from 'node:http'
import type { Duplex } from 'node:stream'
import { z } from 'zod'
import { after } from '../../../kernel/index.ts'

export type Engine = {
  /** The answer's JSON; undefined where there is none. Rejects with an `EngineError` for every status from 400 on. */
  call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<unknown>
  /** The container's streams, before it starts: what is written is its input, what comes is output in the engine's frames. */
  attach(id: string): Promise<{ socket: Duplex; head: Buffer }>
  /** Resolves once the engine waits; `code` is the exit code of the container's next end. One that never started does not end. */
  wait(id: string): Promise<{ code: Promise<number>; cancel(): void }>
}

export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly status: number | undefined
  constructor(message: string, status?: number, cause?: unknown) {
    super(message, { cause })
    this.status = status
  }
}

/** Docker 25, of January 2024, and every engine after it speak this one. */
const version = 'v1.44'
const answerWithinMs = 60_000
const answerBytesMax = 8 * 1024 * 1024
const Complaint = z.looseObject({ message: z.string() })
const Waited = z.looseObject({ StatusCode: z.number().int() })

export function dockerEngine(socketPath: string): Engine {
  type Asked = { method: string; path: string; body?: object | undefined; headers?: Record<string, string> }
  function ask({ method, path, body, headers }: Asked): ReturnType<typeof httpRequest> {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const sent = httpRequest({
      ...{ socketPath, method, path: `/${version}${path}`, agent: false },
      headers: { host: 'docker', ...headers, ...(text !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }) },
    })
    sent.end(text)
    return sent
  }

  const unreachable = (error: Error) => new EngineError(`the engine at ${socketPath} does not answer: ${error.message}`, undefined, error)

  /** The head of the answer, in time. */
  function answerTo(asked: Asked): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const sent = ask(asked)
    const cancelLimit = after(answerWithinMs, () => sent.destroy(new Error(`no answer within ${answerWithinMs} ms`)), false)
    sent.on('error', (error) => reject(unreachable(error)))
    sent.on('response', resolve)
    return promise.finally(cancelLimit)
  }

  async function checked(response: IncomingMessage): Promise<IncomingMessage> {
    const status = response.statusCode ?? 0
    if (status < 400) return response
    const said = Complaint.safeParse(await bodyOf(response).catch(() => undefined))
    throw new EngineError(said.success ? said.data.message : `the engine answered ${status}`, status)
  }

  return {
    call: async (method, path, body) => bodyOf(await checked(await answerTo({ method, path, body }))),
    async attach(id) {
      const { promise, resolve, reject } = Promise.withResolvers<{ socket: Duplex; head: Buffer }>()
      const path = `/containers/${id}/attach?stream=1&stdin=1&stdout=1&stderr=1`
      const sent = ask({ method: 'POST', path, headers: { connection: 'Upgrade', upgrade: 'tcp' } })
      const cancelLimit = after(answerWithinMs, () => sent.destroy(new Error(`no answer within ${answerWithinMs} ms`)), false)
      sent.on('error', (error) => reject(unreachable(error)))
      sent.on('upgrade', (_, socket, head) => resolve({ socket, head }))
      sent.on('response', (response) => void checked(response).then(() => reject(new EngineError('the engine gave no stream')), reject))
      return promise.finally(cancelLimit)
    },
    async wait(id) {
      const response = await checked(await answerTo({ method: 'POST', path: `/containers/${id}/wait?condition=next-exit` }))
      const code = bodyOf(response).then((body) => Waited.parse(body).StatusCode)
      code.catch(() => {}) // Whoever waits hears of it.
      return { code, cancel: () => response.destroy() }
    },
  }
}

async function bodyOf(response: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of response as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > answerBytesMax) throw new EngineError(`the engine's answer is longer than ${answerBytesMax} bytes`)
    pieces.push(piece)
  }
  const text = Buffer.concat(pieces).toString('utf8').trim()
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new EngineError('the engine answered with something else than JSON', response.statusCode, cause)
  }
}
