// Figures, days and names as a person reads them.
import type { Bucket } from './buckets.ts'
import type { Dimension, Metric } from './layer.ts'

export type Language = 'en' | 'zh'

const decimals = (value: number): number => (Number.isInteger(value) || Math.abs(value) >= 100_000 ? 0 : Math.abs(value) >= 1_000 ? 1 : 2)
const plain = (value: number, digits: number): string =>
  new Intl.NumberFormat('en-US', { minimumFractionDigits: 0, maximumFractionDigits: digits }).format(value)

/** `unit` as the metrics have it: usd (or another currency), count, percent, days, hours. */
export function formatFigure(value: unknown, unit: string, language: Language): string {
  if (typeof value !== 'number') return value === null || value === undefined ? (language === 'zh' ? '无数据' : 'no data') : String(value)
  if (unit === 'percent') return `${plain(value, 2)}%`
  if (unit === 'count') return plain(value, decimals(value))
  if (unit === 'days' || unit === 'hours') {
    const names = { days: { en: 'days', zh: '天' }, hours: { en: 'hours', zh: '小时' } }
    return `${plain(value, 2)} ${names[unit][language]}`
  }
  if (/^[a-z]{3}$/.test(unit)) {
    const digits = Math.abs(value) < 1_000 && !Number.isInteger(value) ? 2 : 0
    return new Intl.NumberFormat('en-US', {
      style: 'currency',
      currency: unit.toUpperCase(),
      currencyDisplay: 'narrowSymbol',
      minimumFractionDigits: 0,
      maximumFractionDigits: digits,
    }).format(value)
  }
  return `${plain(value, decimals(value))} ${unit}`
}

/** With its sign, and percentages as points. */
export function formatChange(value: unknown, unit: string, language: Language): string {
  const sign = typeof value === 'number' && value > 0 ? '+' : ''
  if (unit === 'percent' && typeof value === 'number') return `${sign}${plain(value, 2)} ${language === 'zh' ? '个百分点' : 'points'}`
  return sign + formatFigure(value, unit, language)
}

/** A value of a column by the name that the layer has for it. */
export function nameOf(value: unknown, dimension: Dimension | undefined, language: Language): string {
  if (value === null || value === undefined) return language === 'zh' ? '（无）' : '(none)'
  const known = dimension?.values.find((candidate) => candidate.value === String(value))
  return known?.label[language] ?? String(value)
}

/** "2026-08-01 to 2026-10-31 (FY2027 Q3)", or the day of a state. */
export function formatBucket(bucket: Bucket, metric: Metric, language: Language): string {
  const isNamed = bucket.period.unit === 'quarter' || bucket.period.unit === 'half' || bucket.period.unit === 'year'
  const name = isNamed && (bucket.period.count ?? 1) === 1 ? (language === 'zh' ? `（${bucket.label}）` : ` (${bucket.label})`) : ''
  if (metric.kind === 'snapshot') return `${bucket.at}${name}`
  if (bucket.first === bucket.last) return bucket.first
  return `${bucket.first} ${language === 'zh' ? '至' : 'to'} ${bucket.last}${name}`
}

export const listed = (items: readonly string[], language: Language, joiner: 'and' | 'or' = 'and'): string => {
  if (language === 'zh') return items.join(joiner === 'or' ? '或' : '、')
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} ${joiner} ${items.at(-1) ?? ''}`
}
