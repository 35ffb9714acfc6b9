/**
 * What models cost, in US dollars per million tokens: facts as the vendors publish them (openai.com, anthropic.com and
 * ai.google.dev pricing pages, standard tier), read in November 2026 and cross-checked against the `@pydantic/genai-prices` 0.1.8 data.
 * A model that is not listed has no price: its calls are recorded with `costUsd: null`, never with a guess.
 */
export const pricesCheckedAt = '2026-11-01'

/** `cacheWrite` is what storing input in the provider's prompt cache costs; absent: the same as `input`. */
export type Rates = { input: number; cachedInput: number; cacheWrite?: number; output: number }

type Price = Rates & {
  /** `provider/model`. Also stands for its dated snapshots (`…-20251001`, `…-2026-03-05`). */
  model: string
  /** The price counts from this day (UTC) on; absent: since the model came out. */
  since?: string
  /** Rates of a whole call whose input is longer than `inputAbove` tokens. */
  long?: Rates & { inputAbove: number }
}

/** OpenAI bills a call above 272,000 input tokens at double input and 1.5 times output. */
const openaiTiered = (model: string, input: number, cachedInput: number, output: number, cacheWrite = input): Price => ({
  model: `openai/${model}`,
  input,
  cachedInput,
  cacheWrite,
  output,
  long: { inputAbove: 272_000, input: input * 2, cachedInput: cachedInput * 2, cacheWrite: cacheWrite * 2, output: output * 1.5 },
})
const openai = (model: string, input: number, cachedInput: number, output: number): Price => ({ model: `openai/${model}`, input, cachedInput, output })
/** Anthropic's five-minute cache writes cost a quarter more than plain input. */
const anthropic = (model: string, input: number, cachedInput: number, output: number): Price => ({
  model: `anthropic/${model}`,
  input,
  cachedInput,
  cacheWrite: input * 1.25,
  output,
})
const google = (model: string, input: number, cachedInput: number, output: number): Price => ({ model: `google/${model}`, input, cachedInput, output })

const prices: readonly Price[] = [
  openaiTiered('gpt-6-astra', 10, 1, 50, 12.5),
  openaiTiered('gpt-6.1-sol', 2, 0.1, 10, 2.5),
  openaiTiered('gpt-6.1-terra', 1, 0.05, 5, 1.25),
  openaiTiered('gpt-6-sol', 2, 0.2, 10, 2.5),
  openaiTiered('gpt-6-luna', 0.1, 0.01, 0.5, 0.125),
  openaiTiered('gpt-5.6', 4, 0.4, 20, 5),
  openaiTiered('gpt-5.6-sol', 4, 0.4, 20, 5),
  openaiTiered('gpt-5.6-terra', 2, 0.2, 12, 2.5),
  openaiTiered('gpt-5.6-luna', 0.2, 0.02, 1.2, 0.25),
  openaiTiered('gpt-5.5', 5, 0.5, 30),
  openaiTiered('gpt-5.4', 2.5, 0.25, 15),
  openai('gpt-5.4-mini', 0.75, 0.075, 4.5),
  openai('gpt-5.4-nano', 0.2, 0.02, 1.25),
  openai('gpt-5.2', 1.75, 0.175, 14),
  openai('gpt-5.1', 1.25, 0.125, 10),
  openai('gpt-5', 1.25, 0.125, 10),
  openai('gpt-5-mini', 0.25, 0.025, 2),
  openai('gpt-5-nano', 0.05, 0.005, 0.4),
  openai('gpt-4.1', 2, 0.5, 8),
  openai('gpt-4.1-mini', 0.4, 0.1, 1.6),
  openai('gpt-4.1-nano', 0.1, 0.025, 0.4),
  openai('gpt-4o-mini', 0.15, 0.075, 0.6),

  anthropic('claude-fable-5-1', 10, 0.25, 50),
  anthropic('claude-opus-5-5', 4, 0.2, 20),
  anthropic('claude-opus-5', 5, 0.5, 25),
  anthropic('claude-opus-4-8', 5, 0.5, 25),
  anthropic('claude-opus-4-7', 5, 0.5, 25),
  anthropic('claude-opus-4-6', 5, 0.5, 25),
  anthropic('claude-opus-4-5', 5, 0.5, 25),
  anthropic('claude-sonnet-5-5', 2, 0.1, 10),
  anthropic('claude-sonnet-5', 2, 0.2, 10),
  anthropic('claude-sonnet-4-6', 3, 0.3, 15),
  anthropic('claude-sonnet-4-5', 3, 0.3, 15),
  { ...anthropic('claude-haiku-5-5', 0.1, 0.01, 0.5), long: { inputAbove: 100_000, input: 0.5, cachedInput: 0.05, cacheWrite: 0.625, output: 2.5 } },
  anthropic('claude-haiku-4-5', 1, 0.1, 5),

  google('gemini-3.8-flash', 0.75, 0.075, 3.75),
  { ...google('gemini-3.8-flash', 1.5, 0.15, 7.5), since: '2027-01-01' },
  google('gemini-3.7-flash', 0.75, 0.075, 3.75),
  { ...google('gemini-3.7-flash', 1.5, 0.15, 7.5), since: '2027-01-01' },
  google('gemini-3.5-flash', 1.5, 0.15, 9),
  { ...google('gemini-3.1-pro-preview', 2, 0.2, 12), long: { inputAbove: 200_000, input: 4, cachedInput: 0.4, output: 18 } },
  { ...google('gemini-2.5-pro', 1.25, 0.125, 10), long: { inputAbove: 200_000, input: 2.5, cachedInput: 0.25, output: 15 } },
]

/** Tokens of one call. `input` includes `cachedInput` and `cacheWrite`. */
export type Tokens = { input: number; cachedInput: number; cacheWrite: number; output: number }

/** What a call cost at the prices of that day; null where no price is known. */
export function costUsd(model: string, tokens: Tokens, at: Date): number | null {
  if (model.startsWith('offline/')) return 0
  const price = findPrice(model, at.toISOString().slice(0, 10))
  if (!price) return null
  const rates = price.long && tokens.input > price.long.inputAbove ? price.long : price
  const plainInput = tokens.input - tokens.cachedInput - tokens.cacheWrite
  const perMillion =
    plainInput * rates.input + tokens.cachedInput * rates.cachedInput + tokens.cacheWrite * (rates.cacheWrite ?? rates.input) + tokens.output * rates.output
  return Number((perMillion / 1_000_000).toFixed(9)) // Without the noise of binary fractions; a nanodollar is less than any token costs.
}

function findPrice(model: string, day: string): Price | undefined {
  return prices
    .filter((price) => (price.since ?? '') <= day && isSame(model, price.model))
    .reduce<Price | undefined>((latest, price) => ((price.since ?? '') >= (latest?.since ?? '') ? price : latest), undefined)
}

/** A dated snapshot is its model; `…-mini` is another. */
const isSame = (model: string, listed: string) => model.startsWith(listed) && /^(-\d{4}-?\d{2}-?\d{2})?$/.test(model.slice(listed.length))
