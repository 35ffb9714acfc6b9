// Stage 2a: time expressions in both languages: a phrase, and what stands around it (since, from … to, at the end of, 截至, 末).
import { addDays, addMonths, unitAt, type Period, type Unit } from './calendar.ts'
import { after, chinesePhrases } from './time-chinese.ts'
import { englishPhrases } from './time-english.ts'
import { dayPeriod, type Calendar, type Read, type TimePhrase } from './time-reading.ts'
import type { Token } from './tokens.ts'

/** A phrase that the semantic layer has worked out itself, as the stems of its words. */
export type NamedPeriod = { words: readonly string[]; period: Period }

/** `known`: what begins at a token, since a range, "since" and "until" all ask for it again. */
export type TimeReader = { tokens: readonly Token[]; calendar: Calendar; named: readonly NamedPeriod[]; known: Map<number, Read<TimePhrase>[]> }

export const timeReader = (tokens: readonly Token[], calendar: Calendar, named: readonly NamedPeriod[]): TimeReader => ({
  tokens,
  calendar,
  named,
  known: new Map(),
})

/** All time expressions that begin at `at`. */
export function timesAt(reader: TimeReader, at: number): Read<TimePhrase>[] {
  const plain = edgesAt(reader, at)
  return [...plain, ...plain.flatMap((read) => trailing(reader, read)), ...leading(reader, at), ...rangesAt(reader, at)]
}

function phrasesAt({ tokens, calendar, named }: TimeReader, at: number): Read<TimePhrase>[] {
  const from = tokens[at]?.norm === 'the' ? at + 1 : at
  const known = named.flatMap(({ words, period }) => {
    const isAt = (word: string, i: number) => tokens[from + i]?.stem === word || tokens[from + i]?.norm === word
    const isHere = isAt(words[0] ?? '', 0) && words.every(isAt)
    return isHere
      ? [{ value: { period, isRelative: period.to <= calendar.today, ...(period.unit === 'year' && { year: period }) }, next: from + words.length }]
      : []
  })
  // What the layer has worked out comes first: of two readings of the same words, the first is kept.
  return [...known, ...englishPhrases(tokens, at, calendar), ...chinesePhrases(tokens, at, calendar)]
}

const endWords = ['end', 'close', 'ending']
const startWords = ['start', 'beginning', 'opening']
const unitNames: Record<string, Unit> = { year: 'year', quarter: 'quarter', month: 'month', week: 'week' }
const chineseEnds: readonly [string, 'start' | 'end'][] = [
  ['年年底', 'end'],
  ['年底', 'end'],
  ['年末', 'end'],
  ['月底', 'end'],
  ['月末', 'end'],
  ['季度末', 'end'],
  ['季末', 'end'],
  ['结束时', 'end'],
  ['结束', 'end'],
  ['末', 'end'],
  ['底', 'end'],
  ['年初', 'start'],
  ['月初', 'start'],
  ['季初', 'start'],
  ['开始时', 'start'],
  ['期初', 'start'],
  ['期末', 'end'],
  ['初', 'start'],
]

const norm = (reader: TimeReader, at: number): string => reader.tokens[at]?.norm ?? ''
const skip = (reader: TimeReader, at: number, words: readonly string[]): number => (words.includes(norm(reader, at)) ? skip(reader, at + 1, words) : at)
const literally = (reader: TimeReader, at: number, texts: readonly string[]): number | undefined => {
  for (const text of texts) {
    const next = after(reader.tokens, at, text)
    if (next !== undefined) return next
  }
  return undefined
}

/** A phrase, or a moment of it: the end of last quarter, year-end 2025, 上季度末, 2025年底. */
function edgesAt(reader: TimeReader, at: number): Read<TimePhrase>[] {
  const known = reader.known.get(at) ?? findEdges(reader, at)
  reader.known.set(at, known)
  return known
}

function findEdges(reader: TimeReader, at: number): Read<TimePhrase>[] {
  const phrases = phrasesAt(reader, at)
  const suffixed = phrases.flatMap(({ value, next }) => {
    const english = skip(reader, next, ['-', "'"])
    const isEnd = norm(reader, english) === 'end' && norm(reader, english + 1) !== 'of'
    const chinese = chineseEnds.flatMap(([text, edge]): Read<TimePhrase>[] => {
      const end = after(reader.tokens, next, text)
      return end === undefined ? [] : [{ value: { ...value, edge }, next: end }]
    })
    return [...chinese.slice(0, 1), ...(isEnd ? [{ value: { ...value, edge: 'end' as const }, next: english + 1 }] : [])]
  })
  return [...phrases, ...suffixed, ...englishEdges(reader, at), ...bareEdges(reader, at)]
}

function englishEdges(reader: TimeReader, at: number): Read<TimePhrase>[] {
  const from = skip(reader, at, ['the', 'very'])
  const isLast = ['last', 'final'].includes(norm(reader, from))
  if ((isLast || norm(reader, from) === 'first') && norm(reader, from + 1) === 'day' && norm(reader, from + 2) === 'of') {
    return phrasesAt(reader, skip(reader, from + 3, ['the'])).map(({ value: { period }, next }) => ({
      value: { period: dayPeriod(isLast ? addDays(period.to, -1) : period.from) },
      next,
    }))
  }
  // The week of 2 November: the unit that holds the day.
  const holder = unitNames[norm(reader, from)]
  if (holder && ['of', 'beginning', 'starting'].includes(norm(reader, from + 1))) {
    const days = phrasesAt(reader, skip(reader, from + 2, ['the', 'on', 'in'])).filter(({ value }) => value.period.unit === 'day' && !value.period.count)
    return days.map(({ value: { period }, next }) => ({
      value: { period: unitAt(period.from, holder, 0, reader.calendar.system, reader.calendar.fiscal) },
      next,
    }))
  }
  const edge = endWords.includes(norm(reader, from)) ? 'end' : startWords.includes(norm(reader, from)) ? 'start' : undefined
  if (edge && norm(reader, from + 1) === 'of') {
    const inner = skip(reader, from + 2, ['the', 'each', 'every', 'of'])
    const named = phrasesAt(reader, inner).map(({ value, next }): Read<TimePhrase> => ({ value: { ...value, edge }, next }))
    const noun = skip(reader, inner, ['fiscal', 'financial', 'calendar'])
    const unit = unitNames[norm(reader, noun)]
    return unit && named.length === 0 ? [{ value: { period: lastOver(reader.calendar, unit, edge), edge, isBare: true }, next: noun + 1 }] : named
  }
  // year-end 2025 · fiscal year end · month-end
  const fiscal = norm(reader, from) === 'fiscal' || norm(reader, from) === 'calendar' ? from + 1 : from
  const unit = unitNames[norm(reader, fiscal)]
  const end = skip(reader, fiscal + 1, ['-'])
  if (unit && norm(reader, end) === 'end') {
    const inner = skip(reader, end + 1, ['of', 'in'])
    const named = phrasesAt(reader, inner).map(({ value, next }) => ({ value: { ...value, edge: 'end' as const }, next }))
    return [...named, { value: { period: lastOver(reader.calendar, unit, 'end'), edge: 'end' as const, isBare: true }, next: end + 1 }]
  }
  return []
}

const bare: readonly [string, Unit, 'start' | 'end'][] = [
  ['年初', 'year', 'start'],
  ['季初', 'quarter', 'start'],
  ['月初', 'month', 'start'],
  ['年底', 'year', 'end'],
  ['年末', 'year', 'end'],
  ['季末', 'quarter', 'end'],
  ['季度末', 'quarter', 'end'],
  ['月底', 'month', 'end'],
  ['月末', 'month', 'end'],
]

/** 年初, 月底 with nothing before them. */
const bareEdges = (reader: TimeReader, at: number): Read<TimePhrase>[] =>
  ['每', '各', '个', '逐'].includes(norm(reader, at - 1))
    ? []
    : bare.flatMap(([text, unit, edge]): Read<TimePhrase>[] => {
        const next = after(reader.tokens, at, text)
        return next === undefined ? [] : [{ value: { period: lastOver(reader.calendar, unit, edge), edge, isBare: true }, next }]
      })

/** "The end of the quarter" with nothing else: the last one there was. Its start: that of the present one. */
const lastOver = (calendar: Calendar, unit: Unit, edge: 'start' | 'end'): Period =>
  unitAt(calendar.today, unit, edge === 'end' ? -1 : 0, calendar.system, calendar.fiscal)

const untilNow = (calendar: Calendar, from: Period): Period => ({ from: from.from, to: addDays(calendar.completeUntil, 1) })
const since = (reader: TimeReader, value: TimePhrase): TimePhrase =>
  value.edge === 'end'
    ? { period: { from: value.period.to, to: addDays(reader.calendar.completeUntil, 1) }, open: 'since', since: { period: value.period, isRelative: true } }
    : { period: untilNow(reader.calendar, value.period), open: 'since', since: { period: value.period, isRelative: value.isRelative ?? false } }

/** since March · until the end of 2025 · before Q2 · as of last quarter · 自3月以来 · 截至上季度末. */
function leading(reader: TimeReader, at: number): Read<TimePhrase>[] {
  const { calendar } = reader
  const found: Read<TimePhrase>[] = []
  const inner = (texts: readonly string[], make: (read: Read<TimePhrase>) => Read<TimePhrase>[]) => {
    const from = literally(reader, at, texts)
    if (from !== undefined) found.push(...edgesAt(reader, skip(reader, from, ['the', ':'])).flatMap(make))
  }
  inner(['since', 'startingin', 'startingfrom', 'beginningin'], ({ value, next }) => [{ value: since(reader, value), next }])
  inner(['from', '从', '自从', '自'], ({ value, next }) => {
    const end = literally(reader, next, [
      'onwards',
      'onward',
      'on',
      'tonow',
      'totoday',
      'tillnow',
      'untilnow',
      'untiltoday',
      '以来',
      '至今',
      '到现在',
      '到目前',
      '到今天',
      '开始',
      '起',
      '以后',
      '之后',
    ])
    return end === undefined ? [] : [{ value: since(reader, value), next: end }]
  })
  inner(['until', 'till', 'through', 'upto', 'upuntil', 'upthrough'], ({ value, next }) => [
    { value: { period: { from: calendar.dataFrom, to: value.period.to }, open: 'until', edge: 'end' }, next },
  ])
  inner(['before', 'priorto'], ({ value, next }) => [
    { value: { period: { from: calendar.dataFrom, to: value.period.from }, open: 'until', edge: 'end' }, next },
  ])
  inner(['after'], ({ value, next }) => [{ value: { period: { from: value.period.to, to: addDays(calendar.completeUntil, 1) }, open: 'since' }, next }])
  inner(['asof', 'asat', 'asof the', '截至到', '截止到', '截至', '截止'], ({ value, next }) => [
    { value: { ...value, edge: value.edge ?? 'end' }, next: literally(reader, next, ['为止', '止']) ?? next },
  ])
  inner(['到'], ({ value, next }) => {
    const end = literally(reader, next, ['为止', '止'])
    return end === undefined ? [] : [{ value: { ...value, edge: 'end' }, next: end }]
  })
  inner(['by'], ({ value, next }) => (value.edge === 'end' ? [{ value, next }] : []))
  inner(['sofar', 'todate'], ({ value, next }) => [{ value, next }])
  return found
}

/** 3月以来 · 今年至今 · this year so far · Q2 2026 onwards · 2025年之前. */
function trailing(reader: TimeReader, { value, next }: Read<TimePhrase>): Read<TimePhrase>[] {
  const { calendar } = reader
  const found: Read<TimePhrase>[] = []
  const soFar = literally(reader, next, ['sofar', 'todate', 'tilldate', 'untilnow', '迄今'])
  if (soFar !== undefined) found.push({ value, next: soFar })
  // 上季度开始的 is "from last quarter on", 上季度开始试用 "began a trial last quarter".
  const begins = literally(reader, next, ['开始'])
  const isOpen = begins !== undefined && ['', '的', '，', ',', '每', '各', '按', '到', '至', '，'].includes(norm(reader, begins))
  const open = literally(reader, next, ['onwards', 'onward', '以来', '至今', '起', '以后', '之后']) ?? (isOpen ? begins : undefined)
  if (open !== undefined) found.push({ value: since(reader, value), next: open })
  const before = literally(reader, next, ['以前', '之前', '前'])
  if (before !== undefined && !value.ago)
    found.push({ value: { period: { from: calendar.dataFrom, to: value.period.from }, open: 'until', edge: 'end' }, next: before })
  return found
}

const connectors = ['to', 'through', 'thru', 'until', 'till', '-', 'uptoandincluding', '到', '至', '直到']

/** from March to May 2026 · between Q1 and Q3 · 2026年3月至5月 · Jan-Mar 2026. */
function rangesAt(reader: TimeReader, at: number): Read<TimePhrase>[] {
  const lead = literally(reader, at, ['from', 'between', '从', '自', '在'])
  const isBetween = norm(reader, at) === 'between'
  const firsts = edgesAt(reader, skip(reader, lead ?? at, ['the']))
  return firsts.flatMap((first) => {
    const from = literally(reader, first.next, isBetween ? ['and', 'to', '-'] : lead === undefined ? connectors : [...connectors, '和', '与'])
    if (from === undefined) return []
    return edgesAt(reader, skip(reader, from, ['the', 'end', 'of'])).flatMap((last) => {
      const pair = align(first.value, last.value)
      if (!pair || pair[1].to <= pair[0].from) return []
      const end = literally(reader, last.next, ['期间', '之间', '间', '为止']) ?? last.next
      const year = last.value.year ?? first.value.year
      return [{ value: { period: { from: pair[0].from, to: pair[1].to }, pair, ...(year && { year }) }, next: end }]
    })
  })
}

/** Gives the end without a year that of the other: in "March to May 2026", both months are of 2026. */
function align(first: TimePhrase, last: TimePhrase): [Period, Period] | undefined {
  const pick = ({ period, edge }: TimePhrase): Period =>
    edge === 'end' ? dayPeriod(addDays(period.to, -1)) : edge === 'start' ? dayPeriod(period.from) : period
  if (first.inYear && !first.year && last.year) {
    const from = first.inYear(last.year)
    return [from.from <= last.period.from ? from : yearsLater(from, -1), pick(last)]
  }
  if (last.inYear && !last.year && first.year) {
    const to = last.inYear(first.year)
    return [pick(first), to.from >= first.period.from ? to : yearsLater(to, 1)]
  }
  if (first.inYear && last.inYear && first.period.from > last.period.from) return [yearsLater(first.period, -1), pick(last)]
  return [pick(first), pick(last)]
}

const yearsLater = (period: Period, count: number): Period => ({ ...period, from: addMonths(period.from, 12 * count), to: addMonths(period.to, 12 * count) })
