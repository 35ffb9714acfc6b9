import { createHash } from 'node:crypto'
import type { Json } from '@longhaul/protocol'
import { StepFailed } from './agent.ts'
import { failure } from './failure.ts'

const toldAt = 3

/**
 * Notices a model that goes round in circles: the same call with the same result for the third time is pointed out to it,
 * and one more fails the run, before the rest of its turns is spent on it.
 */
export function createRepetitions() {
  const counts = new Map<string, number>()
  return {
    /** What the model is told as the result of the call. */
    judge(call: { toolName: string; input: Json }, output: Json): Json {
      const key = createHash('sha256')
        .update(JSON.stringify([call.toolName, call.input, output]))
        .digest('base64')
      const count = (counts.get(key) ?? 0) + 1
      counts.set(key, count)
      if (count < toldAt) return output
      if (count > toldAt)
        throw new StepFailed(
          failure('repetition', `The model called ${call.toolName} ${count} times with the same arguments and got the same result, although it had been told.`),
        )
      const text = typeof output === 'string' ? output : JSON.stringify(output)
      return `${text}\n\n[This is the same call with the same result for the ${toldAt}rd time. Repeating it changes nothing: do something else, or answer with what you have. Once more ends the run.]`
    },
  }
}
