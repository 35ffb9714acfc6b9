// Stage 3b: what the atoms of a reading say together. A reading in which a word has no part is no reading: that is what keeps
// the planner from answering a question that it has only half understood.
import type { Unit } from './calendar.ts'
import { askedNoun, askedPeople } from './compose-asked.ts'
import { chooseAverage } from './compose-average.ts'
import { countedEntity, isOwn, takeBoth, takeBreadth } from './compose-breadth.ts'
import { takeChange } from './compose-change.ts'
import { chooseDirection, chooseMetrics, placeNumbers, type Measure } from './compose-measure.ts'
import { chooseScope, listsValues, splitsByValues, type Scope } from './compose-scope.ts'
import { chooseShare } from './compose-share.ts'
import { chooseTimes } from './compose-time.ts'
import type { Frame, Problem } from './frame.ts'
import { basicParts, type Layer, type Metric } from './layer.ts'
import { hasOp, isKind, isLight, isOp, itemsOf, isSetBesideValue, leadsNowhere, neighbour, opsOf, take, type Item, type Sentence } from './sentence.ts'
import type { TimePhrase } from './time-reading.ts'
import { isChinese } from './tokens.ts'
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
  if (measure.metrics.every((name) => /^[a-z]{3}$/.test(layer.metrics.get(name)?.unit ?? ''))) take(sentence, 'as-money')
  const counted = takeBreadth(sentence, layer, metric)
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
  const breadth = counted ?? takeBoth(sentence, layer, scope, metric)
  const people = isRanked && !asked && scope.groups.length === 0 ? askedPeople(sentence, layer, metric) : undefined
  if (people) scope.groups.push(people)
  if (people) scope.isPlural = false
  if (asked && !breadth && scope.groups.length === 0 && !scope.grain) {
    scope.groups.push(...asked.refs.filter((ref) => metric?.dimensions.includes(ref)).slice(0, 1))
    scope.isPlural = asked.isPlural
  }
  checkCounted(sentence, layer, scope, metric)
  if (metric && !breadth) checkExclusive(sentence, layer, scope, metric)
  const compared = chooseTimes({ sentence, scope, layer, isChange: changeWords !== undefined, isState: metric?.kind === 'snapshot' })
  const byValues = breadth ? undefined : splitsByValues(sentence, scope)
  const both =
    byValues === undefined &&
    !breadth &&
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
  const average = chooseAverage({ sentence, layer, scope, measure, times: compared.times })
  const share = chooseShare(sentence, scope)
  const groupCount = scope.groups.length + (scope.grain ? 1 : 0)
  const isSingle = (!scope.isPlural && !limit && groupCount > 0 && !hasOp(sentence, 'list')) || (hasOp(sentence, 'when') && !limit)
  if (direction) take(sentence, 'when')
  // "Which kind of tickets …" asks for something else than a month.
  const isAskedOtherwise = direction !== undefined && groupCount === 0 && sentence.items.some((item) => isOp(item, 'which') && !/^what$/i.test(item.text))
  if (isAskedOtherwise) sentence.problems.push({ kind: 'unused', said: sentence.items.find((item) => isOp(item, 'which'))?.text ?? '' })
  if (direction && groupCount === 0) scope.grain = { unit: 'month' }
  // "The largest invoice" is no month either.
  if (direction && groupCount === 0 && metric?.unit === 'count' && metric.kind === 'flow')
    sentence.problems.push({ kind: 'unused', said: sentence.items.find((item) => isOp(item, 'most', 'least', 'top', 'bottom'))?.text ?? '' })
  // "The biggest customer" is one of them, and by what is not said.
  const ranked = measure.items[0]
  const rankWord = ranked && neighbour(sentence, ranked, -1)
  if (
    direction &&
    groupCount === 0 &&
    ranked &&
    'refs' in ranked.atom &&
    ranked.atom.refs &&
    /^(?:the )?(?:biggest|largest|best|top|greatest|smallest|worst)$/i.test(rankWord?.text ?? '')
  )
    sentence.problems.push({ kind: 'unused', said: rankWord?.text ?? '' })
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
  // "Which customers shrank": of those that are asked for, only the ones that did.
  const isFilteredByChange =
    change !== undefined &&
    !direction &&
    limit === undefined &&
    having.length === 0 &&
    scope.groups.length > 0 &&
    !scope.grain &&
    (asked !== undefined || isWhich(sentence)) &&
    !hasOp(sentence, 'difference')
  if (isFilteredByChange && (change.isDecline || change.isRise))
    having.push({ comparison: change.isDecline ? '<' : '>', value: 0, metric: measure.metrics[0] ?? '', of: 'difference' })
  const fold =
    average === 'groups'
      ? ('average' as const)
      : foldsTop({ sentence, metric, limit, isOrdered: ranking !== undefined, hasShare: share !== undefined, groupCount })
        ? ('sum' as const)
        : undefined
  // One by one they have no groups, no order and no share of anything.
  if (breadth && (scope.groups.length > 0 || scope.grain || direction || share || average || change || compare || having.length > 0))
    sentence.problems.push({ kind: 'unused', said: String(breadth.value) })
  // "How many tickets did each agent resolve": the count is the figure's, and each has one.
  const isCountOfGroups = having.length > 0 && isCounted && scope.groups.length > 0 && !direction && !hasOp(sentence, 'each', 'per')
  if (metric && !isCountOfGroups && !breadth) checkUnit(sentence, metric)
  take(sentence, 'count', 'list', 'spread', 'total', 'combined', 'by', 'each', 'per', 'which', 'respectively', 'and', 'or', 'some', 'only', 'follow-up')
  return {
    metrics: measure.metrics,
    ...(measure.per && { per: measure.per }),
    ...(measure.isShare && { isShareOfPer: true }),
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
    ...(average && average !== 'groups' && { average }),
    ...(fold && { fold }),
    ...(breadth && { breadth: { ...breadth, isCount: (isCounted || !isList) && asked === undefined } }),
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

/** "How many invoices are overdue" is no sum of money, "the amount of failed payments" no rate, "how many features were used" no sum of uses. */
function checkUnit(sentence: Sentence, metric: Metric): void {
  const { items, problems, tokens } = sentence
  const isMoney = /^[a-z]{3}$/.test(metric.unit)
  const isSum = metric.kind !== 'ratio' && metric.unit === 'count' && !/\bcount\(/i.test(metric.sql)
  for (const item of items) {
    const next = neighbour(sentence, item, 1)
    // "How many times" asks for the sum.
    const countsNoun = isSum && tokens[item.to]?.norm !== 'times' && isKind(next, 'metric') && next.atom.refs !== undefined
    const isOfPieces = /^(?:有?多少|几)$/u.test(item.text) && /^[个家位名张次条件人]$/u.test(tokens[item.to]?.norm ?? '')
    const isOfUnits = tokens.slice(item.to, item.to + 2).some(({ norm }) => /^(?:percent|%|dollars?|usd|百)$/.test(norm)) // "By how many percent".
    const asksCount =
      !isOfUnits && (isOfPieces || /^(?:how many|how often|(?:the )?number of|多少[个家位名张次条件人]|几[个家位张]|数量|个数)$/i.test(item.text))
    const asksMoney = /^(?:amounts?(?: of)?|what amount of|dollar (?:amount|value)|how much money|多少钱|总?金额)$/i.test(item.text)
    const isWrong =
      isOp(item, 'count', 'as-money') &&
      ((asksCount && (isMoney || countsNoun)) || (asksMoney && !isMoney && (metric.unit !== 'count' || /money|钱|dollar|金额/i.test(item.text))))
    if (isWrong || isOtherPace(sentence, item, metric)) problems.push({ kind: 'other-unit', metric: metric.name, said: item.text })
  }
}

/** "Monthly active users" are no daily active users by month: people who come back are counted once. */
function isOtherPace({ items }: Sentence, item: Item, { label, synonyms }: Metric): boolean {
  const next = items.find((other) => other.from === item.to)
  if (!(isKind(item, 'grain') || isKind(item, 'value')) || !(isKind(next, 'metric') || isKind(next, 'count-noun'))) return false
  return [label.en, ...synonyms.en, label.zh, ...synonyms.zh].some((name) => {
    const [, pace, rest] = /^(?:average )?(daily|weekly|monthly) (.+)$/i.exec(name) ?? /^([日周月])(.{2,})$/u.exec(name) ?? []
    return rest?.toLowerCase() === next.text.toLowerCase() && pace?.toLowerCase() !== item.text.toLowerCase() && /ly$|^[日周月季年]/i.test(item.text)
  })
}

const isWhich = (sentence: Sentence): boolean =>
  sentence.items.some((item) => isOp(item, 'which') && isKind(neighbour(sentence, item, 1), 'dimension') && /which|哪/i.test(item.text))

/** 两个以上的产品: a number belongs to the thing behind it, and is no limit on a figure of something else. */
function checkCounted(sentence: Sentence, layer: Layer, scope: Scope, metric: Metric | undefined): void {
  const tables = [...scope.groups.map((ref) => layer.dimensions.get(ref)?.table), ...(metric ? basicParts(layer, metric).map((part) => part.table) : [])]
  for (const item of itemsOf(sentence, 'number')) {
    const isComparison = (other: Item) => isLight(other) || isOp(other, 'at-least-behind', 'at-most-behind')
    const noun = item.isUsed ? neighbour(sentence, item, 1, isComparison) : undefined
    const isPart =
      (isKind(noun, 'metric-part') && isChinese(noun.text)) || (isKind(noun, 'metric') && noun.atom.needs !== undefined && namesOther(layer, tables, noun.text))
    if (isPart || (isKind(noun, 'entity') && !tables.includes(noun.atom.table))) sentence.problems.push({ kind: 'unused', said: item.text })
  }
}

/** "Customers without Insight", "only Dispatch": whether something has none, or nothing else, is not seen from the rows that match. */
function checkExclusive(sentence: Sentence, layer: Layer, scope: Scope, metric: Metric): void {
  if (metric.kind !== 'snapshot' || countedEntity(layer, metric) === undefined) return
  const others = scope.filters.filter((filter) => !isOwn(layer, metric, filter.ref))
  const only = opsOf(sentence, 'only')[0]
  for (const { isNegated, items } of others) if (isNegated || only) sentence.problems.push({ kind: 'exclusive', said: only?.text ?? items[0]?.text ?? '' })
}

const namesOther = (layer: Layer, tables: readonly (string | undefined)[], text: string): boolean =>
  [...layer.entities.values()].some(({ table, label, synonyms }) => !tables.includes(table) && [label.zh, ...synonyms.zh].includes(text))

/** "The total MRR of our ten biggest customers", "what share comes from the top 10": all of them in one figure. */
function foldsTop(about: {
  sentence: Sentence
  metric: Metric | undefined
  limit: number | undefined
  isOrdered: boolean
  hasShare: boolean
  groupCount: number
}): boolean {
  const { sentence, metric, limit = 1, isOrdered, hasShare, groupCount } = about
  if (!metric?.additive || limit < 2 || !isOrdered || groupCount !== 1) return false
  const isListed = hasOp(sentence, 'list', 'respectively') || sentence.items.some((item) => isOp(item, 'which') && !/^what/i.test(item.text))
  // "The top 5 by share" and 前三名及其占比 are five and three.
  const isOrder = sentence.items.some((item) => isOp(item, 'share') && isOp(neighbour(sentence, item, -1), 'by', 'and'))
  if (hasShare) return !isListed && !isOrder && !hasOp(sentence, 'each')
  const [total] = opsOf(sentence, 'combined', 'total')
  const isBehind = (item: Item) => isOp(item, ...rankWords) && total !== undefined && item.from > total.from
  return total !== undefined && (isOp(total, 'combined') || sentence.items.some(isBehind)) && !isListed
}
const rankWords: Op[] = ['top', 'bottom', 'most', 'least', 'best', 'worst']

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

/** A thing that is only mentioned must at least be what the figure is about. Never one that was to be split by. */
function checkMentions(sentence: Sentence, layer: Layer, frame: Frame): void {
  const metric = layer.metrics.get(frame.metrics[0] ?? '')
  const tables = metric ? basicParts(layer, metric).flatMap((part) => [part.table, ...reach(layer, part.table)]) : []
  for (const item of itemsOf(sentence, 'entity')) {
    item.isUsed = true
    const before = neighbour(sentence, item, -1)
    const isAskedFor = isOp(before, 'by', 'which', 'per', 'top', 'bottom', 'most', 'least', 'list') && !isOp(before, 'of', 'count')
    if (!tables.includes(item.atom.table) || isAskedFor || isSetBesideValue(sentence, item)) sentence.problems.push({ kind: 'unused', said: item.text })
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
