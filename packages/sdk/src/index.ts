export { InDoubt, StepFailed, TerminalFailure, TimedOut, agent, connection, durable, shown, tool } from './agent.ts'
export { channel, schedule } from './declared.ts'
export { hook } from './hooks.ts'
export type { ApprovalOptions, Decided } from './approval-asked.ts'
export type { AgentHook, HookAbout, HookPoint } from './hooks.ts'
export type {
  AgentDefinition,
  CheckContext,
  Child,
  ChildEnd,
  Checked,
  Command,
  Context,
  DurableFunction,
  GivenAttachment,
  ModelTurn,
  SandboxHandle,
  Shown,
  StartOptions,
  StepOptions,
  StockTool,
  Tool,
} from './agent.ts'
export type { AnswerPart, Asker, Effect, FilePart, FormField, Json, TablePart } from '@longhaul/protocol'
