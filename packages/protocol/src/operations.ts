import { agentOperations } from './agents.ts'
import { approvalOperations } from './approvals.ts'
import { keyOperations } from './keys.ts'
import type { Operation } from './operation.ts'
import { routeOperations } from './routes.ts'
import { runOperations } from './runs.ts'
import { systemOperations } from './system.ts'

/**
 * Every operation there is. Two addresses are not operations, since they speak no JSON: `GET /healthz` and
 * `GET /v1/files/{fileId}` (permission `files:read`), which answers with the file's bytes.
 */
export const operations: readonly Operation[] = [
  ...runOperations,
  ...approvalOperations,
  ...agentOperations,
  ...keyOperations,
  ...routeOperations,
  ...systemOperations,
]
