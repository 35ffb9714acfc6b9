import { agentMailOperations } from './agent-mails.ts'
import { agentOperations } from './agents.ts'
import { approvalOperations } from './approvals.ts'
import { codeChangeOperations } from './code-changes.ts'
import { deploymentOperations } from './deployments.ts'
import { outcomeOperations } from './attention.ts'
import { attachmentOperations } from './attachments.ts'
import { auditOperations } from './audit.ts'
import { budgetOperations } from './budgets.ts'
import { callOperations } from './calls.ts'
import { catalogueOperations } from './catalogue.ts'
import { hookOperations } from './hooks.ts'
import { keyOperations } from './keys.ts'
import { meOperations } from './me.ts'
import { passkeyOperations } from './passkeys.ts'
import { peopleOperations } from './people.ts'
import { signInOperations } from './sign-in.ts'
import { evaluationOperations } from './evaluations.ts'
import { forecastOperations } from './forecasts.ts'
import { guardrailOperations } from './guardrails.ts'
import { limitOperations } from './limits.ts'
import { mailOperations } from './mails.ts'
import { marketplaceOperations } from './marketplace.ts'
import { memoryOperations } from './memory.ts'
import type { Operation } from './operation.ts'
import { policyOperations } from './policies.ts'
import { previewOperations } from './previews.ts'
import { providerOperations } from './providers.ts'
import { queueOperations } from './queues.ts'
import { retentionOperations } from './retention.ts'
import { routeOperations } from './routes.ts'
import { runOperations } from './runs.ts'
import { scheduleOperations } from './schedules.ts'
import { ssoOperations, ssoSignInOperations } from './sso.ts'
import { stopOperations } from './stops.ts'
import { secretOperations } from './secrets.ts'
import { sandboxOperations } from './sandbox-service.ts'
import { systemOperations } from './system.ts'
import { templateOperations } from './templates.ts'
import { tenantOperations } from './tenants.ts'
import { toolOperations } from './tools.ts'
import { usageOperations } from './usage.ts'

/**
 * Every operation there is. These addresses are not operations, since they speak no JSON: `GET /healthz`;
 * `GET /v1/files/{fileId}` (permission `files:read`), which answers with the file's bytes; `GET /v1/attachments/{attachmentId}/content` (permission
 * `runs:read`), which does the same; and `GET` and `PUT /v1/sandboxes/{sandboxId}/tree?path=`
 * (permissions `sandboxes:read` and `sandboxes:write`), whose body is a tar archive of a folder in the workspace; `POST /mcp`, which
 * speaks MCP; and `POST /hooks/{tenant}/{name}`, at which senders of webhooks are let in by their signature.
 */
export const operations: readonly Operation[] = [
  ...runOperations,
  ...agentMailOperations,
  ...attachmentOperations,
  ...limitOperations,
  ...stopOperations,
  ...scheduleOperations,
  ...hookOperations,
  ...outcomeOperations,
  ...queueOperations,
  ...retentionOperations,
  ...approvalOperations,
  ...agentOperations,
  ...deploymentOperations,
  ...codeChangeOperations,
  ...previewOperations,
  ...evaluationOperations,
  ...toolOperations,
  ...marketplaceOperations,
  ...memoryOperations,
  ...keyOperations,
  ...peopleOperations,
  ...mailOperations,
  ...ssoOperations,
  ...signInOperations,
  ...ssoSignInOperations,
  ...meOperations,
  ...passkeyOperations,
  ...tenantOperations,
  ...policyOperations,
  ...secretOperations,
  ...auditOperations,
  ...systemOperations,
  ...sandboxOperations,
  ...templateOperations,
  ...budgetOperations,
  ...usageOperations,
  ...forecastOperations,
  ...catalogueOperations,
  ...routeOperations,
  ...guardrailOperations,
  ...callOperations,
  ...providerOperations,
]
