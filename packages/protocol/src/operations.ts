import { agentOperations } from './agents.ts'
import { approvalOperations } from './approvals.ts'
import { deploymentOperations } from './deployments.ts'
import { keyOperations } from './keys.ts'
import type { Operation } from './operation.ts'
import { runOperations } from './runs.ts'
import { systemOperations } from './system.ts'
import { toolOperations } from './tools.ts'

/**
 * Every operation there is. Three addresses are not operations: `GET /healthz`, `GET /v1/files/{fileId}`
 * (permission `files:read`), which answers with the file's bytes, and `POST /mcp`, which speaks MCP.
 */
export const operations: readonly Operation[] = [
  ...runOperations,
  ...approvalOperations,
  ...agentOperations,
  ...deploymentOperations,
  ...toolOperations,
  ...keyOperations,
  ...systemOperations,
]
