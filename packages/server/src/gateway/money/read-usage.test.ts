import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type TokenBuckets, inputOf, outputOf, totalOf } from './buckets.ts'
import { type UsageDialect, readUsage } from './read-usage.ts'

/** As providers send them, and what they bill by their own documentation. */
const recorded: [string, UsageDialect, object, Partial<TokenBuckets>, number][] = [
  [
    'OpenAI chat with cache, reasoning and audio',
    'openai-chat',
    {
      prompt_tokens: 2006,
      completion_tokens: 300,
      total_tokens: 2306,
      prompt_tokens_details: { cached_tokens: 1920, audio_tokens: 20 },
      completion_tokens_details: { reasoning_tokens: 192, audio_tokens: 40, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
    },
    { input: 66, cacheRead: 1920, inputAudio: 20, output: 68, reasoning: 192, outputAudio: 40 },
    2306,
  ],
  ['a compatible server with nothing but totals', 'openai-chat', { prompt_tokens: 12, completion_tokens: 7, total_tokens: 19 }, { input: 12, output: 7 }, 19],
  ['embeddings, which have no output', 'openai-embeddings', { prompt_tokens: 8, total_tokens: 8 }, { input: 8, output: 0 }, 8],
  [
    'DeepSeek, whose cache stands beside the totals',
    'openai-chat',
    { prompt_tokens: 100, completion_tokens: 7, total_tokens: 107, prompt_cache_hit_tokens: 64, prompt_cache_miss_tokens: 36 },
    { input: 36, cacheRead: 64, output: 7 },
    107,
  ],
  [
    'one with nulls',
    'openai-chat',
    { prompt_tokens: 12, completion_tokens: 7, total_tokens: 19, prompt_tokens_details: null, completion_tokens_details: { reasoning_tokens: null } },
    { input: 12, output: 7 },
    19,
  ],
  [
    'OpenAI responses with cache writes',
    'openai-responses',
    {
      input_tokens: 1500,
      input_tokens_details: { cached_tokens: 1000, cache_write_tokens: 300 },
      output_tokens: 120,
      output_tokens_details: { reasoning_tokens: 100 },
      total_tokens: 1620,
    },
    { input: 200, cacheRead: 1000, cacheWrite: 300, output: 20, reasoning: 100 },
    1620,
  ],
  [
    'Anthropic with both lifetimes of the cache',
    'anthropic',
    {
      input_tokens: 21,
      cache_creation_input_tokens: 556,
      cache_read_input_tokens: 188_086,
      cache_creation: { ephemeral_5m_input_tokens: 456, ephemeral_1h_input_tokens: 100 },
      output_tokens: 393,
      service_tier: 'standard',
    },
    { input: 21, cacheRead: 188_086, cacheWrite: 456, cacheWriteLong: 100, output: 393 },
    21 + 556 + 188_086 + 393,
  ],
  [
    'Anthropic without a cache',
    'anthropic',
    { input_tokens: 10, output_tokens: 5, cache_creation_input_tokens: null, cache_read_input_tokens: null },
    { input: 10, output: 5 },
    15,
  ],
  [
    'Google with thoughts, tools, cache and an image',
    'google',
    {
      promptTokenCount: 1300,
      cachedContentTokenCount: 1000,
      candidatesTokenCount: 50,
      thoughtsTokenCount: 200,
      toolUsePromptTokenCount: 30,
      totalTokenCount: 1580,
      promptTokensDetails: [
        { modality: 'TEXT', tokenCount: 1042 },
        { modality: 'IMAGE', tokenCount: 258 },
      ],
      cacheTokensDetails: [{ modality: 'TEXT', tokenCount: 1000 }],
    },
    { input: 72, cacheRead: 1000, inputImage: 258, output: 50, reasoning: 200 },
    1580,
  ],
  ['Google without an answer', 'google', { promptTokenCount: 5, totalTokenCount: 5 }, { input: 5, output: 0 }, 5],
]

test.each(recorded)('%s: the buckets are those, and their sum is the provider’s total', (_, dialect, report, expected, total) => {
  const tokens = readUsage(dialect, report)
  expect(tokens).toMatchObject(expected)
  expect(tokens && totalOf(tokens)).toBe(total)
})

test('without a total, or with one that cannot be, nobody knows', () => {
  for (const dialect of ['openai-chat', 'openai-responses', 'anthropic', 'google'] as const)
    for (const report of [
      undefined,
      null,
      'x',
      {},
      { prompt_tokens: 1 },
      { input_tokens: -1, output_tokens: 2 },
      { promptTokenCount: 1e12 },
      { prompt_tokens: 1.5, completion_tokens: 1 },
    ])
      expect(readUsage(dialect, report)).toBeUndefined()
})

const n = fc.nat(100_000)
const wild = fc.oneof(n, fc.constantFrom(null, undefined, -5, 1.5, 'many', 1e15))
const details = (...names: string[]) => fc.option(fc.record(Object.fromEntries(names.map((name) => [name, wild]))), { nil: null })

test('whatever the details claim, buckets are whole, none is negative, and each side sums to its total', () => {
  const isSound = (tokens: TokenBuckets | undefined, input: number, output: number) => {
    expect(tokens).toBeDefined()
    if (!tokens) return
    for (const count of Object.values(tokens)) expect(Number.isSafeInteger(count) && count >= 0).toBe(true)
    expect([inputOf(tokens), outputOf(tokens)]).toEqual([input, output])
  }
  fc.assert(
    fc.property(
      n,
      n,
      details('cached_tokens', 'cache_write_tokens', 'audio_tokens', 'image_tokens'),
      details('reasoning_tokens', 'audio_tokens', 'image_tokens'),
      (input, output, inner, outer) => {
        isSound(
          readUsage('openai-chat', { prompt_tokens: input, completion_tokens: output, prompt_tokens_details: inner, completion_tokens_details: outer }),
          input,
          output,
        )
        isSound(
          readUsage('openai-responses', { input_tokens: input, output_tokens: output, input_tokens_details: inner, output_tokens_details: outer }),
          input,
          output,
        )
      },
    ),
    { numRuns: 2_000 },
  )
  fc.assert(
    fc.property(n, n, n, n, details('ephemeral_1h_input_tokens'), (input, written, read, output, creation) =>
      isSound(
        readUsage('anthropic', {
          input_tokens: input,
          cache_creation_input_tokens: written,
          cache_read_input_tokens: read,
          output_tokens: output,
          cache_creation: creation,
        }),
        input + written + read,
        output,
      ),
    ),
    { numRuns: 2_000 },
  )
  const modalities = fc.array(fc.record({ modality: fc.constantFrom('TEXT', 'IMAGE', 'AUDIO', 'VIDEO'), tokenCount: wild }), { maxLength: 4 })
  fc.assert(
    fc.property(n, n, n, n, wild, modalities, modalities, (prompt, tools, candidates, thoughts, cached, promptDetails, candidateDetails) =>
      isSound(
        readUsage('google', {
          promptTokenCount: prompt,
          toolUsePromptTokenCount: tools,
          candidatesTokenCount: candidates,
          thoughtsTokenCount: thoughts,
          cachedContentTokenCount: cached,
          promptTokensDetails: promptDetails,
          candidatesTokensDetails: candidateDetails,
        }),
        prompt + tools,
        candidates + thoughts,
      ),
    ),
    { numRuns: 2_000 },
  )
})
