/** One case: what was expected, what came, and whether that is it. */
import type { Answer } from '@longhaul/protocol'
import { wholeNumber } from '../show/values.ts'
import type { Case, Truth } from './cases.ts'
import { numberOf, sameNumber } from './cells.ts'
import type { CellValue } from './cells.ts'
import { matchesTable } from './match.ts'
import type { Rows } from './match.ts'
import { mentionsLimit, numbersIn, numbersPresented, refuses } from './sentence.ts'

/** What a run came to. `problem`: it has no answer, and why. */
export type Outcome = { answer: Pick<Answer, 'text' | 'parts'> } | { problem: string }
export type Verdict = {
  isPassed: boolean
  why: string
  expected: string
  got: string
  /** What a model found by the case's rubric. */
  judgment?: { model: string; isPassed: boolean; reasons: string[] }
}

export function judge(test: Case, outcome: Outcome, truth: Truth | undefined): Verdict {
  const rubric = test.expect.answerable ? test.expect.rubric : undefined
  const expected = truth ? rowsInShort(truth.rows) : rubric !== undefined ? rubric : 'a refusal'
  if ('problem' in outcome) return { isPassed: false, why: outcome.problem, expected, got: 'no answer' }
  const why = test.expect.answerable
    ? test.expect.truth_sql === undefined
      ? undefined
      : whyNotTrue(test, test.expect, outcome.answer, truth ?? { columns: [], rows: [] })
    : whyNotRefused(test, outcome.answer)
  return { isPassed: why === undefined, why: why ?? '', expected, got: answerInShort(outcome.answer) }
}

type Given = Pick<Answer, 'text' | 'parts'>
const tablesOf = (answer: Given) => answer.parts.flatMap((part) => (part.type === 'table' ? [part] : []))

function whyNotTrue(test: Case, expect: Extract<Case['expect'], { answerable: true }>, answer: Given, truth: Truth): string | undefined {
  const { tolerance, ordered: isOrdered } = expect
  const tables = tablesOf(answer)
  const isLimited = test.access?.regions !== undefined || test.access?.personalData === false
  const isMatched = tables.some((table) => matchesTable(truth.rows, table.rows, { tolerance, isOrdered })) || saysSingleNumber(truth.rows, answer, tolerance)
  if (!isMatched) {
    if (tables.length === 0) return refuses(answer.text) ? 'it refused' : 'there is no table'
    if (tables.every(({ rows }) => rows.length !== truth.rows.length))
      return `it has ${tables.map(({ rows }) => rows.length).join(' and ')} rows and not ${truth.rows.length}`
    return isOrdered ? 'the values or their order differ' : 'the values differ'
  }
  return isLimited && test.access && !mentionsLimit(answer.text, test.access) ? 'the text does not mention the limit' : undefined
}

/** A single number may also stand in the sentence, or in a row among other things. */
function saysSingleNumber(truth: Rows, answer: Given, tolerance: number): boolean {
  const only = truth.length === 1 && truth[0]?.length === 1 ? numberOf(truth[0][0] ?? null) : undefined
  if (only === undefined) return false
  const isIt = (value: number | undefined) => value !== undefined && sameNumber(only, value, tolerance)
  return (
    tablesOf(answer).some(({ rows }) => rows.length === 1 && rows[0]?.some((cell) => isIt(numberOf(cell)))) ||
    numbersIn(answer.text).some(({ value }) => isIt(value))
  )
}

function whyNotRefused(test: Case, answer: Given): string | undefined {
  if (tablesOf(answer).length > 0) return 'it shows a table'
  if (!refuses(answer.text)) return 'it does not say that it cannot answer'
  const [number] = numbersPresented(answer.text, test.question)
  return number ? `it presents a number: ${number.text}` : undefined
}

function answerInShort(answer: Given): string {
  const tables = tablesOf(answer)
  return tables.length > 0 ? `${tables.map(({ rows }) => rowsInShort(rows)).join(' and ')} · ${answer.text}` : answer.text
}

const rowsShown = 4

export function rowsInShort(rows: Rows): string {
  if (rows.length === 0) return 'no rows'
  const shown = rows.slice(0, rowsShown).map((row) => row.map(cellInShort).join(' '))
  const only = rows.length === 1 && rows[0]?.length === 1
  return `${only ? '' : `${rows.length} ${rows.length === 1 ? 'row' : 'rows'}: `}${shown.join(' | ')}${rows.length > rowsShown ? ' | …' : ''}`
}

const cellInShort = (cell: CellValue): string => (typeof cell === 'number' ? wholeNumber(Number(cell.toPrecision(12))) : cell === null ? '–' : String(cell))
