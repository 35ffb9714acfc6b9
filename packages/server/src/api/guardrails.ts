import { deleteGuardrail, getGuardrail, listGuardDecisions, listGuardrails, setGuardrail } from '@longhaul/protocol'
import type { Guardrails } from '../gateway/index.ts'
import { type Implementation, implement } from './implement.ts'

export type GuardrailService = Pick<Guardrails, 'list' | 'get' | 'set' | 'delete' | 'decisions'>

export const guardrailImplementations = (guardrails: GuardrailService): Implementation[] => [
  implement(listGuardrails, async ({ tenantId }) => ({ items: await guardrails.list(tenantId) })),
  implement(getGuardrail, ({ tenantId }, { name }) => guardrails.get(tenantId, name)),
  implement(setGuardrail, ({ tenantId }, { name, ...spec }) => guardrails.set(tenantId, name, spec)),
  implement(deleteGuardrail, ({ tenantId }, { name }) => guardrails.delete(tenantId, name)),
  implement(listGuardDecisions, ({ tenantId }, filter) => guardrails.decisions(tenantId, filter)),
]
