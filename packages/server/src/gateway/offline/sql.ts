// Stage 5b: a plan as one SELECT for DuckDB. `columns` says what each column of its result means, for the answer and the chart.
import type { Bucket } from './buckets.ts'
import type { Filter } from './frame.ts'
import type { Layer, Metric } from './layer.ts'
import type { Plan } from './plan.ts'
import { columnName, figures, groupName, groupNames, indent, periodsTable, type Scope } from './sql-figures.ts'

export type Role =
  | { kind: 'period' }
  | { kind: 'group'; ref: string }
  | { kind: 'figure'; metric: string }
  | { kind: 'earlier' | 'change' | 'rate' | 'share' | 'whole' | 'count' | 'average' | 'running' | 'groups' }
export type Query = { sql: string; columns: { name: string; role: Role }[] }

type Step = { name: string; sql: string }
type Out = { name: string; sql: string; role: Role }

export function queryOf(plan: Plan, layer: Layer): Query {
  const { shape } = plan
  const steps: Step[] = []
  const over: Scope['over'] = shape.kind === 'total' && !plan.average ? { kind: 'one', bucket: shape.bucket } : { kind: 'many' }
  const scope: Scope = { layer, groups: plan.groups, filters: plan.filters, over, ...(plan.needs && { needs: plan.needs }) }
  if (over.kind === 'many') steps.push({ name: '', sql: periodsTable(numbered(plan)) })
  const built = plan.share
    ? shareOf(plan, scope, steps)
    : plan.average
      ? averageOf(plan, scope, steps)
      : shape.kind === 'compare'
        ? compareOf(plan, scope, steps)
        : shape.kind === 'series'
          ? seriesOf(plan, scope, steps)
          : totalOf(plan, scope)
  return finish(plan, steps, built)
}

/** The periods with their numbers: from 1 what is asked for, below it what that is compared with. */
function numbered(plan: Plan): { n: number; bucket: Bucket }[] {
  const { shape } = plan
  if (plan.average) return plan.average.buckets.map((bucket, i) => ({ n: i + 1, bucket }))
  if (shape.kind === 'total') return [{ n: 1, bucket: shape.bucket }]
  if (shape.kind === 'compare')
    return [
      { n: 0, bucket: shape.earlier },
      { n: 1, bucket: shape.later },
    ]
  const back = shape.back?.buckets ?? []
  return [...back.map((bucket, i) => ({ n: i + 1 - back.length, bucket })), ...shape.buckets.map((bucket, i) => ({ n: i + 1, bucket }))]
}

/** A select with its columns, and the order that it has by nature. */
type Built = { body: string; columns: Out[]; order: string[]; isGrouped: boolean }

const figureName = (metric: Metric): string => columnName(metric.name)
const groupColumns = (plan: Plan, prefix = ''): Out[] =>
  plan.groups.map((group) => ({ name: groupName(group), sql: `${prefix}${groupName(group)}`, role: { kind: 'group', ref: group.ref } }))
const isCounted = (metric: Metric | undefined): boolean =>
  metric !== undefined && metric.kind !== 'ratio' && (metric.additive || metric.unit === 'count') && !metric.sql.includes('/')

/** Figures of all of a plan's metrics in one relation, one column each. */
function relation(plan: Plan, scope: Scope, names: readonly string[]): string {
  const metrics = [...plan.metrics, ...(plan.per ? [plan.per] : [])]
  const [first] = metrics
  if (metrics.length === 1 && first) return figures(first, scope, names[0] ?? 'value')
  const groups = groupNames(scope)
  const branches = metrics.map((metric, i) => {
    const columns = names.map((name, j) => (i === j ? name : `null::double as ${name}`))
    return `select ${[...groups, ...columns].join(', ')} from (\n${indent(figures(metric, scope, names[i] ?? 'value'))}\n) as part`
  })
  return [
    `select ${[...groups, ...names.map((name) => `max(${name}) as ${name}`)].join(', ')}`,
    'from (',
    indent(branches.join('\nunion all\n')),
    ') as parts',
    ...(groups.length > 0 ? [`group by ${groups.join(', ')}`] : []),
  ].join('\n')
}

/** What the plan's first figure is called, and the select that gives it: a quotient when it is "per" something. */
function measured(plan: Plan, scope: Scope): { sql: string; outs: Out[] } {
  const names = [...plan.metrics, ...(plan.per ? [plan.per] : [])].map(figureName)
  const sql = relation(plan, scope, names)
  const role = (i: number): Role => ({ kind: 'figure', metric: plan.metrics[i]?.name ?? '' })
  if (!plan.per) return { sql, outs: plan.metrics.map((metric, i) => ({ name: figureName(metric), sql: figureName(metric), role: role(i) })) }
  const [of = '', per = ''] = names
  const name = columnName(`${plan.metrics[0]?.name ?? ''}_per_${plan.per.name}`)
  const groups = groupNames(scope)
  if (plan.isShareOfPer) {
    const columns = [of, per, `100.0 * ${of} / nullif(${per}, 0) as share_percent`]
    return {
      sql: `select ${[...groups, ...columns].join(', ')} from (\n${indent(sql)}\n) as both_sides`,
      outs: [
        { name: of, sql: of, role: role(0) },
        { name: per, sql: per, role: { kind: 'whole' } },
        { name: 'share_percent', sql: 'share_percent', role: { kind: 'share' } },
      ],
    }
  }
  return {
    sql: `select ${[...groups, `${of}::double / nullif(${per}, 0) as ${name}`].join(', ')} from (\n${indent(sql)}\n) as both_sides`,
    outs: [{ name, sql: name, role: role(0) }],
  }
}

function totalOf(plan: Plan, scope: Scope): Built {
  const { sql, outs } = measured(plan, scope)
  const value = outs[0]?.name ?? ''
  return {
    body: sql,
    columns: [...groupColumns(plan), ...outs],
    order: [`${value} desc nulls last`, ...groupColumns(plan).map((group) => group.name)],
    isGrouped: plan.groups.length > 0,
  }
}

function compareOf(plan: Plan, scope: Scope, steps: Step[]): Built {
  const { sql, outs } = measured(plan, scope)
  steps.push({ name: 'figures', sql })
  const groups = groupColumns(plan)
  const [out] = outs
  const name = out?.name ?? 'value'
  const pick = (n: number) =>
    isCounted(plan.metrics[0]) && !plan.per ? `coalesce(max(${name}) filter (where n = ${n}), 0)` : `max(${name}) filter (where n = ${n})`
  const inner = `select ${[...groups.map((group) => group.sql), `${pick(0)} as earlier`, `${pick(1)} as later`].join(', ')} from figures${groups.length > 0 ? ` group by ${groups.map((group) => group.name).join(', ')}` : ''}`
  const columns: Out[] = [
    ...groups,
    { name: 'earlier', sql: 'earlier', role: { kind: 'earlier' } },
    { name: 'later', sql: 'later', role: out?.role ?? { kind: 'groups' } },
    ...changeColumns(plan, 'later', 'earlier'),
  ]
  return {
    body: select(columns, `(${inner}) as sides`),
    columns,
    order: ['later desc nulls last', ...groups.map((group) => group.name)],
    isGrouped: groups.length > 0,
  }
}

/** Percent changes in points; everything else also relatively. */
function changeColumns(plan: Plan, later: string, earlier: string): Out[] {
  const change: Out = { name: 'change', sql: `${later} - ${earlier}`, role: { kind: 'change' } }
  if (plan.metrics[0]?.unit === 'percent') return [change]
  return [change, { name: 'change_percent', sql: `100.0 * (${later} - ${earlier}) / nullif(${earlier}, 0)`, role: { kind: 'rate' } }]
}

function seriesOf(plan: Plan, scope: Scope, steps: Step[]): Built {
  const { shape } = plan
  if (shape.kind !== 'series') throw new Error('Only a series is built as one.')
  const { sql, outs } = measured(plan, scope)
  steps.push({ name: 'figures', sql })
  const groups = groupColumns(plan, 'figures.')
  const period: Out = { name: columnName(shape.unit), sql: 'periods.label', role: { kind: 'period' } }
  const isFilled = groups.length === 0 && isCounted(plan.metrics[0]) && !plan.per
  const values = outs.map((out) => ({ ...out, sql: isFilled ? `coalesce(figures.${out.name}, 0)` : `figures.${out.name}` }))
  const value = values[0]?.sql ?? ''
  const name = outs[0]?.name ?? ''
  const earlier = isFilled ? `coalesce(earlier.${name}, 0)` : `earlier.${name}`
  const extra: Out[] = shape.back
    ? [
        ...(shape.back.distance > 1 ? [{ name: 'a_year_before', sql: earlier, role: { kind: 'earlier' as const } }] : []),
        ...changeColumns(plan, value, earlier),
      ]
    : plan.isCumulative
      ? [
          {
            name: 'running_total',
            sql: `sum(${value}) over (${plan.groups.length > 0 ? `partition by ${groups.map((group) => group.sql).join(', ')} ` : ''}order by periods.n)`,
            role: { kind: 'running' },
          },
        ]
      : []
  const same = groups.map((group) => `earlier.${group.name} is not distinct from figures.${group.name}`)
  const from = [
    groups.length > 0 ? 'figures\njoin periods on periods.n = figures.n' : 'periods\nleft join figures on figures.n = periods.n',
    ...(shape.back ? [`left join figures as earlier on ${[`earlier.n = periods.n - ${shape.back.distance}`, ...same].join(' and ')}`] : []),
    ...(shape.back ? ['where periods.n >= 1'] : []),
  ].join('\n')
  const columns = [period, ...groups, ...values, ...extra]
  return { body: select(columns, from), columns, order: ['periods.n', ...groups.map((group) => group.sql)], isGrouped: true }
}

function averageOf(plan: Plan, scope: Scope, steps: Step[]): Built {
  const { sql, outs } = measured(plan, scope)
  steps.push({ name: 'figures', sql })
  const groups = groupColumns(plan)
  const count = plan.average?.buckets.length ?? 1
  // A unit of time without rows counts as 0 where things are counted or added up; a rate it simply does not have.
  const columns: Out[] = [
    ...groups,
    ...outs.map((out, i): Out => ({
      name: columnName(`average_${out.name.replaceAll('"', '')}`),
      sql: isCounted(plan.metrics[i]) ? `coalesce(sum(${out.name}), 0) / ${count}.0` : `avg(${out.name})`,
      role: out.role,
    })),
  ]
  const by = groups.length > 0 ? ` group by ${groups.map((group) => group.name).join(', ')}` : ''
  return {
    body: `${select(columns, 'figures')}${by}`,
    columns,
    order: [`${columns[groups.length]?.name ?? ''} desc nulls last`, ...groups.map((group) => group.name)],
    isGrouped: groups.length > 0,
  }
}

/** The part beside its whole: of the same group if a part was named, else each group beside all. */
function shareOf(plan: Plan, scope: Scope, steps: Step[]): Built {
  const part: Filter[] = plan.share?.part ?? []
  const isNamed = part.length > 0
  const partScope = { ...scope, filters: [...scope.filters, ...part] }
  const wholeScope = { ...scope, groups: isNamed ? scope.groups : [] }
  const [metric] = plan.metrics
  if (!metric) throw new Error('A share needs a metric.')
  steps.push({ name: 'part', sql: figures(metric, partScope, 'value') }, { name: 'whole', sql: figures(metric, wholeScope, 'value') })
  const isMany = scope.over.kind === 'many'
  const from = isNamed ? 'whole' : 'part'
  const groups = groupColumns(plan, `${from}.`)
  const keys = [
    ...(isMany ? ['whole.n = part.n'] : []),
    ...(isNamed ? plan.groups.map((group) => `whole.${groupName(group)} is not distinct from part.${groupName(group)}`) : []),
  ]
  const join = isNamed ? 'whole left join part' : 'part cross join whole'
  const joined =
    keys.length > 0 ? `${isNamed ? 'whole left join part' : 'part join whole'} on ${keys.join(' and ')}` : isNamed ? 'whole left join part on true' : join
  const earlier =
    plan.shape.kind === 'series'
      ? [{ name: columnName(plan.shape.unit), sql: 'periods.label', role: { kind: 'period' as const } }]
      : plan.shape.kind === 'compare'
        ? [{ name: 'period', sql: 'periods.label', role: { kind: 'period' as const } }]
        : []
  const columns: Out[] = [
    ...earlier,
    ...groups,
    { name: figureName(metric), sql: 'coalesce(part.value, 0)', role: { kind: 'figure', metric: metric.name } },
    { name: 'whole', sql: 'whole.value', role: { kind: 'whole' } },
    { name: 'share_percent', sql: '100.0 * coalesce(part.value, 0) / nullif(whole.value, 0)', role: { kind: 'share' } },
  ]
  const order = [...(isMany ? ['periods.n'] : []), 'share_percent desc nulls last', ...groups.map((group) => group.sql)]
  return { body: select(columns, isMany ? `${joined}\njoin periods on periods.n = whole.n` : joined), columns, order, isGrouped: columns.length > 3 }
}

const select = (columns: readonly Out[], from: string): string =>
  `select ${columns.map(({ name, sql }) => (sql === name ? name : `${sql} as ${name}`)).join(', ')}\nfrom ${from}`

/** Limits on figures, order, number of rows, and the steps in front. */
function finish(plan: Plan, steps: readonly Step[], built: Built): Query {
  const { rank } = plan
  const value = built.columns.find((column) => column.role.kind === 'figure')
  const measure =
    rank?.by === 'rate'
      ? built.columns.find(({ role }) => role.kind === 'rate' || (role.kind === 'change' && plan.metrics[0]?.unit === 'percent'))
      : rank?.by === 'change'
        ? built.columns.find(({ role }) => role.kind === 'change')
        : plan.share
          ? built.columns.find(({ role }) => role.kind === 'share')
          : value
  const ranked = (measure ?? value)?.name ?? ''
  const conditions = plan.having.map((condition) => {
    const column =
      condition.of !== 'value'
        ? built.columns.find(({ role }) => role.kind === (condition.of === 'change' ? 'rate' : 'change'))
        : built.columns.find(({ role }) => role.kind === 'figure' && role.metric === condition.metric)
    return `${(column ?? value)?.name ?? ''} ${condition.comparison} ${condition.value}`
  })
  const isInner = conditions.length > 0 || (rank?.within && rank.limit !== undefined)
  let body = built.body
  let order = rank ? [`${ranked} ${rank.direction} nulls last`, ...built.order.filter((key) => !key.startsWith(`${ranked} `))] : built.order
  if (isInner) {
    const outer = (key: string) => key.replace(/^periods\.n$/, built.columns[0]?.name ?? '').replace(/^(?:figures|part|whole)\./, '')
    order = order.map(outer)
    const within = rank?.within && [
      ...(rank.within.isByTime ? [built.columns[0]?.name ?? ''] : []),
      ...plan.groups.filter((group) => rank.within?.refs.includes(group.ref)).map(groupName),
    ]
    body = [
      `select ${built.columns.map((column) => column.name).join(', ')}`,
      'from (',
      indent(body),
      ') as groups',
      ...(conditions.length > 0 ? [`where ${conditions.join(' and ')}`] : []),
      ...(within && rank?.limit !== undefined
        ? [`qualify row_number() over (partition by ${within.join(', ')} order by ${ranked} ${rank.direction} nulls last) <= ${rank.limit}`]
        : []),
    ].join('\n')
    if (within) order = [...within, ...order.filter((key) => !within.includes(key))]
  }
  const prefix = steps.length > 0 ? `with ${steps.map(({ name, sql }) => (name === '' ? sql : `${name} as (\n${indent(sql)}\n)`)).join(',\n')}\n` : ''
  if (plan.isCountOfGroups)
    return {
      sql: `${prefix}select count(*) as ${columnName('count')}\nfrom (\n${indent(body)}\n) as counted`,
      columns: [{ name: 'count', role: { kind: 'count' } }],
    }
  const tail = built.isGrouped ? `\norder by ${order.join(', ')}` : ''
  const limit = rank?.limit !== undefined && !rank.within ? `\nlimit ${rank.limit}` : ''
  if (plan.fold) return folded(plan, built, prefix, `${body}${tail}${limit}`)
  return { sql: `${prefix}${body}${tail}${limit}`, columns: built.columns.map(({ name, role }) => ({ name, role })) }
}

/** The groups in one row: what they come to together, beside the whole if that was asked for, or on average. */
function folded(plan: Plan, built: Built, prefix: string, body: string): Query {
  const kept = built.columns.filter(({ role }) => role.kind === 'figure' || role.kind === 'whole' || role.kind === 'share')
  const value = kept.find(({ role }) => role.kind === 'figure')?.name ?? ''
  const whole = kept.find(({ role }) => role.kind === 'whole')?.name ?? ''
  const figureOf = ({ name, role }: Out): string =>
    role.kind === 'whole'
      ? `max(${name})`
      : role.kind === 'share'
        ? `100.0 * sum(${value}) / nullif(max(${whole}), 0)`
        : plan.fold === 'sum'
          ? `sum(${name})`
          : `avg(${name})`
  return {
    sql: `${prefix}select ${kept.map((column) => `${figureOf(column)} as ${column.name}`).join(', ')}\nfrom (\n${indent(body)}\n) as groups`,
    columns: kept.map(({ name, role }) => ({ name, role })),
  }
}
