/** All operations over the services that do them. */
import type { Keys } from '../identity/index.ts'
import type { Log } from '../kernel/index.ts'
import { type AgentService, agentImplementations } from './agents.ts'
import { type ApprovalService, approvalImplementations } from './approvals.ts'
import { type DeploymentService, deploymentImplementations } from './deployments.ts'
import type { RunStream } from './event-stream.ts'
import type { Implementation } from './implement.ts'
import { keyImplementations } from './keys.ts'
import { type RunService, runImplementations } from './runs.ts'
import { type SystemService, systemImplementations } from './system.ts'
import { type ToolService, toolImplementations } from './tools.ts'

export type Services = {
  runs: RunService
  stream: RunStream
  approvals: ApprovalService
  agents: AgentService
  deployments: DeploymentService
  tools: ToolService
  keys: Keys
  system: SystemService
  /** Aborted when the server stops: event streams end then. */
  stopping: AbortSignal
  log: Log
}

export const implementAll = (services: Services): Implementation[] => [
  ...runImplementations(services),
  ...approvalImplementations(services.approvals),
  ...agentImplementations(services.agents),
  ...deploymentImplementations(services.agents, services.deployments),
  ...toolImplementations(services.tools),
  ...keyImplementations(services.keys),
  ...systemImplementations(services.system),
]
