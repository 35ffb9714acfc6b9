// Stage 5a: the figures themselves: one metric, over one period or several, split and narrowed. The rest of the SQL is built around these.
import type { Bucket } from './buckets.ts'
import type { Filter } from './frame.ts'
import { joinClauses } from './joins.ts'
import type { BasicMetric, Dimension, Layer, Metric } from './layer.ts'

/** `many`: the periods are rows of the table `periods`, and each figure says by `n` to which of them it belongs. */
export type Over = { kind: 'one'; bucket: Bucket } | { kind: 'many' }
export type Scope = {
  layer: Layer
  groups: readonly Dimension[]
  filters: readonly Filter[]
  over: Over
  /** Columns that the metric's own SQL speaks of. */ needs?: readonly string[]
}

export const text = (value: string): string => `'${value.replaceAll("'", "''")}'`
export const date = (day: string): string => `date '${day}'`

const reserved = new Set(
  'all and any as asc between by case cast check column create cross default delete desc distinct do else end except false fetch for from full group having in inner insert into is join left like limit not null on or order outer over primary right select set some table then to true union unique update user using when where window with'.split(
    ' ',
  ),
)

/** A column's name in a result, quoted only where it must be. */
export const columnName = (name: string): string => (/^[a-z_][a-z0-9_]*$/.test(name) && !reserved.has(name) ? name : `"${name.replaceAll('"', '""')}"`)

/** The columns to group by: the table's own name for it, or what the join is called. */
export function groupName(dimension: Dimension): string {
  const isOwn = dimension.ref.startsWith(`${dimension.table}.`)
  return columnName(isOwn ? dimension.column : dimension.label.en.toLowerCase().replace(/[^a-z0-9]+/g, '_'))
}

export const groupNames = (scope: Scope): string[] => [...(scope.over.kind === 'many' ? ['n'] : []), ...scope.groups.map(groupName)]

/** `select [n, ] groups…, … as <name>` for any metric. */
export function figures(metric: Metric, scope: Scope, name: string): string {
  if (metric.kind !== 'ratio') return basicFigures(metric, scope, [[metric.sql, name]], 'end')
  const term = (list: typeof metric.numerator, isNumerator: boolean) =>
    list.flatMap(({ metric: part, at, sign }) => {
      const basic = scope.layer.metrics.get(part)
      if (!basic || basic.kind === 'ratio') return []
      const signed = sign === 1 ? basic.sql : `${sign} * (${basic.sql})`
      return [
        basicFigures(
          basic,
          scope,
          [
            [isNumerator ? signed : 'null', 'numerator'],
            [isNumerator ? 'null' : signed, 'denominator'],
          ],
          at,
        ),
      ]
    })
  const terms = [...term(metric.numerator, true), ...term(metric.denominator, false)]
  const scale = metric.scale === 1 ? '1.0' : `${metric.scale}.0`
  const groups = groupNames(scope)
  return [
    `select ${[...groups, `${scale} * coalesce(sum(numerator), 0) / nullif(sum(denominator), 0) as ${name}`].join(', ')}`,
    'from (',
    indent(terms.join('\nunion all\n')),
    ') as terms',
    ...(groups.length > 0 ? [`group by ${groups.join(', ')}`] : []),
  ].join('\n')
}

function basicFigures(metric: BasicMetric, scope: Scope, columns: readonly (readonly [string, string])[], at: 'start' | 'end'): string {
  const { layer, groups, filters, over, needs = [] } = scope
  const aliases = [...groups.map(({ ref }) => ref), ...filters.map(({ ref }) => ref), ...needs].map((ref) => ref.split('.')[0] ?? '')
  const when = timeCondition(metric, over, at)
  const conditions = [...(over.kind === 'one' ? [when] : []), ...(metric.filter ? [parenthesized(metric.filter)] : []), ...filters.map(filterCondition)]
  const names = groupNames(scope)
  return [
    `select ${[...(over.kind === 'many' ? ['periods.n'] : []), ...groups.map((group) => `${group.ref} as ${groupName(group)}`), ...columns.map(([sql, name]) => `${sql} as ${name}`)].join(', ')}`,
    ...(over.kind === 'many' ? ['from periods', `join ${metric.table} on ${when}`] : [`from ${metric.table}`]),
    ...joinClauses(layer, metric.table, aliases),
    ...(conditions.length > 0 ? [`where ${conditions.join('\n  and ')}`] : []),
    ...(names.length > 0 ? [`group by ${names.map((_, i) => i + 1).join(', ')}`] : []),
  ].join('\n')
}

/** A sum's rows lie in the period; a state's hold on its last day, or at its start on the day before the first. */
function timeCondition(metric: BasicMetric, over: Over, at: 'start' | 'end'): string {
  if (metric.kind === 'flow') {
    const [first, last] = over.kind === 'one' ? [date(over.bucket.first), date(over.bucket.last)] : ['periods.first', 'periods.last']
    return `${metric.time} between ${first} and ${last}`
  }
  const day =
    over.kind === 'one' ? (at === 'end' ? date(over.bucket.at) : `${date(over.bucket.first)} - 1`) : at === 'end' ? 'periods.state_on' : 'periods.first - 1'
  return metric.at.replaceAll('{date}', day.includes(' - ') ? `(${day})` : day)
}

export function filterCondition({ ref, values, isNegated }: Filter): string {
  const list = values.map(text).join(', ')
  // What has no value is not of that value either, and `<>` alone would lose it.
  if (isNegated) return `(${ref} is null or ${values.length === 1 ? `${ref} <> ${list}` : `${ref} not in (${list})`})`
  return values.length === 1 ? `${ref} = ${list}` : `${ref} in (${list})`
}

const parenthesized = (condition: string): string => (/\bor\b/i.test(condition) ? `(${condition})` : condition)
export const indent = (sql: string): string =>
  sql
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n')

/** The table `periods` as rows of a `with` clause; `state_on` is the day whose state stands for the period. */
export function periodsTable(buckets: readonly { n: number; bucket: Bucket }[]): string {
  const rows = buckets.map(({ n, bucket }) => `  (${n}, ${text(bucket.label)}, ${date(bucket.first)}, ${date(bucket.last)}, ${date(bucket.at)})`)
  return `periods(n, label, first, last, state_on) as (values\n${rows.join(',\n')}\n)`
}
