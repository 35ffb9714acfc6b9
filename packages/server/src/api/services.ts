/** All operations over the services that do them. */
import type { Marketplace } from '../tools/index.ts'
import { type AgentMails, agentMailImplementations } from './agent-mails.ts'
import type { Answers, CallLog, Routes } from '../gateway/index.ts'
import type { MoneyBoard } from '../gateway/money/index.ts'
import type { Audit, Caller, HeadShipper, Identities, Keys, Policies, Secrets, Tenants } from '../identity/index.ts'
import type { Attention, Queues, RetentionService } from '../outcomes/index.ts'
import type { Lists } from '../engine/index.ts'
import type { Log } from '../kernel/index.ts'
import type { Images, SandboxService, TemplateService } from '../sandbox/index.ts'
import type { MemoryService } from '../tools/index.ts'
import type { Attachments } from '../agents/index.ts'
import { attachmentImplementations } from './attachments.ts'
import { type AgentService, agentImplementations } from './agents.ts'
import { type ApprovalService, approvalImplementations } from './approvals.ts'
import { auditImplementations } from './audit.ts'
import { callImplementations } from './calls.ts'
import { type DeploymentService, deploymentImplementations } from './deployments.ts'
import { type GuardrailService, guardrailImplementations } from './guardrails.ts'
import type { RunStream } from './event-stream.ts'
import { type HookService, hookImplementations } from './hooks.ts'
import type { Implementation } from './implement.ts'
import { outcomeImplementations } from './outcomes.ts'
import { keyImplementations } from './keys.ts'
import { type LimitService, limitImplementations } from './limits.ts'
import { meImplementations, peopleImplementations, signInImplementations } from './people.ts'
import { policyImplementations } from './policies.ts'
import { moneyImplementations } from './money.ts'
import { type ProviderService, providerImplementations } from './providers.ts'
import { queueImplementations } from './queues.ts'
import { retentionImplementations } from './retention.ts'
import { routeImplementations } from './routes.ts'
import { type RunService, runImplementations } from './runs.ts'
import { secretImplementations } from './secrets.ts'
import { type ScheduleService, scheduleImplementations } from './schedules.ts'
import { type StopService, stopImplementations } from './stops.ts'
import type { Links } from './previews.ts'
import { marketplaceImplementations } from './marketplace.ts'
import { memoryImplementations } from './memory.ts'
import { sandboxImplementations } from './sandboxes.ts'
import { type SystemService, systemImplementations } from './system.ts'
import { templateImplementations } from './templates.ts'
import { tenantImplementations } from './tenants.ts'
import { type ToolService, toolImplementations } from './tools.ts'

export type Services = {
  runs: RunService
  stream: RunStream
  lists: Lists
  limits: LimitService
  stops: StopService
  schedules: ScheduleService
  hooks: HookService
  approvals: ApprovalService
  attention: Attention<Caller>
  queues: Queues
  agentMails: AgentMails
  retention: Pick<RetentionService, 'set' | 'list'>
  attachments: Pick<Attachments, 'create' | 'get' | 'delete'>
  agents: AgentService
  deployments: DeploymentService
  tools: ToolService & { memory: MemoryService; marketplace: Marketplace }
  keys: Keys
  identities: Identities
  tenants: Tenants
  images: Pick<Images, 'used'>
  policies: Policies
  secrets: Secrets
  audit: Audit
  heads: Pick<HeadShipper, 'statusOf'>
  sandboxes: SandboxService
  templates: TemplateService
  links: Links
  money: MoneyBoard
  routes: Routes
  answers: Pick<Answers, 'clear'>
  guardrails: GuardrailService
  callLog: CallLog
  providers: ProviderService
  system: SystemService
  log: Log
}

export const implementAll = (services: Services): Implementation[] => [
  ...runImplementations(services),
  ...agentMailImplementations(services),
  ...attachmentImplementations(services.attachments),
  ...limitImplementations(services.limits),
  ...stopImplementations(services.stops, services.runs),
  ...scheduleImplementations(services.schedules),
  ...hookImplementations(services.hooks),
  ...outcomeImplementations(services),
  ...queueImplementations(services.queues),
  ...retentionImplementations(services.retention),
  ...approvalImplementations(services),
  ...agentImplementations(services.agents),
  ...deploymentImplementations(services.agents, services.deployments),
  ...toolImplementations(services.tools),
  ...marketplaceImplementations(services.tools.marketplace),
  ...memoryImplementations(services.tools.memory),
  ...keyImplementations(services.keys),
  ...peopleImplementations(services.identities),
  ...signInImplementations(services.identities),
  ...meImplementations(services.identities),
  ...tenantImplementations(services.tenants, services.images),
  ...policyImplementations(services.policies),
  ...secretImplementations(services.secrets),
  ...auditImplementations(services.audit, services.heads),
  ...sandboxImplementations(services),
  ...templateImplementations(services.templates),
  ...moneyImplementations(services.money),
  ...routeImplementations(services),
  ...guardrailImplementations(services.guardrails),
  ...callImplementations(services.callLog),
  ...providerImplementations(services.providers),
  ...systemImplementations(services.system),
]
