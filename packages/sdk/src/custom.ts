/** Custom agents: `agent/agent.json` names a program, and the server runs it. Here it is checked, and each run asks it once. */
import { type AgentManifest, CustomAgent, type ToolDefinition, serverTools } from '@longhaul/protocol/agent'
import type { NamedConnection } from './connections.ts'
import { type LoopContext, invoke } from './context.ts'
import { withSources } from './named-sources.ts'
import { defineTool } from './tool-definition.ts'
import type { Program } from './worker.ts'

export const noRecipients =
  "mail and nobody whom it may write to: add mailRecipients, for example ['ada@example.com'], or ['example.com'] for everybody of this domain."

/** What is wrong with it as text. */
export function customAgent(declared: unknown, connections: readonly NamedConnection[]): { manifest: AgentManifest; program: Program } | string {
  const parsed = CustomAgent.safeParse(declared)
  if (!parsed.success)
    return `is no custom agent: ${parsed.error.issues.map(({ path, message }) => (path.length > 0 ? `${path.map(String).join('.')}: ${message}` : message)).join('; ')}`
  const custom = parsed.data
  const { description, examples, stockTools, allowedHosts, mailRecipients, databases, calendars, toolLimits, runLimits, effect } = custom
  for (const name of ['http_request', 'fetch_page'] as const)
    if (stockTools.includes(name) && allowedHosts.length === 0)
      return `has the stock tool ${name} and no host that it may reach: add allowedHosts, for example ["api.example.com"], or ["*"] for every public host.`
  if (stockTools.includes('mail') && mailRecipients.length === 0) return `has the stock tool ${noRecipients}`
  const tools: ToolDefinition[] = []
  for (const name of stockTools) {
    const definition = withSources(defineTool(name, serverTools[name]), custom)
    if (typeof definition === 'string') return definition
    tools.push(definition)
  }
  const manifest: AgentManifest = {
    ...{ description, examples, shape: 'custom', model: null, instructions: null, skills: [], custom },
    tools,
    ...(connections.length > 0 && { connections: [...connections] }),
    ...(Object.keys(toolLimits).length > 0 && { toolLimits }),
    ...(runLimits && { runLimits }),
    ...(allowedHosts.length > 0 && { allowedHosts }),
    ...(mailRecipients.length > 0 && { mailRecipients }),
    ...(Object.keys(databases).length > 0 && { databases }),
    ...(Object.keys(calendars).length > 0 && { calendars }),
  }
  return { manifest, program: (ctx, { input }) => (ctx as LoopContext)[invoke]({ input, effect }) } // What the worker hands to every program.
}
