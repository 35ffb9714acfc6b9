export { Agent, AgentManifest, ToolSummary, VersionName, agentOperations, getAgent, listAgents } from './agents.ts'
export { Answer, AnswerPart, Cell, FilePart, TablePart, ToolResult } from './answer.ts'
export { Approval, approvalOperations, approvalStates, decideApproval, listApprovals } from './approvals.ts'
export {
  Connection,
  ConnectionName,
  HostPattern,
  McpConnection,
  OpenApiConnection,
  SecretName,
  SecretRef,
  ToolLimits,
  ToolPattern,
  limitsFor,
} from './connections.ts'
export {
  CodeFile,
  Deployment,
  RollbackGuard,
  Version,
  VersionRecord,
  codeBytesMax,
  codeFilesMax,
  createDeployment,
  createVersion,
  deploymentOperations,
  deploymentStates,
  isNoCode,
  listDeployments,
  listVersions,
  rollBack,
} from './deployments.ts'
export { ErrorBody, ErrorCode, Failure, errorCodes } from './errors.ts'
export { LiveFrame, OpPath, ParkReason, RunEvent, StepKind, WaitKind, eventData, eventTypes, isLiveFrame, parkReasons, stepKinds, waitKinds } from './events.ts'
export type { EventData, EventType } from './events.ts'
export { jsonDepthMax, storableText, whyNotJson } from './json.ts'
export type { Json } from './json.ts'
export { ApiKey, createKey, deleteKey, keyOperations, listKeys } from './keys.ts'
export { Message, ModelReply, ModelRequest, Prompt, TextContent, ToolCallContent, ToolDefinition, ToolResultContent } from './models.ts'
export { operation, permissions } from './operation.ts'
export type { HttpMethod, Operation, Permission } from './operation.ts'
export { operations } from './operations.ts'
export { PageInput, pageOf } from './page.ts'
export { RunState, isTerminal, may, moves, runActions, runStates } from './run-state.ts'
export type { RunAction } from './run-state.ts'
export { Run, Wait, cancelRun, getRun, getStep, listRunEvents, listRuns, retryRun, runOperations, signalRun, startRun } from './runs.ts'
export { ArtifactRequest, ExecRequest, ExecResult, FilesRequest, FilesResult } from './sandboxes.ts'
export { System, getSystem, systemOperations } from './system.ts'
export { CallRequest, CallResult, ConnectRequest, ConnectResult, ConnectedTool, resultSources, serverToolNames, serverTools } from './tool-calls.ts'
export type { ServerTool } from './tool-calls.ts'
export { DefinitionChange, Tool, approveTool, limitTool, listTools, refreshTools, toolKinds, toolOperations, toolStates } from './tools.ts'
export { Asker, DataAccess, JsonValue, Name, Usage, Usd } from './values.ts'
export { HistoryEntry, RetryPolicy, ServerFrame, WorkerFrame, messageBytesMax, workerProtocolVersion } from './worker.ts'
