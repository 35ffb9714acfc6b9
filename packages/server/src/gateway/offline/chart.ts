// The drawing of a result: lines over time, bars for groups. Nothing for a single figure or a list of names.
import type { About } from './answer.ts'
import type { QueryResult } from './result.ts'

export type ChartInput = { type: 'bar' | 'line'; title: string; sql: string; x: string; y: string | string[]; series?: string; unit?: string }

const units = new Set(['usd', 'count', 'percent', 'days', 'hours'])
const rowsMax = 60

export function chartOf({ plan, query, language }: About, result: QueryResult, title: string): ChartInput | undefined {
  const named = (kind: string) => query.columns.filter((column) => column.role.kind === kind).map((column) => column.name)
  const [period] = named('period')
  const groups = named('group')
  const figures = plan.share ? named('share') : plan.shape.kind === 'compare' ? [...named('earlier'), ...named('figure')] : named('figure')
  const x = period ?? groups[0]
  const isListOfNames = plan.isList && result.rows.every((row) => row.includes(1))
  if (!x || figures.length === 0 || result.rowCount < 2 || result.rowCount > (period ? 500 : rowsMax) || isListOfNames || plan.isCountOfGroups) return undefined
  const series = period ? groups[0] : groups[1]
  const isSameUnit = new Set(plan.metrics.map((metric) => metric.unit)).size === 1
  const y = series || !isSameUnit ? figures.slice(0, 1) : figures
  const unit = plan.share ? 'percent' : plan.metrics[0]?.unit
  return {
    type: period ? 'line' : 'bar',
    title: title.slice(0, language === 'zh' ? 100 : 200),
    sql: query.sql,
    x: unquoted(x),
    y: y.length === 1 ? unquoted(y[0] ?? '') : y.map(unquoted),
    ...(series && { series: unquoted(series) }),
    ...(unit && units.has(unit) && { unit }),
  }
}

const unquoted = (name: string): string => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name)
