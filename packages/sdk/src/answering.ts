/** Calls of tools whose server asks a person for something first: the person is asked, for as long as it takes, and the call made again with the answer. */
import type { AskAnswers, CallAnswered, CallResult, InputNeeded, Json } from '@longhaul/protocol'
import { StepFailed } from './agent.ts'
import { failure, isStepFailed } from './failure.ts'

/** How often one call may ask. */
const roundsMax = 8

type Decision = { approved: boolean; answers?: AskAnswers }

/** `call` until its server needs nothing more. `ask` has a person decide about what is asked; a no is told to the server, too. */
export async function callAnswered(
  call: (answered: CallAnswered | undefined) => Promise<CallResult>,
  ask: (asks: { asks: Json; said?: string }) => Promise<Json>,
): Promise<CallResult> {
  let answered: CallAnswered | undefined
  for (let round = 0; ; round++) {
    try {
      return await call(answered)
    } catch (error) {
      if (!isStepFailed(error) || error.failure.code !== 'needs_input' || error.failure.detail === undefined) throw error
      if (round >= roundsMax) throw new StepFailed(failure('needs_input', `${error.failure.message} It has asked ${round} times, which is enough.`))
      const { asks, state, kept, said } = error.failure.detail as InputNeeded // Made so by the server.
      const decision = (await ask({ asks: asks as Json, ...(said !== null && { said }) })) as Decision // The protocol's shape for an approval's result.
      const responses = asks.map(({ key, fields }): [string, CallAnswered['responses'][string]] => [
        key,
        decision.approved ? { action: 'accept', ...(fields && { content: decision.answers?.[key] ?? {} }) } : { action: 'decline' },
      ])
      answered = { responses: { ...kept, ...Object.fromEntries(responses) }, state }
    }
  }
}
