import { deleteGuardrail, getGuardrail, listGuardDecisions, listGuardrails, setGuardrail } from '@longhaul/protocol'
import type { Guardrails } from '../gateway/index.ts'
import { AppError } from '../kernel/index.ts'
import { type Implementation, implement } from './implement.ts'
import { isLimited, isReached, reached } from './reach.ts'

export type GuardrailService = Pick<Guardrails, 'list' | 'get' | 'set' | 'delete' | 'decisions'>

export const guardrailImplementations = (guardrails: GuardrailService): Implementation[] => [
  implement(listGuardrails, async ({ tenantId }) => ({ items: await guardrails.list(tenantId) })),
  implement(getGuardrail, ({ tenantId }, { name }) => guardrails.get(tenantId, name)),
  implement(setGuardrail, async (caller, { name, ...spec }) => {
    // What holds for all may be looked at by those whom it holds, and not replaced.
    if (isLimited(caller) && (await guardrails.list(caller.tenantId)).some((each) => each.name === name && !isReached(caller, each)))
      throw new AppError('conflict', `The name ${name} belongs to a guardrail that holds for more than the caller may reach. Take another.`)
    return guardrails.set(caller.tenantId, name, spec)
  }),
  implement(deleteGuardrail, async (caller, { name }) => {
    if (isLimited(caller)) reached(caller, await guardrails.get(caller.tenantId, name), `guardrail ${name}`)
    return guardrails.delete(caller.tenantId, name)
  }),
  implement(listGuardDecisions, async (caller, filter) => {
    // They say of which agent they are, and not of which namespace.
    return guardrails.decisions(caller.tenantId, filter, isLimited(caller) ? (caller.agents ?? []) : undefined)
  }),
]
