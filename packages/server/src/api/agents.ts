import { type Agent, getAgent, listAgents } from '@longhaul/protocol'
import { AppError } from '../kernel/index.ts'
import { type Implementation, implement } from './implement.ts'

export type AgentService = {
  list(tenantId: string): Promise<Agent[]>
  find(tenantId: string, name: string): Promise<Agent | undefined>
}

export const agentImplementations = (agents: AgentService): Implementation[] => [
  implement(listAgents, async ({ tenantId, agents: seen }) => ({ items: (await agents.list(tenantId)).filter(({ name }) => !seen || seen.includes(name)) })),
  implement(getAgent, async ({ tenantId }, { name }) => {
    const agent = await agents.find(tenantId, name)
    if (!agent) throw new AppError('not_found', `No agent ${name}.`)
    return agent
  }),
]
