import type { EChartsCoreOption } from 'echarts/core'
import type { Figure } from './figure.ts'
import { formatDates, formatNumber, labelledMonths, languageOf } from './format.ts'

export const size = { width: 960, height: 540 } as const
const margin = 36

/** A cool blue leads; the others are told apart by brightness as well as by hue, so that a printed or colour-blind reader can follow. */
const palette = ['#2b5fd9', '#14a3a0', '#f0a130', '#7a5cc9', '#dd5f74', '#6c7a90', '#63b3ea', '#8fa83e']
const ink = { title: '#131a26', text: '#465063', faint: '#7b8698', axis: '#c5ccd6', grid: '#e9ecf1', paper: '#ffffff' }
const text = { fontFamily: 'Noto Sans SC', fontSize: 13, color: ink.text }

/** Width of a line of text in pixels. */
export type Measure = (line: string, fontSize: number) => number

/** The figure as ECharts wants it. */
export function look(figure: Figure, measure: Measure): EChartsCoreOption {
  return {
    animation: false,
    backgroundColor: ink.paper,
    color: palette,
    textStyle: text,
    title: {
      text: figure.title,
      ...(figure.note === null ? {} : { subtext: figure.note }),
      left: margin,
      top: 26,
      padding: 0,
      itemGap: 9,
      textStyle: { ...text, fontSize: 20, fontWeight: 600, color: ink.title, width: size.width - 2 * margin, overflow: 'truncate' },
      subtextStyle: { ...text, fontSize: 13, color: ink.faint, width: size.width - 2 * margin, overflow: 'truncate' },
    },
    ...(figure.type === 'pie' ? pie(figure) : axes(figure, measure)),
  }
}

const topOf = (figure: Figure) => 78 + (figure.note === null ? 0 : 24)

function axes(figure: Figure, measure: Measure): EChartsCoreOption {
  const language = languageOf(figure.title)
  const labels = figure.isTime ? formatDates(figure.categories, language) : figure.categories
  const format = (value: number) => formatNumber(value, figure.unit, language)
  const values = figure.series.flatMap((one) => one.values.filter((value) => value !== null))
  const labelWidth = Math.max(...labels.map((name) => measure(name, 13)))
  const isSideways = figure.type === 'bar' && !figure.isTime && (labels.length > 9 || labelWidth > (size.width - 120) / labels.length - 12)
  const isSingle = figure.series.length === 1
  const namesAtEnd = !isSingle && figure.type === 'line' && figure.series.length <= 5 && figure.series.every((one) => one.values.at(-1) !== null)
  const endWidth = namesAtEnd ? Math.max(...figure.series.map(({ name }) => measure(name, 13))) + 16 : 0
  const withLegend = !isSingle && !namesAtEnd
  const largest = Math.max(...values.map(Math.abs), 0)
  const withValues = figure.type === 'bar' && !figure.stacked && figure.categories.length * figure.series.length <= (isSideways ? 24 : 14)

  const interval = figure.isTime ? labelledMonths(figure.categories, 18) : undefined

  const categoryAxis = {
    type: 'category',
    data: labels,
    boundaryGap: figure.type === 'bar',
    inverse: isSideways,
    axisTick: { show: false },
    axisLine: { lineStyle: { color: ink.axis } },
    axisLabel: {
      ...text,
      margin: 12,
      lineHeight: 18,
      hideOverlap: true,
      ...(isSideways ? { interval: 0, width: Math.min(labelWidth + 1, 220), overflow: 'truncate' } : { interval: interval ?? 'auto' }),
    },
  }
  const valueAxis = {
    type: 'value',
    splitNumber: 4,
    // Bars and areas are read by their length, so they start at zero; a line may start where it has something to say.
    scale: figure.type === 'line' && Math.min(...values) > 0.7 * Math.max(...values),
    axisLabel: {
      ...text,
      color: ink.faint,
      margin: 12,
      formatter: (value: number) => formatNumber(value, figure.unit, language, largest),
      show: !(withValues && isSideways),
    },
    splitLine: { show: !(withValues && isSideways), lineStyle: { color: ink.grid } },
  }
  return {
    grid: {
      left: margin,
      right: margin + (isSideways ? 34 : 0) + endWidth,
      top: topOf(figure) + (withLegend ? 34 : 6),
      bottom: 28,
      outerBoundsMode: 'same',
      outerBoundsContain: 'axisLabel',
    },
    ...(withLegend
      ? { legend: { left: margin, top: topOf(figure) - 6, padding: 0, itemWidth: 10, itemHeight: 10, itemGap: 20, icon: 'roundRect', textStyle: text } }
      : {}),
    xAxis: isSideways ? valueAxis : categoryAxis,
    yAxis: isSideways ? categoryAxis : valueAxis,
    series: figure.series.map((one, index) => ({
      name: one.name,
      data: one.values,
      ...(figure.stacked && figure.type !== 'line' ? { stack: 'all' } : {}),
      ...(figure.type === 'bar' ? bars(figure, { isSideways, withValues, format }) : lines(figure, palette[index] ?? ink.text, namesAtEnd)),
    })),
  }
}

function bars(figure: Figure, { isSideways, withValues, format }: { isSideways: boolean; withValues: boolean; format: (value: number) => string }) {
  const round = figure.stacked ? 0 : 4
  return {
    type: 'bar',
    barMaxWidth: isSideways ? 26 : 88,
    barCategoryGap: '32%',
    barGap: '8%',
    itemStyle: { borderRadius: isSideways ? [0, round, round, 0] : [round, round, 0, 0] },
    label: {
      show: withValues,
      position: isSideways ? 'right' : 'top',
      distance: 7,
      ...text,
      textBorderWidth: 0,
      formatter: ({ value }: { value: unknown }) => (typeof value === 'number' ? format(value) : ''),
    },
  }
}

function lines(figure: Figure, color: string, namesAtEnd: boolean) {
  const isFilled = figure.type === 'area' || (figure.type === 'line' && figure.series.length === 1)
  return {
    type: 'line',
    symbol: 'circle',
    symbolSize: 6,
    showSymbol: figure.categories.length <= 24 && !figure.stacked,
    lineStyle: { width: figure.type === 'area' && figure.stacked ? 1.25 : 2.5, cap: 'round', join: 'round' },
    ...(isFilled ? { areaStyle: { color, opacity: figure.stacked ? 0.7 : 0.1 } } : {}),
    ...(namesAtEnd
      ? { endLabel: { show: true, ...text, color, fontWeight: 600, distance: 8, textBorderWidth: 0, formatter: '{a}' }, labelLayout: { moveOverlap: 'shiftY' } }
      : {}),
  }
}

const slicesMax = 7

function pie(figure: Figure): EChartsCoreOption {
  const language = languageOf(figure.title)
  const format = (value: number) => formatNumber(value, figure.unit, language)
  const slices = figure.categories.map((name, index) => ({ name, value: figure.series[0]?.values[index] ?? 0 })).sort((a, b) => b.value - a.value)
  const rest = slices.splice(slices.length > slicesMax ? slicesMax - 1 : slicesMax)
  if (rest.length > 0) slices.push({ name: language === 'zh' ? '其他' : 'Other', value: rest.reduce((sum, { value }) => sum + value, 0) })
  const total = slices.reduce((sum, { value }) => sum + value, 0)
  const share = (value: number) => `${((100 * value) / (total || 1)).toFixed(1)}%`
  const center = [size.width / 2, topOf(figure) + (size.height - topOf(figure)) / 2 - 12]
  const lineOf = (words: string, style: object, dy: number) => ({
    type: 'text',
    left: 'center',
    x: 0,
    y: 0,
    style: { ...text, text: words, x: center[0], y: (center[1] ?? 0) + dy, align: 'center', verticalAlign: 'middle', ...style },
  })
  return {
    // A share of percentages has no sum that means anything.
    ...(figure.unit === 'usd' || figure.unit === 'count'
      ? {
          graphic: [
            lineOf(format(total), { fontSize: 24, fontWeight: 600, fill: ink.title }, -8),
            lineOf(language === 'zh' ? '合计' : 'Total', { fill: ink.faint, fontSize: 13 }, 20),
          ],
        }
      : {}),
    series: [
      {
        type: 'pie',
        radius: [100, 168],
        center,
        startAngle: 90,
        itemStyle: { borderColor: ink.paper, borderWidth: 2, borderRadius: 4 },
        label: {
          ...text,
          textBorderWidth: 0,
          lineHeight: 19,
          formatter: ({ name, value }: { name: string; value: unknown }) => `${name}\n${typeof value === 'number' ? `${format(value)} (${share(value)})` : ''}`,
        },
        labelLine: { length: 14, length2: 16, lineStyle: { color: ink.axis } },
        data: slices,
      },
    ],
  }
}
