import { type AgentDefinition, type Tool, agent } from '../../src/agent.ts'
import type { LoadedAgent } from '../../src/folder.ts'
import { handoffEntry, handoffToolName } from '../../src/handoffs.ts'
import { type NamedHook, openHooks } from '../../src/hooks.ts'
import type { Skill } from '../../src/instructions.ts'
import { type ToolEntry, agentProgram } from '../../src/loop.ts'
import { readSkillTool } from '../../src/skills.ts'
import { defineTool } from '../../src/tool-definition.ts'

export type Parts = { tools?: Record<string, Tool>; skills?: Skill[]; instructions?: string; options?: Partial<AgentDefinition>; hooks?: NamedHook[] }

/** An agent of the loop without a folder. */
export function makeAgent({ tools = {}, skills = [], instructions, options = {}, hooks = [] }: Parts): LoadedAgent {
  const all = { ...tools, ...(skills.length > 0 ? { read_skill: readSkillTool(skills) } : {}) }
  const entries = new Map<string, ToolEntry>(
    Object.entries(all).map(([name, one]): [string, ToolEntry] => [name, { tool: one, definition: defineTool(name, one) }]),
  )
  for (const [name, when] of Object.entries(options.handoffs ?? {})) entries.set(handoffToolName(name), handoffEntry(name, when))
  const definition = agent({ description: 'test', ...options })
  const manifest: LoadedAgent['manifest'] = { description: 'test', shape: 'agent', model: 'default', instructions: null, tools: [], skills: [], examples: [] }
  return { manifest, program: agentProgram({ definition, instructions, tools: entries, connections: [], skills, hooks: openHooks(hooks) }), prepare: undefined }
}
