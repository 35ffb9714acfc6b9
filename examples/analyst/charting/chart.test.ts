import { readFileSync } from 'node:fs'
import { Resvg } from '@resvg/resvg-js'
import { describe, expect, test } from 'vitest'
import type { Cell, Column } from '../querying/index.ts'
import { chartRowsMax, makeFigure, type Figure } from './figure.ts'
import { formatDates, formatNumber, labelledMonths } from './format.ts'
import { render } from './render.ts'
import { typefaceFor } from './typeface.ts'
import { inWords, limitNote } from './words.ts'

const columns: Column[] = [
  { name: 'region', type: 'text' },
  { name: 'arr', type: 'number' },
  { name: 'kind', type: 'text' },
  { name: 'mrr', type: 'number' },
]
const rows: Cell[][] = [
  ['Europe', 9_250_000, 'new', 1],
  ['Asia Pacific', 7_340_000, 'new', 2],
  ['Europe', 3, 'old', 3],
]
const request = { type: 'bar', title: 'ARR by region', x: 'region', y: 'arr' } as const

function figureOf(title: string, from: Partial<Figure> = {}): Figure {
  return {
    type: 'bar',
    title,
    note: null,
    unit: 'usd',
    stacked: false,
    isTime: false,
    categories: ['Europe', 'Asia Pacific'],
    series: [{ name: 'arr', values: [9_250_000, 7_340_000] }],
    ...from,
  }
}

describe('a figure', () => {
  test('has a value for each category of each series, in the order of the rows', () => {
    expect(makeFigure({ ...request, series: 'kind' }, columns, rows, null)).toMatchObject({
      categories: ['Europe', 'Asia Pacific'],
      series: [
        { name: 'new', values: [9_250_000, 7_340_000] },
        { name: 'old', values: [3, null] },
      ],
    })
    expect(makeFigure({ ...request, y: ['arr', 'mrr'] }, columns, rows.slice(0, 2), null)).toMatchObject({
      series: [{ name: 'arr' }, { name: 'mrr', values: [1, 2] }],
    })
  })
  test.each([
    ['an unknown column', { x: 'area' }, rows, /no column area\. Its columns are: region, arr, kind, mrr/],
    ['a column that holds no numbers', { y: 'kind' }, rows, /kind does not hold numbers/],
    ['no rows', {}, [], /no rows/],
    ['too many rows', {}, Array.from({ length: chartRowsMax + 1 }, (): Cell[] => ['x', 1, 'a', 1]), /at most 500/],
    ['too many categories', {}, Array.from({ length: 41 }, (_, index): Cell[] => [`c${index}`, 1, 'a', 1]), /keep the 20 largest/],
    ['too many series', { series: 'kind' }, Array.from({ length: 9 }, (_, index): Cell[] => ['x', 1, `s${index}`, 1]), /at most 8/],
    ['a pie of negative numbers', { type: 'pie' as const }, [['x', -1, 'a', 1]] as Cell[][], /negative/],
    ['a pie of several series', { type: 'pie' as const, series: 'kind' }, rows, /one series/],
  ])('cannot be made of %s, and says why', (_, change, from, problem) => {
    expect(makeFigure({ ...request, ...change }, columns, from, null)).toMatchObject({ problem: expect.stringMatching(problem) })
  })
  test('speaks the language of its title', () => {
    expect(inWords(figureOf('各地区 ARR', { series: [{ name: 'mid_market', values: [1, 2] }] }))).toMatchObject({
      categories: ['欧洲', '亚太'],
      series: [{ name: '中型企业' }],
    })
    expect(inWords(figureOf('ARR', { series: [{ name: 'net_new', values: [1, 2] }] }))).toMatchObject({
      categories: ['Europe', 'Asia Pacific'],
      series: [{ name: 'net new' }],
    })
  })
  test('says which regions it is limited to', () => {
    expect([limitNote(null, 'ARR'), limitNote(['Europe'], 'ARR'), limitNote(['Europe', 'Asia Pacific'], '各地区')]).toEqual([
      null,
      'Europe only',
      '仅含：欧洲、亚太',
    ])
  })
})

describe('labels', () => {
  test.each([
    [1_234_567, 'usd', 'en', '$1.23M'],
    [845_300, 'usd', 'en', '$845K'],
    [9_999, 'usd', 'en', '$9,999'],
    [-12_300, 'usd', 'en', '−$12.3K'],
    [1_234_567, 'usd', 'zh', '$123万'],
    [123_456_789, 'count', 'zh', '1.23亿'],
    [12.5, 'percent', 'en', '12.5%'],
    [100, 'percent', 'en', '100%'],
    [0, 'count', 'en', '0'],
    [3.1416, 'days', 'en', '3.14 days'],
    [9.4, 'hours', 'zh', '9.4 小时'],
    [2_500_000_000, 'usd', 'en', '$2.5B'],
    [1_500, 'count', 'zh', '1,500'],
  ] as const)('%d %s in %s is %s', (value, unit, language, text) => expect(formatNumber(value, unit, language)).toBe(text))
  test('numbers of one axis have one step', () =>
    expect([0, 5_000, 10_000].map((value) => formatNumber(value, 'usd', 'en', 10_000))).toEqual(['$0', '$5K', '$10K']))
  test('months say the year where it begins', () => {
    expect(formatDates(['2025-11-01', '2025-12-01', '2026-01-01'], 'en')).toEqual(['Nov\n2025', 'Dec', 'Jan\n2026'])
    expect(formatDates(['2025-12-31', '2026-01-31'], 'zh')).toEqual(['12月\n2025年', '1月\n2026年'])
    expect(formatDates(['2026-11-16', '2026-11-17'], 'en')).toEqual(['16 Nov\n2026', '17 Nov'])
  })
  test('of many months, January always has a label', () => {
    const months = Array.from({ length: 36 }, (_, index) => new Date(Date.UTC(2023, 10 + index, 1)).toISOString().slice(0, 10))
    const labelled = labelledMonths(months, 18)
    expect(months.filter((_, index) => labelled?.(index)).map((date) => date.slice(5, 7))).toEqual(expect.arrayContaining(['01', '03', '11']))
    expect(months.filter((_, index) => labelled?.(index))).toHaveLength(18)
  })
})

describe('a drawing', () => {
  const kinds: [string, Figure][] = [
    ['bars', figureOf('ARR by region')],
    [
      'many bars',
      figureOf('Top customers', {
        categories: Array.from({ length: 20 }, (_, index) => `Customer number ${index}`),
        series: [{ name: 'arr', values: Array.from({ length: 20 }, (_, index) => 20 - index) }],
      }),
    ],
    [
      'stacked bars in Chinese',
      figureOf('各地区新增与流失', {
        stacked: true,
        series: [
          { name: '新增', values: [3, 2] },
          { name: '流失', values: [1, null] },
        ],
      }),
    ],
    [
      'lines',
      figureOf('MRR', {
        type: 'line',
        isTime: true,
        categories: ['2025-11-01', '2025-12-01', '2026-01-01'],
        series: [
          { name: 'A', values: [1, 2, 3] },
          { name: 'B', values: [3, null, 1] },
        ],
      }),
    ],
    ['an area', figureOf('Users', { type: 'area', isTime: true, categories: ['2026-11-16', '2026-11-17'], series: [{ name: 'A', values: [1, 2] }] })],
    ['a pie', figureOf('各行业客户数占比', { type: 'pie', unit: 'count', categories: ['物流', '零售'], series: [{ name: 'n', values: [3, 1] }] })],
    ['zeros and gaps', figureOf('Nothing', { series: [{ name: 'A', values: [0, null] }] })],
  ]
  test.each(kinds)('of %s is an SVG without text that needs a font, and a PNG of 1920 by 1080', async (_, figure) => {
    const { svg, png } = await render(figure)
    expect(svg).toMatch(/^<svg /)
    expect(svg).not.toMatch(/<text|font-family|<style|<script|NaN|undefined|ecmeta/)
    expect([...Buffer.from(png).subarray(0, 8)]).toEqual([137, 80, 78, 71, 13, 10, 26, 10])
    expect([Buffer.from(png).readUInt32BE(16), Buffer.from(png).readUInt32BE(20)]).toEqual([1_920, 1_080])
  })
  test('is the same every time', async () => {
    const [one, two] = [await render(figureOf('各地区 ARR')), await render(figureOf('各地区 ARR'))]
    expect(one.svg).toBe(two.svg)
    expect(Buffer.from(one.png).equals(two.png)).toBe(true)
  })
  test('names what it shows, with nothing that could be taken for markup', async () => {
    const { svg } = await render(figureOf('<script>alert(1)</script> & "more"'))
    expect(svg).toContain('<title>&lt;script&gt;alert(1)&lt;/script&gt; &amp; "more"</title>')
    expect(svg).not.toContain('<script')
  })
  test('shows Chinese characters as themselves: each has an outline of its own', async () => {
    const typeface = await typefaceFor('亚太欧洲ABC')
    const keys = typeface.lay('亚太欧洲ABC', 400).glyphs.map(({ key }) => key)
    expect(new Set(keys).size).toBe(7)
    for (const key of keys) expect(typeface.outline(key).length).toBeGreaterThan(20)
    expect(typeface.width('亚太欧洲', 400)).toBeCloseTo(4_000, -2)
    // Bold is drawn heavier, not the same again.
    expect(typeface.outline(typeface.lay('亚', 600).glyphs[0]?.key ?? '')).not.toBe(typeface.outline(keys[0] ?? ''))
  })
  test('has ink where its title stands', async () => {
    const inkOf = async (title: string) => {
      const { svg } = await render(figureOf(title))
      const { pixels, width } = new Resvg(svg, { font: { loadSystemFonts: false } }).render()
      let dark = 0
      for (let y = 20; y < 60; y++) for (let x = 30; x < 300; x++) if ((pixels[(y * width + x) * 4] ?? 255) < 128) dark++
      return dark
    }
    expect(await inkOf('各地区月度经常性收入')).toBeGreaterThan(800)
    expect(await inkOf(' ')).toBe(0)
  })
})

test('the typeface comes with a licence that lets it be used so', () => {
  const { license } = JSON.parse(readFileSync(new URL(import.meta.resolve('@fontsource-variable/noto-sans-sc/package.json')), 'utf8')) as { license: string }
  expect(license).toBe('OFL-1.1')
})
