// Chinese phrases for time: 2026年3月 · 上季度 · 去年第四季度 · 2027财年上半年 · 最近90天 · 三个月前.
import { addDays, addMonths, addUnits, unitAt, type Period, type System, type Unit } from './calendar.ts'
import { numberAt } from './numerals.ts'
import * as reading from './time-reading.ts'
import type { Calendar, Read, TimePhrase, YearRef } from './time-reading.ts'
import type { Token } from './tokens.ts'

const unitNames: readonly [string, Unit, System?][] = [
  ['自然季度', 'quarter', 'calendar'],
  ['自然季', 'quarter', 'calendar'],
  ['财务季度', 'quarter', 'fiscal'],
  ['财季', 'quarter', 'fiscal'],
  ['季度', 'quarter'],
  ['季', 'quarter'],
  ['自然年度', 'year', 'calendar'],
  ['自然年', 'year', 'calendar'],
  ['财务年度', 'year', 'fiscal'],
  ['财政年度', 'year', 'fiscal'],
  ['财年', 'year', 'fiscal'],
  ['年度', 'year'],
  ['年', 'year'],
  ['自然月', 'month'],
  ['月份', 'month'],
  ['月', 'month'],
  ['星期', 'week'],
  ['礼拜', 'week'],
  ['周', 'week'],
  ['半年', 'half'],
  ['天', 'day'],
  ['日', 'day'],
]
const relativeWords: readonly [string, number][] = [
  ['上上一个', -2],
  ['上上个', -2],
  ['上上', -2],
  ['前两个', -2],
  ['上一个', -1],
  ['上个', -1],
  ['上一', -1],
  ['上', -1],
  ['前一个', -1],
  ['前一', -1],
  ['这一个', 0],
  ['这个', 0],
  ['这一', 0],
  ['这', 0],
  ['本', 0],
  ['当前', 0],
  ['当', 0],
]
const yearWords: readonly [string, number][] = [
  ['今年', 0],
  ['去年', -1],
  ['前年', -2],
  ['上年', -1],
  ['大前年', -3],
]

type Cursor = { tokens: readonly Token[]; calendar: Calendar }
type Phrase = (cursor: Cursor, at: number) => Read<TimePhrase>[]

/** Every way to read a phrase that begins at `at`, without what stands around it (以来, 从…到, 末). */
export function chinesePhrases(tokens: readonly Token[], at: number, calendar: Calendar): Read<TimePhrase>[] {
  const first = tokens[at]
  // English has readers of its own; only numbers and a few letters begin phrases in both.
  if (!first || (first.kind === 'word' && !['q', 'h', 'fy'].includes(first.norm))) return []
  const cursor = { tokens, calendar }
  return phrases.flatMap((phrase) => phrase(cursor, at))
}

/** Where `text` ends if it stands at `at`, one token for each character (Latin words count as one). */
export function after(tokens: readonly Token[], at: number, text: string): number | undefined {
  let next = at
  for (let rest = text; rest !== ''; next++) {
    const norm = tokens[next]?.norm
    if (norm === undefined || norm === '' || !rest.startsWith(norm)) return undefined
    rest = rest.slice(norm.length)
  }
  return next
}

const read = (period: Period | undefined, next: number, more: Partial<TimePhrase> = {}): Read<TimePhrase>[] =>
  period ? [{ value: { period, ...more }, next }] : []

function firstOf<T extends readonly [string, ...unknown[]]>(cursor: Cursor, at: number, table: readonly T[]): Read<T> | undefined {
  for (const entry of table) {
    const next = after(cursor.tokens, at, entry[0])
    if (next !== undefined) return { value: entry, next }
  }
  return undefined
}

const optional = (cursor: Cursor, at: number, ...texts: string[]): number => {
  for (const text of texts) {
    const next = after(cursor.tokens, at, text)
    if (next !== undefined) return next
  }
  return at
}

function wholeNumber(cursor: Cursor, at: number): Read<number> | undefined {
  const number = numberAt(cursor.tokens, at)
  return number && !number.unit && Number.isInteger(number.value) ? { value: number.value, next: at + number.length } : undefined
}

/** 今年 · 去年 · 本财年 · 2026年 · 2027财年 · FY27. */
function yearAt(cursor: Cursor, at: number): Read<YearRef>[] {
  const { tokens, calendar } = cursor
  const relative = firstOf(cursor, at, yearWords)
  if (relative) return [{ value: reading.relativeYear(calendar, relative.value[1]), next: relative.next }]
  const deictic = firstOf(cursor, at, relativeWords)
  const noun = deictic && firstOf(cursor, deictic.next, unitNames)
  if (deictic && noun?.value[1] === 'year') return [{ value: reading.relativeYear(calendar, deictic.value[1], noun.value[2]), next: noun.next }]
  if (tokens[at]?.norm === 'fy') {
    const number = reading.shortYear(tokens[at + 1])
    return number === undefined ? [] : [{ value: reading.fiscalYear(calendar, number), next: at + 2 }]
  }
  const number = wholeNumber(cursor, at)
  if (!number) return []
  const year = number.value < 100 && tokens[at]?.kind === 'number' ? 2000 + number.value : number.value
  if (year < 1990 || year > 2100) return []
  const unit = firstOf(cursor, number.next, unitNames)
  if (unit?.value[1] !== 'year') {
    return number.value > 99 && tokens[number.next]?.norm === 'q' ? [{ value: reading.bareYear(calendar, year), next: number.next }] : []
  }
  const said = unit.value[2]
  const value =
    said === 'fiscal' ? reading.fiscalYear(calendar, year) : said === 'calendar' ? reading.calendarYear(calendar, year) : reading.bareYear(calendar, year)
  return [{ value, next: unit.next }]
}

/** 第三季度 · 三季度 · Q3 · 上半年 · 下半年. */
function partAt(cursor: Cursor, at: number): Read<{ unit: 'quarter' | 'half'; number: number; said?: System }> | undefined {
  const { tokens } = cursor
  if (tokens[at]?.norm === 'q' || tokens[at]?.norm === 'h') {
    const unit = tokens[at]?.norm === 'q' ? 'quarter' : 'half'
    const number = Number(tokens[at + 1]?.norm)
    return number >= 1 && number <= (unit === 'quarter' ? 4 : 2) ? { value: { unit, number }, next: optional(cursor, at + 2, '季度') } : undefined
  }
  const half = firstOf(cursor, at, [
    ['上半年', 1],
    ['下半年', 2],
  ] as const)
  if (half) return { value: { unit: 'half', number: half.value[1] }, next: half.next }
  const number = wholeNumber(cursor, optional(cursor, at, '第'))
  const unit = number && firstOf(cursor, optional(cursor, number.next, '个'), unitNames)
  if (!number || unit?.value[1] !== 'quarter' || number.value < 1 || number.value > 4) return undefined
  // 3个季度 is a length, 第3个季度 a place.
  if (tokens[at]?.norm !== '第' && tokens[number.next]?.norm === '个') return undefined
  return { value: { unit: 'quarter', number: number.value, ...(unit.value[2] && { said: unit.value[2] }) }, next: unit.next }
}

/** 3月 · 三月份 · 3月31日. */
function monthAt(cursor: Cursor, at: number): Read<{ month: number; date?: number }>[] {
  const number = wholeNumber(cursor, at)
  if (!number || number.value < 1 || number.value > 12 || cursor.tokens[number.next]?.norm !== '月') return []
  const month = number.value
  const next = optional(cursor, number.next + 1, '份')
  const date = wholeNumber(cursor, next)
  const end = date && ['日', '号'].includes(cursor.tokens[date.next]?.norm ?? '') ? date.next + 1 : undefined
  return [{ value: { month }, next }, ...(date && end ? [{ value: { month, date: date.value }, next: end }] : [])]
}

const years: Phrase = (cursor, at) =>
  yearAt(cursor, at).flatMap(({ value, next }) => [
    ...read(value.period, next, { year: value.period, isRelative: (value.offset ?? 0) < 0 }),
    ...(cursor.tokens[next]?.norm === '全' && cursor.tokens[next + 1]?.norm === '年' ? read(value.period, next + 2, { year: value.period }) : []),
  ])

const partsAndMonths: Phrase = (cursor, at) => {
  const { calendar } = cursor
  const inYear = yearAt(cursor, at).flatMap((year) => {
    const from = optional(cursor, year.next, '的', '，')
    const part = partAt(cursor, from)
    const months = monthAt(cursor, from).flatMap(({ value, next }) => {
      const month = reading.monthOf(calendar, year.value, value.month)
      return read(value.date === undefined ? month : reading.numberedDay(Number(month.from.slice(0, 4)), value.month, value.date), next, {
        year: year.value.period,
      })
    })
    return [
      ...months,
      ...(part ? read(reading.partOf(calendar, year.value, part.value.unit, part.value.number, part.value.said), part.next, { year: year.value.period }) : []),
    ]
  })
  const part = partAt(cursor, at)
  const { system } = calendar
  const alone = part
    ? read(reading.latestPart(calendar, part.value.unit, part.value.number, part.value.said ?? system), part.next, {
        inYear: (year) => reading.partOf(calendar, { period: year, isBare: year.system === 'calendar' }, part.value.unit, part.value.number, part.value.said),
      })
    : []
  const behind = part
    ? yearAt(cursor, part.next).flatMap((year) => read(reading.partOf(calendar, year.value, part.value.unit, part.value.number), year.next))
    : []
  const months = monthAt(cursor, at).flatMap(({ value, next }) => {
    const place = (month: Period) =>
      value.date === undefined ? month : (reading.numberedDay(Number(month.from.slice(0, 4)), value.month, value.date) ?? month)
    return read(value.date === undefined ? reading.latestMonth(calendar, value.month) : reading.latestDay(calendar, value.month, value.date), next, {
      inYear: (year) => place(reading.monthOf(calendar, { period: year }, value.month)),
    })
  })
  return [...inYear, ...alone, ...behind, ...months]
}

/** 本月 · 上个季度 · 上上周 · 上半年 is not one of these. */
const relatives: Phrase = (cursor, at) => {
  const { calendar } = cursor
  const deictic = firstOf(cursor, at, relativeWords)
  const unit = deictic && firstOf(cursor, deictic.next, unitNames)
  if (!deictic || !unit || (unit.value[1] === 'half' && deictic.value[0].length === 1) || unit.value[1] === 'day') return []
  return read(unitAt(calendar.today, unit.value[1], deictic.value[1], unit.value[2] ?? calendar.system, calendar.fiscal), unit.next, {
    isRelative: deictic.value[1] < 0,
  })
}

/** 最近90天 · 过去三个完整的月 · 近半年 · 前6个月. */
const rollings: Phrase = (cursor, at) => {
  const { calendar } = cursor
  const lead = firstOf(cursor, at, [['最近'], ['过去'], ['近'], ['前'], ['刚过去']] as const)
  if (!lead) return []
  const from = optional(cursor, lead.next, '的', '这')
  const number = wholeNumber(cursor, from) ?? (after(cursor.tokens, from, '半年') === undefined ? undefined : { value: 1, next: from })
  if (!number || number.value < 1 || number.value > 4_000) return []
  const unit = firstOf(cursor, optional(cursor, optional(cursor, number.next, '个'), '完整的', '完整', '整'), unitNames)
  if (!unit) return []
  if (unit.value[1] === 'year') return [{ value: reading.rollingYears(calendar, number.value, unit.value[2]), next: unit.next }]
  return read(reading.rolling(calendar, unit.value[1], number.value, unit.value[2]), unit.next)
}

/** 今天 · 昨天 · 三个月前 · 一年前. */
const moments: Phrase = (cursor, at) => {
  const { calendar, tokens } = cursor
  const { today } = calendar
  const days = firstOf(cursor, at, [
    ['今天', 0],
    ['今日', 0],
    ['昨天', -1],
    ['昨日', -1],
    ['前天', -2],
  ] as const)
  if (days) return read(reading.dayPeriod(addDays(today, days.value[1])), days.next)
  const number = wholeNumber(cursor, at)
  const unit = number && firstOf(cursor, optional(cursor, number.next, '个'), unitNames)
  const end = unit && optional(cursor, unit.next, '以前', '之前', '前')
  if (!number || number.value > 400 || !unit || end === undefined || end === unit.next || (unit.value[1] === 'month' && tokens[number.next]?.norm === '月'))
    return []
  return read(reading.dayPeriod(addUnits(today, unit.value[1], -number.value)), end, { ago: { unit: unit.value[1], count: number.value } })
}

/** 去年同季 · 去年同月: the present unit, a year earlier. */
const sameUnit: Phrase = (cursor, at) => {
  const { calendar } = cursor
  const lead = firstOf(cursor, at, [['去年同一'], ['去年同'], ['上年同一'], ['上年同']] as const)
  const unit = lead && firstOf(cursor, lead.next, unitNames)
  if (!unit || unit.value[1] === 'year') return []
  const now = unitAt(calendar.today, unit.value[1], 0, unit.value[2] ?? calendar.system, calendar.fiscal)
  return read({ ...now, from: addMonths(now.from, -12), to: addMonths(now.to, -12) }, unit.next)
}

/** 2026年前三个月 · 去年最后两个季度: the first or last units of a year. */
const endsOfYear: Phrase = (cursor, at) =>
  yearAt(cursor, at).flatMap((year) => {
    const lead = firstOf(cursor, optional(cursor, year.next, '的'), [
      ['前', 1],
      ['头', 1],
      ['最后', -1],
      ['后', -1],
    ] as const)
    const number = lead && wholeNumber(cursor, lead.next)
    const unit = number && firstOf(cursor, optional(cursor, number.next, '个'), unitNames)
    if (!lead || !number || !unit || number.value < 1 || number.value > 12) return []
    const { from, to } = year.value.period
    const period = lead.value[1] === 1 ? { from, to: addUnits(from, unit.value[1], number.value) } : { from: addUnits(to, unit.value[1], -number.value), to }
    return period.from >= from && period.to <= to ? read(period, unit.next) : []
  })

/** 2027财年第一到第三季度 · 1至3月: a range whose unit is said once, at its end. */
const shortRanges: Phrase = (cursor, at) => {
  const { calendar } = cursor
  const years = yearAt(cursor, at)
  return [...years.map((year) => ({ year: year.value, from: optional(cursor, year.next, '的') })), { year: undefined, from: at }].flatMap(({ year, from }) => {
    const first = wholeNumber(cursor, optional(cursor, from, '第'))
    const joined = first && firstOf(cursor, first.next, [['到'], ['至'], ['-']] as const)
    const last = joined && wholeNumber(cursor, optional(cursor, joined.next, '第'))
    if (!first || !last || last.value <= first.value) return []
    const isMonth = cursor.tokens[last.next]?.norm === '月'
    const quarter = after(cursor.tokens, last.next, '季度')
    const part = (number: number): Period | undefined => {
      if (isMonth) return number > 12 ? undefined : year ? reading.monthOf(calendar, year, number) : reading.latestMonth(calendar, number)
      return number > 4
        ? undefined
        : year
          ? reading.partOf(calendar, year, 'quarter', number)
          : reading.latestPart(calendar, 'quarter', number, calendar.system)
    }
    const [a, b] = [part(first.value), part(last.value)]
    const next = isMonth ? optional(cursor, last.next + 1, '份') : quarter
    return a && b && next !== undefined && a.from < b.to ? read({ from: a.from, to: b.to }, next, { pair: [a, b] }) : []
  })
}

const phrases: readonly Phrase[] = [years, endsOfYear, shortRanges, partsAndMonths, relatives, rollings, moments, sameUnit]
