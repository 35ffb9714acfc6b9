export { StepFailed, TerminalFailure, TimedOut, agent, connection, durable, shown, tool } from './agent.ts'
export type { AgentDefinition, Command, Context, DurableFunction, ModelTurn, SandboxHandle, Shown, StockTool, Tool } from './agent.ts'
export type { AnswerPart, Asker, FilePart, Json, TablePart } from '@longhaul/protocol'
