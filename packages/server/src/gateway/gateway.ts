import type { ModelReply, Prompt } from '@longhaul/protocol'
import type { TokenBuckets } from './money/index.ts'

export type GenerateOptions = {
  signal: AbortSignal
  onText?(delta: string): void
  /** What the provider says was used, as soon as it does: also of a call that fails after that. Undefined: it said nothing that can be. */
  onUsage?(tokens: TokenBuckets | undefined): void
}

/** The one door to all models. */
export type Gateway = {
  /** What `default` stands for here. */
  defaultModel: string
  /** True when no provider is configured, so that the rule-based stand-in answers. */
  isOffline: boolean
  available: string[]
  /** One model call. Rejects with a `StepFailure`; `retryable` says whether the same call may succeed later. */
  generate(prompt: Prompt, options: GenerateOptions): Promise<ModelReply>
}
