// The same planner over a business that does not exist: bakeries whose fiscal year begins in July and is named after its start. Nothing of
// the example's business can be known here, so whatever is answered was read from the files.
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { play, shellIn, type Tools } from './testing.ts'

const files: Record<string, string> = {
  'catalogue.yaml': 'business: { name: Crumb, today: 2031-05-20 }\n',
  'operations.yaml': `today: 2031-05-20
complete_until: 2031-05-19
data_from: 2028-07-01
currency: EUR
fiscal_year: { first_month: 7, named_after: the calendar year in which it starts }
periods:
  harvest: { label: { en: the harvest weeks, zh: 收获周 }, synonyms: { en: [harvest], zh: [] }, from: 2030-09-02, to: 2030-09-15 }
not_available:
  - { topic: { en: recipes, zh: 配方 }, synonyms: { en: [recipe], zh: [] }, reason: They are secret. }
`,
  'entities/sales.yaml': `table: sales
label: { en: sale, zh: 销售 }
synonyms: { en: [receipt], zh: [] }
grain: one row per receipt
columns:
  - { name: sale_id, type: INTEGER }
  - { name: shop_id, type: INTEGER }
  - { name: sold_on, type: DATE }
  - { name: loaves, type: INTEGER }
  - { name: thrown_away, type: INTEGER }
  - { name: euros, type: "DECIMAL(10,2)" }
  - name: dough
    type: VARCHAR
    label: { en: dough, zh: 面团 }
    synonyms: { en: [kind of bread], zh: [面包种类] }
    values:
      - { value: rye, label: { en: Rye, zh: 黑麦 }, synonyms: { en: [], zh: [] } }
      - { value: spelt, label: { en: Spelt, zh: 斯佩尔特 }, synonyms: { en: [dinkel], zh: [] } }
joins:
  - { to: shops, on: sales.shop_id = shops.shop_id, cardinality: many_to_one }
`,
  'entities/shops.yaml': `table: shops
label: { en: shop, zh: 门店 }
synonyms: { en: [bakery], zh: [店铺] }
grain: one row per shop
columns:
  - { name: shop_id, type: INTEGER }
  - name: shop_name
    type: VARCHAR
    label: { en: shop, zh: 门店 }
    synonyms: { en: [bakery], zh: [] }
  - name: town
    type: VARCHAR
    label: { en: town, zh: 城镇 }
    synonyms: { en: [city], zh: [城市] }
    values:
      - { value: Ober, label: { en: Oberdorf, zh: 上村 }, synonyms: { en: [], zh: [] } }
      - { value: Unter, label: { en: Unterdorf, zh: 下村 }, synonyms: { en: [], zh: [] } }
  - { name: landlord_phone, type: VARCHAR, personal: true }
joins:
  - { to: crews, as: night_crews, on: shops.crew_id = night_crews.crew_id, label: { en: night crew, zh: 夜班组 }, synonyms: { en: [crew], zh: [] } }
`,
  'entities/crews.yaml': `table: crews
label: { en: crew, zh: 班组 }
grain: one row per crew
columns:
  - { name: crew_name, type: VARCHAR, label: { en: crew name, zh: 班组名 } }
`,
  'entities/ovens.yaml': `table: ovens
label: { en: oven, zh: 烤炉 }
grain: one row per oven
columns: [{ name: oven_id, type: INTEGER }]
joins:
  - { to: shops, on: ovens.shop_id = shops.shop_id }
`,
  'metrics/loaves_sold.yaml': metric(
    'loaves_sold',
    '{ en: Loaves sold, zh: 面包销量 }',
    '{ en: [loaves, number of loaves], zh: [卖出的面包] }',
    'count',
    true,
    'kind: flow\ntable: sales\nsql: sum(sales.loaves)\ntime: sales.sold_on',
  ),
  'metrics/takings.yaml': metric(
    'takings',
    '{ en: Takings, zh: 营业款 }',
    '{ en: [money taken], zh: [] }',
    'eur',
    true,
    'kind: flow\ntable: sales\nsql: sum(sales.euros)\ntime: sales.sold_on',
  ),
  'metrics/waste_rate.yaml': metric(
    'waste_rate',
    '{ en: Waste rate, zh: 浪费率 }',
    '{ en: [], zh: [] }',
    'percent',
    false,
    'kind: flow\nbetter: lower\ntable: sales\nsql: 100.0 * sum(sales.thrown_away) / sum(sales.loaves)\ntime: sales.sold_on',
  ),
  'metrics/ovens_lit.yaml': metric(
    'ovens_lit',
    '{ en: Ovens in use, zh: 在用烤炉数 }',
    '{ en: [number of ovens], zh: [烤炉数] }',
    'count',
    true,
    'kind: snapshot\ntable: ovens\nsql: count(*)\nat: "ovens.lit_on <= {date} and (ovens.cold_on is null or ovens.cold_on > {date})"',
    '[shops.town, shops.shop_name]',
  ),
  'metrics/loaves_per_oven.yaml': metric(
    'loaves_per_oven',
    '{ en: Oven yield, zh: 单炉产量 }',
    '{ en: [], zh: [] }',
    'count',
    false,
    'kind: ratio\nnumerator: [{ metric: loaves_sold }]\ndenominator: [{ metric: ovens_lit, at: end }]\nscale: 1',
    '[shops.town]',
  ),
}

function metric(
  name: string,
  label: string,
  synonyms: string,
  unit: string,
  additive: boolean,
  rest: string,
  dimensions = '[shops.town, shops.shop_name, sales.dough, night_crews.crew_name]',
): string {
  return `name: ${name}\nlabel: ${label}\nsynonyms: ${synonyms}\ndescription: Made up.\nunit: ${unit}\nadditive: ${additive}\ndimensions: ${dimensions}\n${rest}\n`
}

const warehouse = `
  create table crews as select * from (values (1, 'Owls'), (2, 'Bats')) t(crew_id, crew_name);
  create table shops as select * from (values (1, 'Corner Loaf', 'Ober', 1), (2, 'Mill Street', 'Ober', 2), (3, 'Delta Crust', 'Unter', 2)) t(shop_id, shop_name, town, crew_id);
  create table ovens as select * from (values (1, 1, date '2028-07-01', null), (2, 1, date '2030-06-30', date '2031-02-01'), (3, 2, date '2028-07-01', null), (4, 3, date '2030-12-01', null)) t(oven_id, shop_id, lit_on, cold_on);
  create table sales as select row_number() over () as sale_id, 1 + i % 3 as shop_id, date '2028-07-01' + (i % 1053)::integer as sold_on, 1 + i % 7 as loaves, i % 2 as thrown_away, (3 + i % 11)::decimal(10,2) as euros, case when i % 5 < 2 then 'rye' when i % 5 < 4 then 'spelt' end as dough
    from range(20000) r(i);
`

let folder: string
let connection: DuckDBConnection
let tools: Tools
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bakery-'))
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, 'semantic', path)), { recursive: true })
    await writeFile(join(folder, 'semantic', path), content)
  }
  connection = await (await DuckDBInstance.create(':memory:')).connect()
  await connection.run(warehouse)
  tools = { bash: shellIn(folder), query: async ({ sql }) => ({ columns: [], rows: await rowsOf(String(sql)), access: { limited: false } }) }
})
afterAll(async () => {
  connection.closeSync()
  await rm(folder, { recursive: true, force: true })
})

async function rowsOf(sql: string): Promise<unknown[][]> {
  const rows = (await connection.runAndReadAll(sql)).getRows()
  return rows.map((row) => row.map((cell) => (typeof cell === 'bigint' || (typeof cell === 'object' && cell !== null) ? Number(String(cell)) : cell)))
}

const sales = (what: string, first: string, last: string, more = '', by = '') =>
  `select ${by && `${by}, `}${what} from sales join shops using (shop_id) join crews using (crew_id) where sold_on between '${first}' and '${last}' ${more} ${by && `group by ${by}`}`
const lit = (day: string, by = '', more = '') =>
  `select ${by && `${by}, `}count(*) from ovens join shops using (shop_id) where lit_on <= '${day}' and coalesce(cold_on, '2999-01-01') > '${day}' ${more} ${by && `group by ${by}`}`

const cases: [string, string][] = [
  ['How many loaves did we sell last quarter by town?', sales('sum(loaves)', '2031-01-01', '2031-03-31', '', 'town')],
  ['takings in FY2029', sales('sum(euros)', '2029-07-01', '2030-06-30')],
  ['takings in 2030', sales('sum(euros)', '2030-01-01', '2030-12-31')],
  ['takings in fiscal Q1 2030', sales('sum(euros)', '2030-07-01', '2030-09-30')],
  ['waste rate by dough this fiscal year', sales('100.0 * sum(thrown_away) / sum(loaves)', '2030-07-01', '2031-05-19', '', 'dough')],
  ['上个月各城市的面包销量', sales('sum(loaves)', '2031-04-01', '2031-04-30', '', 'town')],
  ['上村2030年10月的营业款', sales('sum(euros)', '2030-10-01', '2030-10-31', "and town = 'Ober'")],
  ['loaves of sourdough', 'refused'],
  ['loaves sold of rye in the harvest weeks', sales('sum(loaves)', '2030-09-02', '2030-09-15', "and dough = 'rye'")],
  ['loaves sold last month without rye', sales('sum(loaves)', '2031-04-01', '2031-04-30', "and dough is distinct from 'rye'")],
  ['How many ovens do we have?', lit('2031-05-20')],
  ['number of ovens in Oberdorf at the end of last year', lit('2030-06-30', '', "and town = 'Ober'")],
  [
    'oven yield by town last quarter',
    `with l as (${sales('sum(loaves) n', '2031-01-01', '2031-03-31', '', 'town')}), o as (${lit('2031-03-31', 'town').replace('count(*)', 'count(*) n')}) select town, l.n / o.n from l join o using (town)`,
  ],
  [
    'which night crew had the lowest waste rate last month?',
    `${sales('100.0 * sum(thrown_away) / sum(loaves)', '2031-04-01', '2031-04-30', '', 'crew_name')} order by 2 limit 1`,
  ],
  [
    'share of takings from spelt in Unterdorf last month',
    `select (${sales('sum(euros)', '2031-04-01', '2031-04-30', "and town = 'Unter' and dough = 'spelt'")}), (${sales('sum(euros)', '2031-04-01', '2031-04-30', "and town = 'Unter'")})`,
  ],
  ['takings of Corner Loaf in April', sales('sum(euros)', '2031-04-01', '2031-04-30', "and shop_name = 'Corner Loaf'")],
  ['takings of Delta Crust in April', sales('sum(euros)', '2031-04-01', '2031-04-30', "and shop_name = 'Delta Crust'")],
  ['ARR by region', 'refused'],
  ['What are our recipes?', 'refused'],
  ['invoiced revenue last quarter', 'refused'],
]

test.each(cases)('%s', async (question, truth) => {
  const { text, calls } = await play(question, tools)
  if (truth === 'refused') {
    expect(text).toContain("I can't answer that offline")
    expect(text).not.toMatch(/\d/)
    return
  }
  const asked = calls.filter((call) => call.tool === 'query').at(-1)
  const rows = (asked?.output as { rows: unknown[][] } | undefined)?.rows ?? []
  const expected = await rowsOf(truth)
  const width = expected[0]?.length ?? 0
  const plain = (all: unknown[][]) =>
    all
      .map((row) => row.slice(0, width).map((cell) => (typeof cell === 'number' ? Number(cell.toPrecision(9)) : cell)))
      .toSorted((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1))
  expect(plain(rows), `${text}\n${String(asked?.input['sql'])}`).toEqual(plain(expected))
  expect(text).toContain('offline/planner')
})

test('money is shown in the currency that the metric has', async () => {
  expect((await play('takings in FY2029', tools)).text).toMatch(/€\d/)
})
