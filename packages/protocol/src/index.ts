export { Agent, AgentManifest, ToolSummary, agentOperations, getAgent, listAgents } from './agents.ts'
export { Answer, AnswerPart, Cell, FilePart, TablePart, ToolResult } from './answer.ts'
export { Approval, approvalOperations, approvalStates, decideApproval, listApprovals } from './approvals.ts'
export {
  Budget,
  BudgetCounter,
  BudgetEvent,
  budgetOperations,
  budgetScopes,
  budgetUnits,
  budgetWindows,
  deleteBudget,
  getBudget,
  listBudgetEvents,
  listBudgets,
  setBudget,
} from './budgets.ts'
export { Model, ModelFacts, catalogueOperations, listModels, modelCapabilities, setModel, unsetModel } from './catalogue.ts'
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
export { Tokens, UsageCall, UsageFilters, UsageGroup, listUsage, summarizeUsage, usageDimensions, usageGrains, usageOperations } from './usage.ts'
export type { UsageDimension } from './usage.ts'
export { Asker, DataAccess, JsonValue, Name, Usage, Usd } from './values.ts'
export { HistoryEntry, RetryPolicy, ServerFrame, WorkerFrame, messageBytesMax, workerProtocolVersion } from './worker.ts'
