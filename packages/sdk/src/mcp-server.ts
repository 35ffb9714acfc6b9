/** MCP servers: `agent/agent.json` names a program, which the server offers to clients of MCP. Here it is only checked: no run executes it. */
import { type AgentManifest, McpServer } from '@longhaul/protocol/agent'
import { TerminalFailure } from './agent.ts'
import { describeIssues } from './folder-files.ts'
import type { Program } from './worker.ts'

/** What is wrong with it as text. */
export function mcpServer(declared: unknown): { manifest: AgentManifest; program: Program } | string {
  const parsed = McpServer.safeParse(declared)
  if (!parsed.success) return `is no MCP server: ${describeIssues(parsed.error)}`
  const { description, toolLimits } = parsed.data
  const manifest: AgentManifest = {
    ...{ description, examples: [], shape: 'mcp', model: null, instructions: null, skills: [], tools: [], mcp: parsed.data },
    ...(Object.keys(toolLimits).length > 0 && { toolLimits }),
  }
  return {
    manifest,
    program: async (ctx) => {
      throw new TerminalFailure(`${ctx.run.agent} is an MCP server and no agent: connect a client of MCP to /mcp/${ctx.run.agent}.`)
    },
  }
}
