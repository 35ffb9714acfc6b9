export { InDoubt, StepFailed, TerminalFailure, TimedOut, agent, durable, shown, tool } from './agent.ts'
export type { AgentDefinition, CheckContext, Checked, Command, Context, DurableFunction, ModelTurn, SandboxHandle, Shown, StepOptions, StockTool, Tool } from './agent.ts'
export type { AnswerPart, Asker, Effect, FilePart, Json, TablePart } from '@longhaul/protocol'
