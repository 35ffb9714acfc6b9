/** A model call as a step of a run: admitted by the budgets before it, booked in the flush that records how it ended. */
import type { ModelReply, Prompt } from '@longhaul/protocol'
import type { StepContext } from '../engine/index.ts'
import type { Gateway } from '../gateway/index.ts'
import { type FilesFor, bytesOfFiles } from './attachments/given-files.ts'
import { type Call, type Money, budgetFailure } from '../gateway/money/index.ts'

export function generateWithinBudget(
  prompt: Prompt,
  context: StepContext,
  { gateway, money, filesFor }: { gateway: Gateway; money: Money; filesFor?: FilesFor | undefined },
): Promise<ModelReply> {
  let isFirst = true
  return gateway.generate(prompt, {
    signal: context.signal,
    ...(filesFor && { filesFor }),
    onText: (text) => context.live({ type: 'text-delta', text }),
    onRouted: (route) => context.note({ route }),
    asked: {
      ...{ tenantId: context.run.tenantId, namespace: context.run.namespace, agent: context.run.agent, runId: context.run.id, keyId: context.run.asker.id },
      session: context.run.id, // A run stays with its model.
      attempt: context.attempt,
    },
    onKept: (model) => money.bookHit(callOf(model, prompt, context, 0)),
    async admit(model, route) {
      const fileBytes = filesFor ? bytesOfFiles(await filesFor(model)) : 0
      const admission = await money.admit({ ...callOf(model, prompt, context, fileBytes), route }, { isRepeated: context.isRepeated && isFirst })
      isFirst = false
      if (!admission.isAdmitted) throw budgetFailure(admission.refusal)
      const { reservation, outputTokensMax } = admission
      return {
        outputTokensMax,
        async settle(outcome, isAnswered) {
          // What did not become the answer is settled at once: another model may be asked in this very step, or the step was given up.
          if (!isAnswered || context.signal.aborted) return void (await money.settle(reservation, outcome))
          const { row, costUsd } = money.settlement(reservation, outcome)
          if (row !== undefined) context.book(row)
          return costUsd
        },
      }
    },
  })
}

function callOf(model: string, prompt: Prompt, { run, op, attempt }: StepContext, fileBytes: number): Call {
  return {
    tenantId: run.tenantId,
    namespace: run.namespace,
    agent: run.agent,
    version: run.version,
    runId: run.id,
    op,
    attempt,
    session: run.sessionId ?? undefined,
    keyId: run.asker.id,
    model,
    inputBytes: Buffer.byteLength(JSON.stringify(prompt)) + fileBytes,
    outputTokensMax: prompt.outputTokensMax,
  }
}
