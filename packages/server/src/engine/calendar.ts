/** When a schedule fires. Pure: instants come in and go out, no clock is read. */
import type { Calendar } from '@longhaul/protocol'
import { Cron } from 'croner'
import { AppError } from '../kernel/index.ts'

export type CatchUp = 'skip' | 'one' | 'all'

/** A fire that is noticed later than this was missed: the servers were down, or had no time. */
export const missedAfterMs = 60_000
/** Fires of one look. What is left is taken at the next. */
const firesMax = 100

/** The first fire after this instant, null when none follows. */
export function nextFire(calendar: Calendar, afterMs: number): number | null {
  switch (calendar.kind) {
    case 'once': {
      const at = Date.parse(calendar.at)
      return at > afterMs ? at : null
    }
    case 'interval': {
      const from = Date.parse(calendar.from ?? '')
      return afterMs < from ? from : from + (Math.floor((afterMs - from) / calendar.everyMs) + 1) * calendar.everyMs
    }
    case 'cron':
      return cronOf(calendar).nextRun(new Date(afterMs))?.getTime() ?? null
  }
}

/** The last fire until this instant, that one included. */
function lastFire(calendar: Calendar, untilMs: number): number | null {
  switch (calendar.kind) {
    case 'once': {
      const at = Date.parse(calendar.at)
      return at <= untilMs ? at : null
    }
    case 'interval': {
      const from = Date.parse(calendar.from ?? '')
      return untilMs < from ? null : from + Math.floor((untilMs - from) / calendar.everyMs) * calendar.everyMs
    }
    case 'cron':
      return (
        cronOf(calendar)
          .previousRuns(1, new Date(untilMs + 1))[0]
          ?.getTime() ?? null
      )
  }
}

/** The next `count` fires from one that is known on. */
export function firesFrom(calendar: Calendar, firstMs: number | null, count: number): number[] {
  const fires: number[] = []
  for (let at = firstMs; at !== null && fires.length < count; at = nextFire(calendar, at)) fires.push(at)
  return fires
}

/**
 * What is due of a schedule whose next fire was to be at `nextMs`: the fires to make, oldest first, the last one that is left out
 * because it was missed, and the next one to come. A schedule that was missed a million times is not counted through.
 */
export function dueFires(
  calendar: Calendar,
  { nextMs, nowMs, catchUp }: { nextMs: number; nowMs: number; catchUp: CatchUp },
): { fires: number[]; missed: number | null; nextMs: number | null } {
  if (nextMs > nowMs) return { fires: [], missed: null, nextMs }
  const onTimeFrom = nowMs - missedAfterMs
  if (nextMs >= onTimeFrom || catchUp === 'all') {
    const fires = firesFrom(calendar, nextMs, firesMax).filter((at) => at <= nowMs)
    return { fires, missed: null, nextMs: nextFire(calendar, fires.at(-1) ?? nowMs) }
  }
  const onTime = firesFrom(calendar, nextFire(calendar, onTimeFrom - 1), firesMax).filter((at) => at <= nowMs)
  const following = nextFire(calendar, onTime.at(-1) ?? nowMs)
  const missed = Math.max(nextMs, lastFire(calendar, onTimeFrom - 1) ?? nextMs)
  // With one on time, that one makes up for those before it.
  if (catchUp === 'one' && onTime.length === 0) return { fires: [missed], missed: null, nextMs: following }
  return { fires: onTime, missed, nextMs: following }
}

/** Throws `invalid` when it can never fire after this instant. An interval without a beginning begins then. */
export function checkedCalendar(calendar: Calendar, nowMs: number): { calendar: Calendar; nextMs: number } {
  const whole: Calendar = calendar.kind === 'interval' && calendar.from === undefined ? { ...calendar, from: new Date(nowMs).toISOString() } : calendar
  let nextMs: number | null
  try {
    nextMs = nextFire(whole, nowMs)
  } catch (cause) {
    throw new AppError('invalid', `calendar: ${explain(calendar, cause)}`, cause)
  }
  if (nextMs === null)
    throw new AppError('invalid', calendar.kind === 'once' ? `calendar: ${calendar.at} has passed.` : 'calendar: it never fires. Which day did you mean?')
  return { calendar: whole, nextMs }
}

function explain(calendar: Calendar, cause: unknown): string {
  if (calendar.kind === 'cron' && !isTimeZone(calendar.timeZone))
    return `there is no time zone ${JSON.stringify(calendar.timeZone)}; they look like Europe/Berlin.`
  const why = cause instanceof Error ? cause.message.replace(/^CronPattern: /, '') : String(cause)
  return calendar.kind === 'cron' ? `the cron expression ${JSON.stringify(calendar.cron)} is not one of five fields: ${why}` : why
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name }).format(0)
    return true
  } catch {
    return false // That is how it says so.
  }
}

const cronOf = ({ cron, timeZone }: Extract<Calendar, { kind: 'cron' }>): Cron => new Cron(cron, { timezone: timeZone, mode: '5-part', paused: true })
