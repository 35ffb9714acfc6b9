// Names that the semantic layer cannot list, such as those of companies, are looked up in the columns that hold them.
import type { Call } from './decide.ts'
import type { Layer } from './layer.ts'
import type { FoundValue } from './lexicon.ts'
import type { Question } from './parse.ts'
import { readResult } from './result.ts'
import { text } from './sql-figures.ts'
import type { Token } from './tokens.ts'

/** A stretch of the question that may be a name. */
/** `isWhole`: nothing that could belong to the name follows it. */
export type NameRun = { from: number; to: number; said: string; isCertain: boolean; isWhole: boolean }
export type Looked = { kind: 'found'; values: FoundValue[] } | { kind: 'several'; said: string; names: string[] } | { kind: 'none' }

const namesShown = 8
const rowsMax = 40

/** Columns without a closed list of values: those that hold names. One for each place where they are stored. */
export function nameColumns(layer: Layer): { table: string; column: string; refs: string[] }[] {
  const found = new Map<string, { table: string; column: string; refs: string[] }>()
  for (const { ref, table, column, values } of layer.dimensions.values()) {
    if (values.length > 0) continue
    const key = `${table}.${column}`
    const known = found.get(key) ?? { table, column, refs: [] }
    found.set(key, { ...known, refs: [...known.refs, ref] })
  }
  return [...found.values()]
}

/** Words that nothing explained, together with the capitals or characters beside them. */
export function nameRuns({ text: asked, tokens }: Question, unknown: readonly { from: number; to: number }[]): NameRun[] {
  const runs: NameRun[] = []
  for (const { from: start, to: end } of unknown) {
    if (runs.some((run) => start >= run.from && start < run.to)) continue
    let [from, to] = [start, end]
    const isHan = tokens[start]?.kind === 'han'
    while (belongs(tokens, from - 1, from, isHan, unknown)) from--
    while (belongs(tokens, to, to - 1, isHan, unknown)) to++
    const said = asked.slice(tokens[from]?.start, tokens[to - 1]?.end)
    if (said.length >= 2) runs.push({ from, to, said, isCertain: isHan || isCapital(tokens[start]), isWhole: !isHan || isEnd(tokens[to]) })
  }
  return runs
}

const ends = '的在是有和与及、，。？！了上下本今去最近各每按从到占比这中里时,.?! '
const isEnd = (token: Token | undefined): boolean => token === undefined || token.kind !== 'han' || ends.includes(token.norm)
const isCapital = (token: Token | undefined): boolean => token?.kind === 'word' && /^\p{Lu}/u.test(token.text)
const isJoint = (token: Token | undefined): boolean => token?.norm === '&' || token?.norm === '.' || token?.norm === '-'

function belongs(tokens: readonly Token[], at: number, inner: number, isHan: boolean, unknown: readonly { from: number; to: number }[]): boolean {
  const token = tokens[at]
  if (!token) return false
  if (unknown.some((span) => at >= span.from && at < span.to)) return true
  if (isHan) return false
  if (isJoint(token)) return isCapital(tokens[at + (at > inner ? 1 : -1)])
  // The first word of a sentence is capital anyway.
  // "Chloe Jansen's CSAT": nothing behind a possessive belongs to the name, and no abbreviation does.
  if (tokens[Math.min(at, inner)]?.isPossessive || /^\p{Lu}{2,}$/u.test(token.text)) return false
  return (isCapital(token) && at > 0) || (at > 0 && token.kind === 'number' && isCapital(tokens[inner]))
}

/** As if the run were a name: lets the parser say whether the question would make sense with it. */
export const asIf = (run: NameRun, layer: Layer): FoundValue[] => nameColumns(layer).flatMap(({ refs }) => refs.map((ref) => ({ ref, value: run.said })))

/** `isQuiet`: the tool can keep the table from the person, who asked for something else. */
export function lookupCall(run: NameRun, layer: Layer, isQuiet: boolean): Call {
  const pattern = text(
    `%${run.said
      .toLowerCase()
      .replace(/[\\%_]/g, '\\$&')
      .replace(/\s+/g, ' ')}%`,
  )
  const selects = nameColumns(layer).map(
    ({ table, column }) =>
      `select ${text(`${table}.${column}`)} as held_in, ${column} as name from ${table} where lower(${column}) like ${pattern} escape '\\'`,
  )
  return {
    tool: 'query',
    input: {
      sql: `select distinct held_in, name from (\n  ${selects.join('\n  union all\n  ')}\n) as names\norder by name\nlimit ${rowsMax}`,
      title: run.said,
      ...(isQuiet && { show: false }),
    },
  }
}

/** A whole name that stands in the question, or the only one that holds what was said. Lower case must be the whole name: it may be any word. */
export function readLookup(run: NameRun, layer: Layer, asked: string, output: unknown): Looked {
  const result = readResult(output)
  if ('error' in result) return { kind: 'none' }
  const columns = nameColumns(layer)
  const rows = result.rows.flatMap(([heldIn, name]) => {
    const column = columns.find(({ table, column: field }) => `${table}.${field}` === heldIn)
    return column && typeof name === 'string' ? [{ name, column }] : []
  })
  const inQuestion = rows.filter(({ name }) => name.length > 2 && asked.toLowerCase().includes(name.toLowerCase()))
  const longest = Math.max(0, ...inQuestion.map(({ name }) => name.length))
  const same = inQuestion.filter(({ name }) => name.length === longest)
  const words = new RegExp(`(^|[^\\p{L}\\p{N}])${run.said.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}($|[^\\p{L}\\p{N}])`, 'iu')
  const partly = run.isCertain && run.isWhole ? rows.filter(({ name }) => words.test(name) || /\p{Script=Han}/u.test(run.said)) : []
  const fitting = same.length > 0 ? same : partly
  const names = [...new Set(fitting.map(({ name }) => name))]
  if (names.length === 0) return { kind: 'none' }
  if (names.length > 1) return { kind: 'several', said: run.said, names: names.slice(0, namesShown) }
  return { kind: 'found', values: fitting.flatMap(({ name, column }) => column.refs.map((ref) => ({ ref, value: name }))) }
}
