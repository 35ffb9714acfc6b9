// English phrases for time: March 2026 · Q3 FY27 · the first half of last year · the last 90 days · two quarters ago.
import { addDays, addMonths, addUnits, isDay, unitAt, type Period, type System, type Unit } from './calendar.ts'
import { numberAt } from './numerals.ts'
import * as reading from './time-reading.ts'
import type { Calendar, Read, TimePhrase, YearRef } from './time-reading.ts'
import type { Token } from './tokens.ts'

const months = ['january', 'february', 'march', 'april', 'may', 'june', 'july', 'august', 'september', 'october', 'november', 'december']
const units: Record<string, Unit> = { day: 'day', week: 'week', month: 'month', quarter: 'quarter', qtr: 'quarter', half: 'half', year: 'year', yr: 'year' }
const ordinals: Record<string, number> = { first: 1, second: 2, third: 3, fourth: 4, final: -1, last: -1 }
const systems: Record<string, System> = { fiscal: 'fiscal', financial: 'fiscal', calendar: 'calendar' }
const offsets: Record<string, number> = { this: 0, current: 0, last: -1, previous: -1, prior: -1, past: -1, preceding: -1, latest: -1, recent: -1 }
const emphatic = new Set(['full', 'complete', 'completed', 'whole', 'entire', 'closed', 'ended'])

/** Every way to read a phrase that begins at `at`, without the words that stand around it (since, from … to, end of). */
export function englishPhrases(tokens: readonly Token[], at: number, calendar: Calendar): Read<TimePhrase>[] {
  if (tokens[at]?.kind === 'han') return []
  const cursor = { tokens, calendar }
  const start = tokens[at]?.norm === 'the' || tokens[at]?.norm === 'year' ? [at, at + 1] : [at]
  return start.flatMap((from) => phrases.flatMap((phrase) => phrase(cursor, from)))
}

type Cursor = { tokens: readonly Token[]; calendar: Calendar }
type Phrase = (cursor: Cursor, at: number) => Read<TimePhrase>[]

const word = ({ tokens }: Cursor, at: number): string => tokens[at]?.norm ?? ''
const unitWord = ({ tokens }: Cursor, at: number): Unit | undefined => units[tokens[at]?.stem ?? '']
const skip = (cursor: Cursor, at: number, words: readonly string[]): number => (words.includes(word(cursor, at)) ? skip(cursor, at + 1, words) : at)
const systemWord = (cursor: Cursor, at: number): System | undefined => systems[word(cursor, at)]
const read = (period: Period | undefined, next: number, more: Partial<TimePhrase> = {}): Read<TimePhrase>[] =>
  period ? [{ value: { period, ...more }, next }] : []

function monthNumber(token: Token | undefined): number {
  if (token?.kind !== 'word') return 0
  if (token.norm === 'sept') return 9
  const isShort = token.norm.length === 3 && token.norm !== 'may'
  return months.findIndex((name) => name === token.norm || (isShort && name.startsWith(token.norm))) + 1
}

/** 2026 · FY26 · fiscal 2026 · calendar year 2025 · '26 · last fiscal year. */
function yearAt(cursor: Cursor, at: number): Read<YearRef>[] {
  const { tokens, calendar } = cursor
  const from = skip(cursor, at, ['the'])
  const first = word(cursor, from)
  const found: Read<YearRef>[] = []
  const bare = reading.yearNumber(tokens[from])
  if (bare !== undefined) found.push({ value: reading.bareYear(calendar, bare), next: from + 1 })
  if (first === "'" && tokens[from + 1]?.isGlued) {
    const short = reading.shortYear(tokens[from + 1])
    if (short !== undefined) found.push({ value: reading.bareYear(calendar, short), next: from + 2 })
  }
  const said: System | undefined = first === 'fy' ? 'fiscal' : first === 'cy' ? 'calendar' : systemWord(cursor, from)
  const named = skip(cursor, from + 1, ['year', '-', "'"])
  const number = reading.shortYear(tokens[named])
  if (said && number !== undefined)
    found.push({ value: said === 'fiscal' ? reading.fiscalYear(calendar, number) : reading.calendarYear(calendar, number), next: named + 1 })
  if (first === 'year' && reading.yearNumber(tokens[from + 1]) !== undefined) return [...found, ...yearAt(cursor, from + 1)]
  const offset = offsets[first]
  if (offset !== undefined && first !== 'recent' && first !== 'past') {
    const system = systemWord(cursor, from + 1)
    const noun = from + (system ? 2 : 1)
    const fiscal = word(cursor, noun) === 'fy' ? 'fiscal' : system
    if (unitWord(cursor, noun) === 'year' || word(cursor, noun) === 'fy') found.push({ value: reading.relativeYear(calendar, offset, fiscal), next: noun + 1 })
  }
  return found
}

/** The year after a quarter or month: "Q3 2026", "Q3 of last year", "March, 2026". */
const yearAfter = (cursor: Cursor, at: number): Read<YearRef>[] => yearAt(cursor, skip(cursor, at, ['of', 'in', ',', '-', 'the']))

const years: Phrase = (cursor, at) =>
  yearAt(cursor, at).flatMap(({ value, next }) => read(value.period, next, { year: value.period, isRelative: (value.offset ?? 0) < 0 }))

const dates: Phrase = (cursor, at) => {
  const { tokens, calendar } = cursor
  const token = tokens[at]
  if (token?.kind === 'date') return isDay(token.norm) ? read(reading.dayPeriod(token.norm), at + 1) : []
  const year = reading.yearNumber(token)
  const separator = word(cursor, at + 1)
  if (
    year !== undefined &&
    (separator === '-' || separator === '/') &&
    tokens[at + 1]?.isGlued &&
    tokens[at + 2]?.isGlued &&
    tokens[at + 2]?.kind === 'number'
  ) {
    const month = Number(word(cursor, at + 2))
    if (month < 1 || month > 12) return []
    const date = word(cursor, at + 3) === separator && tokens[at + 4]?.kind === 'number' ? Number(word(cursor, at + 4)) : undefined
    if (date !== undefined) return read(reading.numberedDay(year, month, date), at + 5)
    return read(reading.monthOf(calendar, reading.calendarYear(calendar, year), month), at + 3)
  }
  return []
}

const monthNames: Phrase = (cursor, at) => {
  const { tokens, calendar } = cursor
  const leading = tokens[at]?.kind === 'number' && Number(word(cursor, at)) <= 31 ? Number(word(cursor, at)) : undefined
  const nameAt = leading === undefined ? skip(cursor, at, ['month']) : skip(cursor, at + 1, ['st', 'nd', 'rd', 'th', 'of'])
  const month = monthNumber(tokens[nameAt])
  if (month === 0) return []
  const isModal = word(cursor, nameAt) === 'may' && tokens[nameAt]?.text === 'may'
  let next = skip(cursor, nameAt + 1, ['.'])
  let date = leading
  if (date === undefined && tokens[next]?.kind === 'number' && /^\d{1,2}$/.test(word(cursor, next)) && Number(word(cursor, next)) <= 31) {
    date = Number(word(cursor, next))
    next = skip(cursor, next + 1, ['st', 'nd', 'rd', 'th'])
  }
  const place = (period: Period) => (date === undefined ? period : reading.numberedDay(Number(period.from.slice(0, 4)), month, date))
  const withYear = yearAfter(cursor, next).flatMap((year) => read(place(reading.monthOf(calendar, year.value, month)), year.next, { year: year.value.period }))
  if (isModal && withYear.length === 0) return []
  const relative = word(cursor, at - 1) === 'last' || word(cursor, at - 1) === 'this'
  if (relative) return withYear
  const inYear = (year: Period) => place(reading.monthOf(calendar, { period: year }, month)) ?? year
  return [...withYear, ...read(date === undefined ? reading.latestMonth(calendar, month) : reading.latestDay(calendar, month, date), next, { inYear })]
}

/** Q3 · third quarter · H1 · second half, with or without a year before or behind. */
function partAt(cursor: Cursor, at: number): Read<{ unit: 'quarter' | 'half'; number: number; said?: System; isLast?: boolean }>[] {
  const said = systemWord(cursor, at)
  const from = skip(cursor, said ? at + 1 : at, ['the'])
  const first = word(cursor, from)
  const number = (index: number) => (cursor.tokens[index]?.kind === 'number' ? Number(word(cursor, index)) : (numberAt(cursor.tokens, index)?.value ?? 0))
  const make = (unit: Unit | undefined, count: number, next: number) => {
    if (unit !== 'quarter' && unit !== 'half') return []
    const last = unit === 'quarter' ? 4 : 2
    const part = count === -1 ? last : count
    return part >= 1 && part <= last ? [{ value: { unit, number: part, ...(said && { said }) }, next }] : []
  }
  if (first === 'q' || first === 'h') return make(first === 'q' ? 'quarter' : 'half', number(from + 1), from + 2)
  if (unitWord(cursor, from) === 'quarter') return make('quarter', number(from + 1), from + 2)
  const isDigit = cursor.tokens[from]?.kind === 'number' && ['st', 'nd', 'rd', 'th'].includes(word(cursor, from + 1))
  const ordinal = isDigit ? number(from) : (ordinals[first] ?? 0)
  if (ordinal === 0) return []
  const between = systemWord(cursor, from + (isDigit ? 2 : 1))
  const noun = from + (isDigit ? 2 : 1) + (between ? 1 : 0)
  return make(unitWord(cursor, noun), ordinal, noun + 1).map(({ value, next }) => ({
    value: { ...value, ...(between && { said: between }), isLast: first === 'last' },
    next,
  }))
}

const parts: Phrase = (cursor, at) => {
  const { calendar } = cursor
  const found = partAt(cursor, at).flatMap(({ value: { unit, number, said, isLast }, next }) => {
    const withYear = yearAfter(cursor, next).flatMap((year) =>
      read(reading.partOf(calendar, year.value, unit, number, said), year.next, { year: year.value.period }),
    )
    if (isLast) return withYear // "The last fiscal quarter" is a quarter of its own, not the fourth.
    const system = said ?? calendar.system
    return [
      ...withYear,
      ...read(reading.latestPart(calendar, unit, number, system), next, {
        inYear: (year) => reading.partOf(calendar, { period: year, isBare: year.system === 'calendar' }, unit, number, said),
      }),
    ]
  })
  const behindYear = yearAt(cursor, at).flatMap((year) =>
    partAt(cursor, skip(cursor, year.next, ['-', ',', "'"])).flatMap(({ value, next }) =>
      read(reading.partOf(calendar, year.value, value.unit, value.number, value.said), next, { year: year.value.period }),
    ),
  )
  return [...found, ...behindYear]
}

/** this month · last full quarter · the month before last · the same quarter last year. */
const relatives: Phrase = (cursor, at) => {
  const { calendar } = cursor
  const make = (unit: Unit, offset: number, said: System | undefined, next: number) =>
    read(unitAt(calendar.today, unit, offset, said ?? calendar.system, calendar.fiscal), next, { isRelative: offset < 0 })
  const first = word(cursor, at)
  const from = first === 'most' && word(cursor, at + 1) === 'recent' ? at + 1 : at
  const offset = offsets[word(cursor, from)]
  if (offset !== undefined) {
    let next = from + 1
    while (emphatic.has(word(cursor, next))) next++
    const said = systemWord(cursor, next)
    if (said) next++
    const unit = unitWord(cursor, next)
    // "over the past year" rolls; "last year" is the year before this one.
    if (unit && cursor.tokens[next]?.norm === cursor.tokens[next]?.stem) {
      if (unit === 'year' && word(cursor, from) === 'past') return read(reading.rolling(calendar, 'month', 12), next + 1)
      return make(unit, offset, said, next + 1)
    }
  }
  const unit = unitWord(cursor, at)
  if (unit && word(cursor, at + 1) === 'before' && (word(cursor, at + 2) === 'last' || word(cursor, at + 2) === 'previous'))
    return make(unit, -2, undefined, at + 3)
  if (first === 'same') {
    const noun = unitWord(cursor, at + 1)
    const gap = skip(cursor, at + 2, ['of', 'the', 'in', 'from', 'a'])
    const isLastYear =
      (offsets[word(cursor, gap)] === -1 && unitWord(cursor, gap + 1) === 'year') ||
      (unitWord(cursor, gap) === 'year' && ['ago', 'before', 'earlier'].includes(word(cursor, gap + 1)))
    if (noun && noun !== 'year' && isLastYear) {
      const now = unitAt(calendar.today, noun, 0, calendar.system, calendar.fiscal)
      return read({ ...now, from: addMonths(now.from, -12), to: addMonths(now.to, -12) }, gap + 2)
    }
  }
  return []
}

/** the last 90 days · trailing twelve months · the first six months of 2025. */
const rollings: Phrase = (cursor, at) => {
  const { calendar } = cursor
  const from = word(cursor, at) === 'most' ? at + 1 : at
  const isRolling = ['last', 'past', 'previous', 'trailing', 'prior', 'preceding', 'recent', 'latest'].includes(word(cursor, from))
  if (!isRolling && word(cursor, from) !== 'first') return []
  const count = numberAt(cursor.tokens, from + 1)
  if (!count || count.unit || !Number.isInteger(count.value) || count.value < 1 || count.value > 4_000) return []
  let next = skip(cursor, from + 1 + count.length, ['-', ...emphatic])
  const said = systemWord(cursor, next)
  if (said) next++
  const unit = unitWord(cursor, next)
  if (!unit) return []
  const within = word(cursor, next + 1) === 'of' || word(cursor, next + 1) === 'in' ? yearAfter(cursor, next + 1) : []
  const inside = within.flatMap((year) => {
    const { from: start, to } = year.value.period
    return read(isRolling ? { from: addUnits(to, unit, -count.value), to } : { from: start, to: addUnits(start, unit, count.value) }, year.next)
  })
  if (isRolling && unit === 'year') return [...inside, { value: reading.rollingYears(calendar, count.value, said), next: next + 1 }]
  return [...inside, ...(isRolling ? read(reading.rolling(calendar, unit, count.value, said), next + 1) : [])]
}

/** three months ago · a year ago · today · yesterday · year to date. */
const moments: Phrase = (cursor, at) => {
  const { calendar } = cursor
  const { today } = calendar
  const article = ['a', 'an', 'one'].includes(word(cursor, at)) ? { value: 1, length: 1 } : numberAt(cursor.tokens, at)
  const unit = article && unitWord(cursor, at + article.length)
  if (article && unit && ['ago', 'earlier', 'back'].includes(word(cursor, at + article.length + 1))) {
    return read(reading.dayPeriod(addUnits(today, unit, -article.value)), at + article.length + 2, { ago: { unit, count: article.value } })
  }
  if (word(cursor, at) === 'today') return read(reading.dayPeriod(today), at + 1)
  if (word(cursor, at) === 'yesterday') return read(reading.dayPeriod(addDays(today, -1)), at + 1)
  const short: Record<string, Unit> = { ytd: 'year', qtd: 'quarter', mtd: 'month', wtd: 'week', fytd: 'year' }
  const toDate = short[word(cursor, at)]
  const said = systemWord(cursor, at)
  const noun = said ? at + 1 : at
  const dash = skip(cursor, noun + 1, ['-'])
  const spelt = word(cursor, dash) === 'to' && word(cursor, skip(cursor, dash + 1, ['-'])) === 'date' ? unitWord(cursor, noun) : undefined
  const soFar = toDate ?? spelt
  if (!soFar) return []
  const now = unitAt(today, soFar, 0, said ?? calendar.system, calendar.fiscal)
  return read(now, toDate ? at + 1 : skip(cursor, dash + 1, ['-']) + 1)
}

const phrases: readonly Phrase[] = [dates, monthNames, years, parts, relatives, rollings, moments]
