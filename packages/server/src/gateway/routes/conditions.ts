/** Conditions of routes, in CEL: checked when a route is made, and bounded, because they run on the way of every call. */
import { Environment, type ParseResult } from '@marcbachmann/cel-js'
import { AppError } from '../../kernel/index.ts'

/** What a condition can look at. Whole numbers are `int`. */
export type Facts = {
  request: { face: string; bytes: bigint; messages: bigint; tools: bigint; images: boolean; json: boolean; stream: boolean; text: string; difficulty: number }
  caller: { key: string; user: string; agent: string; session: string; tags: Map<string, string> }
  /** In UTC; Sunday is 0. */
  time: { hour: bigint; weekday: bigint }
}

const language = new Environment({ limits: { maxAstNodes: 200, maxDepth: 20, maxListElements: 50, maxMapEntries: 20, maxCallArguments: 8 } })
  .registerVariable({
    name: 'request',
    schema: { face: 'string', bytes: 'int', messages: 'int', tools: 'int', images: 'bool', json: 'bool', stream: 'bool', text: 'string', difficulty: 'double' },
  })
  .registerVariable({ name: 'caller', schema: { key: 'string', user: 'string', agent: 'string', session: 'string', tags: 'map<string, string>' } })
  .registerVariable({ name: 'time', schema: { hour: 'int', weekday: 'int' } })

const remembered = new Map<string, ParseResult>()
const rememberedMax = 1_000

/** Throws an `AppError` that says what is wrong with the condition. */
export function checkCondition(text: string, where: string): void {
  const wrong = (why: string) => new AppError('invalid', `${where}: ${why} A condition looks like request.difficulty < 0.4 && caller.tags["team"] == "search".`)
  // A pattern that takes exponential time would stop the whole server.
  if (/\bmatches\s*\(/.test(text)) throw wrong('matches is not offered here. Use contains, startsWith or endsWith.')
  let parsed: ParseResult
  try {
    parsed = parse(text)
  } catch (error) {
    throw wrong(summaryOf(error))
  }
  const checked = parsed.check()
  if (!checked.valid) throw wrong(summaryOf(checked.error))
  if (checked.type !== 'bool') throw wrong(`It is of type ${checked.type}, not bool.`)
}

/** Undefined when it could not be told: a tag that is not there, for example. Then the target is left out. */
export function holds(text: string, facts: Facts): boolean | undefined {
  try {
    return parse(text)(facts) === true
  } catch {
    return undefined // Of this request it says nothing.
  }
}

function parse(text: string): ParseResult {
  const known = remembered.get(text)
  if (known) return known
  const parsed = language.parse(text)
  if (remembered.size >= rememberedMax) remembered.clear()
  remembered.set(text, parsed)
  return parsed
}

const summaryOf = (error: unknown): string => {
  const text = error instanceof Error ? ('summary' in error && typeof error.summary === 'string' ? error.summary : error.message) : String(error)
  return `${text.split('\n')[0]?.slice(0, 200) ?? ''}.`
}
