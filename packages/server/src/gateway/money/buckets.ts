/** Tokens of one call in buckets that do not overlap: each token is in exactly one, so their sum is the provider's own total. */

export type TokenBuckets = {
  /** Text that was neither read from nor written to a cache. */
  input: number
  cacheRead: number
  /** Written to the provider's cache for minutes, and for an hour: Anthropic bills the two apart. */
  cacheWrite: number
  cacheWriteLong: number
  inputAudio: number
  inputImage: number
  /** Text that came, calls of tools included. */
  output: number
  reasoning: number
  outputAudio: number
  outputImage: number
}

export const noTokens: TokenBuckets = Object.freeze({
  input: 0,
  cacheRead: 0,
  cacheWrite: 0,
  cacheWriteLong: 0,
  inputAudio: 0,
  inputImage: 0,
  output: 0,
  reasoning: 0,
  outputAudio: 0,
  outputImage: 0,
})

export const inputOf = (tokens: TokenBuckets): number =>
  tokens.input + tokens.cacheRead + tokens.cacheWrite + tokens.cacheWriteLong + tokens.inputAudio + tokens.inputImage
export const outputOf = (tokens: TokenBuckets): number => tokens.output + tokens.reasoning + tokens.outputAudio + tokens.outputImage
export const totalOf = (tokens: TokenBuckets): number => inputOf(tokens) + outputOf(tokens)
