import { agentOperations } from './agents.ts'
import { approvalOperations } from './approvals.ts'
import { keyOperations } from './keys.ts'
import type { Operation } from './operation.ts'
import { runOperations } from './runs.ts'
import { sandboxOperations } from './sandbox-service.ts'
import { systemOperations } from './system.ts'

/**
 * Every operation there is. These addresses are not operations, since they speak no JSON: `GET /healthz`;
 * `GET /v1/files/{fileId}` (permission `files:read`), which answers with the file's bytes; and `GET` and `PUT /v1/sandboxes/{sandboxId}/tree?path=`
 * (permissions `sandboxes:read` and `sandboxes:write`), whose body is a tar archive of a folder in the workspace.
 */
export const operations: readonly Operation[] = [
  ...runOperations,
  ...approvalOperations,
  ...agentOperations,
  ...keyOperations,
  ...systemOperations,
  ...sandboxOperations,
]
