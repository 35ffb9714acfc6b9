/** Embeddings in OpenAI's language of a provider that has a protocol of its own for them. */
import { embedTexts } from '../embed-texts.ts'
import { toStepFailure, whenStopped } from '../failures.ts'
import { readUsage } from '../money/index.ts'
import { idOf } from '../providers.ts'
import { watchCall } from '../watch.ts'
import { fitEmbeddings } from './embeddings.ts'
import type { Ended } from './relay.ts'
import { refuse } from './request-body.ts'
import type { Translating } from './translated.ts'

const textsMax = 2_048

export async function answerEmbeddings({ call, target, key, client, models, spent, answerHeaders, limits }: Translating): Promise<Ended> {
  const { provider } = target
  const model = await provider.loadEmbedding?.(idOf(target.model), models.fetch, key)
  if (!model) throw refuse('unsupported', `${provider.label} offers no embeddings here. Use a model of another provider.`)
  const texts = textsOf(call.body.fields['input'])
  const dimensions = dimensionsOf(call.body.fields['dimensions'])
  const watch = watchCall({ signal: client.signal, ...limits })
  try {
    spent.isSent = true
    const { vectors, tokens } = await watch.race(embedTexts(model, texts, { dimensions, signal: watch.signal() }))
    const usage = { prompt_tokens: tokens ?? 0, total_tokens: tokens ?? 0 }
    if (tokens !== undefined) spent.tokens = readUsage('openai-embeddings', usage)
    const answer = { object: 'list', data: vectors.map((embedding, index) => ({ object: 'embedding', index, embedding })), model: target.model, usage }
    fitEmbeddings(answer, call.body.fields['encoding_format'])
    const bytes = Buffer.from(JSON.stringify(answer))
    client.begin(200, { 'content-type': 'application/json', 'content-length': bytes.length, ...answerHeaders })
    client.end(bytes)
    return {}
  } catch (error) {
    const why = watch.why()
    const failed = why ? whenStopped(why, watch.hasBegun(), target, limits) : toStepFailure(error, target)
    const { code = '' } = failed.failure
    if (code === 'unreachable' || code === 'untrusted') spent.isSent = false
    if (!why) spent.isRefused = true
    throw failed
  } finally {
    watch.end()
  }
}

function textsOf(input: unknown): string[] {
  const texts = typeof input === 'string' ? [input] : input
  if (!Array.isArray(texts) || !texts.every((text) => typeof text === 'string')) throw refuse('unsupported', 'input: this model takes texts, not tokens.')
  if (texts.length > textsMax) throw refuse('bad_request', `input: at most ${textsMax} texts.`)
  return texts
}

function dimensionsOf(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) throw refuse('bad_request', 'dimensions: must be a whole number above 0.')
  return value
}
