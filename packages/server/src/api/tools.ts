import { approveTool, authorizeConnection, finishAuthorization, limitTool, listPrompts, listTools, readPrompt, refreshTools } from '@longhaul/protocol'
import type { Tools } from '../tools/index.ts'
import { type Implementation, implement } from './implement.ts'

/** Tools of another tenant's agent are `not_found`, as the agent is. */
export type ToolService = Pick<Tools, 'list' | 'unauthorized' | 'refresh' | 'approve' | 'limit' | 'authorize' | 'finishAuthorization' | 'prompts' | 'prompt'>

export const toolImplementations = (tools: ToolService): Implementation[] => [
  implement(listTools, async ({ tenantId }, { agent }) => ({ items: await tools.list(tenantId, agent), problems: await tools.unauthorized(tenantId, agent) })),
  implement(refreshTools, ({ tenantId }, { agent }) => tools.refresh(tenantId, agent)),
  implement(approveTool, ({ tenantId, name }, request) => tools.approve(tenantId, name, request)),
  implement(authorizeConnection, (caller, request) => tools.authorize(caller, request)),
  implement(finishAuthorization, (caller, request) => tools.finishAuthorization(caller, request)),
  implement(listPrompts, async ({ tenantId }, { agent, connection }) => ({ items: await tools.prompts(tenantId, agent, connection) })),
  implement(readPrompt, ({ tenantId }, { agent, ...choice }) => tools.prompt({ tenantId, agent }, choice)),
  implement(limitTool, ({ tenantId, name }, request) => tools.limit(tenantId, name, request)),
]
