/**
 * Loads an agent's folder: `agent/agent.ts`, and beside it `instructions.md`, `tools/*.ts`, `skills/*.md`, `hooks/*.ts`,
 * `connections/`, `schedules/`, `channels/`, `subagents/`. Finds every
 * fault that it can before it gives up, so that an author sees all of them at once.
 */
import { basename, join, relative } from 'node:path'
import {
  type AgentManifest,
  AgentSandbox,
  ConnectionName,
  CalendarFeed,
  Database,
  HostPattern,
  MailRecipient,
  Name,
  RetryPolicy,
  RunLimits,
  type ServerTool,
  ToolLimits,
  ToolPattern,
  effects,
  hookPoints,
  serverToolNames,
  serverTools,
} from '@longhaul/protocol/agent'
import { z } from 'zod'
import { type AgentDefinition, type DurableFunction, type StockTool, TerminalFailure, type Tool } from './agent.ts'
import type { Skill } from './instructions.ts'
import { type NamedConnection, declarationFile, parseConnection } from './connections.ts'
import { customAgent, noRecipients } from './custom.ts'
import { type DeclaredParts, loadDeclared } from './declared.ts'
import { delegateEntry, delegateToolName } from './delegates.ts'
import { type Report, codeFile, describeIssues, findCode, list, listFolders, listOf, loadDefault, readJson, readText } from './folder-files.ts'
import { handoffEntry, handoffToolName } from './handoffs.ts'
import { HookShape, type NamedHook, openHooks } from './hooks.ts'
import { type ToolEntry, agentProgram } from './loop.ts'
import { mcpServer } from './mcp-server.ts'
import { withSources } from './named-sources.ts'
import { provideOwnPackages } from './own-packages.ts'
import { parseSkill, readSkillTool } from './skills.ts'
import { stockTools } from './stock-tools.ts'
import { answerTool, structuredBy } from './structured.ts'
import { defineTool } from './tool-definition.ts'
import { withToolPart } from './tool-part.ts'
import type { Program } from './worker.ts'

export type LoadedAgent = { manifest: AgentManifest; program: Program; prepare: AgentDefinition['prepare'] }

/** The folder's code cannot be an agent. The message names each file and what is wrong with it. */
export class FolderProblem extends Error {
  override readonly name = 'FolderProblem'
}

const customFile = 'agent.json'
const toolName = /^[a-zA-Z0-9_-]{1,64}$/
const stockNames = Object.keys(stockTools) as [StockTool, ...StockTool[]] // The record's keys are the names.

const zodSchema = z.custom((value) => typeof value === 'object' && value !== null && '_zod' in value, 'must be a zod 4 schema')
const about = {
  description: z.string().min(1).max(2_000),
  examples: z.array(z.string().max(300)).max(20),
  prepare: z.function().optional(),
  allowedHosts: z.array(HostPattern).max(200),
  mailRecipients: z.array(MailRecipient).max(200),
  toolLimits: z.record(ToolPattern, ToolLimits),
  runLimits: RunLimits.optional(),
  sandbox: AgentSandbox.optional(),
}
const Definition = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('agent'),
    ...about,
    model: z.string().min(1).max(200),
    instructions: z.function().optional(),
    stockTools: z.array(z.enum([...stockNames, ...serverToolNames])),
    turnsMax: z.number().int().min(1).max(1_000),
    fallbackModels: z.array(z.string().min(1).max(200)).max(10),
    costUsdMax: z.number().positive().optional(),
    contextTokensMax: z.number().int().min(1_000).max(10_000_000),
    output: zodSchema.optional(),
    agents: z.record(Name.max(60), z.string().min(1).max(2_000)),
    handoffs: z.record(Name.max(50), z.string().min(1).max(2_000)),
    connections: z.array(z.string()).optional(),
    databases: z.record(ConnectionName, Database),
    calendars: z.record(ConnectionName, CalendarFeed),
  }),
  z.object({ kind: z.literal('function'), ...about, main: z.function() }),
])
const ToolShape = z
  .object({
    kind: z.literal('tool'),
    description: z.string().min(1).max(4_000),
    input: zodSchema,
    timeoutMs: z.number().int().min(1).max(3_600_000),
    effect: z.enum(effects).optional(),
    retry: RetryPolicy.partial().optional(),
    isOutside: z.boolean().optional(),
    check: z.custom((value) => value === undefined || typeof value === 'function', 'must be a function').optional(),
    run: z.custom((value) => typeof value === 'function', 'must be a function'),
  })
  .refine(({ effect, check }) => check === undefined || effect === 'write', { path: ['check'], error: 'belongs to a tool whose effect is "write"' })
  .refine(({ effect, retry }) => retry === undefined || effect === 'none' || effect === 'idempotent', {
    path: ['retry'],
    error: 'belongs to a tool whose effect is "none" or "idempotent": any other may have taken effect when it failed',
  })

/** `folder` is the one that contains `agent/`. */
export async function loadAgent(folder: string): Promise<LoadedAgent> {
  provideOwnPackages()
  const problems: string[] = []
  const report = (path: string, problem: string) => void problems.push(`${relative(folder, path)}: ${problem}`)
  const root = join(folder, 'agent')

  const connections = await loadConnections(join(root, 'connections'), report)
  const declared = await loadDeclared(root, report)
  if ((await readText(join(root, customFile))) !== undefined) {
    const loaded = await loadCustom(root, connections, report)
    if (problems.length > 0 || !loaded) throw new FolderProblem(problems.join('\n'))
    return { program: withToolPart(loaded.program), manifest: { ...loaded.manifest, ...declaredOf(declared) }, prepare: undefined }
  }
  const names = connections.map(({ name }) => name)
  const main = await loadPart(root, names, report)
  const named = await loadHooks(join(root, 'hooks'), report)
  const subagents = await loadSubagents(join(root, 'subagents'), names, report)
  const { definition, tools } = main
  if (definition?.kind === 'agent') addDelegates(tools, definition, subagents, (problem) => report(join(root, 'agent.ts'), problem))
  if (definition?.kind === 'function' && tools.size + main.skills.length + subagents.length + named.length > 0) {
    report(
      join(root, 'agent.ts'),
      'is a durable function, which has no tools, no skills, no hooks and no subagents: they belong to agents made by agent(). Keep shared code in a folder of another name.',
    )
  }
  if (problems.length > 0 || !definition) throw new FolderProblem(problems.join('\n'))

  const { instructions, skills } = main
  const manifest: AgentManifest = {
    description: definition.description,
    shape: definition.kind,
    model: definition.kind === 'agent' ? definition.model : null,
    instructions: definition.kind === 'agent' ? (instructions ?? null) : null,
    tools: [...tools.values()].map((entry) => entry.definition),
    skills: skills.map(({ name, description }) => ({ name, description })),
    examples: definition.examples,
    ...(subagents.length > 0 && {
      subagents: subagents.map(({ name, definition: { description }, tools: own }) => ({
        name,
        description,
        tools: [...own.values()].map((entry) => entry.definition),
      })),
    }),
    ...(connections.length > 0 && { connections }),
    ...declaredOf(declared),
    ...(named.length > 0 && { hooks: named.map(({ name, hook }) => ({ name, points: hookPoints.filter((point) => hook[point]) })) }),
    ...(definition.kind === 'agent' && Object.keys(definition.handoffs).length > 0 && { handoffs: Object.keys(definition.handoffs) }),
    ...(Object.keys(definition.toolLimits).length > 0 && { toolLimits: definition.toolLimits }),
    ...(definition.runLimits && { runLimits: definition.runLimits }),
    ...(definition.allowedHosts.length > 0 && { allowedHosts: definition.allowedHosts }),
    ...(definition.mailRecipients.length > 0 && { mailRecipients: definition.mailRecipients }),
    ...(definition.kind === 'agent' &&
      Object.keys(definition.databases).length > 0 && { databases: z.record(ConnectionName, Database).parse(definition.databases) }),
    ...(definition.kind === 'agent' &&
      Object.keys(definition.calendars).length > 0 && { calendars: z.record(ConnectionName, CalendarFeed).parse(definition.calendars) }),
    ...(definition.sandbox && { sandbox: AgentSandbox.parse(definition.sandbox) }),
  }
  const hooks = openHooks(named) // For subagents as well: what must not pass must not pass there either.
  const program =
    definition.kind === 'function' ? functionProgram(definition) : agentProgram({ connections: definition.connections ?? names, ...main, definition, hooks })
  const parts = new Map(subagents.map((part) => [part.name, agentProgram({ connections: part.definition.connections ?? [], ...part, hooks })]))
  return { manifest, program: withToolPart(parts.size > 0 ? withParts(program, parts) : program), prepare: definition.prepare }
}

/** A run of a subagent executes that part of the version, and nothing else. */
const withParts =
  (program: Program, parts: ReadonlyMap<string, Program>): Program =>
  async (ctx, head) => {
    const part = head.part === undefined ? program : parts.get(head.part)
    if (!part) throw new TerminalFailure(`This version has no subagent ${JSON.stringify(head.part)}.`)
    return part(ctx, head)
  }

type Part = {
  definition: AgentDefinition | DurableFunction | undefined
  instructions: string | undefined
  tools: Map<string, ToolEntry>
  skills: Skill[]
}

/** An agent without its connections and subagents: those of the folder, or one of its subagents. */
async function loadPart(folder: string, connections: readonly string[], report: Report): Promise<Part> {
  const file = join(folder, 'agent.ts')
  const definition = await loadDefinition(await findCode(folder, 'agent'), file, report)
  const instructions = await readText(join(folder, 'instructions.md'))
  const tools = await loadTools(join(folder, 'tools'), report)
  const skills = await loadSkills(join(folder, 'skills'), report)
  if (definition?.kind === 'agent') addBuiltIn(tools, definition, skills, (problem) => report(file, problem))
  for (const name of (definition?.kind === 'agent' && definition.connections) || [])
    if (!connections.includes(name)) report(file, `names the connection ${JSON.stringify(name)}, and there is none in connections/ of that name.`)
  for (const name of connections)
    for (const own of tools.keys())
      if (own.startsWith(`${name}__`))
        report(join(folder, 'tools', own), `its name is one that the tools of the connection ${name} have, which begin with ${JSON.stringify(`${name}__`)}.`)
  return { definition, instructions, tools, skills }
}

type Subagent = Part & { name: string; definition: AgentDefinition }

async function loadSubagents(folder: string, connections: readonly string[], report: Report): Promise<Subagent[]> {
  const found: Subagent[] = []
  for (const name of await listFolders(folder)) {
    const path = join(folder, name)
    if (!toolName.test(name)) {
      report(path, `its name is the tool's, so it must be 1 to 64 letters, digits, "_" and "-", not ${JSON.stringify(name)}.`)
      continue
    }
    const part = await loadPart(path, connections, report)
    const { definition } = part
    if (definition?.kind === 'function') report(join(path, 'agent.ts'), 'is a durable function. A subagent is made by agent().')
    else if (definition) {
      for (const [what, isGiven] of [
        ['prepare', definition.prepare !== undefined],
        ['allowedHosts', definition.allowedHosts.length > 0],
        ['mailRecipients', definition.mailRecipients.length > 0],
        ['toolLimits', Object.keys(definition.toolLimits).length > 0],
        ['sandbox', definition.sandbox !== undefined],
        ['databases', Object.keys(definition.databases).length > 0],
        ['calendars', Object.keys(definition.calendars).length > 0],
        ['handoffs', Object.keys(definition.handoffs).length > 0],
      ] as const)
        if (isGiven) report(join(path, 'agent.ts'), `has ${what}, which holds for the whole agent: it belongs into agent/agent.ts.`)
      addDelegates(part.tools, definition, [], (problem) => report(join(path, 'agent.ts'), problem))
      found.push({ ...part, name, definition })
    }
  }
  return found
}

/** Subagents under the names of their folders, other agents as `ask_<name>`. */
function addDelegates(
  tools: Map<string, ToolEntry>,
  { agents, handoffs, output }: AgentDefinition,
  subagents: readonly Subagent[],
  report: (problem: string) => void,
): void {
  const delegates = new Map<string, ToolEntry>([
    ...subagents.map(({ name, definition }): [string, ToolEntry] => [name, delegateEntry(name, definition.description, { part: name })]),
    ...Object.entries(agents).map(([agent, description]): [string, ToolEntry] => {
      const name = delegateToolName(agent)
      return [name, delegateEntry(name, description, { agent })]
    }),
    ...Object.entries(handoffs).map(([agent, when]): [string, ToolEntry] => [handoffToolName(agent), handoffEntry(agent, when)]),
  ])
  for (const [name, entry] of delegates) {
    if (tools.has(name)) report(`has a subagent or an agent that the model would know as ${JSON.stringify(name)}, and a tool of that name as well.`)
    else tools.set(name, entry)
  }
  if (!output) return
  if (Object.keys(handoffs).length > 0)
    report('has an output and handoffs: who is handed the conversation answers in a shape of its own. Leave one of them out.')
  if (tools.has(answerTool)) report(`has an output, which the model gives by the tool ${answerTool}, and a tool of that name as well.`)
  try {
    structuredBy(output)
  } catch (error) {
    report(`its output ${error instanceof Error ? error.message : String(error)}`)
  }
}

export const functionProgram =
  (definition: DurableFunction): Program =>
  (ctx, { input }) =>
    definition.main(ctx, input)

/** A folder with `agent.json` in place of `agent.ts` holds a program that speaks HTTP, or one that is an MCP server. */
async function loadCustom(root: string, connections: readonly NamedConnection[], report: Report) {
  const path = join(root, customFile)
  if (await findCode(root, 'agent')) return void report(path, 'stands beside agent.ts, and an agent is one or the other.')
  const declared = await readJson(path, report)
  if (declared === undefined) return undefined
  const isMcp = typeof declared === 'object' && declared !== null && 'kind' in declared && declared.kind === 'mcp'
  const loaded = isMcp ? mcpServer(declared) : customAgent(declared, connections)
  return typeof loaded === 'string' ? void report(path, loaded) : loaded
}

async function loadDefinition(path: string | undefined, expected: string, report: Report): Promise<AgentDefinition | DurableFunction | undefined> {
  if (!path) return void report(expected, 'is missing. It must have what agent() or durable() makes as its default export.')
  const found = await loadDefault(path, report)
  if (found === undefined) return undefined
  const parsed = Definition.safeParse(found)
  if (!parsed.success) return void report(path, `its default export is not what agent() or durable() makes: ${describeIssues(parsed.error)}`)
  return found as AgentDefinition | DurableFunction // Just checked; the original keeps its functions as they are.
}

async function loadTools(folder: string, report: Report): Promise<Map<string, ToolEntry>> {
  const tools = new Map<string, ToolEntry>()
  for (const file of await list(folder, codeFile)) {
    const path = join(folder, file)
    const name = basename(file).replace(codeFile, '')
    if (!toolName.test(name)) report(path, `its name is the tool's, so it must be 1 to 64 letters, digits, "_" and "-", not ${JSON.stringify(name)}.`)
    else if (tools.has(name)) report(path, `there is another tool ${JSON.stringify(name)}.`)
    else {
      const entry = await loadTool(name, path, report)
      if (entry) tools.set(name, entry)
    }
  }
  return tools
}

async function loadTool(name: string, path: string, report: Report): Promise<ToolEntry | undefined> {
  const found = await loadDefault(path, report)
  if (found === undefined) return undefined
  const parsed = ToolShape.safeParse(found)
  if (!parsed.success) return void report(path, `its default export is not what tool() makes: ${describeIssues(parsed.error)}`)
  try {
    const tool = found as Tool // Just checked.
    return { tool, definition: defineTool(name, tool) }
  } catch (error) {
    return void report(path, `its input ${error instanceof Error ? error.message : String(error)}`)
  }
}

function addBuiltIn(
  tools: Map<string, ToolEntry>,
  { stockTools: names, allowedHosts, mailRecipients, ...named }: AgentDefinition,
  skills: Skill[],
  report: (problem: string) => void,
): void {
  const builtIn = new Map<string, ToolEntry>(names.map((name) => [name, isServerTool(name) ? serverEntry(name) : ownEntry(name, stockTools[name])]))
  if (skills.length > 0) builtIn.set('read_skill', ownEntry('read_skill', readSkillTool(skills)))
  for (const name of ['http_request', 'fetch_page'])
    if (builtIn.has(name) && allowedHosts.length === 0)
      report(`has the stock tool ${name} and no host that it may reach: add allowedHosts, for example ['api.example.com'], or ['*'] for every public host.`)
  if (builtIn.has('mail') && mailRecipients.length === 0) report(`has the stock tool ${noRecipients}`)
  for (const [name, entry] of builtIn) {
    const definition = withSources(entry.definition, named)
    if (typeof definition === 'string') report(definition)
    else entry.definition = definition
    if (tools.has(name))
      report(
        `the folder's own tool ${JSON.stringify(name)} has the name of ${name === 'read_skill' ? 'the tool that reads skills' : 'a stock tool; leave that out of stockTools'}.`,
      )
    else tools.set(name, entry)
  }
}

const isServerTool = (name: StockTool | ServerTool): name is ServerTool => name in serverTools
const ownEntry = (name: string, tool: Tool): ToolEntry => ({ tool, definition: defineTool(name, tool) })
const serverEntry = (name: ServerTool): ToolEntry => ({ input: serverTools[name].input, definition: defineTool(name, serverTools[name]) })

const declaredOf = ({ schedules, channels }: DeclaredParts): Partial<AgentManifest> => ({
  ...(schedules.length > 0 && { schedules }),
  ...(channels.length > 0 && { channels }),
})

async function loadHooks(folder: string, report: Report): Promise<NamedHook[]> {
  const hooks: NamedHook[] = []
  for (const file of await list(folder, codeFile)) {
    const path = join(folder, file)
    const name = basename(file).replace(codeFile, '')
    const found = await loadDefault(path, report)
    if (found === undefined) continue
    const parsed = HookShape.safeParse(found)
    if (!toolName.test(name)) report(path, `its name is the hook's, so it must be 1 to 64 letters, digits, "_" and "-", not ${JSON.stringify(name)}.`)
    else if (!parsed.success) report(path, `its default export is not what hook() makes: ${describeIssues(parsed.error)}`)
    else hooks.push({ name, hook: found as NamedHook['hook'] }) // Just checked; the original keeps its functions as they are.
  }
  return hooks
}

async function loadConnections(folder: string, report: Report): Promise<NamedConnection[]> {
  const found: NamedConnection[] = []
  const files = await listOf(folder, () => true)
  for (const file of files.filter((name) => declarationFile.test(name))) {
    const path = join(folder, file)
    const value = file.endsWith('.json') ? await readJson(path, report) : await loadDefault(path, report)
    if (value === undefined) continue
    const parsed = parseConnection(file, value, files)
    if (typeof parsed === 'string') report(path, parsed)
    else if (found.some(({ name }) => name === parsed.name)) report(path, `there is another connection ${JSON.stringify(parsed.name)}.`)
    else found.push(parsed)
  }
  return found
}

async function loadSkills(folder: string, report: Report): Promise<Skill[]> {
  const skills: Skill[] = []
  for (const file of await list(folder, /\.md$/)) {
    const skill = parseSkill(file, (await readText(join(folder, file))) ?? '')
    if (!toolName.test(skill.name)) report(join(folder, file), `its name must be 1 to 64 letters, digits, "_" and "-", not ${JSON.stringify(skill.name)}.`)
    else if (skills.some((other) => other.name === skill.name)) report(join(folder, file), `there is another skill ${JSON.stringify(skill.name)}.`)
    else if (skill.text === '') report(join(folder, file), 'is empty.')
    else skills.push(skill)
  }
  return skills
}
