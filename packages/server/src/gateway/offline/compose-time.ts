// Stage 3b, when: the times of a question, and which of them are set against each other.
import type { Atom } from './atoms.ts'
import { addDays, unitAt, type Unit } from './calendar.ts'
import type { Scope } from './compose-scope.ts'
import type { Layer } from './layer.ts'
import { between, hasOp, isOp, itemsOf, take, type Item, type Sentence } from './sentence.ts'
import type { TimePhrase } from './time-reading.ts'

/** The times that were said, and whether they are set against each other. */
export function chooseTimes({
  sentence,
  scope,
  layer,
  isChange,
  isState,
}: {
  sentence: Sentence
  scope: Scope
  layer: Layer
  isChange: boolean
  isState: boolean
}): {
  times: TimePhrase[]
  compare?: 'times' | 'year-ago' | 'previous'
  isVersus: boolean
  compareUnit?: Unit | undefined
} {
  const items = itemsOf(sentence, 'time')
  for (const item of items) {
    item.isUsed = true
    // "At month end, last 6 months" speaks of each month, not of two times.
    if (item.atom.time.isBare && items.length > 1) sentence.problems.push({ kind: 'unused', said: item.text })
  }
  const compareUnit = unitIn(sentence.items.find((item) => isOp(item, 'previous'))?.text ?? '')
  const isYearAgo = take(sentence, 'year-ago')
  const isPrevious = take(sentence, 'previous')
  const isBetweenValues = scope.filters.some((filter) => filter.values.length > 1)
  const { today } = layer.calendar
  const isNow = (time: TimePhrase) => time.period.from === today && time.period.unit === 'day' && !time.ago
  const said = items
    .map((item) => (/today|今天|今日/i.test(item.text) ? { ...item.atom.time, saidToday: true } : item.atom.time))
    .filter((time, i, all) => all.findIndex((other) => other.period.from === time.period.from && other.period.to === time.period.to) === i)
  // "Last quarter against a year earlier": as long before the other time, not before today.
  const other = said.find((time) => !time.ago)
  const back = said.find((time) => time.ago)?.ago
  if (said.length === 2 && other && back && !isNow(other) && (!isState || other.edge || other.period.unit !== 'day')) {
    if (back.count === 1 && back.unit === 'year') return { times: [other], compare: 'year-ago', isVersus: take(sentence, 'versus') }
    if (back.count === 1 && back.unit === other.period.unit) return { times: [other], compare: 'previous', isVersus: take(sentence, 'versus') }
  }
  const isBefore = isBeforeOther(items)
  const isVersus = (hasOp(sentence, 'versus') || (isChange && hasOp(sentence, 'than'))) && !(isBetweenValues && said.length < 2)
  if (isVersus) take(sentence, 'versus')
  if (isYearAgo || isPrevious)
    return { times: said.slice(0, 1), compare: isYearAgo ? 'year-ago' : 'previous', isVersus, ...(compareUnit && !isYearAgo && { compareUnit }) }
  if (isBefore && (isVersus || isChange)) return { times: said.slice(0, 1), compare: 'previous', isVersus }
  const isAnaphor = (time: TimePhrase) => items.some((item) => item.atom.time.period === time.period && /same|同/i.test(item.text))
  const others = said.filter((time) => !isAnaphor(time))
  if (others.length < said.length && (isVersus || isChange)) return { times: others.slice(0, 1), compare: 'year-ago', isVersus }
  const [first, second] = said
  if (said.length === 1 && first?.pair && (isChange || isVersus) && !scope.grain)
    return { times: first.pair.map((period) => ({ period })), compare: 'times', isVersus }
  if (first && said.length === 1 && isVersus && !isBetweenValues) {
    // "compared to last quarter", with nothing to compare: the period after it.
    if (first.ago && !isState)
      return {
        times: [],
        compare: first.ago.unit === 'year' ? 'year-ago' : 'previous',
        isVersus,
        compareUnit: first.ago.unit === 'year' ? undefined : first.ago.unit,
      }
    const now = first.ago || isNow(first) ? { period: { from: today, to: addDays(today, 1), unit: 'day' as const } } : after(first, layer)
    return { times: [first, now], compare: 'times', isVersus }
  }
  if (first && second && said.length === 2 && !isVersus && !isChange && (isNow(first) || isNow(second))) {
    const rest = isNow(first) ? second : first
    const now = items.find((item) => isNow(item.atom.time))
    // "As of now, this year" is this year; the present MRR of 2025's new customers is of two times.
    const isIdle = rest.period.to > today || (rest.period.count ?? 1) > 1 || /as of|to date|so far|截至|截止|为止|至今/i.test(now?.text ?? '')
    if (!isIdle) sentence.problems.push({ kind: 'unused', said: now?.text ?? '' })
    return { times: [rest], isVersus }
  }
  if (said.length === 2 && first && second) {
    if (!isVersus && !isChange) checkJoined(sentence, items)
    const isWider =
      first.period.unit !== second.period.unit &&
      second.period.unit === 'year' &&
      !second.edge &&
      first.period.unit !== undefined &&
      first.period.unit !== 'day'
    if (isWider && (isVersus || isChange)) return { times: [first], compare: 'year-ago', isVersus }
    return { times: [first, second].sort((a, b) => (a.period.to < b.period.to ? -1 : 1)), compare: 'times', isVersus }
  }
  if (said.length > 2) checkJoined(sentence, items)
  return { times: said, isVersus }
}

/** "FY2026 against the year before", 2026财年比上一财年: of two times, the second is only the one before the first. */
function isBeforeOther(items: readonly Item<Extract<Atom, { kind: 'time' }>>[]): boolean {
  const [first, second] = items
  if (items.length !== 2 || !first || !second) return false
  const [a, b] = [first.atom.time.period, second.atom.time.period]
  const isCalled = /^(?:the )?(?:previous|prior|preceding)\b|^(?:上一|前一)/i.test(second.text) // Not \"the first quarter of the previous year\".
  const isSame = a.from === b.from && a.to === b.to && (isCalled || second.atom.time.isRelative === true)
  const isSaid = isCalled && a.unit !== undefined && a.unit === b.unit && (a.count ?? 1) === 1
  return isSame || isSaid
}

/** Times that nothing joins ("in 2025 in March") were not meant side by side. */
function checkJoined(sentence: Sentence, items: readonly Item[]): void {
  items.forEach((item, i) => {
    const before = items[i - 1]
    if (before && !between(sentence, before, item).some((other) => isOp(other, 'and', 'or', 'versus', 'to', 'than')))
      sentence.problems.push({ kind: 'unused', said: item.text })
  })
}

const unitIn = (text: string): Unit | undefined =>
  /month|mom|m\/m|逐月/i.test(text)
    ? 'month'
    : /quarter|qoq|q\/q/i.test(text)
      ? 'quarter'
      : /week|wow/i.test(text)
        ? 'week'
        : /year/i.test(text)
          ? 'year'
          : undefined

function after(time: TimePhrase, { calendar }: Layer): TimePhrase {
  const { unit, system } = time.period
  return { period: unit ? unitAt(time.period.to, unit, 0, system ?? calendar.system, calendar.fiscal) : { from: time.period.to, to: calendar.today } }
}
