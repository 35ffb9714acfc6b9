import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { runQuery } from './querying/index.ts'
import { semanticFolder } from './warehouse/index.ts'
import { sharedWarehouse } from './warehouse/testing.ts'

// The format that semantic-layer.md describes, and that the metrics work as they are written.
const Pair = z.strictObject({ en: z.string().min(1), zh: z.string().min(1) })
const Synonyms = z.strictObject({ en: z.array(z.string()), zh: z.array(z.string()) })
const Value = z.strictObject({ value: z.string(), label: Pair, synonyms: Synonyms })
const Column = z.strictObject({
  name: z.string(),
  type: z.string(),
  description: z.string().min(8),
  personal: z.literal(true).optional(),
  within: z.string().optional(),
  label: Pair.optional(),
  synonyms: Synonyms.optional(),
  values: z.array(Value).optional(),
})
const Join = z.strictObject({
  to: z.string(),
  as: z.string().optional(),
  on: z.string(),
  cardinality: z.literal('many_to_one'),
  label: Pair.optional(),
  synonyms: Synonyms.optional(),
})
const Entity = z.strictObject({
  table: z.string(),
  label: Pair,
  synonyms: Synonyms,
  description: z.string(),
  grain: z.string(),
  data_from: z.iso.date().optional(),
  access: z.strictObject({ by: z.enum(['region', 'account', 'shared']) }),
  key: z.string().nullable(),
  columns: z.array(Column),
  joins: z.array(Join),
})
type Entity = z.infer<typeof Entity>
const Term = z.strictObject({ metric: z.string(), at: z.enum(['start', 'end']).optional(), sign: z.literal(-1).optional() })
const about = {
  name: z.string(),
  label: Pair,
  synonyms: Synonyms,
  description: z.string().min(20),
  unit: z.enum(['usd', 'count', 'percent', 'days', 'hours']),
  better: z.enum(['higher', 'lower', 'neutral']),
  additive: z.boolean(),
  dimensions: z.array(z.string()).min(1),
  notes: z.array(z.strictObject({ about: z.array(z.string()).min(1), en: z.string().min(1), zh: z.string().min(1) })).optional(),
}
const Metric = z.discriminatedUnion('kind', [
  z.strictObject({ ...about, kind: z.literal('flow'), table: z.string(), sql: z.string(), filter: z.string().optional(), time: z.string() }),
  z.strictObject({
    ...about,
    kind: z.literal('snapshot'),
    table: z.string(),
    sql: z.string(),
    filter: z.string().optional(),
    at: z.string().includes('{date}'),
  }),
  z.strictObject({ ...about, kind: z.literal('ratio'), numerator: z.array(Term).min(1), denominator: z.array(Term).min(1), scale: z.number() }),
])

const read = (...path: string[]): unknown => parse(readFileSync(join(semanticFolder, ...path), 'utf8'))
const readAll = <Item>(folder: string, schema: z.ZodType<Item>) =>
  new Map(readdirSync(join(semanticFolder, folder)).map((file) => [file.replace('.yaml', ''), schema.parse(read(folder, file))] as const))
const entities = readAll('entities', Entity)
const metrics = readAll('metrics', Metric)

let warehouse: Awaited<ReturnType<typeof sharedWarehouse>>
beforeAll(async () => {
  warehouse = await sharedWarehouse()
}, 180_000)

test('the catalogue lists every entity and metric, and nothing else', () => {
  const catalogue = z
    .object({ entities: z.record(z.string(), z.string()), metrics: z.record(z.string(), z.string()), files: z.record(z.string(), z.string()) })
    .parse(read('catalogue.yaml'))
  expect(Object.keys(catalogue.entities).sort()).toEqual([...entities.keys()].sort())
  expect(Object.keys(catalogue.metrics).sort()).toEqual([...metrics.keys()].sort())
  for (const file of Object.keys(catalogue.files)) expect(read(file)).toBeTruthy()
})

test('no two metrics have a name in common', () => {
  const owners = new Map<string, string>()
  for (const [key, { name, label, synonyms }] of metrics) {
    expect(name).toBe(key)
    for (const word of [label.en, label.zh, ...synonyms.en, ...synonyms.zh].map((one) => one.toLowerCase())) {
      expect(`${word}: ${owners.get(word) ?? name}`).toBe(`${word}: ${name}`)
      owners.set(word, name)
    }
  }
})

/** The shortest way of joins from a table to the table or alias of a dimension. */
const pathTo = (table: string, alias: string): string[] | undefined => [0, 1, 2].map((hops) => pathOf(table, alias, hops)).find((path) => path !== undefined)

function pathOf(table: string, alias: string, hops: number): string[] | undefined {
  if (hops === 0) return table === alias ? [] : undefined
  for (const { to, as = to, on } of entities.get(table)?.joins ?? []) {
    const rest = as === alias ? [] : as === to ? pathOf(to, alias, hops - 1) : undefined
    if (rest) return [`left join ${to} as ${as} on ${on}`, ...rest]
  }
  return undefined
}

function queryFor(name: string, dimensions: readonly string[]): string {
  const metric = metrics.get(name)
  if (!metric || metric.kind === 'ratio') throw new Error(`${name} is no flow and no snapshot.`)
  const joins = new Set(
    dimensions.flatMap((dimension) => {
      const path = pathTo(metric.table, dimension.split('.')[0] ?? '')
      if (!path) throw new Error(`${metric.table} does not reach ${dimension}.`)
      return path
    }),
  )
  const period = metric.kind === 'flow' ? `${metric.time} between date '2026-08-01' and date '2026-10-31'` : metric.at.replaceAll('{date}', "date '2026-10-31'")
  const shown = dimensions.map((dimension) => `any_value(${dimension}) as "${dimension}"`)
  return `select ${[...shown, `${metric.sql} as value`].join(', ')} from ${metric.table} ${[...joins].join(' ')} where ${[metric.filter, period]
    .filter(Boolean)
    .map((one) => `(${one})`)
    .join(' and ')}`
}

describe('every metric works as it is written, with all of its dimensions', () => {
  test.each([...metrics.values()].filter(({ kind }) => kind !== 'ratio'))('$name', async ({ name, dimensions }) => {
    const plain = await runQuery({ dataDir: warehouse.dataDir, access: { personalData: true }, sql: queryFor(name, []) })
    const joined = await runQuery({ dataDir: warehouse.dataDir, access: { personalData: true }, sql: queryFor(name, dimensions) })
    if (plain.error || joined.error) throw new Error((plain.error ?? joined.error)?.message)
    const value = plain.rows[0]?.at(-1)
    expect(value).toEqual(expect.any(Number))
    // Joins lead from many to one, so they change no sum.
    expect(joined.rows[0]?.at(-1)).toBe(value)
  })

  test.each([...metrics.values()].filter((metric) => metric.kind === 'ratio'))('$name', ({ numerator, denominator, dimensions }) => {
    for (const { metric, at } of [...numerator, ...denominator]) {
      const part = metrics.get(metric)
      expect(part?.kind).toBe(at === undefined ? 'flow' : 'snapshot')
      for (const dimension of dimensions) expect(part?.dimensions).toContain(dimension)
    }
  })
})

test('dimensions are columns with a label, and joins lead to a key', () => {
  const aliases = new Map([...entities.values()].flatMap(({ joins }) => joins.flatMap(({ to, as }) => (as ? [[as, to] as const] : []))))
  for (const { name, dimensions } of metrics.values()) {
    for (const dimension of dimensions) {
      const [alias = '', column = ''] = dimension.split('.')
      const found = entities.get(aliases.get(alias) ?? alias)?.columns.find((one) => one.name === column)
      expect(found?.label, `${name}: ${dimension}`).toBeDefined()
    }
  }
  for (const { table, joins } of entities.values()) {
    for (const { to, as = to, on } of joins) expect(on, `${table} to ${to}`).toMatch(new RegExp(`^${table}\\.\\w+ = ${as}\\.${entities.get(to)?.key ?? '-'}$`))
  }
})

test('the worked-out periods follow from today and the fiscal calendar', () => {
  const Period = z.object({ label: Pair, synonyms: Synonyms, from: z.string(), to: z.string(), over: z.literal(false).optional(), name: z.string().optional() })
  const operations = z.object({ today: z.string(), complete_until: z.string(), periods: z.record(z.string(), Period) }).parse(read('operations.yaml'))
  const { today, complete_until: last, periods } = operations
  const back = (days: number) => new Date(Date.parse(last) - days * 86_400_000).toISOString().slice(0, 10)
  const quarter = (offset: number) => {
    const now = new Date(today)
    const first = Math.floor((now.getUTCMonth() + 11) / 3) * 3 - 11 + offset * 3
    const days = [Date.UTC(now.getUTCFullYear(), first, 1), Date.UTC(now.getUTCFullYear(), first + 3, 0)].map((ms) => new Date(ms).toISOString().slice(0, 10))
    return { from: days[0], to: days[1] }
  }
  expect(periods.today).toMatchObject({ from: today, to: today })
  expect(periods.yesterday).toMatchObject({ from: last, to: last })
  expect(periods.this_quarter).toMatchObject(quarter(0))
  expect(periods.last_quarter).toMatchObject(quarter(-1))
  expect(periods.quarter_before_last).toMatchObject(quarter(-2))
  expect(periods.same_quarter_last_year).toMatchObject(quarter(-4))
  for (const days of [7, 30, 90]) expect(periods[`last_${days}_days`]).toMatchObject({ from: back(days - 1), to: last })
  for (const [name, { from, to, over }] of Object.entries(periods)) expect(`${name} ${from <= to && (over === false) === to > today}`).toBe(`${name} true`)
})
