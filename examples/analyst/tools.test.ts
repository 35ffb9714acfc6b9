import { afterAll, beforeAll, expect, test } from 'vitest'
import type { DataAccess, FilePart, Json } from '@longhaul/protocol'
import type { Context, Shown, Tool } from '@longhaul/sdk'
import chart from './agent/tools/chart.ts'
import query from './agent/tools/query.ts'
import { temporaryWarehouse } from './warehouse/testing.ts'

let warehouse: Awaited<ReturnType<typeof temporaryWarehouse>>
beforeAll(async () => {
  warehouse = await temporaryWarehouse()
})
afterAll(() => warehouse[Symbol.asyncDispose]())

type File = Parameters<Context['artifact']>[0]

/** Runs a tool as a run would: its input parsed, and with the few things of the context that these tools use. */
async function call(tool: Tool, input: Json, access: DataAccess = { personalData: true }) {
  const files: File[] = []
  const artifact = async (file: File): Promise<FilePart> => {
    files.push(file)
    return {
      type: 'file',
      fileId: '00000000-0000-7000-8000-000000000000',
      name: file.name,
      mediaType: file.mediaType,
      bytes: Buffer.byteLength(file.content),
      ...(file.title === undefined ? {} : { title: file.title }),
    }
  }
  const context = { dataDir: warehouse.dataDir, asker: { id: '1', name: 'Ada', access }, signal: new AbortController().signal, artifact } as unknown as Context
  const result = await tool.run(tool.input.parse(input), context)
  const isShown = typeof result === 'object' && result !== null && 'parts' in result
  const { output, parts } = isShown ? (result as Shown) : { output: result as Json, parts: [] }
  return { output, parts, files }
}

const arr =
  'select accounts.region, 12 * sum(subscription_periods.mrr_usd) as arr from subscription_periods left join accounts on subscription_periods.account_id = accounts.account_id where not subscription_periods.is_trial and subscription_periods.valid_to is null group by 1 order by 2 desc'

test('query tells the model the first 50 rows, and shows the person a table with its SQL', async () => {
  const { output, parts } = await call(query, { sql: arr, title: 'ARR by region' })
  expect(output).toMatchObject({
    columns: [
      { name: 'region', type: 'text' },
      { name: 'arr', type: 'number' },
    ],
    rowCount: 4,
    rows: { length: 4, 0: ['North America', expect.any(Number)] },
    truncated: false,
    access: { limited: false },
  })
  expect(parts).toEqual([{ type: 'table', title: 'ARR by region', columns: expect.any(Array), rows: (output as { rows: Json }).rows, rowCount: 4, sql: arr }])

  const long = await call(query, { sql: 'select * from tickets limit 800' })
  expect(long.output).toMatchObject({ rowCount: 800, rows: { length: 50 }, truncated: false })
  expect(long.parts).toMatchObject([{ rows: { length: 500 }, rowCount: 800 }])
})

test('query gives an error back to the model, and shows nothing', async () => {
  expect(await call(query, { sql: 'drop table accounts' })).toMatchObject({ output: { error: { kind: 'refused' }, access: { limited: false } }, parts: [] })
  expect(await call(query, { sql: 'select email from people' }, { regions: ['Europe'], personalData: false })).toMatchObject({
    output: { error: { kind: 'withheld' }, access: { regions: ['Europe'] } },
    parts: [],
  })
})

test('chart stores an SVG and a PNG, named by the title', async () => {
  const { output, parts, files } = await call(chart, { type: 'bar', title: '各地区 ARR', sql: arr, x: 'region', y: 'arr', unit: 'usd' })
  expect(output).toMatchObject({ charted: { rows: 4, series: ['arr'] }, files: ['各地区-arr.svg', '各地区-arr.png'] })
  expect(files.map(({ mediaType }) => mediaType)).toEqual(['image/svg+xml', 'image/png'])
  expect(parts.map(({ type }) => type)).toEqual(['file', 'file'])
  expect(Math.max(...parts.map((part) => (part.type === 'file' ? part.bytes : 0)))).toBeLessThan(8_000_000)
})

test('chart shows no more than the caller may see', async () => {
  const limited = await call(chart, { type: 'bar', title: 'ARR by region', sql: arr, x: 'region', y: 'arr' }, { regions: ['Europe'], personalData: true })
  expect(limited.output).toMatchObject({ charted: { rows: 1 }, access: { limited: true } })
  const nothing = await call(chart, { type: 'bar', title: 'ARR by region', sql: arr, x: 'region', y: 'arr' }, { regions: ['Atlantis'], personalData: true })
  expect(nothing).toMatchObject({ output: { error: { kind: 'chart', message: expect.stringContaining('no rows') } }, parts: [], files: [] })
})

test('chart refuses what query refuses', async () => {
  expect(await call(chart, { type: 'bar', title: 'x', sql: "select * from read_csv('/etc/passwd')", x: 'a', y: 'b' })).toMatchObject({
    output: { error: { kind: 'refused' } },
    files: [],
  })
})

test('an input that does not fit is refused before anything runs', () => {
  expect(query.input.safeParse({ sql: '' }).success).toBe(false)
  expect(query.input.safeParse({ sql: 'select 1', region: 'Europe' }).success).toBe(false)
  expect(chart.input.safeParse({ type: 'radar', title: 'x', sql: 'select 1', x: 'a', y: 'b' }).success).toBe(false)
  expect(chart.input.safeParse({ type: 'bar', title: 'x', sql: 'select 1', x: 'a', y: ['b', 'c'] }).success).toBe(true)
})
