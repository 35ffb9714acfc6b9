import type { Cancellation } from '../kernel/index.ts'
import type { ModelReply, Prompt, RouteTaken } from '@longhaul/protocol'
import type { GivenFiles } from './files.ts'
import type { Asked } from './models.ts'
import type { Outcome, RouteNote } from './money/index.ts'

/** One request to a provider that may be made. */
export type Admission = {
  /** The output that may be asked for, where that is less than the prompt's. */
  outputTokensMax: number | undefined
  /** Exactly once, whatever became of it. The price where one is known. */
  settle(outcome: Outcome, isAnswered: boolean): Promise<number | null | undefined>
}

export type GenerateOptions = {
  signal: Cancellation
  onText?(delta: string): void
  /** For whom: routes may look at it. */
  asked?: Asked
  /** What this model is given of the prompt's attachments. Absent: nothing but that there are some. */
  filesFor?(model: string): Promise<GivenFiles>
  /** Before each request, with the model that is about to be asked. Rejects with a `StepFailure` when it may not be; another target may be. */
  admit?(model: string, route?: RouteNote): Promise<Admission>
  /** Once it is over, well or not: by which route it went, and who was asked in vain before. Not told of one model that answered at once under its own name. */
  onRouted?(taken: RouteTaken): void
  /** Instead of that, when this model's answer was kept and is given again. */
  onKept?(model: string): Promise<void>
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
