/** Opens the door to all models for what runs in this process. The contract is in `gateway.ts`. */
import type { LanguageModelV4, LanguageModelV4CallOptions } from '@ai-sdk/provider'
import type { FailedTry, ModelReply, Prompt } from '@longhaul/protocol'
import { type Cancellation, StepFailure, monotonicMs, wallClock } from '../kernel/index.ts'
import { toStepFailure, whenStopped } from './failures.ts'
import type { Answers } from './cache/answers.ts'
import { cachePrompts } from './cache/cache-prompts.ts'
import { callTargets } from './failover.ts'
import type { GivenFiles } from './files.ts'
import type { Gateway, GenerateOptions } from './gateway.ts'
import { guardPrompts } from './guardrails/guard-prompt.ts'
import type { Guardrails } from './guardrails/guardrails.ts'
import { type Models, type ModelsOptions, isOffline, openModels, usualModels } from './models.ts'
import { toCallOptions } from './prompt.ts'
import { type CallContext, idOf } from './providers.ts'
import { factsOfPrompt } from './request-facts.ts'
import { type TokenBuckets, outcomeOfFailure } from './money/index.ts'
import { toBuckets } from './usage.ts'
import { type ReplyCollector, collectReply } from './reply.ts'
import { type Watch, watchCall } from './watch.ts'

export type GatewayOptions = ModelsOptions

/** Of what a failed try said. */
const tryCharactersMax = 500

export const openGateway = (options: GatewayOptions): Gateway => gatewayOver(openModels(options))

/** Without guardrails nothing is looked at; without answers none is given again. */
export function gatewayOver(models: Models, guardrails?: Pick<Guardrails, 'begin'>, answers?: Pick<Answers, 'find' | 'keep'>): Gateway {
  const { providers, health, log } = models

  async function generate(prompt: Prompt, { signal, onText = () => {}, asked = {}, filesFor, admit, onRouted }: GenerateOptions): Promise<ModelReply> {
    const { targets, route } = await models.resolve(prompt.model, { request: () => factsOfPrompt(prompt), ...asked })
    let hasSpoken = false
    const speak = (delta: string) => {
      hasSpoken = true
      onText(delta)
    }
    const tries: FailedTry[] = []
    let triedFrom = 0
    const told = (model: string | null) => {
      if (!route && tries.length === 0) return
      const note = route?.note(model ?? tries.at(-1)?.model ?? '')
      const { difficulty, chance } = note ?? {}
      onRouted?.({
        ...{ name: note?.name ?? null, why: note?.why ?? null, model, tries },
        ...(difficulty !== undefined && { difficulty }),
        ...(chance !== undefined && { chance }),
      })
    }
    const { reply, broken, target } = await callTargets<{ reply?: ModelReply; broken?: StepFailure }>(targets, {
      health,
      name: prompt.model,
      mayRepeat: false, // The run's retry policy decides about repeats, and records each attempt.
      signal,
      onFailed: ({ target: tried }, { code, message }) =>
        void tries.push({
          model: tried.model,
          ...(code !== undefined && { code }),
          message: message.slice(0, tryCharactersMax),
          durationMs: Math.round(monotonicMs() - triedFrom),
        }),
      async attempt({ target, key }) {
        triedFrom = monotonicMs()
        const files = await filesFor?.(target.model)
        const admission = await admit?.(target.model, route?.note(target.model))
        route?.asking(target.model)
        const asking = admission?.outputTokensMax === undefined ? prompt : { ...prompt, outputTokensMax: admission.outputTokensMax }
        const startedAt = monotonicMs()
        const since = () => Math.round(monotonicMs() - startedAt)
        let tokens: TokenBuckets | undefined
        let outputBytes = 0
        const hear = (delta: string) => {
          outputBytes += Buffer.byteLength(delta)
          speak(delta)
        }
        let answered: ModelReply
        try {
          answered = await callModel(asking, { context: target, key, models, files, signal, onText: hear, onUsage: (found) => (tokens = found) })
        } catch (error) {
          const failed = toStepFailure(error, target)
          const { code, message, retryable } = failed.failure
          log.debug('model call failed', { model: target.model, durationMs: since(), code, message, retryable })
          await admission?.settle(outcomeOfFailure(code, { tokens, outputBytes }), false)
          // Words that somebody has read cannot be taken back: no other model goes on from here.
          if (hasSpoken) return { broken: failed, cutBy: failed.failure }
          throw failed
        }
        log.debug('model answered', { model: answered.model, durationMs: since(), usage: answered.usage, finishReason: answered.finishReason })
        const bytes = () => Buffer.byteLength(JSON.stringify(answered.content))
        const costUsd = await admission?.settle(tokens ? { type: 'used', tokens } : { type: 'unknown', outputBytes: bytes() }, true)
        // What is booked and what the journal says are one figure; where nothing was counted the journal keeps to «unknown».
        return { reply: tokens && costUsd !== undefined ? { ...answered, usage: { ...answered.usage, costUsd } } : answered }
      },
    }).catch((error: unknown) => {
      told(null)
      throw error
    })
    if (broken)
      tries.push({ model: target.model, message: broken.failure.message.slice(0, tryCharactersMax), durationMs: Math.round(monotonicMs() - triedFrom) })
    told(broken ? null : target.model)
    if (broken) throw broken
    return reply! // One of the two is there.
  }

  // What is kept is as guards let it through: masked.
  const cached = answers ? cachePrompts(generate, answers, models.defaultModel) : generate
  return {
    defaultModel: models.defaultModel,
    isOffline: isOffline(models),
    available: usualModels(providers),
    generate: guardrails ? guardPrompts(cached, guardrails) : cached,
  }
}

type Call = {
  files: GivenFiles | undefined
  context: CallContext
  key: string
  models: Models
  signal: Cancellation
  onText(delta: string): void
  onUsage(tokens: TokenBuckets | undefined): void
}

/** One request, streamed. Nothing here tries again. */
async function callModel(prompt: Prompt, { context, key, models, files, signal, onText, onUsage }: Call): Promise<ModelReply> {
  const options = toCallOptions(prompt, context.model, files)
  if (options.prompt.every((message) => message.role === 'system')) {
    throw new StepFailure({ message: 'The prompt has no message.', code: 'empty_prompt', retryable: false })
  }
  const { limits } = models
  const languageModel = await context.provider.load(idOf(context.model), models.fetch, key)
  const watch = watchCall({ signal, ...limits })
  const collector = collectReply(context.model, onText, ({ usage }) => onUsage(toBuckets(context.provider.name, usage)))
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
  watch.signal().throwIfAborted()
  const { stream } = await watch.race(languageModel.doStream({ ...options, abortSignal: watch.signal() }))
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
