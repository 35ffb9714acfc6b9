import { shown, tool } from '@longhaul/sdk'
import { z } from 'zod'
import { inWords, limitNote, makeFigure, render } from '../../charting/index.ts'
import { runQuery } from '../../querying/index.ts'

const Column = z.string().min(1).max(200)

export default tool({
  description:
    'Draws a chart of what one SELECT returns, and shows it to the person. The SQL is run here, so a chart shows only what the warehouse holds. Values such as segments or regions are written in words by themselves.',
  effect: 'none',
  input: z.strictObject({
    type: z
      .enum(['bar', 'line', 'area', 'pie'])
      .describe('bar to compare, line for a development, area for parts of a total over time, pie for shares of a total.'),
    title: z.string().min(1).max(120).describe("What the chart shows, in the asker's language."),
    sql: z.string().min(1).max(20_000).describe('One SELECT, as for the tool query, its rows in the order to draw them.'),
    x: Column.describe('Column of the categories or dates.'),
    y: z.union([Column, z.array(Column).min(1).max(8)]).describe('Column or columns of the values.'),
    series: Column.optional().describe('Column whose values split y into several lines or bars.'),
    unit: z.enum(['usd', 'count', 'percent', 'days', 'hours']).optional().describe("The metric's unit."),
    stacked: z.boolean().optional(),
  }),
  timeoutMs: 60_000,
  async run(request, ctx) {
    const result = await runQuery({ dataDir: ctx.dataDir, access: ctx.asker.access, sql: request.sql, signal: ctx.signal })
    const { access } = result
    if (result.error) return { error: result.error, access }
    const figure = makeFigure(request, result.columns, result.rows, limitNote(access.regions, request.title))
    if ('problem' in figure) return { error: { kind: 'chart', message: figure.problem }, access }

    const { svg, png } = await render(inWords(figure))
    const name = fileName(request.title)
    const drawing = await ctx.artifact({ name: `${name}.svg`, mediaType: 'image/svg+xml', title: request.title, content: svg })
    const picture = await ctx.artifact({ name: `${name}.png`, mediaType: 'image/png', title: request.title, content: png })
    return shown(
      { charted: { rows: result.rows.length, series: figure.series.map((one) => one.name) }, files: [drawing.name, picture.name], access },
      drawing,
      picture,
    )
  },
})

const fileName = (title: string): string =>
  title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 60) || 'chart'
