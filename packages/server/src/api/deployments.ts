import {
  type CanarySubjects,
  type AgentManifest,
  type CodeChange,
  type Asker,
  type CodeFile,
  type DeployPlan,
  type Deployment,
  type Evaluation,
  type Permission,
  type Preview,
  type Version,
  type VersionRecord,
  compareVersions,
  createDeployment,
  createVersion,
  deletePreview,
  getVersion,
  listDeployments,
  listEvaluations,
  listPreviews,
  listVersions,
  planDeployment,
  recordEvaluation,
  rollBack,
  setPreview,
} from '@longhaul/protocol'
import type { z } from 'zod'
import { askerOf } from '../identity/index.ts'
import { AppError } from '../kernel/index.ts'
import type { AgentService } from './agents.ts'
import { type Implementation, implement } from './implement.ts'

export type DeploymentService = {
  createVersion(tenantId: string, agent: string, files: CodeFile[], expectsMore?: boolean): Promise<Version>
  listVersions(tenantId: string, agent: string, limit: number): Promise<Version[]>
  version(tenantId: string, agent: string, version: string): Promise<Version & { manifest: AgentManifest | null; record: VersionRecord }>
  compare(tenantId: string, agent: string, before: string, after: string): Promise<{ changes: CodeChange[]; sameCount: number }>
  deploy(
    tenantId: string,
    madeBy: string,
    request: {
      agent: string
      version: string
      share: number
      canarySubjects?: CanarySubjects | undefined
      guard?: Deployment['guard'] | undefined
      reason?: string | undefined
    },
    by: { asker: Asker; permissions: readonly Permission[] },
  ): Promise<Deployment>
  rollBack(tenantId: string, madeBy: string, agent: string, reason?: string): Promise<Deployment>
  list(tenantId: string, agent: string, page: Page): Promise<{ items: Deployment[]; next: string | null }>
  plan(tenantId: string, agent: string, version: string): Promise<DeployPlan>
  setPreview(tenantId: string, madeBy: string, preview: z.output<typeof setPreview.input>): Promise<Preview>
  listPreviews(tenantId: string, agent: string, page: Page): Promise<{ items: Preview[]; next: string | null }>
  deletePreview(tenantId: string, agent: string, name: string): Promise<Preview>
  recordEvaluation(tenantId: string, madeBy: string, found: z.output<typeof recordEvaluation.input>): Promise<Evaluation>
  listEvaluations(
    tenantId: string,
    agent: string,
    page: Page & { version?: string | undefined; suite?: string | undefined },
  ): Promise<{ items: Evaluation[]; next: string | null }>
}
type Page = { limit: number; cursor: string | undefined }

export const deploymentImplementations = (agents: AgentService, deployments: DeploymentService): Implementation[] => [
  implement(createVersion, ({ tenantId }, { agent, files, expectsMore }) => deployments.createVersion(tenantId, agent, files, expectsMore)),
  implement(listVersions, async ({ tenantId }, { agent, limit }) => {
    const items = await deployments.listVersions(tenantId, agent, limit)
    if (items.length === 0) await assertKnown(agents, tenantId, agent)
    return { items }
  }),
  implement(getVersion, ({ tenantId, agents: seen }, { agent, version }) => {
    if (seen && !seen.includes(agent)) throw new AppError('not_found', `No agent ${agent}.`)
    return deployments.version(tenantId, agent, version)
  }),
  implement(compareVersions, ({ tenantId }, { agent, version, with: other }) => deployments.compare(tenantId, agent, other, version)),
  implement(createDeployment, (caller, request) =>
    deployments.deploy(caller.tenantId, caller.name, request, { asker: askerOf(caller), permissions: caller.permissions }),
  ),
  implement(listDeployments, async ({ tenantId }, { agent, limit, cursor }) => {
    const page = await deployments.list(tenantId, agent, { limit, cursor })
    if (page.items.length === 0) await assertKnown(agents, tenantId, agent)
    return page
  }),
  implement(planDeployment, ({ tenantId }, { agent, version }) => deployments.plan(tenantId, agent, version)),
  implement(setPreview, ({ tenantId, name }, preview) => deployments.setPreview(tenantId, name, preview)),
  implement(listPreviews, ({ tenantId }, { agent, limit, cursor }) => deployments.listPreviews(tenantId, agent, { limit, cursor })),
  implement(deletePreview, ({ tenantId }, { agent, name }) => deployments.deletePreview(tenantId, agent, name)),
  implement(recordEvaluation, ({ tenantId, name }, found) => deployments.recordEvaluation(tenantId, name, found)),
  implement(listEvaluations, ({ tenantId }, { agent, limit, cursor, version, suite }) =>
    deployments.listEvaluations(tenantId, agent, { limit, cursor, version, suite }),
  ),
  implement(rollBack, ({ tenantId, name }, { agent, reason }) => deployments.rollBack(tenantId, name, agent, reason)),
]

async function assertKnown(agents: AgentService, tenantId: string, agent: string): Promise<void> {
  if (!(await agents.find(tenantId, agent))) throw new AppError('not_found', `No agent ${agent}.`)
}
