import type { Cell, Column } from '../querying/index.ts'
import type { Unit } from './format.ts'

export type ChartType = 'bar' | 'line' | 'area' | 'pie'
export type Request = {
  type: ChartType
  title: string
  x: string
  y: string | string[]
  series?: string | undefined
  unit?: Unit | undefined
  stacked?: boolean | undefined
}

/** What is drawn: a value, or none, for each category of each series. */
export type Figure = {
  type: ChartType
  title: string
  note: string | null
  unit: Unit
  stacked: boolean
  isTime: boolean
  categories: string[]
  series: { name: string; values: (number | null)[] }[]
}

export const chartRowsMax = 500
const seriesMax = 8
const namedCategoriesMax = 40

/** Turns rows into a figure, or says why they cannot be drawn. */
export function makeFigure(
  request: Request,
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  note: string | null,
): Figure | { problem: string } {
  const find = (name: string) => columns.findIndex((column) => column.name === name)
  const names = typeof request.y === 'string' ? [request.y] : request.y
  const [x, ys, split] = [find(request.x), names.map(find), request.series === undefined ? undefined : find(request.series)]
  const missing = [x < 0 ? request.x : null, ...ys.map((index, at) => (index < 0 ? names[at] : null)), split === -1 ? request.series : null].filter(
    (name) => typeof name === 'string',
  )
  if (missing.length > 0) return { problem: `The query has no column ${missing.join(', ')}. Its columns are: ${columns.map(({ name }) => name).join(', ')}.` }
  const notNumber = ys.find((index) => columns[index]?.type !== 'number')
  if (notNumber !== undefined) return { problem: `The column ${columns[notNumber]?.name} does not hold numbers.` }
  if (split !== undefined && ys.length > 1) return { problem: 'Give either several columns for y, or one and a column for series.' }
  if (rows.length === 0) return { problem: 'The query found no rows, so there is nothing to draw.' }
  if (rows.length > chartRowsMax) return { problem: `The query found ${rows.length} rows; a chart shows at most ${chartRowsMax}.` }

  const isTime = columns[x]?.type === 'date'
  const categories = distinct(rows.map((row) => label(row[x])))
  const series =
    split === undefined
      ? ys.map((y, index) => ({ name: names[index] ?? '', values: valuesFor(categories, rows, x, y) }))
      : distinct(rows.map((row) => label(row[split]))).map((name) => ({
          name,
          values: valuesFor(
            categories,
            rows.filter((row) => label(row[split]) === name),
            x,
            ys[0] ?? -1,
          ),
        }))
  if (series.length > seriesMax) return { problem: `${series.length} series are too many to tell apart; draw at most ${seriesMax}.` }
  if (request.type === 'pie' && series.length > 1) return { problem: 'A pie has one series.' }
  if (request.type === 'pie' && series[0]?.values.some((value) => value !== null && value < 0)) return { problem: 'A pie cannot show negative numbers.' }
  if (!isTime && categories.length > namedCategoriesMax)
    return { problem: `${categories.length} categories are too many; keep the ${namedCategoriesMax / 2} largest.` }
  return { type: request.type, title: request.title, note, unit: request.unit ?? 'count', stacked: request.stacked ?? false, isTime, categories, series }
}

function valuesFor(categories: readonly string[], rows: readonly (readonly Cell[])[], x: number, y: number): (number | null)[] {
  const byCategory = new Map(rows.map((row) => [label(row[x]), row[y]]))
  return categories.map((category) => {
    const value = byCategory.get(category)
    return typeof value === 'number' ? value : null
  })
}

const label = (cell: Cell | undefined): string => (cell === null || cell === undefined ? '–' : String(cell))
const distinct = (values: readonly string[]): string[] => [...new Set(values)]
