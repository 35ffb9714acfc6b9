/**
 * One request to a provider that speaks the caller's language: bytes in, bytes out. Nothing is parsed that need not be, and nothing
 * stands between the two sockets but the scanner.
 */
import type { Failure } from '@longhaul/protocol'
import type { Agent, Dispatcher } from 'undici'
import { StepFailure } from '../../kernel/index.ts'
import { toStepFailure, whenStopped } from '../failures.ts'
import type { Target } from '../failover.ts'
import { type Reported, refusal, wordsOf } from '../refusals.ts'
import { type Watch, type WatchLimits, watchCall } from '../watch.ts'
import { AnswerTooLarge, NotAModelServer, connectMsMax } from '../wire.ts'
import type { Client } from './client.ts'
import { splitEvents } from './event-splitter.ts'
import { type FaceName, errorEvent } from './face.ts'
import { type Scanner, parseData } from './scanner.ts'
import type { Spent } from './spent.ts'

export type RelayCall = {
  face: FaceName
  target: Target
  key: string
  /** Where the provider speaks this language, without a slash at its end. */
  base: string
  /** From there on. */
  path: string
  headers: Readonly<Record<string, string>>
  body: Buffer
  client: Client
  /** Sent with a good answer. */
  answerHeaders: Record<string, string>
  limits: WatchLimits
  answerBytesMax: number
  spent: Spent
}

/** A streamed answer whose scanner sees each event. */
export type StreamCall = RelayCall & { scanner: Scanner }
/** A whole answer, which `read` sees before it leaves: it throws when this is none, and returns what is sent. */
export type WholeCall = RelayCall & { read(bytes: Buffer, fields: Record<string, unknown>): Buffer }

export type Ended = { cutBy?: Failure | undefined }

/** The provider's own error, for whoever can show it in the same language. */
export class ProviderRefusal extends StepFailure {
  readonly status: number
  readonly error: Record<string, unknown>

  constructor(failure: Failure, status: number, error: Record<string, unknown>) {
    super(failure)
    this.status = status
    this.error = error
  }
}

/** Why we end a request. Nobody reads it: what happened is told by then. */
const given = new Error('The request was given up.')

const errorBytesMax = 256 * 1024

export async function relayStream(call: StreamCall): Promise<Ended> {
  const { client, scanner, face, target, spent } = call
  const splitter = splitEvents()
  /** What only announces an answer is kept until one begins, so that a provider that fails at once has said nothing yet. */
  const preamble: Buffer[] = []
  let cutBy: Failure | undefined
  let eventCount = 0

  const send = (events: Buffer[], controller: Dispatcher.DispatchController, watch: Watch) => {
    if (events.length === 0) return
    if (!client.hasBegun())
      client.begin(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-cache, no-transform',
        'x-accel-buffering': 'no',
        ...call.answerHeaders,
      })
    const isTaken = client.write(events.length === 1 ? events[0]! : Buffer.concat(events)) // There is one.
    if (isTaken) return
    controller.pause()
    watch.hold()
    void client.drained().then(() => {
      watch.progress()
      controller.resume()
    })
  }
  const see = (event: Buffer, out: Buffer[]): Failure | undefined => {
    eventCount++
    const seen = scanner.see(event)
    switch (seen.type) {
      case 'hidden':
        return undefined
      case 'error':
        return failureOf(seen.error, target)
      case 'preamble':
        if (client.hasBegun() || out.length > 0 || preamble.length >= preambleMax) out.push(...preamble.splice(0), seen.instead ?? event)
        else preamble.push(seen.instead ?? event)
        return undefined
      case 'content':
        spent.outputBytes += Math.max(1, event.length - frameBytes[face])
        out.push(...preamble.splice(0), seen.instead ?? event)
        return undefined
    }
  }

  await dispatch(call, {
    isStream: true,
    onData(chunk, controller, watch) {
      const out: Buffer[] = []
      const events = splitter.push(chunk)
      if (events.length > 0) watch.progress()
      for (const event of events) {
        cutBy ??= see(event, out)
        if (cutBy) break
      }
      spent.tokens = scanner.tokens() ?? spent.tokens
      if (cutBy && !client.hasBegun() && out.length === 0) throw new StepFailure(cutBy)
      send(out, controller, watch)
      if (cutBy) throw new StepFailure(cutBy)
    },
    onEnd() {
      const rest = splitter.rest()
      const out: Buffer[] = []
      if (rest.length > 0) cutBy ??= see(rest, out)
      spent.tokens = scanner.tokens() ?? spent.tokens
      if (!cutBy && scanner.isComplete()) return client.end(Buffer.concat([...preamble, ...out]))
      throw new StepFailure(cutBy ?? { message: `${target.model} broke off in the middle of its answer.`, code: 'interrupted', retryable: true })
    },
  }).catch((error: unknown) => {
    if (!client.hasBegun() || !(error instanceof StepFailure)) throw error
    cutBy = error.failure
    client.end(errorEvent(face, cutBy, eventCount))
  })
  return { cutBy }
}

const preambleMax = 4

/** What an event has around its words, about. */
const frameBytes: Record<FaceName, number> = { chat: 180, responses: 200, messages: 110, embeddings: 0 }

export async function relayWhole(call: WholeCall): Promise<Ended> {
  const { client, target } = call
  const chunks: Buffer[] = []
  await dispatch(call, {
    isStream: false,
    onData: (chunk, _, watch) => {
      watch.progress()
      chunks.push(chunk)
    },
    onEnd() {
      const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks) // There is one.
      const fields = parseData(bytes.toString('utf8'))
      if (!fields) throw new StepFailure({ message: `${target.model} sent an answer that is not JSON.`, code: 'bad_reply', retryable: true })
      if (fields['error'] && fields['object'] !== 'response') throw new StepFailure(failureOf(fields['error'], target))
      const answer = call.read(bytes, fields)
      client.begin(200, { 'content-type': 'application/json', 'content-length': answer.length, ...call.answerHeaders })
      client.end(answer)
    },
  })
  return {}
}

type Reader = {
  isStream: boolean
  onData(chunk: Buffer, controller: Dispatcher.DispatchController, watch: Watch): void
  onEnd(): void
}

/** Resolves when the answer has been read to its end; rejects with a `StepFailure`. What the reader throws ends the request. */
async function dispatch(call: RelayCall, reader: Reader): Promise<void> {
  const { target, client, limits, spent } = call
  const agent = connected ?? (await connect())
  const { origin, path } = addressOf(call)
  const watch = watchCall({ signal: client.signal, ...limits })
  let isAllRead = false
  try {
    await new Promise<void>((resolve, reject) => {
      let bytes = 0
      let isOver = false
      let refused: { status: number; headers: Record<string, string>; chunks: Buffer[] } | undefined
      const settle = (work: () => void) => {
        isOver = isAllRead = true
        try {
          work()
          resolve()
        } catch (error) {
          reject(error)
        }
      }
      let abort: (() => void) | undefined
      watch.onStop(() => {
        if (watch.why()) reject(stopped(watch, call)) // Otherwise it has ended by itself.
        if (!isOver) abort?.()
      })
      agent.dispatch(
        {
          origin,
          path,
          method: 'POST',
          headers: headersFor(call),
          body: call.body,
        },
        {
          onRequestStart(controller) {
            if (watch.why()) return controller.abort(given)
            spent.isSent = true
            abort = () => controller.abort(given)
          },
          onResponseStart(controller, status, headers) {
            if (status >= 300) {
              spent.isRefused = true
              refused = { status, headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])), chunks: [] }
              return
            }
            const odd = whyOdd(String(headers['content-type'] ?? ''), String(headers['content-encoding'] ?? ''), reader.isStream)
            if (!odd) return
            reject(toStepFailure(odd, target))
            controller.abort(odd)
          },
          onResponseData(controller, chunk) {
            bytes += chunk.length
            try {
              if (refused) {
                if (bytes <= errorBytesMax) refused.chunks.push(chunk)
                return
              }
              if (bytes > call.answerBytesMax) throw toStepFailure(new AnswerTooLarge('too large'), target)
              reader.onData(chunk, controller, watch)
            } catch (error) {
              reject(error)
              controller.abort(given)
            }
          },
          onResponseEnd: () =>
            settle(() => {
              if (refused) throw refusedBy(refused, target)
              reader.onEnd()
            }),
          onResponseError: (_, error) => reject(watch.why() ? stopped(watch, call) : toStepFailure(error, target)),
        },
      )
    })
  } finally {
    watch.end(isAllRead)
  }
}

function stopped(watch: Watch, { target, limits }: RelayCall): StepFailure {
  return whenStopped(watch.why() ?? 'aborted', watch.hasBegun(), target, limits)
}

/** A web page, or something compressed although nobody asked: a small body that unpacks to a large one would be. */
function whyOdd(type: string, encoding: string, isStream: boolean): Error | undefined {
  if (type.startsWith('text/html')) return new NotAModelServer('The answer is a web page.')
  if (encoding !== '' && encoding !== 'identity')
    return new StepFailure({ message: `The provider sent a compressed answer (${encoding.slice(0, 20)}) unasked.`, code: 'bad_reply', retryable: true })
  if (isStream && type.startsWith('application/json'))
    return new StepFailure({ message: 'The provider does not stream although it was asked to.', code: 'bad_reply', retryable: true })
  return undefined
}

function refusedBy({ status, headers, chunks }: { status: number; headers: Record<string, string>; chunks: Buffer[] }, target: Target): StepFailure {
  const body = parseData(Buffer.concat(chunks).toString('utf8'))
  const error = fieldsOf(body?.['error']) ?? body ?? {}
  const failure = refusal(reportedBy(error, status, headers), target)
  return new ProviderRefusal(failure, status, error)
}

const fieldsOf = (value: unknown) => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined) // An object has string keys.

function reportedBy(error: Record<string, unknown>, status: number | undefined, headers: Record<string, string> = {}): Reported {
  const message = error['message']
  return { status, words: wordsOf(error), message: typeof message === 'string' ? message : '', headers }
}

/** Of an error that came inside an answer. */
function failureOf(error: unknown, target: Target): Failure {
  const fields = typeof error === 'string' ? { message: error } : (fieldsOf(error) ?? {})
  const code = fields['code'] ?? fields['status']
  return refusal(reportedBy(fields, typeof code === 'number' ? code : undefined), target)
}

const keyHeader = ({ provider }: Target, key: string): Record<string, string> =>
  key === '' ? {} : { [provider.keyHeader]: provider.keyHeader === 'authorization' ? `Bearer ${key}` : key }

/** Of callers that send nothing of their own there is one for each key: made once, it is not made for each request. */
const sharedHeaders = new WeakMap<object, WeakMap<object, Map<string, Record<string, string>>>>()
const sharedMax = 1_000

function headersFor({ headers, target, key }: RelayCall): Record<string, string> {
  const { provider } = target
  const known = sharedHeaders.get(headers)?.get(provider)?.get(key)
  if (known) return known
  const made = { ...headers, ...keyHeader(target, key), 'content-type': 'application/json', 'accept-encoding': 'identity' }
  const byProvider = sharedHeaders.get(headers) ?? new WeakMap<object, Map<string, Record<string, string>>>()
  const byKey = byProvider.get(provider) ?? new Map<string, Record<string, string>>()
  if (byKey.size < sharedMax) sharedHeaders.set(headers, byProvider.set(provider, byKey.set(key, made)))
  return made
}

type Address = { origin: string; path: string }
const addresses = new Map<string, Map<string, Address>>()
const addressesMax = 1_000

/** Parsing costs more than remembering, and there are few: one for each provider and language. */
function addressOf({ base, path }: RelayCall): Address {
  const known = addresses.get(base)?.get(path)
  if (known) return known
  const { origin, pathname, search } = new URL(base + path)
  const address = { origin, path: pathname + search }
  if (addresses.size < addressesMax) addresses.set(base, (addresses.get(base) ?? new Map<string, Address>()).set(path, address))
  return address
}

let connecting: Promise<Agent> | undefined
let connected: Agent | undefined

/** Our own time-outs count, and a connection carries one request at a time: an answer may take minutes. */
async function connect(): Promise<Agent> {
  connecting ??= import('undici').then(
    ({ Agent: Connections }) => new Connections({ headersTimeout: 0, bodyTimeout: 0, connect: { timeout: connectMsMax }, pipelining: 1, allowH2: false }),
  )
  return (connected = await connecting)
}
