import { Answer } from '@longhaul/protocol'
import type { Run } from '@longhaul/protocol'

/** The answer of an LLM agent; undefined when the run returned something else. */
export function answerOf(run: Run): Answer | undefined {
  const parsed = Answer.safeParse(run.output)
  return parsed.success ? parsed.data : undefined
}
