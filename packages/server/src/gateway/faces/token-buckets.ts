/** What each dialect says a call used, in buckets that do not overlap: each token is in exactly one, so their sum is the provider's own total. */
import type { LanguageModelV4Usage } from '@ai-sdk/provider'
import type { TokenBuckets } from '../money/index.ts'

/** More tokens than any call can use: a count above it is a fault of the provider. */
const tokensMax = 1_000_000_000

type Fields = Record<string, unknown>
const fields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {}) // An object has string keys.
const count = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= tokensMax ? value : undefined

/** OpenAI's totals include everything. Undefined when a total is missing, negative or absurd: then nothing is known. */
export function bucketsOfChat(usage: unknown): TokenBuckets | undefined {
  const all = fields(usage)
  const input = fields(all['prompt_tokens_details'])
  const output = fields(all['completion_tokens_details'])
  return split({
    input: count(all['prompt_tokens']),
    output: all['completion_tokens'] === undefined ? 0 : count(all['completion_tokens']), // Embeddings have none.
    cacheRead: count(input['cached_tokens']) ?? count(all['prompt_cache_hit_tokens']),
    cacheWrite: count(input['cache_write_tokens']),
    inputAudio: count(input['audio_tokens']),
    reasoning: count(output['reasoning_tokens']),
    outputAudio: count(output['audio_tokens']),
  })
}

export function bucketsOfResponses(usage: unknown): TokenBuckets | undefined {
  const all = fields(usage)
  const input = fields(all['input_tokens_details'])
  return split({
    input: count(all['input_tokens']),
    output: count(all['output_tokens']),
    cacheRead: count(input['cached_tokens']),
    cacheWrite: count(input['cache_write_tokens']),
    reasoning: count(fields(all['output_tokens_details'])['reasoning_tokens']),
  })
}

/** Anthropic's input leaves out what was read from the cache and what was written to it. */
export function bucketsOfMessages(usage: unknown): TokenBuckets | undefined {
  const all = fields(usage)
  const plain = count(all['input_tokens'])
  const cacheRead = count(all['cache_read_input_tokens']) ?? 0
  const written = count(all['cache_creation_input_tokens']) ?? 0
  const cacheWriteLong = Math.min(written, count(fields(all['cache_creation'])['ephemeral_1h_input_tokens']) ?? 0)
  return split({
    input: plain === undefined ? undefined : plain + cacheRead + written,
    output: count(all['output_tokens']),
    cacheRead,
    cacheWrite: written - cacheWriteLong,
    cacheWriteLong,
  })
}

export function bucketsOfParts({ inputTokens, outputTokens }: LanguageModelV4Usage): TokenBuckets | undefined {
  return split({
    input: count(inputTokens.total),
    output: count(outputTokens.total),
    cacheRead: count(inputTokens.cacheRead),
    cacheWrite: count(inputTokens.cacheWrite),
    reasoning: count(outputTokens.reasoning),
  })
}

/** Totals, and parts of them. */
type Told = { [Name in keyof TokenBuckets]?: number | undefined }

/** What is told of a part is never more than what is left of its total. */
function split(told: Told): TokenBuckets | undefined {
  if (told.input === undefined || told.output === undefined) return undefined
  const left = { input: told.input, output: told.output }
  const take = (of: 'input' | 'output', tokens = 0) => {
    const taken = Math.min(tokens, left[of])
    left[of] -= taken
    return taken
  }
  const parts = {
    cacheRead: take('input', told.cacheRead),
    cacheWrite: take('input', told.cacheWrite),
    cacheWriteLong: take('input', told.cacheWriteLong),
    inputAudio: take('input', told.inputAudio),
    inputImage: 0,
    reasoning: take('output', told.reasoning),
    outputAudio: take('output', told.outputAudio),
    outputImage: 0,
  }
  return { ...left, ...parts }
}

/** About four bytes make a token. Good enough to answer how long a prompt is, and to book a call whose provider said nothing. */
export const tokensOfBytes = (bytes: number): number => Math.ceil(bytes / 4)
