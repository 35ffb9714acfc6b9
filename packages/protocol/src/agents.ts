import { z } from 'zod'
import { Channel } from './channels.ts'
import { CalendarFeed, Connection, ConnectionName, Database, DeclaredEgress, HostPattern, MailRecipient, ToolLimits, ToolPattern } from './connections.ts'
import { CustomAgent } from './custom.ts'
import { ImageName } from './images.ts'
import { McpServer } from './mcp-servers.ts'
import { PartName } from './children.ts'
import { RunLimits } from './limits.ts'
import { operation } from './operation.ts'
import { SandboxLimitsInput } from './sandbox-limits.ts'
import { DeclaredSchedule } from './schedules.ts'
import { templateSteps } from './templates.ts'
import { JsonValue, Name } from './values.ts'

export const VersionName = z.string().regex(/^[0-9a-f]{12}$/, 'must be twelve hexadecimal digits')

/** When an agent's hooks are asked: around each model call and tool call, and at both ends of a run. */
export const hookPoints = ['onStart', 'beforeModel', 'afterModel', 'beforeTool', 'afterTool', 'onEnd'] as const

export const ToolSummary = z.object({ name: z.string(), description: z.string(), inputSchema: JsonValue })

/** The sandbox of an agent's runs. */
export const AgentSandbox = z.strictObject({
  /** What every workspace begins with: `sandbox/workspace`, then these steps, prepared once for all runs. */
  template: z
    .strictObject({
      ...templateSteps,
      /** What may leave while it is prepared. */
      egress: DeclaredEgress.optional(),
    })
    .optional(),
  /** What may leave while a run works in it. Absent: nothing. */
  egress: DeclaredEgress.optional(),
  limits: SandboxLimitsInput.optional(),
  /** Its root, in place of the server's programs: an image, in which the template is prepared, too. */
  image: ImageName.optional(),
  /** Folders of the server's machine, by the name that its operator gave each, as far as the run's asker may see them: read-only in `/data/<name>`. */
  folders: z
    .record(
      Name,
      z.strictObject({
        /** `copy`: also in `data/<name>` of a new workspace, to be changed there. It counts towards the workspace's limits. */
        mode: z.enum(['read', 'copy']).default('read'),
        /** Without it commands of an asker who may not see the folder fail; with it they do not find it. */
        isOptional: z.boolean().default(false),
      }),
    )
    .refine((folders) => Object.keys(folders).length <= 16, 'must be at most 16')
    .optional(),
})
export type AgentSandbox = z.infer<typeof AgentSandbox>

/** What a version says about itself once its code has been loaded. */
export const AgentManifest = z.object({
  description: z.string().max(2_000),
  /** `agent` runs the model loop over instructions and tools; `function` is durable code; `custom` is a program that answers over HTTP; `mcp` a program that is an MCP server, which no run executes. */
  shape: z.enum(['agent', 'function', 'custom', 'mcp']),
  model: z.string().nullable(),
  instructions: z.string().nullable(),
  tools: z.array(ToolSummary),
  skills: z.array(z.object({ name: z.string(), description: z.string() })),
  /** Parts of the agent that it hands tasks to, each in a run of its own. */
  subagents: z
    .array(z.object({ name: PartName, description: z.string(), tools: z.array(ToolSummary) }))
    .max(100)
    .optional(),
  /** Questions that show what the agent is for. */
  examples: z.array(z.string().max(300)).max(20),
  /** Where more tools come from, which only the server knows. */
  connections: z
    .array(z.object({ name: ConnectionName, connection: Connection }))
    .max(32)
    .optional(),
  /** Schedules of the folder: they fire while the version is live. */
  schedules: z
    .array(z.object({ name: Name, schedule: DeclaredSchedule }))
    .max(100)
    .optional(),
  /** Channels of the folder: they are open while the version is live. */
  channels: z
    .array(z.object({ name: Name, channel: Channel }))
    .max(20)
    .optional(),
  /** Hooks of the folder, and at which points each is asked. */
  hooks: z
    .array(z.object({ name: z.string().max(64), points: z.array(z.enum(hookPoints)) }))
    .max(50)
    .optional(),
  /** Agents to which it hands over conversations. */
  handoffs: z.array(Name).max(20).optional(),
  toolLimits: z.record(ToolPattern, ToolLimits).optional(),
  runLimits: RunLimits.optional(),
  /** What `http_request` and `fetch_page` may reach. */
  allowedHosts: z.array(HostPattern).max(200).optional(),
  /** Whom the stock tool `mail` may write to. */
  mailRecipients: z.array(MailRecipient).max(200).optional(),
  /** What the stock tool `sql` may read, by name. */
  databases: z.record(ConnectionName, Database).optional(),
  /** What the stock tool `free_time` reads, by whose it is. */
  calendars: z.record(ConnectionName, CalendarFeed).optional(),
  sandbox: AgentSandbox.optional(),
  /** Of a custom agent: its program and how that is kept. */
  custom: CustomAgent.optional(),
  /** Of an MCP server: its program and how that is kept. */
  mcp: McpServer.optional(),
})
export type AgentManifest = z.infer<typeof AgentManifest>

export const Agent = z.object({
  name: Name,
  version: z.string(),
  /** `starting` until its worker has loaded the code; `broken` when the code does not load, with the reason in `problem`. */
  status: z.enum(['starting', 'ready', 'broken']),
  problem: z.string().nullable(),
  manifest: AgentManifest.nullable(),
  deployedAt: z.iso.datetime(),
})
export type Agent = z.infer<typeof Agent>

export const listAgents = operation({
  id: 'agents.list',
  summary: 'All agents with their live version.',
  http: ['GET', '/v1/agents'],
  permission: 'agents:read',
  input: z.strictObject({}),
  output: z.object({ items: z.array(Agent) }),
})
export const getAgent = operation({
  id: 'agents.get',
  summary: 'One agent.',
  http: ['GET', '/v1/agents/{name}'],
  permission: 'agents:read',
  input: z.strictObject({ name: Name }),
  output: Agent,
})
export const agentOperations = [listAgents, getAgent]
