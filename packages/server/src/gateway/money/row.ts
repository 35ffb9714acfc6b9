/** From a call and what became of it to the row that is booked. Pure. */
import { storableText } from '@longhaul/protocol'
import { type TokenBuckets, noTokens, totalOf } from './buckets.ts'
import type { Call, Outcome } from './call.ts'
import { type Price, costOf } from './rates.ts'
import type { BookingRow } from './settle-store.ts'

/** No tokenizer makes more tokens than bytes; what providers add around messages and tools is far less than this. */
const inputTokensAdded = 1_000
/** Bytes of a token where nobody counted: four in English, three in JSON and in Chinese. */
const bytesOfToken = 3
/** How much answer a call is taken to have had of which nothing was heard. */
const outputTokensUnheard = 1_000

export const inputTokensMaxOf = (call: Call): number => call.inputTokensMax ?? call.inputBytes + inputTokensAdded

/** What a call probably used of which the provider has said nothing. */
export function estimate(call: Pick<Call, 'inputBytes' | 'inputTokensMax'>, outputBytes: number | undefined, outputTokensMax: number | null): TokenBuckets {
  const output = outputBytes === undefined ? outputTokensUnheard : Math.ceil(outputBytes / bytesOfToken)
  return {
    ...noTokens,
    input: Math.min(call.inputTokensMax ?? Infinity, Math.ceil(call.inputBytes / bytesOfToken)),
    output: Math.min(output, outputTokensMax ?? Infinity),
  }
}

export type PricedCall = { id: string; call: Call; price: Price | undefined; priceId: string | undefined; outputTokensMax: number | null; durationMs?: number }

export function bookingRow(priced: PricedCall, outcome: Outcome | { type: 'unheard' }): BookingRow {
  const { id, call, price, priceId, outputTokensMax, durationMs } = priced
  const tokens = tokensOf(call, outcome, outputTokensMax)
  const total = totalOf(tokens)
  return {
    id,
    tenant: call.tenantId,
    namespace: call.namespace ?? 'default',
    agent: call.agent,
    version: call.version,
    run: call.runId,
    op: call.op,
    attempt: call.attempt,
    session: cut(call.session),
    user: cut(call.user),
    key: call.keyId,
    provider: call.model.slice(0, Math.max(0, call.model.indexOf('/'))),
    model: cut(call.model) ?? '',
    price: priceId,
    t: [
      tokens.input,
      tokens.cacheRead,
      tokens.cacheWrite,
      tokens.cacheWriteLong,
      tokens.inputAudio,
      tokens.inputImage,
      tokens.output,
      tokens.reasoning,
      tokens.outputAudio,
      tokens.outputImage,
    ],
    cost: outcome.type === 'never-happened' ? 0 : price && costOf(price, tokens),
    tokens: total,
    requests: outcome.type === 'never-happened' ? 0 : 1,
    estimated: outcome.type === 'unknown' || outcome.type === 'unheard',
    failed: outcome.type !== 'used' || outcome.isFailed === true,
    ms: durationMs === undefined ? undefined : Math.round(durationMs),
    route: call.route && { ...call.route, ...('verdict' in outcome && outcome.verdict ? { verdict: outcome.verdict } : {}) },
    tags: call.tags && Object.fromEntries(Object.entries(call.tags).map(([name, value]) => [cut(name), cut(value)])),
  }
}

function tokensOf(call: Call, outcome: Outcome | { type: 'unheard' }, outputTokensMax: number | null): TokenBuckets {
  switch (outcome.type) {
    case 'used':
      return outcome.tokens
    case 'never-happened':
      return noTokens
    case 'unknown':
      return estimate(call, outcome.outputBytes, outputTokensMax)
    case 'unheard':
      return estimate(call, undefined, outputTokensMax)
  }
}

/** Callers' own words, made such that the database takes them: a row that it refused would hold its reservation for ever. */
const cut = (text: string | undefined): string | undefined => text && storableText(text.slice(0, 200))
