/** Texts to vectors, for the server's own use: one request to a model's embeddings, admitted by the budgets and booked like any other. */
import { z } from 'zod'
import { StepFailure } from '../kernel/index.ts'
import { embedTexts } from './embed-texts.ts'
import { type Attempt, callTargets } from './failover.ts'
import { toStepFailure } from './failures.ts'
import type { Models } from './models.ts'
import { type Attribution, type Money, type Outcome, budgetFailure, outcomeOfFailure, readUsage } from './money/index.ts'
import { idOf } from './providers.ts'

export type Embedder = (model: string, texts: readonly string[], use: { account: Attribution; signal: AbortSignal }) => Promise<number[][]>

const Answer = z.object({ data: z.array(z.object({ index: z.number().int(), embedding: z.array(z.number()) })), usage: z.unknown() })

export function openEmbedder({ models, money }: { models: Models; money: Pick<Money, 'admit' | 'settle'> }): Embedder {
  return async (model, texts, { account, signal }) => {
    const { targets } = await models.resolve(model, { tenantId: account.tenantId, agent: account.agent })
    const able = targets.filter(({ provider }) => provider.speaks.embeddings !== undefined || provider.loadEmbedding !== undefined)
    if (able.length === 0)
      throw new StepFailure({ message: `${model} has no embeddings here. Use a model of another provider.`, code: 'unsupported', retryable: false })
    const { vectors } = await callTargets(able, {
      health: models.health,
      name: model,
      mayRepeat: true,
      signal,
      attempt: (attempt) => admitted(attempt, texts, account, signal),
    })
    return vectors
  }

  async function admitted(attempt: Attempt, texts: readonly string[], account: Attribution, signal: AbortSignal): Promise<{ vectors: number[][] }> {
    const { model } = attempt.target
    const body = JSON.stringify({ model: idOf(model), input: texts, encoding_format: 'float' })
    const admission = await money.admit({ ...account, model, inputBytes: Buffer.byteLength(body), outputTokensMax: 0 })
    if (!admission.isAdmitted) throw budgetFailure(admission.refusal)
    let outcome: Outcome = { type: 'unknown', outputBytes: 0 }
    try {
      const { vectors, usage } = await (attempt.target.provider.loadEmbedding ? askOwn(attempt, texts, signal) : ask(attempt, body, texts.length, signal))
      const tokens = readUsage('openai-embeddings', usage)
      if (tokens) outcome = { type: 'used', tokens }
      return { vectors }
    } catch (error) {
      if (error instanceof StepFailure) outcome = outcomeOfFailure(error.failure.code, { tokens: undefined, outputBytes: 0 })
      throw error
    } finally {
      await money.settle(admission.reservation, outcome)
    }
  }

  async function askOwn({ target, key }: Attempt, texts: readonly string[], signal: AbortSignal): Promise<{ vectors: number[][]; usage: unknown }> {
    const model = await target.provider.loadEmbedding?.(idOf(target.model), models.fetch, key)
    if (!model) throw new StepFailure({ message: `${target.model} has no embeddings.`, code: 'unsupported', retryable: false })
    const { vectors, tokens } = await embedTexts(model, texts, { signal: AbortSignal.any([signal, AbortSignal.timeout(models.limits.silenceMsMax)]) }).catch(
      (error: unknown) => {
        throw signal.aborted ? error : toStepFailure(error, target)
      },
    )
    return { vectors, usage: tokens === undefined ? undefined : { prompt_tokens: tokens } }
  }

  async function ask({ target, key }: Attempt, body: string, count: number, signal: AbortSignal): Promise<{ vectors: number[][]; usage: unknown }> {
    const { provider, model } = target
    const response = await models
      .fetch(`${provider.speaks.embeddings}/embeddings`, {
        method: 'POST',
        body,
        signal: AbortSignal.any([signal, AbortSignal.timeout(models.limits.silenceMsMax)]),
        headers: {
          'content-type': 'application/json',
          ...(key !== '' && { [provider.keyHeader]: provider.keyHeader === 'authorization' ? `Bearer ${key}` : key }),
        },
      })
      .catch((error: unknown) => {
        if (signal.aborted) throw error
        throw new StepFailure({ message: `${model} cannot be reached.`, code: 'unreachable', retryable: true }, error)
      })
    if (!response.ok) {
      await response.body?.cancel()
      throw refused(model, response.status)
    }
    const parsed = Answer.safeParse(await response.json().catch(() => undefined)) // No JSON is no answer.
    if (!parsed.success || parsed.data.data.length !== count)
      throw new StepFailure({ message: `${model} sent an answer that is no embeddings.`, code: 'bad_reply', retryable: true })
    const { data, usage } = parsed.data
    return { vectors: data.toSorted((one, other) => one.index - other.index).map(({ embedding }) => embedding), usage }
  }
}

function refused(model: string, status: number): StepFailure {
  const code = status === 401 || status === 403 ? 'key_refused' : status === 429 ? 'rate_limited' : status >= 500 ? 'provider_error' : 'bad_request'
  return new StepFailure({ message: `${model} refused to embed (HTTP ${status}).`, code, retryable: status === 429 || status >= 500 })
}
