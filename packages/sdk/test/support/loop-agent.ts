import { type AgentDefinition, type Tool, agent } from '../../src/agent.ts'
import type { LoadedAgent } from '../../src/folder.ts'
import type { Skill } from '../../src/instructions.ts'
import { agentProgram } from '../../src/loop.ts'
import { readSkillTool } from '../../src/skills.ts'
import { defineTool } from '../../src/tool-definition.ts'

export type Parts = { tools?: Record<string, Tool>; skills?: Skill[]; instructions?: string; options?: Partial<AgentDefinition> }

/** An agent of the loop without a folder. */
export function makeAgent({ tools = {}, skills = [], instructions, options = {} }: Parts): LoadedAgent {
  const all = { ...tools, ...(skills.length > 0 ? { read_skill: readSkillTool(skills) } : {}) }
  const entries = new Map(Object.entries(all).map(([name, one]) => [name, { tool: one, definition: defineTool(name, one) }]))
  const definition = agent({ description: 'test', ...options })
  const manifest: LoadedAgent['manifest'] = { description: 'test', shape: 'agent', model: 'default', instructions: null, tools: [], skills: [], examples: [] }
  return { manifest, program: agentProgram({ definition, instructions, tools: entries, connections: [], skills }), prepare: undefined }
}
