import type { ModelReply, Prompt } from '@longhaul/protocol'
import type { Asked } from './models.ts'

export type GenerateOptions = {
  signal: AbortSignal
  onText?(delta: string): void
  /** For whom: routes may look at it. */
  asked?: Asked
}

/** The one door to all models. */
export type Gateway = {
  /** What `default` stands for here. */
  defaultModel: string
  /** True when no provider is configured, so that the rule-based stand-in answers. */
  isOffline: boolean
  available: string[]
  /**
   * One model call: to one model, or to the targets of a route one after the other until one of them begins to answer. None of them is
   * asked twice. Rejects with a `StepFailure`; `retryable` says whether the same call may succeed later.
   */
  generate(prompt: Prompt, options: GenerateOptions): Promise<ModelReply>
}
