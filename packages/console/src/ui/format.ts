/** Numbers, money and time as people read them, in their language. Pure: `now` is an argument. */

type Locale = string
const isChinese = (locale: Locale) => locale.startsWith('zh')
const cache = new Map<string, Intl.NumberFormat>()
function numberFormat(locale: Locale, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = locale + JSON.stringify(options)
  let format = cache.get(key)
  if (!format) cache.set(key, (format = new Intl.NumberFormat(locale, options)))
  return format
}

export const formatNumber = (value: number, locale: Locale, decimals?: number): string =>
  numberFormat(locale, decimals === undefined ? { maximumFractionDigits: 6 } : { minimumFractionDigits: decimals, maximumFractionDigits: decimals }).format(
    value,
  )

/** `12,408`, `128k`, `1.2M`: counts of tokens are looked at, not added up. */
export const formatCount = (value: number, locale: Locale): string =>
  value < 100_000 ? formatNumber(value, locale, 0) : numberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 }).format(value)

/** Costs of calls are often fractions of a cent: two significant digits there, cents above. */
export function formatUsd(value: number, locale: Locale): string {
  const options =
    value === 0 || value >= 0.1 ? { minimumFractionDigits: 2, maximumFractionDigits: 2 } : { minimumSignificantDigits: 2, maximumSignificantDigits: 2 }
  return numberFormat(locale, { style: 'currency', currency: 'USD', currencyDisplay: 'narrowSymbol', ...options }).format(value)
}

export function formatBytes(bytes: number, locale: Locale): string {
  const units = ['B', 'kB', 'MB', 'GB']
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3))
  return `${formatNumber(bytes / 1_000 ** power, locale, power === 0 || bytes / 1_000 ** power >= 100 ? 0 : 1)} ${units[power]}`
}

/** `340 ms`, `4.21 s`, `3 min 12 s`, `2 h 4 min`, `3 d 4 h`: two units at most. */
export function formatDuration(ms: number, locale: Locale): string {
  const unit = isChinese(locale) ? { ms: ' 毫秒', s: ' 秒', min: ' 分', h: ' 小时', d: ' 天' } : { ms: ' ms', s: ' s', min: ' min', h: ' h', d: ' d' }
  const safe = Math.max(0, ms)
  if (safe < 1) return `${safe === 0 ? 0 : '<1'}${unit.ms}`
  if (Math.round(safe) < 1_000) return `${Math.round(safe)}${unit.ms}`
  if (safe < 9_995) return `${formatNumber(safe / 1_000, locale, 2)}${unit.s}`
  if (safe < 59_950) return `${formatNumber(safe / 1_000, locale, 1)}${unit.s}`
  const pair = (large: number, largeUnit: string, small: number, smallUnit: string) => `${large}${largeUnit}${small > 0 ? ` ${small}${smallUnit}` : ''}`
  const seconds = Math.round(safe / 1_000)
  if (seconds < 3_600) return pair(Math.floor(seconds / 60), unit.min, seconds % 60, unit.s)
  const minutes = Math.round(safe / 60_000)
  if (minutes < 1_440) return pair(Math.floor(minutes / 60), unit.h, minutes % 60, unit.min)
  const hours = Math.round(safe / 3_600_000)
  return pair(Math.floor(hours / 24), unit.d, hours % 24, unit.h)
}

/** `in 3 minutes`, `yesterday`; a date once that says more. */
export function formatRelative(instant: number, now: number, locale: Locale): string {
  const seconds = (instant - now) / 1_000
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' })
  const size = Math.abs(seconds)
  if (size < 5) return relative.format(0, 'second')
  if (size < 60) return relative.format(Math.round(seconds), 'second')
  if (size < 3_600) return relative.format(Math.round(seconds / 60), 'minute')
  if (size < 86_400) return relative.format(Math.round(seconds / 3_600), 'hour')
  if (size < 7 * 86_400) return relative.format(Math.round(seconds / 86_400), 'day')
  return new Intl.DateTimeFormat(locale, { dateStyle: 'medium' }).format(instant)
}

export const formatInstant = (instant: number, locale: Locale): string =>
  new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' }).format(instant)

/** To the millisecond, for the detail of one step. */
export const formatClock = (instant: number, locale: Locale): string =>
  new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, hourCycle: 'h23' }).format(instant)
