/** MCP servers that are hosted here: programs that speak over their input and output, as their folder declares them in `agent/agent.json`. */
import { z } from 'zod'
import { CommandConnection, ToolLimits, ToolPattern } from './connections.ts'

const { command, args, env, egress, memoryBytesMax } = CommandConnection.shape

export const McpServer = z.strictObject({
  kind: z.literal('mcp'),
  description: z.string().min(1).max(2_000),
  /** A program of the sandbox, such as `node` or `python3`, or the path of one in the folder `agent/`, in a copy of which it starts. */
  command,
  args,
  env,
  /** What may leave its sandbox. A credential is put in on the way out: the program never has it. */
  egress,
  memoryBytesMax,
  /** How long one request of a client may take. */
  answerMsMax: z.number().int().min(1_000).max(3_600_000).default(300_000),
  /** A program that no client has asked anything for so long is ended, and its session with it. */
  idleMs: z.number().int().min(1_000).max(28_800_000).default(900_000),
  toolLimits: z.record(ToolPattern, ToolLimits).default({}),
})
export type McpServer = z.infer<typeof McpServer>
