export {
  attentionReasons,
  auditOutcomes,
  errorCodes,
  hookOutcomes,
  isLiveFrame,
  isTerminal,
  may,
  moves,
  parkReasons,
  runActions,
  runStates,
  sandboxStates,
  toOcsf,
} from './plain.ts'
export type { RunAction } from './plain.ts'
export { Channel, SlackChannel, WebhookChannel } from './channels.ts'
export { Agent, AgentManifest, AgentSandbox, ToolSummary, VersionName, agentOperations, getAgent, hookPoints, listAgents } from './agents.ts'
export { Answer, AnswerPart, Cell, FilePart, TablePart, ToolResult, resultSources } from './answer.ts'
export { AgentMail, agentMailOperations, agentMailStates, listAgentMails, resendAgentMails } from './agent-mails.ts'
export { Attachment, AttachmentRef, attachmentOperations, createAttachment, deleteAttachment, getAttachment } from './attachments.ts'
export { answersTo, asksMax, asksOf, detailWithForm, formKey } from './asks.ts'
export type { FormField } from './asks.ts'
export { attachmentPath, attachmentsMax, attachmentsOf } from './attachment-refs.ts'
export { ApprovalRule, RuleSource, anybodyDecides, bothRules, fulfils } from './approval-rules.ts'
export { Approval, ApprovalWithSources, ArgumentSource, approvalOperations, approvalStates, decideApproval, getApproval, listApprovals } from './approvals.ts'
export { Retention, listRetention, retentionOperations, setRetention } from './retention.ts'
export { Queue, QueueMessage, acknowledgeMessages, extendMessages, listQueues, queueOperations, receiveMessages } from './queues.ts'
export { AttentionItem, dismissAttention, forkAttention, listAttention, retryAttention } from './attention.ts'
export { ChildEnd, ChildRequest, PartName, RunPart, ChildStarted, toolPart } from './children.ts'
export { CustomAgent, InvokeRequest, ProgramQuestion } from './custom.ts'
export { ImageReference } from './images.ts'
export { McpServer } from './mcp-servers.ts'
export type { ApiAuthorizedByPerson, ApiClientCredentials, AuthorizedByPerson } from './connections.ts'
export {
  Connection,
  ConnectionName,
  HostPattern,
  MailAddress,
  MailRecipient,
  CommandConnection,
  CalendarFeed,
  Database,
  DeclaredEgress,
  MarketplaceConnection,
  McpConnection,
  OpenApiConnection,
  SecretName,
  SecretRef,
  ToolLimits,
  ToolPattern,
  limitsFor,
  PromptChoice,
  connectionToolsMax,
} from './connections.ts'
export {
  CanarySubjects,
  CodeFile,
  Deployment,
  RollbackGuard,
  Version,
  VersionRecord,
  codeBytesMax,
  codeFilesMax,
  createDeployment,
  createVersion,
  getVersion,
  deploymentOperations,
  deploymentStates,
  DeployPlan,
  isNoCode,
  planDeployment,
  listDeployments,
  listVersions,
  rollBack,
} from './deployments.ts'
export { CodeChange, changedTextBytesMax, changedTextsBytesMax, codeChangeOperations, compareVersions } from './code-changes.ts'
export { FailedTry, FolderDecision, PolicyDecision, RouteTaken } from './step-notes.ts'
export type { StepNotes } from './step-notes.ts'
export { BudgetForecast, Forecast, forecastBudget, forecastOperations, forecastUsage } from './forecasts.ts'
export { Evaluation, evaluationOperations, failedCasesMax, listEvaluations, recordEvaluation } from './evaluations.ts'
export { Preview, Source, deletePreview, listPreviews, previewKeptMsDefault, previewOperations, setPreview } from './previews.ts'
export { ChannelReply, Delivery, Destination, deliveryStates, listDeliveries } from './destinations.ts'
export { auditHash, auditHeadText, checkChain, firstHash } from './audit-chain.ts'
export type { ChainCheck, Sha256 } from './audit-chain.ts'
export { journalHash, whyNotChained } from './journal-chain.ts'
export { AuditEntry, AuditHead, HeadShipping, auditOperations, exportAudit, getAuditHead, listAudit, verifyAudit } from './audit.ts'
export { Egress, EgressConnection, EgressCredential, EgressRule, ShownEgress } from './egress.ts'
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
export {
  CatalogueChange,
  CatalogueVersion,
  Model,
  ModelFacts,
  applyCatalogue,
  catalogueOperations,
  listCatalogueVersions,
  listModels,
  modelCapabilities,
  refreshModels,
  rollbackCatalogue,
  setModel,
  unsetModel,
} from './catalogue.ts'
export { ErrorBody, ErrorCode, Failure } from './errors.ts'
export {
  Decider,
  DoubtDecision,
  Effect,
  LiveFrame,
  OpPath,
  ParkReason,
  RunEvent,
  StepKind,
  WaitKind,
  doubtDecisions,
  effects,
  eventData,
  eventTypes,
  stepKinds,
  waitKinds,
} from './events.ts'
export type { EventData, EventType } from './events.ts'
export { jsonDepthMax, shorten, storableText, visibleText, whyNotJson } from './json.ts'
export type { Json } from './json.ts'
export { liveCloses, liveLimits, livePath } from './live-connection.ts'
export { LiveMessage, LiveRequest } from './live.ts'
export { ApiKey, createKey, deleteKey, keyOperations, listKeys, rotateKey, usualPermissions } from './keys.ts'
export { InputPath, LaneKey, Limit, Priority, RunLimits, deleteLimit, limitOperations, listLimits, setLimit } from './limits.ts'
export { Message, ModelReply, ModelRequest, Prompt, TextContent, ToolCallContent, ToolDefinition, ToolResultContent } from './models.ts'
export { Memory, MemoryName, eraseMemories, eraseMemory, getMemory, listMemories, memoryKinds, memoryOperations, memoryTextMax } from './memory.ts'
export { readApi } from './open-api.ts'
export type { Api, ApiOperation } from './open-api.ts'
export { operation, permissions } from './operation.ts'
export type { Admission, Deprecated, HttpMethod, Operation, Permission } from './operation.ts'
export { operations } from './operations.ts'
export {
  Login,
  Me,
  changePassword,
  confirmEnrolment,
  decideDevice,
  deleteLogin,
  endEnrolment,
  getDevice,
  getMe,
  listLogins,
  meOperations,
  renewRecoveryCodes,
  signOut,
  startEnrolment,
  setMails,
  stepUp,
} from './me.ts'
export {
  NewCredential,
  Passkey,
  SignedChallenge,
  addPasskey,
  askForPasskey,
  challengePasskey,
  deletePasskey,
  listPasskeys,
  passkeyOperations,
  renamePasskey,
  startPasskey,
} from './passkeys.ts'
export {
  MarketplaceVersion,
  installConnection,
  listMarketplace,
  marketplaceOperations,
  marketplaceStates,
  publishConnection,
  reviewConnection,
  revokeConnection,
  uninstallConnection,
} from './marketplace.ts'
export { Mail, MailLanguage, listMails, mailLanguages, mailOperations, mailStates, retryMail } from './mails.ts'
export { Person, deletePerson, invitePerson, linkPerson, listPeople, peopleOperations, personStates, signOutPerson, updatePerson } from './people.ts'
export type { PersonWithLink } from './people.ts'
export { editedBy, editedThings, shownIn } from './edits.ts'
export type { EditedThing } from './edits.ts'
export { sensitiveOperations } from './sensitive.ts'
export type { SensitiveReason } from './sensitive.ts'
export {
  SignedIn,
  askForReset,
  lookAtLink,
  passwordLengthMin,
  resetMs,
  pollDevice,
  signInOperations,
  signInWithFactor,
  signInWithPasskey,
  signInWithPassword,
  startDevice,
  useLink,
} from './sign-in.ts'
export { PageInput, pageOf } from './page.ts'
export { Policy, deletePolicy, getPolicy, listPolicies, policyOperations, putPolicy, testPolicies } from './policies.ts'
export { roleNames, roles } from './roles.ts'
export type { Role } from './roles.ts'
export {
  Guard,
  GuardDecision,
  Guardrail,
  deleteGuardrail,
  getGuardrail,
  guardrailOperations,
  listGuardDecisions,
  listGuardrails,
  personalKinds,
  setGuardrail,
} from './guardrails.ts'
export type { PersonalKind } from './guardrails.ts'
export {
  CallPrivacyRule,
  LoggedCall,
  LoggedCallWithTexts,
  callOperations,
  callOutcomes,
  callPrivacies,
  getCall,
  listCallPrivacy,
  listCalls,
  revealCall,
  setCallPrivacy,
} from './calls.ts'
export type { CallOutcome, CallPrivacy } from './calls.ts'
export { ModelProvider, deleteProvider, listProviders, providerOperations, setProvider } from './providers.ts'
export {
  CacheRule,
  Route,
  RouteLearning,
  RouteTarget,
  clearRouteCache,
  deleteRoute,
  evaluateRoute,
  getRoute,
  listRoutes,
  routeOperations,
  setRoute,
  tryRoute,
} from './routes.ts'
export {
  RunState,
  ComparedStep,
  Fork,
  ForkChanges,
  Imported,
  JournalEntry,
  Compute,
  Run,
  RunCount,
  Wait,
  WhenBusy,
  cancelRun,
  countRuns,
  decideStep,
  compareRuns,
  exportRun,
  forkRun,
  getRun,
  importRun,
  getStep,
  listRunConnections,
  listRunEvents,
  listRuns,
  retryRun,
  runOperations,
  signalRun,
  startRun,
  whenBusyWays,
} from './runs.ts'
export { SandboxDriverName, SandboxKernel, SandboxPolicy, sandboxDrivers, sandboxKernels } from './sandbox-policy.ts'
export {
  FileChanges,
  OutputPiece,
  SandboxInfo,
  SandboxProcess,
  Snapshot,
  sandboxOperations,
  createSandbox,
  deleteSnapshot,
  execInSandbox,
  forkSandbox,
  getSandbox,
  getSandboxStats,
  giveInput,
  killProcess,
  linkPort,
  listConnections,
  listFiles,
  listProcesses,
  listSandboxes,
  listSnapshots,
  readFile,
  readOutput,
  setSandboxEgress,
  snapshotSandbox,
  startProcess,
  releaseSandbox,
  stopSandbox,
  watchFiles,
  writeFiles,
} from './sandbox-service.ts'
export { SandboxLimitsInput } from './sandbox-limits.ts'
export {
  Template,
  TemplateDetail,
  TemplateRef,
  createTemplate,
  deleteTemplate,
  getTemplate,
  listTemplates,
  templateOperations,
  templateStates,
} from './templates.ts'
export { ArtifactRequest, ExecRequest, ExecResult, FilesRequest, FilesResult } from './sandboxes.ts'
export {
  Calendar,
  DeclaredSchedule,
  Fire,
  Schedule,
  catchUps,
  deleteSchedule,
  fireSchedule,
  getSchedule,
  listFires,
  listSchedules,
  overlaps,
  pauseSchedule,
  resumeSchedule,
  scheduleOperations,
  setSchedule,
} from './schedules.ts'
export { HookScheme, hookSchemes } from './hook-schemes.ts'
export { Hook, HookAction, HookDelivery, deleteHook, getHook, hookOperations, listHookDeliveries, listHooks, pauseHook, resumeHook, setHook } from './hooks.ts'
export type { HookMapping } from './hooks.ts'
export { Stop, StopStep, Stopped, createStop, liftStop, listStops, stopOperations } from './stops.ts'
export { Sso, deleteSso, finishSso, getSso, setSso, ssoOperations, ssoReturnPath, ssoSignInOperations, startSso } from './sso.ts'
export { Secret, deleteSecret, getSecret, listSecrets, secretBytesMax, secretOperations, setSecret } from './secrets.ts'
export { System, getSystem, systemOperations } from './system.ts'
export {
  Consumption,
  TenantConsumption,
  Namespace,
  Quotas,
  Tenant,
  createTenant,
  deleteNamespace,
  getTenant,
  listNamespaces,
  listTenants,
  putNamespace,
  tenantOperations,
  updateTenant,
} from './tenants.ts'
export {
  Tokens,
  UsageCall,
  UsageFilters,
  UsageGroup,
  listUsage,
  scoreUsage,
  summarizeUsage,
  tryUsage,
  usageDimensions,
  usageGrains,
  usageOperations,
} from './usage.ts'
export type { UsageDimension } from './usage.ts'
export {
  Ask,
  AskAnswers,
  AskField,
  AskValue,
  CallAnswered,
  CallRequest,
  CallResult,
  ConnectRequest,
  ConnectResult,
  ConnectedTool,
  InputNeeded,
  serverToolNames,
  serverTools,
} from './tool-calls.ts'
export type { ServerTool } from './tool-calls.ts'
export {
  ConnectionProblem,
  DefinitionChange,
  OfferedPrompt,
  Tool,
  approveTool,
  authorizeConnection,
  finishAuthorization,
  limitTool,
  startToolCall,
  listPrompts,
  listTools,
  readPrompt,
  refreshTools,
  toolKinds,
  toolOperations,
  toolStates,
} from './tools.ts'
export { Asker, DataAccess, DeclaredName, JsonValue, Name, Usage, Usd } from './values.ts'
export { HistoryEntry, RetryPolicy, ServerFrame, WorkerFrame, messageBytesMax, workerProtocolVersion } from './worker.ts'
