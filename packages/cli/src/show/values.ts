/** How numbers, durations and moments are written for people. */
const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 20 })

export const wholeNumber = (value: number): string => grouped.format(value)

export const counted = (count: number, one: string, many = `${one}s`): string => `${wholeNumber(count)} ${count === 1 ? one : many}`

export function duration(ms: number): string {
  if (ms < 1) return '<1 ms'
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`
  const minutes = Math.round(ms / 1_000) / 60
  if (minutes < 60) return `${Math.floor(minutes)} min ${Math.round((minutes % 1) * 60)} s`
  const hours = Math.round(minutes) / 60
  if (hours < 48) return `${Math.floor(hours)} h ${Math.round((hours % 1) * 60)} min`
  return counted(Math.round(hours / 24), 'day')
}

/** `null` is not zero: nobody knows the price. */
export function cost(usd: number | null): string {
  if (usd === null) return 'cost unknown'
  if (usd === 0) return '$0'
  if (usd < 0.0001) return '<$0.0001'
  return `$${usd < 0.1 ? usd.toPrecision(2) : usd.toFixed(2)}`
}

export function bytes(count: number): string {
  if (count < 1_000) return `${count} B`
  if (count < 999_500) return `${(count / 1_000).toFixed(count < 9_950 ? 1 : 0)} kB`
  return `${(count / 1_000_000).toFixed(count < 9_950_000 ? 1 : 0)} MB`
}

/** `2026-11-21 14:05` in the reader's own time zone. */
export function moment(iso: string): string {
  const at = new Date(iso)
  if (Number.isNaN(at.getTime())) return iso
  const two = (value: number) => String(value).padStart(2, '0')
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`
}

/** `14:05:09`. */
export const timeOfDay = (iso: string): string => new Date(iso).toTimeString().slice(0, 8)

export function ago(iso: string, now = Date.now()): string {
  const ms = now - new Date(iso).getTime()
  if (ms < 10_000) return 'just now'
  if (ms < 60_000) return `${Math.floor(ms / 1_000)} s ago`
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ago`
  if (ms < 48 * 3_600_000) return `${Math.floor(ms / 3_600_000)} h ago`
  return `${Math.floor(ms / 86_400_000)} days ago`
}
