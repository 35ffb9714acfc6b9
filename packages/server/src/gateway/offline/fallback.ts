// For agents that have no semantic layer to look at: says what this is, and calls a tool only if it was named.
import type { Move } from './decide.ts'
import { isChinese } from './tokens.ts'
import type { ToolOffer, Transcript } from './transcript.ts'

export function fallback(transcript: Transcript, why?: string): Move {
  const question = transcript.questions.at(-1) ?? ''
  const named = transcript.tools.find((tool) => mentions(question, tool.name))
  const done = named && transcript.done.findLast((call) => call.tool === named.name)
  if (done) return { kind: 'say', text: report(question, done.tool, done.output, done.isError) }
  const input = named && inputFor(named, question)
  if (named && input) return { kind: 'call', calls: [{ tool: named.name, input }] }
  return { kind: 'say', text: introduction(question, named, why) }
}

/** Its name, or its words in a row: `roll_dice`, "roll dice", "roll the dice". */
function mentions(question: string, name: string): boolean {
  const words = name
    .split(/[_\W]+/)
    .filter((word) => word !== '')
    .map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return words.length > 0 && new RegExp(`(^|[^\\p{L}\\p{N}])${words.join('[\\s_-]+(?:the\\s+|a\\s+)?')}($|[^\\p{L}\\p{N}])`, 'iu').test(question)
}

type Schema = { type?: string; enum?: unknown[]; default?: unknown; properties?: Record<string, Schema>; required?: string[] }

/** Arguments that stand in the question: JSON, numbers in order, quoted text, words of an enumeration. Undefined when a required one is missing. */
function inputFor({ schema, name }: ToolOffer, question: string): Record<string, unknown> | undefined {
  const { properties = {}, required = [] } = isSchema(schema) ? schema : {}
  const numbers = [...question.replaceAll(name, ' ').matchAll(/-?\d+(?:\.\d+)?/g)].map(([number]) => Number(number))
  const quoted = [...question.matchAll(/["“「]([^"”」]+)["”」]/g)].map(([, inner]) => inner ?? '')
  const input: Record<string, unknown> = {}
  for (const [key, property] of Object.entries(properties)) {
    const choice = property.enum?.find((option) => typeof option === 'string' && question.toLowerCase().includes(option.toLowerCase()))
    const value =
      choice ??
      (property.type === 'integer' || property.type === 'number' ? numbers.shift() : property.type === 'string' && !property.enum ? quoted.shift() : undefined)
    if (value !== undefined) input[key] = value
    else if (required.includes(key) && property.default === undefined) return undefined
  }
  return input
}

const isSchema = (schema: unknown): schema is Schema => typeof schema === 'object' && schema !== null

function report(question: string, tool: string, output: unknown, isError: boolean): string {
  const shown = typeof output === 'string' ? output : JSON.stringify(output)
  if (isChinese(question)) return `我是 offline/planner：基于规则的替代程序，不是语言模型。我调用了 ${tool}，${isError ? '它失败了：' : '结果是：'}${shown}`
  return `I am offline/planner, a rule-based stand-in, not a language model. I called ${tool}, and it ${isError ? 'failed' : 'returned'}: ${shown}`
}

function introduction(question: string, named: ToolOffer | undefined, why?: string): string {
  const asked = question.length > 200 ? `${question.slice(0, 200)}…` : question
  if (isChinese(question)) {
    return `我是 offline/planner：基于规则的替代程序，不是语言模型，因此离线模式下我无法回答这个问题。${why ? `${why} ` : ''}问题是：“${asked}”。${named ? `要调用 ${named.name}，问题里须写明它的参数。` : ''}配置一个模型提供方后即可得到回答。`
  }
  return `I am offline/planner, a rule-based stand-in, not a language model, so I can't answer that offline. ${why ? `${why} ` : ''}You asked: “${asked}”. ${named ? `To call ${named.name}, its arguments must stand in the question. ` : ''}Configure a model provider to get an answer.`
}
