// For tests: plays the agent loop around the planner, with real tools.
import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import type { LanguageModelV4CallOptions, LanguageModelV4FunctionTool, LanguageModelV4Prompt } from '@ai-sdk/provider'
import { buildLexicon } from './lexicon.ts'
import { parseLayer } from './layer.ts'
import { offlinePlanner } from './model.ts'
import { parseQuestion, readQuestion } from './parse.ts'
import { planOf, type Plan } from './plan.ts'
import { queryOf, type Query } from './sql.ts'

export type Tools = Record<string, (input: Record<string, unknown>) => unknown>
export type Played = { text: string; calls: { tool: string; input: Record<string, unknown>; output: unknown }[]; prompt: LanguageModelV4Prompt }

const turnsMax = 30
const schemas: Record<string, NonNullable<LanguageModelV4FunctionTool['inputSchema']>> = {
  query: { type: 'object', properties: { sql: { type: 'string' }, title: { type: 'string' }, show: { type: 'boolean' } } },
}

/** Asks, executes the tools that are called, and gives back the answer with all that happened on the way. */
export async function play(question: string, tools: Tools, before: LanguageModelV4Prompt = []): Promise<Played> {
  const model = offlinePlanner()
  const prompt: LanguageModelV4Prompt = [...before, { role: 'user', content: [{ type: 'text', text: question }] }]
  const offered: LanguageModelV4CallOptions['tools'] = Object.keys(tools).map((name) => ({
    type: 'function',
    name,
    inputSchema: schemas[name] ?? { type: 'object' },
  }))
  const calls: Played['calls'] = []
  for (let turn = 0; turn < turnsMax; turn++) {
    const { content } = await model.doGenerate({ prompt, tools: offered })
    const wanted = content.filter((part) => part.type === 'tool-call')
    if (wanted.length === 0) {
      const text = content.flatMap((part) => (part.type === 'text' ? part.text : [])).join('')
      return { text, calls, prompt: [...prompt, { role: 'assistant', content: [{ type: 'text', text }] }] }
    }
    prompt.push({ role: 'assistant', content: wanted.map((call) => ({ ...call, input: JSON.parse(call.input) as unknown })) })
    const results = await Promise.all(
      wanted.map(async (call) => {
        const input = JSON.parse(call.input) as Record<string, unknown>
        const output = await tools[call.toolName]?.(input)
        calls.push({ tool: call.toolName, input, output })
        return {
          type: 'tool-result' as const,
          toolCallId: call.toolCallId,
          toolName: call.toolName,
          output: typeof output === 'string' ? { type: 'text' as const, value: output } : { type: 'json' as const, value: output as null },
        }
      }),
    )
    prompt.push({ role: 'tool', content: results })
  }
  throw new Error(`No answer to ${JSON.stringify(question)} after ${turnsMax} turns.`)
}

/** The shell of a workspace, with output as the stock tool gives it. */
export const shellIn =
  (folder: string) =>
  ({ script }: Record<string, unknown>): string => {
    const { stdout, status } = spawnSync('sh', ['-c', String(script)], { cwd: folder, encoding: 'utf8' })
    return `${stdout.trimEnd()}\n[exit code ${status}]`
  }

/** The stages without the model around them: question → SQL. */
export function compilerFor(folder: string) {
  const files = new Map(
    ['', 'entities/', 'metrics/'].flatMap((below) =>
      readdirSync(`${folder}/${below}`)
        .filter((name) => name.endsWith('.yaml'))
        .map((name) => [below + name, readFileSync(`${folder}/${below}${name}`, 'utf8')] as const),
    ),
  )
  const layer = parseLayer(files)
  const lexicon = buildLexicon(layer)
  const parse = (question: string) => parseQuestion(readQuestion(question, lexicon), lexicon, layer)
  const compile = (question: string): { plan: Plan; query: Query } | { problem: string } => {
    const parsed = parse(question)
    if ('problem' in parsed) return { problem: parsed.problem.kind }
    const planned = planOf(parsed.frame, layer)
    return 'problem' in planned ? { problem: planned.problem.kind } : { plan: planned.plan, query: queryOf(planned.plan, layer) }
  }
  return { layer, lexicon, parse, compile }
}
