// The semantic layer, parsed once from the YAML files that the tools gave. What the planner knows of the business is here and nowhere else.
import { parse } from 'yaml'
import { z } from 'zod'
import { addDays, addUnits, startOf, type Day, type FiscalYear, type Period, type System } from './calendar.ts'
import type { Calendar } from './time-reading.ts'

const text = z.string().max(20_000)
const Pair = z.object({ en: text, zh: text })
const Synonyms = z.object({ en: z.array(text).default([]), zh: z.array(text).default([]) }).default({ en: [], zh: [] })
const Value = z.object({ value: z.coerce.string(), label: Pair, synonyms: Synonyms })
const Column = z.object({
  name: text,
  type: text,
  personal: z.boolean().default(false),
  within: text.optional(),
  label: Pair.optional(),
  synonyms: Synonyms,
  values: z.array(Value).default([]),
})
const Join = z.object({ to: text, as: text.optional(), on: text, label: Pair.optional(), synonyms: Synonyms })
const Entity = z.object({
  table: text,
  label: Pair,
  synonyms: Synonyms,
  grain: text.default(''),
  data_from: text.optional(),
  access: z.object({ by: text }).optional(),
  key: text.nullish(),
  columns: z.array(Column),
  joins: z.array(Join).default([]),
})
const Term = z.object({ metric: text, at: z.enum(['start', 'end']).default('end'), sign: z.number().default(1) })
const shared = {
  name: text,
  label: Pair,
  synonyms: Synonyms,
  description: text.default(''),
  unit: text,
  better: z.enum(['higher', 'lower', 'neutral']).default('neutral'),
  additive: z.boolean(),
  dimensions: z.array(text),
  notes: z.array(z.object({ about: z.array(text), en: text, zh: text })).default([]),
}
const Metric = z.discriminatedUnion('kind', [
  z.object({ ...shared, kind: z.literal('flow'), table: text, sql: text, filter: text.optional(), time: text }),
  z.object({ ...shared, kind: z.literal('snapshot'), table: text, sql: text, filter: text.optional(), at: text }),
  z.object({ ...shared, kind: z.literal('ratio'), numerator: z.array(Term).min(1), denominator: z.array(Term).min(1), scale: z.number().default(1) }),
])
const Topic = z.object({ topic: Pair, synonyms: Synonyms, reason: text })
const Operations = z.object({
  today: text,
  complete_until: text,
  data_from: text,
  fiscal_year: z.object({ first_month: z.number().int().min(1).max(12), named_after: text.default('') }).default({ first_month: 1, named_after: '' }),
  periods: z.record(z.string(), z.object({ label: Pair, synonyms: Synonyms, from: text, to: text })).default({}),
  not_available: z.array(Topic).default([]),
})
/** Its order of the metrics is the business's own. */
const Catalogue = z.object({ metrics: z.record(z.string(), z.unknown()).default({}) })
const Thing = z.object({ id: z.coerce.string(), name: text.optional(), label: Pair, synonyms: Synonyms })
const Things = z.record(z.string(), z.array(Thing.extend({ features: z.array(Thing).default([]) })))

export type Name = z.output<typeof Pair>
export type Names = { label: Name; synonyms: { en: string[]; zh: string[] } }
export type Entity = z.output<typeof Entity>
export type Metric = z.output<typeof Metric>
export type BasicMetric = Exclude<Metric, { kind: 'ratio' }>
export type Topic = z.output<typeof Topic>

/** A column as one groups and filters by it: through the table, or through a join that has a name of its own. */
export type Dimension = {
  ref: string
  table: string
  column: string
  label: Name
  phrases: Names[]
  values: (Names & { value: string })[]
  /** Some callers may see some of its values only. */ isLimited: boolean
}

export type Layer = {
  calendar: Calendar
  periods: (Names & { period: Period })[]
  unavailable: Topic[]
  entities: Map<string, Entity>
  metrics: Map<string, Metric>
  dimensions: Map<string, Dimension>
}

/** Throws a readable error when the files do not make a layer. Keys are paths below the layer's folder. */
export function parseLayer(files: ReadonlyMap<string, string>): Layer {
  const read = <Schema extends z.ZodType>(schema: Schema, path: string): z.output<Schema> => {
    const parsed = schema.safeParse(parse(files.get(path) ?? '', { logLevel: 'silent' }))
    if (!parsed.success) throw new Error(`${path}: ${z.prettifyError(parsed.error)}`)
    return parsed.data
  }
  const inFolder = (folder: string) => [...files.keys()].filter((path) => path.startsWith(`${folder}/`) && /\.ya?ml$/.test(path)).sort()
  const operations = read(Operations, 'operations.yaml')
  const entities = new Map(
    inFolder('entities')
      .map((path) => read(Entity, path))
      .map((entity) => [entity.table, entity]),
  )
  const order = files.has('catalogue.yaml') ? Object.keys(read(Catalogue, 'catalogue.yaml').metrics) : []
  const place = (metric: Metric) => (order.includes(metric.name) ? order.indexOf(metric.name) : order.length)
  const metrics = new Map(
    inFolder('metrics')
      .map((path) => read(Metric, path))
      .sort((a, b) => place(a) - place(b))
      .map((metric) => [metric.name, metric]),
  )
  const things = files.has('products.yaml') ? Object.values(read(Things, 'products.yaml')).flat() : []
  const fiscal: FiscalYear = {
    startMonth: operations.fiscal_year.first_month,
    namedAfter: /\b(start|begin)s?\b/.test(operations.fiscal_year.named_after) ? 'start' : 'end',
  }
  const calendar: Calendar = { today: operations.today, completeUntil: operations.complete_until, dataFrom: operations.data_from, fiscal, system: 'fiscal' }
  const periods = Object.values(operations.periods).map((named) => ({ ...named, period: describe(named.from, addDays(named.to, 1), calendar) }))
  return {
    calendar,
    periods,
    unavailable: operations.not_available,
    entities,
    metrics,
    dimensions: dimensionsOf(entities, metrics, [...things, ...things.flatMap((thing) => thing.features)]),
  }
}

/** Names a period's unit where it is exactly one. */
function describe(from: Day, to: Day, { fiscal }: Calendar): Period {
  for (const unit of ['day', 'week', 'month', 'quarter', 'half', 'year'] as const) {
    for (const system of ['fiscal', 'calendar'] satisfies System[]) {
      if (startOf(from, unit, system, fiscal) === from && addUnits(from, unit, 1) === to) return { from, to, unit, system }
    }
  }
  return { from, to }
}

function dimensionsOf(entities: Map<string, Entity>, metrics: Map<string, Metric>, things: z.output<typeof Thing>[]): Map<string, Dimension> {
  const refs = new Set([...metrics.values()].flatMap((metric) => metric.dimensions))
  const joins = [...entities.values()].flatMap((entity) => entity.joins)
  const found = new Map<string, Dimension>()
  for (const ref of refs) {
    const [alias = '', columnName = ''] = ref.split('.')
    const join = joins.find((candidate) => candidate.as === alias)
    const column = entities.get(join?.to ?? alias)?.columns.find((candidate) => candidate.name === columnName)
    if (!column) continue
    const entity = entities.get(join?.to ?? alias)
    // A column that people call by the thing's own name ("account") is best called so in answers too.
    const isThing = column.values.length === 0 && entity !== undefined && column.synonyms.en.includes(entity.label.en)
    const label = join?.label ?? (isThing ? entity?.label : column.label) ?? { en: columnName.replaceAll('_', ' '), zh: columnName }
    const own = column.label
      ? [{ label: column.label, synonyms: column.synonyms }, ...(isThing ? [{ label: entity.label, synonyms: entity.synonyms }] : [])]
      : []
    const phrases = join?.label ? [{ label: join.label, synonyms: join.synonyms }, ...own] : own
    const values = column.values.map((value) => {
      const more = things.filter((thing) => thing.id === value.value || thing.name === value.value)
      const gather = (lang: 'en' | 'zh') => [...value.synonyms[lang], ...more.flatMap((thing) => [thing.label[lang], ...thing.synonyms[lang]])]
      return { ...value, synonyms: { en: gather('en'), zh: gather('zh') } }
    })
    found.set(ref, {
      ref,
      table: join?.to ?? alias,
      column: columnName,
      label,
      phrases,
      values,
      isLimited: entity?.access?.by === 'region' && (columnName === 'region' || column.within === 'region'),
    })
  }
  return found
}

/** The flows and snapshots that a metric is made of: itself, or the terms of a ratio. */
export function basicParts(layer: Layer, metric: Metric): BasicMetric[] {
  if (metric.kind !== 'ratio') return [metric]
  return [...metric.numerator, ...metric.denominator].flatMap((term) => {
    const part = layer.metrics.get(term.metric)
    return part && part.kind !== 'ratio' ? [part] : []
  })
}

/** The first day for which a metric can have a figure: that of the table that begins last. */
export function beginOf(layer: Layer, metric: Metric): Day {
  const begins = basicParts(layer, metric).map(({ table }) => layer.entities.get(table)?.data_from ?? layer.calendar.dataFrom)
  return begins.reduce((latest, day) => (day > latest ? day : latest), '')
}
