/** Providers' own reports of what a call used, in buckets that do not overlap. One function for each shape; each sums to the provider's own total. */
import { type TokenBuckets, noTokens } from './buckets.ts'

export type UsageDialect = 'openai-chat' | 'openai-responses' | 'openai-embeddings' | 'anthropic' | 'google'

/** More tokens than any call can use: a count above it is a fault of the provider. */
const tokensMax = 1_000_000_000

type Report = Record<string, unknown>

/** Undefined when the report lacks a total for input or for output, or has one that cannot be: then nobody knows what was used. */
export function readUsage(dialect: UsageDialect, report: unknown): TokenBuckets | undefined {
  return isReport(report) ? readers[dialect](report) : undefined
}

const readers: Record<UsageDialect, (report: Report) => TokenBuckets | undefined> = {
  /** `prompt_tokens` and `completion_tokens` include everything; the details say which part of them is what. */
  'openai-chat': (report) =>
    fromTotals(
      count(report['prompt_tokens']),
      count(report['completion_tokens']),
      { cached_tokens: report['prompt_cache_hit_tokens'], ...detailsOf(report, 'prompt_tokens_details') }, // DeepSeek's name for it stands beside the totals.
      detailsOf(report, 'completion_tokens_details'),
    ),
  /** What comes out is no text. */
  'openai-embeddings': (report) => fromTotals(count(report['prompt_tokens']), count(report['completion_tokens'] ?? 0), {}, {}),
  'openai-responses': (report) =>
    fromTotals(
      count(report['input_tokens']),
      count(report['output_tokens']),
      detailsOf(report, 'input_tokens_details'),
      detailsOf(report, 'output_tokens_details'),
    ),
  /** `input_tokens` is only what was neither read from nor written to the cache. Output includes thinking, which is reported nowhere apart. */
  anthropic(report) {
    const [input, output] = [count(report['input_tokens']), count(report['output_tokens'])]
    if (input === undefined || output === undefined) return undefined
    const written = count(report['cache_creation_input_tokens']) ?? 0
    const cacheWriteLong = Math.min(written, count(detailsOf(report, 'cache_creation')['ephemeral_1h_input_tokens']) ?? 0)
    return { ...noTokens, input, cacheRead: count(report['cache_read_input_tokens']) ?? 0, cacheWrite: written - cacheWriteLong, cacheWriteLong, output }
  },
  /** `promptTokenCount` includes what was cached, but not what tools put in; `candidatesTokenCount` leaves thoughts out. */
  google(report) {
    const prompt = count(report['promptTokenCount'])
    if (prompt === undefined) return undefined
    const input = prompt + (count(report['toolUsePromptTokenCount']) ?? 0)
    const cacheRead = atMost(input, report['cachedContentTokenCount'])
    const fresh = (kind: string) => Math.max(0, modality(report['promptTokensDetails'], kind) - modality(report['cacheTokensDetails'], kind))
    const inputAudio = Math.min(input - cacheRead, fresh('AUDIO'))
    const inputImage = Math.min(input - cacheRead - inputAudio, fresh('IMAGE') + fresh('VIDEO'))
    const candidates = count(report['candidatesTokenCount']) ?? 0
    const outputAudio = Math.min(candidates, modality(report['candidatesTokensDetails'], 'AUDIO'))
    const outputImage = Math.min(candidates - outputAudio, modality(report['candidatesTokensDetails'], 'IMAGE'))
    return {
      ...noTokens,
      input: input - cacheRead - inputAudio - inputImage,
      cacheRead,
      inputAudio,
      inputImage,
      output: candidates - outputAudio - outputImage,
      reasoning: count(report['thoughtsTokenCount']) ?? 0,
      outputAudio,
      outputImage,
    }
  },
}

/** Parts of two totals. A part that is larger than what is left of its total is cut: the total is what is billed. */
function fromTotals(input: number | undefined, output: number | undefined, inputDetails: Report, outputDetails: Report): TokenBuckets | undefined {
  if (input === undefined || output === undefined) return undefined
  const cacheRead = atMost(input, inputDetails['cached_tokens'])
  const cacheWrite = atMost(input - cacheRead, inputDetails['cache_write_tokens'])
  const inputAudio = atMost(input - cacheRead - cacheWrite, inputDetails['audio_tokens'])
  const inputImage = atMost(input - cacheRead - cacheWrite - inputAudio, inputDetails['image_tokens'])
  const reasoning = atMost(output, outputDetails['reasoning_tokens'])
  const outputAudio = atMost(output - reasoning, outputDetails['audio_tokens'])
  const outputImage = atMost(output - reasoning - outputAudio, outputDetails['image_tokens'])
  return {
    ...noTokens,
    input: input - cacheRead - cacheWrite - inputAudio - inputImage,
    cacheRead,
    cacheWrite,
    inputAudio,
    inputImage,
    output: output - reasoning - outputAudio - outputImage,
    reasoning,
    outputAudio,
    outputImage,
  }
}

const isReport = (value: unknown): value is Report => typeof value === 'object' && value !== null
const detailsOf = (report: Report, name: string): Report => (isReport(report[name]) ? report[name] : {})
const count = (value: unknown): number | undefined =>
  Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= tokensMax ? Number(value) : undefined
const atMost = (limit: number, value: unknown): number => Math.min(limit, count(value) ?? 0)

/** Google's details: `[{ modality, tokenCount }]`. */
function modality(details: unknown, kind: string): number {
  if (!Array.isArray(details)) return 0
  return details.reduce<number>((sum, entry: unknown) => sum + (isReport(entry) && entry['modality'] === kind ? (count(entry['tokenCount']) ?? 0) : 0), 0)
}
