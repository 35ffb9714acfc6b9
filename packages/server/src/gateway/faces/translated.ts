/** One attempt at a model that does not speak the caller's language: translated on the way out and on the way back. */
import type { LanguageModelV4, LanguageModelV4CallOptions } from '@ai-sdk/provider'
import type { Failure } from '@longhaul/protocol'
import { StepFailure, newId, wallClock } from '../../kernel/index.ts'
import type { Target } from '../failover.ts'
import { toStepFailure, whenStopped } from '../failures.ts'
import type { Models } from '../models.ts'
import { idOf } from '../providers.ts'
import { type Watch, type WatchLimits, watchCall } from '../watch.ts'
import type { Client } from './client.ts'
import { answerEmbeddings } from './embeddings-translated.ts'
import { type FaceName, errorEvent } from './face.ts'
import type { FaceCall } from './face-call.ts'
import type { Ended } from './relay.ts'
import type { Spent } from './spent.ts'
import { type BlockEvent, type BlockReader, readBlocks } from './translate/blocks.ts'
import { fromChat } from './translate/from-chat.ts'
import { fromMessages } from './translate/from-messages.ts'
import { fromResponses } from './translate/from-responses.ts'
import { toChat } from './translate/to-chat.ts'
import { toMessages } from './translate/to-messages.ts'
import { toResponses } from './translate/to-responses.ts'
import type { Finish, Naming, Writer } from './translate/writer.ts'

export type Translating = {
  call: FaceCall
  target: Target
  key: string
  client: Client
  models: Models
  spent: Spent
  outputTokensMax: number | undefined
  answerHeaders: Record<string, string>
  limits: WatchLimits
  /** Throws when the whole answer is to be asked of another target. */
  check(whole: Buffer): void
}

type Language = { read(call: FaceCall, model: string): LanguageModelV4CallOptions; write(call: FaceCall, naming: Naming): Writer }

const languages: Record<Exclude<FaceName, 'embeddings'>, Language> = {
  chat: { read: fromChat, write: toChat },
  responses: { read: fromResponses, write: toResponses },
  messages: { read: fromMessages, write: toMessages },
}

export async function answerTranslated(translating: Translating): Promise<Ended> {
  const { call, target, key, client, models, spent, limits } = translating
  if (call.face === 'embeddings') return answerEmbeddings(translating)
  const language = languages[call.face]
  const { maxOutputTokens, ...options } = language.read(call, target.model)
  const limit = Math.min(maxOutputTokens ?? Infinity, translating.outputTokensMax ?? Infinity)
  const model = await target.provider.load(idOf(target.model), models.fetch, key)
  const writer = language.write(call, { id: newId().replaceAll('-', ''), model: target.model, createdAtSeconds: Math.floor(wallClock().getTime() / 1000) })
  const watch = watchCall({ signal: client.signal, ...limits })
  const reader = readBlocks(target.model)
  let cutBy: Failure | undefined
  try {
    spent.isSent = true
    const asked: LanguageModelV4CallOptions = {
      ...options,
      ...(Number.isFinite(limit) ? { maxOutputTokens: limit } : {}),
      includeRawChunks: true, // Every event of the stream is a sign of life, whatever it says.
      providerOptions: { ...options.providerOptions, openai: { ...options.providerOptions?.['openai'], store: false } },
    }
    const finish = await stream({
      model,
      options: asked,
      reader,
      watch,
      onEvent: (event) => (call.isStream ? sendEvent(event, writer, translating, watch) : undefined),
      spent,
    })
    spent.tokens = finish.tokens
    if (call.isStream) client.end()
    else {
      const whole = Buffer.from(JSON.stringify(writer.whole(reader.blocks, finish)))
      translating.check(whole)
      sendWhole(whole, translating)
    }
  } catch (error) {
    const why = watch.why()
    const failed = why ? whenStopped(why, watch.hasBegun(), target, limits) : toStepFailure(error, target)
    const { code = '' } = failed.failure
    if (code === 'unreachable' || code === 'untrusted') spent.isSent = false
    if (!watch.hasBegun() && !why) spent.isRefused = true
    if (!client.hasBegun()) throw failed
    cutBy = failed.failure
    client.end(errorEvent(call.face, cutBy, writer.count()))
  } finally {
    watch.end()
  }
  return { cutBy }
}

type Streaming = {
  model: LanguageModelV4
  options: LanguageModelV4CallOptions
  reader: BlockReader
  watch: Watch
  spent: Spent
  onEvent(event: BlockEvent): Promise<void> | undefined
}

async function stream({ model, options, reader, watch, spent, onEvent }: Streaming): Promise<Finish> {
  watch.signal().throwIfAborted()
  const { stream: parts } = await watch.race(model.doStream({ ...options, abortSignal: watch.signal() }))
  const source = parts.getReader()
  let finish: Finish | undefined
  try {
    for (;;) {
      const { done, value } = await watch.race(source.read())
      if (done) break
      watch.progress()
      for (const event of reader.read(value)) {
        if (event.type === 'finish') finish = event
        if (event.type === 'grow') spent.outputBytes += Buffer.byteLength(event.delta)
        await onEvent(event)
      }
    }
  } finally {
    source.cancel().catch(() => {}) // Already broken, or already closed: either way nothing is left open.
  }
  if (!finish) throw new StepFailure({ message: 'The model broke off in the middle of its answer.', code: 'interrupted', retryable: true })
  return finish
}

/** A caller who reads slowly slows the provider down: nothing is read until what was written is taken. */
function sendEvent(event: BlockEvent, writer: Writer, { client, answerHeaders }: Translating, watch: Watch): Promise<void> | undefined {
  const isFirst = !client.hasBegun()
  if (isFirst)
    client.begin(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      ...answerHeaders,
    })
  const text = (isFirst ? writer.begin() : '') + writer.write(event)
  if (text === '' || client.write(text)) return undefined
  watch.hold()
  return client.drained()
}

function sendWhole(bytes: Buffer, { client, answerHeaders }: Translating): void {
  client.begin(200, { 'content-type': 'application/json', 'content-length': bytes.length, ...answerHeaders })
  client.end(bytes)
}
