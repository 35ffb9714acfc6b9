export type { DeclaredSchedules } from './declared-schedules.ts'
export { syncSchedules, whyNoCalendar } from './declared-schedules.ts'
export { findApproval, listApprovals } from './approval-store.ts'
export { findApprovalWithSources } from './source-store.ts'
export { openEngine } from './engine.ts'
export type { Engine, EngineOptions } from './engine.ts'
export type { Lists } from './lists.ts'
export type { ApprovalDecision, StepDecision } from './messages.ts'
export type { Assignment } from './owned-runs.ts'
export { findRun, listEvents, listJournal, loadRun, listRuns, listStepEvents } from './run-store.ts'
export { countRuns, searchRuns } from './overview-store.ts'
export type { RunFilter } from './run-store.ts'
export type { SessionTurn } from './session-store.ts'
export type {
  Admission,
  Executed,
  Executor,
  Executors,
  FoundVersion,
  InnerApproval,
  InnerApprovals,
  InnerStep,
  InnerSteps,
  RunFrame,
  StepContext,
  ToolCall,
  UnaskedStart,
  WhyNotStart,
} from './run/ports.ts'
export { interruptionsMax } from './run/wake.ts'
export type { Start } from './starts.ts'
export { sentByHook } from './trust.ts'
