/** What tools an agent has, how they fare, and what an operator decides about them. */
import { z } from 'zod'
import { ConnectionName, PromptChoice, ToolLimits, ToolPattern } from './connections.ts'
import { operation } from './operation.ts'
import { Run } from './runs.ts'
import { JsonValue, Name } from './values.ts'

/** One difference between the definition that was approved and the one that the tool server gives now. Absent on a side: null. */
export const DefinitionChange = z.object({ path: z.string(), from: JsonValue, to: JsonValue })
export type DefinitionChange = z.infer<typeof DefinitionChange>

export const toolKinds = ['own', 'stock', 'mcp', 'openapi'] as const
/**
 * `ready`; `changed` or `added`: its tool server gives another definition than the approved one, or a tool that was not there at first,
 * so it is withheld until a person approves; `gone`: its tool server has it no more; `off`: switched off by a limit.
 */
export const toolStates = ['ready', 'changed', 'added', 'gone', 'off'] as const

export const Tool = z.object({
  agent: Name,
  version: z.string(),
  name: z.string(),
  kind: z.enum(toolKinds),
  connection: z.string().nullable(),
  state: z.enum(toolStates),
  description: z.string(),
  inputSchema: JsonValue,
  limits: ToolLimits,
  /** Of this version, in its last 500 runs. Durations are null without a call. */
  calls: z.object({ count: z.number().int(), errorCount: z.number().int(), durationMsP50: z.number().nullable(), durationMsP95: z.number().nullable() }),
  /** For tools of MCP connections: what is approved, and what waits for approval. */
  pin: z
    .object({
      hash: z.string().nullable(),
      offeredHash: z.string().nullable(),
      changes: z.array(DefinitionChange),
      decidedBy: z.string().nullable(),
      decidedAt: z.iso.datetime().nullable(),
    })
    .nullable(),
})
export type Tool = z.infer<typeof Tool>

/** Why a connection gives a run nothing now: its tool server did not answer, or a person has to authorize it. */
export const ConnectionProblem = z.object({ connection: z.string(), message: z.string() })
export type ConnectionProblem = z.infer<typeof ConnectionProblem>

const ToolName = z
  .string()
  .max(64)
  .regex(/^[a-zA-Z0-9_-]+$/, 'must be a tool’s name as the model sees it')

export const listTools = operation({
  id: 'tools.list',
  summary:
    'The tools of an agent’s live version, with their limits and how their calls fared. `problems` are connections that wait for somebody to authorize them.',
  http: ['GET', '/v1/agents/{agent}/tools'],
  permission: 'agents:read',
  input: z.strictObject({ agent: Name }),
  output: z.object({ items: z.array(Tool), problems: z.array(ConnectionProblem) }),
})

export const refreshTools = operation({
  id: 'tools.refresh',
  summary: 'Asks the agent’s tool servers what they have now, and compares it with what is approved.',
  http: ['POST', '/v1/agents/{agent}/tools/refresh'],
  permission: 'agents:deploy',
  input: z.strictObject({ agent: Name }),
  output: z.object({ items: z.array(Tool), problems: z.array(ConnectionProblem) }),
})

export const approveTool = operation({
  id: 'tools.approve',
  summary: 'Approve the definition that a tool server gives now. `hash` is that of the definition you have seen: another one is `conflict`.',
  http: ['POST', '/v1/agents/{agent}/tools/{tool}/approve'],
  permission: 'approvals:decide',
  input: z.strictObject({ agent: Name, tool: ToolName, hash: z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in hexadecimal') }),
  output: Tool,
})

export const limitTool = operation({
  id: 'tools.limit',
  summary: 'Set an operator’s limits for a tool, or for all whose names begin so. They go before those of the agent’s folder. Empty limits take them back.',
  http: ['POST', '/v1/agents/{agent}/tool-limits'],
  permission: 'agents:deploy',
  input: z.strictObject({ agent: Name, pattern: ToolPattern, limits: ToolLimits }),
  output: z.object({ agent: Name, limits: z.record(z.string(), ToolLimits) }),
})

export const startToolCall = operation({
  id: 'tools.start',
  summary: 'Start a run that calls one tool of an agent’s live version in place of the agent: one that the server executes. Its output is the result.',
  http: ['POST', '/v1/agents/{agent}/tools/{tool}/start'],
  permission: 'tools:call',
  input: z.strictObject({
    agent: Name,
    tool: ToolName,
    input: JsonValue.default({}),
    /** Absent: the key’s first namespace, or `default`. */
    namespace: Name.optional(),
    idempotencyKey: z.string().min(1).max(128).optional(),
  }),
  output: Run,
})

export const authorizeConnection = operation({
  id: 'connections.authorize',
  summary: 'Begin to authorize an agent’s connection by OAuth: a person looks at `url`, and is sent back to `redirectUri` on their own machine.',
  http: ['POST', '/v1/agents/{agent}/connections/{connection}/authorize'],
  permission: 'secrets:manage',
  input: z.strictObject({
    agent: Name,
    connection: ConnectionName,
    redirectUri: z
      .string()
      .max(200)
      .regex(/^http:\/\/(127\.0\.0\.1|\[::1\]):\d{1,5}\/[\w/-]*$/, 'must be http://127.0.0.1:<port>/…: a program on the person’s own machine hears it'),
  }),
  output: z.object({ url: z.string(), state: z.string(), /** Host of who asks the person. */ authority: z.string() }),
})

export const finishAuthorization = operation({
  id: 'connections.finish',
  summary: 'Finish an authorization with what came back to `redirectUri`. The tokens are kept as a secret, for this agent and this server.',
  http: ['POST', '/v1/agents/{agent}/connections/{connection}/authorized'],
  permission: 'secrets:manage',
  input: z.strictObject({
    agent: Name,
    connection: ConnectionName,
    state: z.string().min(1).max(200),
    code: z.string().min(1).max(8_000),
    iss: z.string().max(2_000).optional(),
  }),
  output: z.object({ agent: z.string(), connection: z.string(), authority: z.string(), scope: z.string().nullable(), isRefreshable: z.boolean() }),
})

/** A prompt that a tool server offers people to begin with. */
export const OfferedPrompt = z.object({
  name: z.string(),
  title: z.string().nullable(),
  description: z.string().nullable(),
  arguments: z.array(z.object({ name: z.string(), description: z.string().nullable(), isRequired: z.boolean() })),
})
export type OfferedPrompt = z.infer<typeof OfferedPrompt>

export const listPrompts = operation({
  id: 'prompts.list',
  summary: 'The prompts that the tool server of an agent’s connection offers now.',
  http: ['GET', '/v1/agents/{agent}/connections/{connection}/prompts'],
  permission: 'runs:write',
  input: z.strictObject({ agent: Name, connection: ConnectionName }),
  output: z.object({ items: z.array(OfferedPrompt) }),
})

export const readPrompt = operation({
  id: 'prompts.get',
  summary: 'One prompt with its arguments filled in, as a run that is started with it would get it. It is the tool server’s words.',
  http: ['POST', '/v1/agents/{agent}/connections/{connection}/prompt'],
  permission: 'runs:write',
  input: z.strictObject({ agent: Name, ...PromptChoice.shape }),
  output: z.object({ description: z.string().nullable(), text: z.string(), /** What a run that is started with it is labelled with. */ label: z.string() }),
})

export const toolOperations = [
  listTools,
  refreshTools,
  approveTool,
  limitTool,
  startToolCall,
  authorizeConnection,
  finishAuthorization,
  listPrompts,
  readPrompt,
]
