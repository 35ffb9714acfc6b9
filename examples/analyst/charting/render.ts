import { Resvg } from '@resvg/resvg-js'
import { BarChart, LineChart, PieChart } from 'echarts/charts'
import { GraphicComponent, GridComponent, LegendComponent, TitleComponent } from 'echarts/components'
import { init, setPlatformAPI, use } from 'echarts/core'
import { LabelLayout } from 'echarts/features'
import { SVGRenderer } from 'echarts/renderers'
import type { Figure } from './figure.ts'
import { look, size } from './look.ts'
import { drawText } from './outlines.ts'
import { typefaceFor, type Typeface, type Weight } from './typeface.ts'

use([BarChart, LineChart, PieChart, GraphicComponent, GridComponent, LegendComponent, TitleComponent, LabelLayout, SVGRenderer])

/** Letters, digits and signs that ECharts or the formats may write besides the figure's own words. */
const alwaysNeeded = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789$%.,−–-…·亿万天小时年月日其他合计'
const pngScale = 2

/** Draws a figure. The same figure gives the same bytes. */
export async function render(figure: Figure): Promise<{ svg: string; png: Uint8Array }> {
  const typeface = await typefaceFor(
    alwaysNeeded + figure.title + (figure.note ?? '') + figure.categories.join('') + figure.series.map(({ name }) => name).join(''),
  )
  const svg = drawText(toSvg(figure, typeface), typeface, figure.title)
  const png = new Resvg(svg, { fitTo: { mode: 'zoom', value: pngScale }, font: { loadSystemFonts: false } }).render().asPng()
  return { svg, png }
}

/** Not interrupted by anything, so that the measure which ECharts keeps for all charts is this chart's. */
function toSvg(figure: Figure, typeface: Typeface): string {
  setPlatformAPI({ measureText: (line, font) => ({ width: measureFont(typeface, line, font ?? '') }) })
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...size })
  try {
    chart.setOption(look(figure, (line, fontSize) => (typeface.width(line, 400) * fontSize) / 1_000))
    return chart.renderToSVGString()
  } finally {
    chart.dispose()
  }
}

/** `font` is CSS, as in `600 20px Noto Sans SC`. */
function measureFont(typeface: Typeface, line: string, font: string): number {
  const fontSize = Number(/([\d.]+)px/.exec(font)?.[1] ?? 12)
  const weight: Weight = /\b(bold|[6-9]00)\b/.test(font) ? 600 : 400
  return (typeface.width(line, weight) * fontSize) / 1_000
}
