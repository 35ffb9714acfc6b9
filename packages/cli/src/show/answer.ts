/** The end of a run as a person reads it. */
import type { Answer, Failure, Json, TablePart, Usage } from '@longhaul/protocol'
import { layOut } from './table.ts'
import type { Terminal } from './terminal.ts'
import { columnsOf, cut, oneLine, printable, wrap } from './text.ts'
import { cost, counted, duration, wholeNumber } from './values.ts'

type Page = Pick<Terminal, 'width' | 'paint'>
const margin = '  '

export type SavedFile = { title: string; path: string }
export type Shown = { answer: Answer; saved: SavedFile[]; turns: number; durationMs: number; rowsMax: number }

export const isOffline = (model: string): boolean => model.startsWith('offline/')

export function answerLines(page: Page, { answer, saved, turns, durationMs, rowsMax }: Shown): string[] {
  const tables = answer.parts.filter((part) => part.type === 'table')
  return [
    '',
    ...wrap(printable(answer.text).trim(), page.width - 4).map((line) => indented(page.paint('bold', line))),
    ...tables.flatMap((table) => ['', ...tableLines(page, table, rowsMax)]),
    ...tables.flatMap(({ sql }) => (sql?.trim() ? ['', ...sqlLines(page, sql)] : [])),
    ...(saved.length > 0 ? ['', ...savedLines(page, saved)] : []),
    '',
    ...closingLines(page, answer.model, answer.usage, turns, durationMs),
  ]
}

export function outputLines(page: Page, output: Json): string[] {
  const text = typeof output === 'string' ? wrap(printable(output), page.width - 4) : JSON.stringify(output, null, 2).split('\n').map(printable)
  return ['', ...text.map((line) => indented(line))]
}

export function failureLines(page: Page, failure: Failure): string[] {
  const [first = '', ...rest] = wrap(printable(failure.message).trim(), page.width - 4)
  return ['', `${margin}${page.paint('red', `✗ The run failed${failure.code ? ` (${oneLine(failure.code)})` : ''}.`)}`, ...[first, ...rest].map(indented)]
}

export function tableLines(page: Page, table: TablePart, rowsMax: number): string[] {
  const { paint } = page
  const shown = table.rows.slice(0, rowsMax)
  const columns = table.columns.map(({ name, type }, at) => ({
    name,
    isNumber: type === 'number' || (shown.length > 0 && shown.every((row) => typeof row[at] === 'number')),
  }))
  const { head, rule, rows, isCut, hidden } = layOut(columns, shown, page.width - 4)
  const notes = [
    table.rowCount === 0 && 'no rows',
    table.rowCount > shown.length && `${counted(shown.length, 'row')} of ${wholeNumber(table.rowCount)}`,
    hidden.length > 0 && `${counted(hidden.length, 'column')} left out: ${hidden.join(', ')}`,
    isCut && 'cut to fit',
  ].filter((note) => note !== false)
  const isWhole = table.rowCount <= shown.length && hidden.length === 0 && !isCut
  return [
    ...(table.title ? [indented(paint('cyan', cut(oneLine(table.title), page.width - 4)))] : []),
    indented(paint('dim', head)),
    indented(paint('dim', rule)),
    ...rows.map(indented),
    ...(notes.length > 0
      ? wrap(`${notes.join('; ')}${isWhole ? '' : ' (--json has everything)'}`, page.width - 4).map((line) => indented(paint('dim', line)))
      : []),
  ]
}

const indented = (line: string): string => (line ? margin + line : '')

/** The statement with its own line breaks, so that it can be copied; only lines that are too long are broken. */
function sqlLines(page: Page, sql: string): string[] {
  const lines = printable(sql).trim().split('\n')
  const indent = Math.min(
    ...lines
      .slice(1)
      .filter((line) => line.trim())
      .map((line) => line.length - line.trimStart().length),
  )
  return lines
    .flatMap((line, at) => wrap((at > 0 && Number.isFinite(indent) ? line.slice(indent) : line).trimEnd(), page.width - 4, 4))
    .map((line) => indented(page.paint('dim', line)))
}

function savedLines(page: Page, saved: SavedFile[]): string[] {
  return saved.flatMap(({ title, path }, at) => [
    ...(title !== saved[at - 1]?.title ? [indented(page.paint('cyan', cut(oneLine(title), page.width - 4)))] : []),
    indented(path),
  ])
}

function closingLines(page: Page, model: string, usage: Usage, turns: number, durationMs: number): string[] {
  const cached = usage.cachedInput > 0 ? ` (${wholeNumber(usage.cachedInput)} cached)` : ''
  const facts = [
    counted(turns, 'turn'),
    `${wholeNumber(usage.input)} tokens in${cached}, ${wholeNumber(usage.output)} out`,
    cost(usage.costUsd),
    duration(durationMs),
  ]
  const name = oneLine(model)
  const note = 'offline stand-in, not a language model'
  const isWide = columnsOf(name) + note.length + 6 <= page.width
  return [
    ...(!isOffline(model)
      ? [indented(name)]
      : isWide
        ? [indented(`${name}  ${page.paint('yellow', note)}`)]
        : [indented(name), indented(page.paint('yellow', note))]),
    ...wrap(facts.join(' · '), page.width - 4).map((line) => indented(page.paint('dim', line))),
  ]
}
