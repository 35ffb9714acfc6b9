/** The call that tests make: plain data, for processes of their own as well. */
import type { Call } from '../../src/gateway/money/index.ts'

export const tenantId = 'acme'

/** Plain input $1, output $10 for a million tokens: 1,000 and 10,000 nanodollars each. */
export const pricedModel = 'openai/o1-test'

/** By default 100 tokens in at most, 100 out: 1,100,000 nanodollars at worst. */
export const callOf = (call: Partial<Call> = {}): Call => ({
  tenantId,
  model: pricedModel,
  inputBytes: 300,
  inputTokensMax: 100,
  outputTokensMax: 100,
  ...call,
})
export const worstOfCall = 100 * 1_000 + 100 * 10_000
