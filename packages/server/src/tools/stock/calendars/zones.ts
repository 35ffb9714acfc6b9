/** Clocks of time zones. A wall time is what a clock shows, written as the milliseconds at which a clock in UTC shows it. */

export const dayMs = 86_400_000

const formats = new Map<string, Intl.DateTimeFormat>()

/** Undefined for a name that is no IANA time zone. */
function formatOf(zone: string): Intl.DateTimeFormat | undefined {
  const known = formats.get(zone)
  if (known) return known
  try {
    const parts = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' } as const
    const made = new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', calendar: 'gregory', ...parts })
    formats.set(zone, made) // There are some hundred zones.
    return made
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

export const isZone = (zone: string): boolean => formatOf(zone) !== undefined

/** What clocks of the zone show at an instant. Throws a `RangeError` for what is no zone. */
export function wallAt(instant: number, zone: string): number {
  const format = formatOf(zone)
  if (!format) throw new RangeError(`There is no time zone ${JSON.stringify(zone)}.`)
  const of = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]))
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = of
  return Date.UTC(year, month - 1, day, hour, minute, second) + (((instant % 1_000) + 1_000) % 1_000)
}

/** The instant at which clocks of the zone show this: of two the first, and where the clock jumps over it, as much after the jump. */
export function instantAt(wall: number, zone: string): number {
  const offset = (instant: number) => wallAt(instant, zone) - instant
  const [before, later] = [offset(wall - dayMs), offset(wall + dayMs)]
  if (offset(wall - before) === before) return wall - before
  return offset(wall - later) === later ? wall - later : wall - before
}

/** ISO 8601, as clocks of the zone show it: `2026-11-30T09:00:00+01:00`. */
export function textAt(instant: number, zone: string): string {
  const wall = wallAt(instant, zone)
  const minutes = Math.round((wall - instant) / 60_000)
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  return `${new Date(wall).toISOString().slice(0, 19)}${minutes < 0 ? '-' : '+'}${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}`
}
