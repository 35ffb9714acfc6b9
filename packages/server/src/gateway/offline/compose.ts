// Stage 3b: what the atoms of a reading say together. A reading in which a word has no part is no reading: that is what keeps
// the planner from answering a question that it has only half understood.
import { addDays, unitAt, type Unit } from './calendar.ts'
import { chooseDirection, chooseMetrics, placeNumbers, type Measure } from './compose-measure.ts'
import { chooseScope, listsValues, splitsByValues, type Scope } from './compose-scope.ts'
import { chooseShare } from './compose-share.ts'
import type { Atom } from './atoms.ts'
import type { Frame, Problem } from './frame.ts'
import { basicParts, type Layer } from './layer.ts'
import { between, hasOp, isKind, isLight, isOp, itemsOf, leadsNowhere, neighbour, opsOf, take, type Item, type Sentence } from './sentence.ts'
import type { TimePhrase } from './time-reading.ts'
import type { Op } from './words.ts'

/** `leans`: the question named no metric of its own. */
export type Composed = { frame?: Frame; problem?: Problem; penalty: number; leans?: boolean }

export function compose(sentence: Sentence, layer: Layer, context?: Frame): Composed {
  const beyond = whatIsBeyond(sentence)
  if (beyond) return { problem: beyond, penalty: 0 }
  const measure = chooseMetrics(sentence, layer, context)
  if (!measure) return { problem: sentence.problems[0] ?? { kind: 'no-metric' }, penalty: sentence.penalty }
  const frame = build(sentence, layer, measure)
  checkMentions(sentence, layer, frame)
  for (const item of itemsOf(sentence, 'metric'))
    if (
      item.atom.requires &&
      ![...frame.filters.map((filter) => filter.ref), ...(frame.share?.part ?? []).map((filter) => filter.ref), ...frame.groups].includes(item.atom.requires)
    )
      sentence.problems.push({ kind: 'unused', said: item.text })
  // To lean on the question before, there must be something new to it.
  if (measure.leans && !addsAnything(frame)) sentence.problems.push({ kind: 'no-metric' })
  // "How" asks for a way or a reason, unless something is compared, developed or split.
  if (take(sentence, 'how') && !asksForShape(frame)) sentence.problems.push({ kind: 'beyond', what: 'vague' })
  checkRest(sentence)
  const [problem] = sentence.problems
  return problem ? { problem, penalty: sentence.penalty } : { frame, penalty: sentence.penalty, ...(measure.leans && { leans: true }) }
}

/** What no reading of the other words can make up for. */
function whatIsBeyond(sentence: Sentence): Problem | undefined {
  const unknown = itemsOf(sentence, 'unknown')
  const topic = itemsOf(sentence, 'unavailable')[0]
  if (topic) return { kind: 'unavailable', topic: topic.atom.topic }
  const refused: [Op, 'personal' | 'why' | 'write' | 'forecast' | 'statistics' | 'vague'][] = [
    ['refuse-personal', 'personal'],
    ['refuse-why', 'why'],
    ['refuse-write', 'write'],
    ['refuse-forecast', 'forecast'],
    ['refuse-statistics', 'statistics'],
    ['refuse-vague', 'vague'],
  ]
  const beyond = refused.find(([op]) => sentence.items.some((item) => isOp(item, op)))
  if (beyond) return { kind: 'beyond', what: beyond[1] }
  if (unknown.length > 0) return { kind: 'unknown-words', words: unknown.map((item) => item.text), spans: unknown.map(({ from, to }) => ({ from, to })) }
  return undefined
}

function build(sentence: Sentence, layer: Layer, measure: Measure): Frame {
  const isDefinition = take(sentence, 'define') || takeMeaning(sentence)
  const metric = layer.metrics.get(measure.metrics[0] ?? '')
  const changeWords = takeChange(sentence)
  if (metric?.unit === 'percent' || changeWords) take(sentence, 'as-rate')
  const { limit, having } = placeNumbers(sentence, measure)
  const isCounted = hasOp(sentence, 'count')
  const isRanked = hasOp(sentence, 'top', 'bottom', 'most', 'least', 'best', 'worst', 'fastest', 'slowest', 'descending', 'ascending')
  const isList = hasOp(sentence, 'list')
  const countsGroups =
    sentence.items.some((item) => isOp(item, 'count') && isKind(neighbour(sentence, item, 1), 'dimension') && !isOp(item, 'list')) &&
    !hasOp(sentence, 'by', 'which')
  const all = [...measure.metrics, ...(measure.per ? [measure.per] : []), ...having.map((condition) => condition.metric)]
  const asked = askedNoun(sentence, measure)
  const scope = chooseScope({ sentence, layer, metrics: all, isRanked, isLimited: having.length > 0 })
  if (asked && scope.groups.length === 0 && !scope.grain) {
    scope.groups.push(...asked.refs.filter((ref) => metric?.dimensions.includes(ref)).slice(0, 1))
    scope.isPlural = asked.isPlural
  }
  const compared = chooseTimes({ sentence, scope, layer, isChange: changeWords !== undefined, isState: metric?.kind === 'snapshot' })
  const byValues = splitsByValues(sentence, scope)
  const both =
    byValues === undefined &&
    scope.groups.length === 0 &&
    !scope.grain &&
    having.length === 0 &&
    !isRanked &&
    !changeWords &&
    !compared.compare &&
    !hasOp(sentence, 'share', 'average')
      ? listsValues(sentence, scope)
      : undefined
  const isBoth = both !== undefined && compared.times.length < 2
  if (byValues) scope.groups.push(byValues)
  else if (isBoth) scope.groups.push(both)
  const isDifference = byValues !== undefined && hasOp(sentence, 'difference', 'comparative')
  if (byValues) take(sentence, 'versus', 'difference', 'between', 'comparative')
  const change = byValues && changeWords?.change === 'difference' && !compared.compare ? undefined : changeWords
  const compare = compared.compare ?? (change || compared.isVersus ? 'previous' : undefined)
  const isPaced = change !== undefined || metric?.unit === 'hours' || metric?.unit === 'days'
  for (const item of isPaced ? [] : opsOf(sentence, 'fastest', 'slowest')) sentence.problems.push({ kind: 'unused', said: item.text })
  const ranking = chooseDirection(sentence, metric?.better ?? 'neutral', change !== undefined)
  const direction = ranking?.direction === 'desc' && change?.isDecline ? 'asc' : ranking?.direction
  const by = change ? (change.change === 'rate' ? 'rate' : 'change') : 'value'
  for (const condition of having) if (compare && condition.unit === 'percent') condition.of = 'change'
  if (take(sentence, 'trend') && !scope.grain) scope.grain = { unit: stepOf(compared.times[0]) }
  const average = chooseAverage(sentence, layer, scope, measure)
  const share = chooseShare(sentence, scope)
  const groupCount = scope.groups.length + (scope.grain ? 1 : 0)
  const isSingle = (!scope.isPlural && !limit && groupCount > 0 && !hasOp(sentence, 'list')) || (hasOp(sentence, 'when') && !limit)
  if (direction) take(sentence, 'when')
  // "Which kind of tickets …" asks for something else than a month.
  const isAskedOtherwise = direction !== undefined && groupCount === 0 && sentence.items.some((item) => isOp(item, 'which') && !/^what$/i.test(item.text))
  if (isAskedOtherwise) sentence.problems.push({ kind: 'unused', said: sentence.items.find((item) => isOp(item, 'which'))?.text ?? '' })
  if (direction && groupCount === 0) scope.grain = { unit: 'month' }
  // "The top 3 tickets": of what there is no name, there is no ranking.
  if (direction && groupCount === 0 && limit) sentence.problems.push({ kind: 'unused', said: String(limit) })
  const rank = direction && {
    direction,
    by: share ? ('value' as const) : (by as 'value' | 'change' | 'rate'),
    ...(scope.within && { within: scope.within }),
    ...(!ranking?.isOrdering && { isVague: true }),
    ...(limit !== undefined ? { limit } : isSingle && !ranking?.isOrdering ? { limit: 1 } : {}),
  }
  // "In how many countries do we have customers?"
  if (having.length === 0 && !direction && scope.groups.length === 1 && !share && !compare && countsGroups)
    having.push({ comparison: '>', value: 0, metric: measure.metrics[0] ?? '', of: 'value' })
  const isCountOfGroups = having.length > 0 && isCounted && scope.groups.length > 0 && !direction
  take(sentence, 'count', 'list', 'spread', 'total', 'combined', 'by', 'each', 'per', 'which', 'respectively', 'and', 'or', 'some', 'only', 'follow-up')
  return {
    metrics: measure.metrics,
    ...(measure.per && { per: measure.per }),
    groups: scope.groups,
    ...(scope.grain && { grain: scope.grain }),
    filters: scope.filters.filter((filter) => !share?.part.includes(filter)).map(({ ref, values, isNegated }) => ({ ref, values, isNegated })),
    ...(share && { share: { part: share.part.map(({ ref, values, isNegated }) => ({ ref, values, isNegated })) } }),
    times: compared.times,
    ...(compare && { compare }),
    ...(compared.compareUnit && { compareUnit: compared.compareUnit }),
    ...(change && { change: change.change }),
    ...(rank && { rank }),
    having,
    isCountOfGroups,
    isList: isList || asked !== undefined,
    isDifference,
    isListedBesideTotal: isBoth,
    ...(average && { average }),
    isCumulative: take(sentence, 'cumulative'),
    isDefinition,
    assumptions: [
      ...scope.assumptions,
      ...measure.items.flatMap((item) =>
        isKind(item, 'metric') && item.atom.isGuess ? [{ kind: 'metric' as const, said: item.text, metric: item.atom.metric }] : [],
      ),
    ],
  }
}

/** "Which customers churned", "list our customers": the noun inside the metric's own name is what is to be listed. */
function askedNoun(sentence: Sentence, measure: Measure): { refs: readonly string[]; isPlural: boolean } | undefined {
  const [item] = measure.items
  if (!item || !(isKind(item, 'metric') || isKind(item, 'count-noun')) || !item.atom.refs) return undefined
  const across = (other: Item) => isLight(other) || isKind(other, 'value') || isKind(other, 'number') || isKind(other, 'metric-part') || isOp(other, 'and')
  const before = neighbour(sentence, item, -1, across)
  const after = neighbour(sentence, item, 1)
  const isScattered = isKind(item, 'metric') && item.atom.needs !== undefined && isOp(before, 'most', 'least', 'top', 'bottom')
  const isNamed = sentence.items.some((other) => isOp(other, 'which') && /^(?:谁|哪些|哪几家|哪几个)$/u.test(other.text))
  const isAsked = isScattered || isNamed || (isOp(before, 'which', 'list') && !isOp(before, 'count')) || (isOp(after, 'list') && !isOp(after, 'count'))
  const isPlural = sentence.tokens.slice(item.from, item.to).some((token) => token.norm !== token.stem) || /些|几/u.test(before?.text ?? '')
  return isAsked ? { refs: item.atom.refs, isPlural } : undefined
}

/** How fine a development is shown when it was not said: by the unit in which its time was given, or the next smaller one. */
function stepOf(time: TimePhrase | undefined): Unit {
  const { unit, count = 1 } = time?.period ?? {}
  if (unit === 'day' && count > 1) return count > 45 ? 'week' : 'day'
  if ((unit === 'week' || unit === 'quarter' || unit === 'year') && count > 1) return unit
  return (unit === 'month' && count === 1) || (unit === 'week' && count === 1) ? 'day' : 'month'
}

/** "What does NRR mean?": at the end, the word is no average. */
function takeMeaning(sentence: Sentence): boolean {
  const last = sentence.items.at(-1)
  const isMeaning = isOp(last, 'average') && last.text.toLowerCase() === 'mean' && sentence.tokens.some((token) => token.norm === 'what')
  if (isMeaning) last.isUsed = true
  return isMeaning
}

type Change = { change: 'rate' | 'difference'; isDecline: boolean }

function takeChange(sentence: Sentence): Change | undefined {
  const isInPercent = takePercent(sentence)
  const isDecline = take(sentence, 'decline')
  const isRate = take(sentence, 'growth-rate') || isInPercent
  const isGrowth = take(sentence, 'growth')
  const isDifference = hasOp(sentence, 'difference') && sentence.items.filter((item) => isKind(item, 'value')).length < 2
  if (isDifference) take(sentence, 'difference')
  // "More customers than a year ago", 比去年多: how many more.
  const isComparative =
    hasOp(sentence, 'comparative') &&
    (hasOp(sentence, 'than', 'versus', 'year-ago', 'previous') || itemsOf(sentence, 'time').length > 1) &&
    itemsOf(sentence, 'value').length < 2
  if (isComparative && itemsOf(sentence, 'number').every((item) => item.isUsed)) take(sentence, 'comparative')
  else if (!isDecline && !isRate && !isGrowth && !isDifference) return undefined
  const isFast = hasOp(sentence, 'fastest', 'slowest') || sentence.items.some((item) => isKind(item, 'number') && item.atom.unit === 'percent')
  return { change: isRate || isFast ? 'rate' : 'difference', isDecline }
}

/** "By what percentage did … grow", 增长了百分之几: the unit of a change, and no share of anything. */
function takePercent(sentence: Sentence): boolean {
  const words = opsOf(sentence, 'share').filter((item) => /^(?:%|percent|percentage|百分之几|百分之多少|百分比|percent of|percentage of)$/i.test(item.text))
  const isChange =
    hasOp(sentence, 'growth', 'decline', 'growth-rate', 'difference', 'year-ago', 'previous') || (hasOp(sentence, 'comparative') && hasOp(sentence, 'than', 'versus'))
  const isPart = (item: Item) => /of$/i.test(item.text) || /占/u.test(sentence.items.map((other) => other.text).join(' '))
  if (!isChange || words.length === 0 || words.some(isPart)) return false
  for (const item of words) item.isUsed = true
  return true
}

/** The times that were said, and whether they are set against each other. */
function chooseTimes({ sentence, scope, layer, isChange, isState }: { sentence: Sentence; scope: Scope; layer: Layer; isChange: boolean; isState: boolean }): {
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
  if (first && second && said.length === 2 && !isVersus && !isChange && (isNow(first) || isNow(second)))
    return { times: [isNow(first) ? second : first], isVersus }
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
  const isSame = a.from === b.from && a.to === b.to && second.atom.time.isRelative === true
  const isSaid = /\b(?:previous|prior|preceding)\b|^(?:上一|前一)/i.test(second.text) && a.unit !== undefined && a.unit === b.unit && (a.count ?? 1) === 1
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

/** An average over time, unless the metric is an average already, which is then simply meant. */
function chooseAverage(sentence: Sentence, layer: Layer, scope: Scope, measure: Measure): Frame['average'] {
  const isSaid = take(sentence, 'average')
  if (scope.average) return scope.average
  if (!isSaid) return undefined
  const isAverage = measure.metrics.every((name) => {
    const metric = layer.metrics.get(name)
    return metric && (metric.kind === 'ratio' || /\bavg\(|\/|\bmean\(/i.test(metric.sql))
  })
  if (isAverage || measure.per) return undefined
  const unit = scope.grain?.unit
  delete scope.grain
  return unit ?? 'auto'
}

/** A thing that is only mentioned must at least be what the figure is about. Never one that was to be split by. */
function checkMentions(sentence: Sentence, layer: Layer, frame: Frame): void {
  const metric = layer.metrics.get(frame.metrics[0] ?? '')
  const tables = metric ? basicParts(layer, metric).flatMap((part) => [part.table, ...reach(layer, part.table)]) : []
  for (const item of itemsOf(sentence, 'entity')) {
    item.isUsed = true
    const before = neighbour(sentence, item, -1)
    const isAskedFor = isOp(before, 'by', 'which', 'per', 'top', 'bottom', 'most', 'least', 'list') && !isOp(before, 'of', 'count')
    if (!tables.includes(item.atom.table) || isAskedFor) sentence.problems.push({ kind: 'unused', said: item.text })
    sentence.penalty += 1
  }
  for (const item of itemsOf(sentence, 'count-noun')) if (!item.isUsed) sentence.problems.push({ kind: 'unused', said: item.text })
}

const reach = (layer: Layer, table: string): string[] =>
  (layer.entities.get(table)?.joins ?? []).flatMap((join) =>
    join.as ? [] : [join.to, ...(layer.entities.get(join.to)?.joins ?? []).flatMap((next) => (next.as ? [] : [next.to]))],
  )

const asksForShape = (frame: Frame): boolean =>
  frame.isDefinition || frame.groups.length > 0 || [frame.grain, frame.compare, frame.change, frame.average, frame.rank].some((part) => part !== undefined)
const addsAnything = (frame: Frame): boolean =>
  frame.groups.length + frame.filters.length + frame.times.length > 0 ||
  [frame.grain, frame.compare, frame.share, frame.rank].some((part) => part !== undefined)

function checkRest(sentence: Sentence): void {
  // 关于数据 or "by value" said something that was not understood.
  for (const item of sentence.items) {
    const isBinding = isOp(item, 'about') || (isOp(item, 'by') && /^(?:by|按|按照)$/i.test(item.text))
    if (isBinding && leadsNowhere(sentence, item)) sentence.problems.push({ kind: 'unused', said: item.text })
    if (isOp(item, 'about')) item.isUsed = true
  }
  for (const item of sentence.items) {
    if (item.isUsed || isLight(item) || (item.atom.kind === 'op' && item.atom.isIdle)) continue
    sentence.problems.push({ kind: 'unused', said: item.text })
  }
}
