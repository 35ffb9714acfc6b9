/** A model call as a step of a run: admitted by the budgets before it, booked in the flush that records how it ended. */
import type { ModelReply, Prompt } from '@longhaul/protocol'
import type { StepContext } from '../engine/index.ts'
import type { Gateway } from '../gateway/index.ts'
import { type Call, type Money, type Outcome, type TokenBuckets, budgetFailure, outcomeOfFailure } from '../gateway/money/index.ts'
import { toFailure } from '../kernel/index.ts'

export async function generateWithinBudget(prompt: Prompt, context: StepContext, { gateway, money }: { gateway: Gateway; money: Money }): Promise<ModelReply> {
  const call = callOf(prompt.model === 'default' ? gateway.defaultModel : prompt.model, prompt, context)
  const admission = await money.admit(call, { isRepeated: context.isRepeated })
  if (!admission.isAdmitted) throw budgetFailure(admission.refusal)
  const { reservation, outputTokensMax } = admission
  let tokens: TokenBuckets | undefined
  let outputBytes = 0

  /** With the step, in its flush. Nothing is recorded of a step that was given up, so that is settled at once. */
  function settle(outcome: Outcome): number | null | undefined {
    if (context.signal.aborted) return void money.settle(reservation, outcome)
    const { row, costUsd } = money.settlement(reservation, outcome)
    if (row !== undefined) context.book(row)
    return costUsd
  }

  try {
    const reply = await gateway.generate(outputTokensMax === undefined ? prompt : { ...prompt, outputTokensMax }, {
      signal: context.signal,
      onUsage: (found) => (tokens = found),
      onText(text) {
        outputBytes += Buffer.byteLength(text)
        context.live({ type: 'text-delta', text })
      },
    })
    const costUsd = settle(tokens ? { type: 'used', tokens } : { type: 'unknown', outputBytes: Buffer.byteLength(JSON.stringify(reply.content)) })
    // What is booked and what the journal says are one figure; where nothing was counted the journal keeps to «unknown».
    return tokens && costUsd !== undefined ? { ...reply, usage: { ...reply.usage, costUsd } } : reply
  } catch (error) {
    settle(outcomeOfFailure(toFailure(error).code, { tokens, outputBytes }))
    throw error
  }
}

function callOf(model: string, prompt: Prompt, { run, op, attempt }: StepContext): Call {
  return {
    tenantId: run.tenantId,
    agent: run.agent,
    version: run.version,
    runId: run.id,
    op,
    attempt,
    session: run.sessionId ?? undefined,
    keyId: run.asker.id,
    model,
    inputBytes: Buffer.byteLength(JSON.stringify(prompt)),
    outputTokensMax: prompt.outputTokensMax,
  }
}
