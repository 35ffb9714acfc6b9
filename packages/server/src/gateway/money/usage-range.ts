/** Ranges and pages of usage. */
import { sqlState } from '../../db/index.ts'
import { AppError, wallClock } from '../../kernel/index.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** Single calls are counted over no more than this. Whole hours have no such limit. */
const callsRangeMs = 32 * dayMs
const defaultRangeMs = 30 * dayMs

/** Absent: the last 30 days, up to now. Throws `invalid`. */
export function readRange(fromText: string | undefined, toText: string | undefined): { from: Date; to: Date } {
  const to = toText === undefined ? wallClock() : new Date(toText)
  const from = fromText === undefined ? new Date(to.getTime() - defaultRangeMs) : new Date(fromText)
  if (from >= to) throw new AppError('invalid', 'from: must be before to.')
  return { from, to }
}

/** Throws `invalid` for a range whose single calls are too many to read. */
export function assertFewCalls({ from, to }: { from: Date; to: Date }, why = 'by run, step, session or tag'): void {
  if (to.getTime() - from.getTime() > callsRangeMs) throw new AppError('invalid', `from: ${why}, at most 32 days can be asked for at once.`)
}

/** The whole hours that a range touches. */
export const hourAround = (from: Date, to: Date): { from: Date; to: Date } => ({
  from: new Date(Math.floor(from.getTime() / hourMs) * hourMs),
  to: new Date(Math.ceil(to.getTime() / hourMs) * hourMs),
})

/** Whether days of this time zone begin at full hours of UTC. India's and Nepal's do not. A zone that does not exist is the database's to refuse. */
export function isWholeHours(timeZone: string, at: Date): boolean {
  try {
    const parts = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' }).formatToParts(at)
    return /^GMT([+-]\d{2}:00)?$/.test(parts.find(({ type }) => type === 'timeZoneName')?.value ?? '')
  } catch {
    return false // The zone is unknown here; the statement says so.
  }
}

/** Where the next page begins: the instant of the last row, to the microsecond, and its id. */
export function cursorOf(rows: readonly { cursorAt: string; id: string }[], limit: number): string | null {
  const last = rows.length === limit ? rows.at(-1) : undefined
  return last ? Buffer.from(`${last.cursorAt} ${last.id}`).toString('base64url') : null
}

export function readCursor(cursor: string | undefined): { at: string; id: string } | undefined {
  if (cursor === undefined) return undefined
  const [at = '', id = ''] = Buffer.from(cursor, 'base64url').toString('utf8').split(' ')
  if (!/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(at) || !/^[0-9a-f-]{36}$/.test(id)) throw new AppError('invalid', 'cursor: must be the `next` of an earlier page.')
  return { at, id }
}

/** The database knows which time zones there are. */
export const refuseTimeZone = (timeZone: string) => (error: unknown) => {
  throw sqlState(error) === '22023' ? new AppError('invalid', `timeZone: there is no time zone ${JSON.stringify(timeZone)}.`) : error
}
