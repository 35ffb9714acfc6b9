/** Opens the door to all models. The contract is in `gateway.ts`. */
import type { LanguageModelV4, LanguageModelV4CallOptions } from '@ai-sdk/provider'
import type { ModelReply, Prompt } from '@longhaul/protocol'
import { type Log, StepFailure, monotonicMs, wallClock } from '../kernel/index.ts'
import { toStepFailure, whenStopped } from './failures.ts'
import type { Gateway, GenerateOptions } from './gateway.ts'
import { toCallOptions } from './prompt.ts'
import { type CallContext, type Provider, type ProviderName, type ProviderSettings, cloudProviders, configureProviders, idOf } from './providers.ts'
import type { TokenBuckets } from './money/index.ts'
import { toBuckets } from './usage.ts'
import { type ReplyCollector, collectReply } from './reply.ts'
import { type Watch, watchCall } from './watch.ts'
import { answerBytesMax, boundedFetch } from './wire.ts'

export type GatewayOptions = ProviderSettings & {
  /** What `default` stands for, as `provider/model`. Absent: the usual model of the first provider that is configured. */
  model?: string | undefined
  /** The longest silence: before the first word, and between two. */
  timeoutMs: number
  /** The longest a whole call may take. Absent: ten times `timeoutMs`. */
  totalMsMax?: number
  answerBytesMax?: number
  log: Log
}

/** Throws an `AppError` when a setting cannot be right. A model that cannot be had fails its calls, not the start. */
export function openGateway(options: GatewayOptions): Gateway {
  const providers = configureProviders(options)
  const first = [...providers.values()][0]! // The offline stand-in is always there.
  const defaultModel = options.model || `${first.name}/${first.model}`
  const limits = { silenceMsMax: options.timeoutMs, totalMsMax: options.totalMsMax ?? options.timeoutMs * 10 }
  const fetch = boundedFetch(options.answerBytesMax ?? answerBytesMax)

  async function generate(prompt: Prompt, { signal, onText, onUsage }: GenerateOptions): Promise<ModelReply> {
    const context = findModel(providers, prompt.model === 'default' ? defaultModel : prompt.model)
    const startedAt = monotonicMs()
    try {
      const reply = await callModel(prompt, { context, fetch, limits, signal, onText: onText ?? (() => {}), onUsage: onUsage ?? (() => {}) })
      options.log.debug('model answered', {
        model: reply.model,
        durationMs: Math.round(monotonicMs() - startedAt),
        usage: reply.usage,
        finishReason: reply.finishReason,
      })
      return reply
    } catch (error) {
      const failed = toStepFailure(error, context)
      const { code, message, retryable } = failed.failure
      options.log.debug('model call failed', { model: context.model, durationMs: Math.round(monotonicMs() - startedAt), code, message, retryable })
      throw failed
    }
  }

  return {
    defaultModel,
    isOffline: defaultModel.startsWith('offline/'),
    available: [...providers.values()].map(({ name, model }) => `${name}/${model}`),
    generate,
  }
}

type Call = {
  context: CallContext
  fetch: typeof globalThis.fetch
  limits: { silenceMsMax: number; totalMsMax: number }
  signal: AbortSignal
  onText(delta: string): void
  onUsage(tokens: TokenBuckets | undefined): void
}

/** One request, streamed. Nothing here tries again: the run's retry policy is the only one. */
async function callModel(prompt: Prompt, call: Call): Promise<ModelReply> {
  const { context, limits } = call
  const options = toCallOptions(prompt, context.model)
  if (options.prompt.every((message) => message.role === 'system')) {
    throw new StepFailure({ message: 'The prompt has no message.', code: 'empty_prompt', retryable: false })
  }
  const languageModel = await context.provider.load(idOf(context.model), call.fetch)
  const watch = watchCall({ signal: call.signal, ...limits })
  const collector = collectReply(context.model, call.onText, ({ usage }) => call.onUsage(toBuckets(context.provider.name, usage)))
  try {
    await streamInto(collector, languageModel, options, watch)
    return collector.finish(wallClock())
  } catch (error) {
    const why = watch.why() // What an aborted request throws says less than why it was aborted.
    throw why ? whenStopped(why, watch.hasBegun(), context, limits) : error
  } finally {
    watch.end()
  }
}

async function streamInto(collector: ReplyCollector, languageModel: LanguageModelV4, options: LanguageModelV4CallOptions, watch: Watch): Promise<void> {
  watch.signal.throwIfAborted()
  const { stream } = await watch.race(languageModel.doStream({ ...options, abortSignal: watch.signal }))
  const reader = stream.getReader()
  try {
    for (;;) {
      const { done, value } = await watch.race(reader.read())
      if (done) return
      watch.progress()
      if (value.type === 'error') throw value.error
      collector.add(value)
    }
  } finally {
    reader.cancel().catch(() => {}) // Already broken, or already closed: either way nothing is left open.
  }
}

function findModel(providers: Map<ProviderName, Provider>, model: string): CallContext {
  const slash = model.indexOf('/')
  const name = model.slice(0, slash)
  const provider = providers.get(name as ProviderName) // `get` takes any string; an unknown one finds nothing.
  if (provider && slash < model.length - 1 && (provider.name !== 'offline' || model === 'offline/planner')) return { provider, model }
  throw new StepFailure({ message: whyNoModel(providers, model, name), code: 'unknown_model', retryable: false })
}

function whyNoModel(providers: Map<ProviderName, Provider>, model: string, name: string): string {
  const shown = JSON.stringify(model.slice(0, 200))
  if (Object.hasOwn(cloudProviders, name)) {
    const { keySetting, label } = cloudProviders[name as keyof typeof cloudProviders] // Checked on the line above.
    return providers.has(name as ProviderName)
      ? `The model ${shown} has no name after the slash.`
      : `The model ${shown} needs a key of ${label}. Set ${keySetting} and start again.`
  }
  if (name === 'compatible' && !providers.has('compatible')) {
    return `The model ${shown} needs an OpenAI-compatible server. Set LONGHAUL_OPENAI_COMPATIBLE_BASE_URL and LONGHAUL_OPENAI_COMPATIBLE_MODEL and start again.`
  }
  const usable = [...providers.values()].map((provider) => `${provider.name}/${provider.model}`).join(', ')
  return `There is no model ${shown}. A model is written provider/model; here for example: ${usable}.`
}
