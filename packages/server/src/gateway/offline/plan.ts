// Stage 4: a frame becomes a plan: which metric, at which days, split and narrowed how. Whatever was left open is decided here, by the
// layer's own rules, and noted for the answer.
import { addDays, addMonths, daysIn, previousOf, unitAt, wholeMonths, yearBefore, type Period, type Unit } from './calendar.ts'
import { bucketOf, bucketsOf, clipped, defaultSpan, type Bucket } from './buckets.ts'
import type { Assumption, Condition, Filter, Frame } from './frame.ts'
import { countedEntity } from './compose-breadth.ts'
import { basicParts, beginOf, type Dimension, type Layer, type Metric } from './layer.ts'
import type { TimePhrase } from './time-reading.ts'

export type Shape =
  | { kind: 'total'; bucket: Bucket }
  | { kind: 'compare'; earlier: Bucket; later: Bucket }
  /** `back`: buckets before the first that is asked for, and how far back each is compared. */
  | { kind: 'series'; unit: Unit | 'period'; buckets: Bucket[]; back?: { buckets: Bucket[]; distance: number } }

export type Plan = {
  metrics: Metric[]
  per?: Metric
  isShareOfPer?: boolean
  groups: Dimension[]
  filters: Filter[]
  share?: { part: Filter[] }
  shape: Shape
  average?: { unit: Unit; buckets: Bucket[] }
  rank?: NonNullable<Frame['rank']>
  having: Condition[]
  isCountOfGroups: boolean
  fold?: NonNullable<Frame['fold']>
  /** Columns that a figure speaks of besides its groups and filters. */
  needs?: readonly string[]
  isCumulative: boolean
  isList: boolean
  isDifference: boolean
  isListedBesideTotal: boolean
  assumptions: PlanAssumption[]
}

export type PlanAssumption =
  | Assumption
  | { kind: 'default-time'; period: Period; isNow: boolean }
  | { kind: 'open-period'; until: string }
  | { kind: 'begins'; day: string }
  | { kind: 'same-days' }
  | { kind: 'calendar-quarters' }
  | { kind: 'top'; count: number }

export type PlanProblem =
  | { kind: 'future'; period: Period }
  | { kind: 'not-loaded'; until: string }
  | { kind: 'before-data'; from: string }
  | { kind: 'months-only'; metric: Metric }
  | { kind: 'no-share'; metric: Metric }
  | { kind: 'no-groups' }
  | { kind: 'counts-itself'; metric: Metric }
  | { kind: 'average-unclear'; metric: Metric }
  | { kind: 'two-times' }

export function planOf(frame: Frame, layer: Layer): { plan: Plan } | { problem: PlanProblem } {
  if (frame.breadth) return planOfBreadth(frame, frame.breadth, layer)
  const metrics = frame.metrics.flatMap((name) => layer.metrics.get(name) ?? [])
  const per = frame.per === undefined ? undefined : layer.metrics.get(frame.per)
  const [metric] = metrics
  if (!metric) return { problem: { kind: 'no-groups' } }
  const groups = frame.groups.flatMap((ref) => layer.dimensions.get(ref) ?? [])
  if (frame.having.length > 0 && groups.length === 0 && !frame.grain) return { problem: { kind: 'no-groups' } }
  // "Our best customer": each counts as one, so none of them comes first.
  if (frame.rank && groups.some((group) => group.values.length === 0 && group.ref.startsWith(`${countedEntity(layer, metric)}.`)))
    return { problem: { kind: 'counts-itself', metric } }
  if (frame.isShareOfPer && (frame.compare || frame.grain || frame.times.length > 1)) return { problem: { kind: 'no-share', metric } }
  const parts = [...metrics, ...(per ? [per] : [])].flatMap((each) => basicParts(layer, each))
  if (frame.share && metrics.some((each) => each.kind === 'ratio' || (!['usd', 'count'].includes(each.unit) && !each.additive)))
    return { problem: { kind: 'no-share', metric } }
  const isState = parts.every((part) => part.kind === 'snapshot') && metrics.every(isOfOneDay)
  const assumptions: PlanAssumption[] = [...frame.assumptions]
  const begin = metrics.map((each) => beginOf(layer, each)).reduce((a, b) => (a > b ? a : b))
  const timed = withinData(shapeOf(frame, layer, isState, assumptions), begin, isState)
  if ('problem' in timed) return timed
  const buckets = allBuckets(timed.shape, timed.average)
  const isMonthly = parts.some(
    (part) => /\bmonth\b/.test(layer.entities.get(part.table)?.grain ?? '') && !/\bday\b/.test(layer.entities.get(part.table)?.grain ?? ''),
  )
  if (isMonthly && parts.some((part) => part.kind === 'flow') && buckets.some((bucket) => !bucket.isOpen && wholeMonths(bucket.period) === 0))
    return { problem: { kind: 'months-only', metric } }
  const plan: Plan = {
    metrics,
    groups,
    shape: timed.shape,
    assumptions,
    filters: frame.filters,
    having: frame.having,
    isCountOfGroups: frame.isCountOfGroups,
    isCumulative: frame.isCumulative,
    isList: frame.isList,
    isDifference: frame.isDifference,
    isListedBesideTotal: frame.isListedBesideTotal,
    ...(per && { per }),
    ...(frame.isShareOfPer && { isShareOfPer: true }),
    ...(frame.share && { share: frame.share }),
    ...(timed.average && { average: timed.average }),
    ...(frame.rank && { rank: frame.rank }),
    ...(frame.fold && { fold: frame.fold }),
  }
  if (plan.rank?.isVague && plan.rank.limit === undefined && !frame.grain && groups.some((group) => group.values.length === 0)) {
    plan.rank = { ...plan.rank, limit: vagueLimit }
    assumptions.push({ kind: 'top', count: vagueLimit })
  }
  if (!isState && buckets.some((bucket) => bucket.first < begin)) assumptions.push({ kind: 'begins', day: begin })
  const open = buckets.find((bucket) => bucket.isOpen)
  if (open) assumptions.push({ kind: 'open-period', until: isState ? open.at : open.last })
  return { plan }
}

/** Things one by one with the number of their values in another column, and of those the ones with so many. */
function planOfBreadth(frame: Frame, { ref, comparison, value, isCount }: NonNullable<Frame['breadth']>, layer: Layer): ReturnType<typeof planOf> {
  const { breadth: _, ...plain } = frame
  const planned = planOf({ ...plain, having: [], groups: [] }, layer)
  const metric = layer.metrics.get(frame.metrics[0] ?? '')
  const table = metric && countedEntity(layer, metric)
  const name = metric?.dimensions
    .flatMap((each) => layer.dimensions.get(each) ?? [])
    .find((dimension) => dimension.ref.startsWith(`${table}.`) && dimension.values.length === 0)
  const column = layer.dimensions.get(ref)
  if ('problem' in planned || !metric || metric.kind === 'ratio' || !name || !column) return 'problem' in planned ? planned : { problem: { kind: 'no-groups' } }
  const label = { en: `Number of different ${column.label.en}s`, zh: `不同${column.label.zh}数` }
  const counting: Metric = { ...metric, label, unit: 'count', sql: `count(distinct ${ref})`, additive: false }
  const having: Condition[] = [{ comparison, value, metric: metric.name, of: 'value' }]
  return { plan: { ...planned.plan, metrics: [counting], groups: [name], having, isCountOfGroups: isCount ?? false, needs: [ref] } }
}

/** A state, or a quotient of states of the same day: seats per account. */
const isOfOneDay = (metric: Metric): boolean => metric.kind !== 'ratio' || [...metric.numerator, ...metric.denominator].every((term) => term.at === 'end')

/** How many "the top customers" are. */
const vagueLimit = 10

const allBuckets = (shape: Shape, average: Plan['average']): Bucket[] =>
  average ? average.buckets : shape.kind === 'total' ? [shape.bucket] : shape.kind === 'compare' ? [shape.later, shape.earlier] : shape.buckets

/** Before the data begin there is nothing to add up, and a 0 would be a wrong figure. Of a series, only what lies in the data remains. */
function withinData(timed: Timed, begin: string, isState: boolean): Timed {
  if ('problem' in timed) return timed
  const isBefore = (bucket: Bucket) => (isState ? bucket.at : bucket.last) < begin
  const { shape, average } = timed
  if (shape.kind === 'series' || average) {
    const buckets = (average?.buckets ?? (shape.kind === 'series' ? shape.buckets : [])).filter((bucket) => !isBefore(bucket))
    if (buckets.length === 0) return { problem: { kind: 'before-data', from: begin } }
    return average ? { shape, average: { ...average, buckets } } : shape.kind === 'series' ? { shape: { ...shape, buckets } } : timed
  }
  const isOutside = shape.kind === 'compare' ? isBefore(shape.earlier) || isBefore(shape.later) : isBefore(shape.bucket)
  return isOutside ? { problem: { kind: 'before-data', from: begin } } : timed
}

type Timed = { shape: Shape; average?: NonNullable<Plan['average']> } | { problem: PlanProblem }

function shapeOf(frame: Frame, layer: Layer, isState: boolean, assumptions: PlanAssumption[]): Timed {
  const { calendar } = layer
  const { today, completeUntil } = calendar
  for (const time of frame.times) {
    if (time.period.from > today) return { problem: { kind: 'future', period: time.period } }
    if (!isState && !time.edge && !time.ago && time.period.from > completeUntil && time.saidToday)
      return { problem: { kind: 'not-loaded', until: completeUntil } }
  }
  // "Current churn rate": for what happens over time, now says nothing but "the latest".
  const times = frame.times.filter((time) => isState || time.ago || time.period.from <= completeUntil)
  if (frame.compare === 'times') return compareTimes(times, frame, layer, isState, assumptions)
  if (times.length > 2 || (times.length === 2 && !frame.grain))
    return { shape: { kind: 'series', unit: 'period', buckets: times.map((time) => bucketOf(momentOf(time, isState, layer), calendar)) } }
  const [time] = times
  const unit =
    frame.grain?.unit ?? eachEnd(time, isState) ?? (frame.compareUnit && time && isSeveral(time.period, frame.compareUnit) ? frame.compareUnit : undefined)
  if (frame.average && frame.average !== 'groups') return averageOver(frame.average, time, layer, isState, assumptions)
  if (unit) return seriesOf(unit, time, frame, layer, isState, assumptions)
  const isNow = isState && frame.metrics.every((name) => layer.metrics.get(name)?.kind === 'snapshot')
  const period = time ? momentOf(time, isState, layer) : defaultPeriod(frame, layer, isNow, assumptions)
  if (!frame.compare) return { shape: { kind: 'total', bucket: bucketOf(period, calendar) } }
  if (time?.since && frame.compare === 'previous') return isState ? sinceThen(time.since, layer) : { problem: { kind: 'two-times' } }
  return comparison(period, frame.compare, layer, isState, assumptions)
}

/** "At the end of the last four quarters" asks for a state at each of these ends. */
const eachEnd = (time: TimePhrase | undefined, isState: boolean): Unit | undefined =>
  isState && time?.edge === 'end' && (time.period.count ?? 1) > 1 && time.period.unit !== 'day' ? time.period.unit : undefined

const isSeveral = (period: Period, unit: Unit): boolean =>
  (unit !== period.unit && daysIn(period) > 45 && (unit === 'month' || unit === 'week' || daysIn(period) > 120)) ||
  (period.unit === unit && (period.count ?? 1) > 1)

/** The period that an expression means for this kind of metric. A state at the start of a period is that of the evening before. */
function momentOf(time: TimePhrase, isState: boolean, { calendar }: Layer): Period {
  if (time.ago && (!isState || time.ago.unit === 'quarter')) return unitAt(calendar.today, time.ago.unit, -time.ago.count, calendar.system, calendar.fiscal)
  if (isState && time.edge === 'start' && time.period.unit !== 'day') return { from: addDays(time.period.from, -1), to: time.period.from, unit: 'day' }
  return time.period
}

function defaultPeriod(frame: Frame, { calendar }: Layer, isState: boolean, assumptions: PlanAssumption[]): Period {
  const unit = frame.compareUnit ?? 'quarter'
  const isNow = isState && !frame.compareUnit && frame.compare !== 'previous'
  const period: Period = isNow
    ? { from: calendar.today, to: addDays(calendar.today, 1), unit: 'day' }
    : unitAt(calendar.today, unit, -1, calendar.system, calendar.fiscal)
  assumptions.push({ kind: 'default-time', period, isNow })
  return period
}

/** How a state has changed since: from the end of "last month", from the start of March. */
function sinceThen({ period, isRelative }: NonNullable<TimePhrase['since']>, { calendar }: Layer): Timed {
  const from = isRelative ? addDays(period.to, -1) : addDays(period.from, -1)
  const day = (at: string): Period => ({ from: at, to: addDays(at, 1), unit: 'day' })
  return { shape: { kind: 'compare', earlier: bucketOf(day(from), calendar), later: bucketOf(day(calendar.today), calendar) } }
}

function comparison(period: Period, compare: 'year-ago' | 'previous', layer: Layer, isState: boolean, assumptions: PlanAssumption[]): Timed {
  const { calendar } = layer
  const later = bucketOf(period, calendar)
  if (compare === 'year-ago') {
    const same = later.isOpen ? { from: addMonths(period.from, -12), to: addDays(addMonths(isState ? later.at : later.last, -12), 1) } : yearBefore(period)
    if (later.isOpen) assumptions.push({ kind: 'same-days' })
    return { shape: { kind: 'compare', later, earlier: bucketOf(same, calendar) } }
  }
  const before =
    period.unit === 'day' && !period.count && isState ? unitAt(calendar.today, 'quarter', -1, calendar.system, calendar.fiscal) : previousOf(period)
  return { shape: { kind: 'compare', later, earlier: bucketOf(isState ? before : sameDays(before, later, assumptions), calendar) } }
}

/** A period that is not over is set against as many days of the other. */
function sameDays(earlier: Period, later: Bucket, assumptions: PlanAssumption[]): Period {
  if (!later.isOpen) return earlier
  const to = addDays(earlier.from, daysIn({ from: later.first, to: addDays(later.last, 1) }))
  if (to >= earlier.to) return earlier
  assumptions.push({ kind: 'same-days' })
  return { from: earlier.from, to }
}

function compareTimes(times: readonly TimePhrase[], frame: Frame, layer: Layer, isState: boolean, assumptions: PlanAssumption[]): Timed {
  const { calendar } = layer
  const [first, second] = times
  if (!first || !second) return { problem: { kind: 'two-times' } }
  const [a, b] = [momentOf(first, isState, layer), momentOf(second, isState, layer)]
  if (frame.grain) {
    const isYearApart = addMonths(a.from, 12) === b.from
    return isYearApart ? seriesOf(frame.grain.unit, second, { ...frame, compare: 'year-ago' }, layer, isState, assumptions) : { problem: { kind: 'two-times' } }
  }
  const later = bucketOf(b, calendar)
  const isSameKind = a.unit !== undefined && a.unit === b.unit && a.unit !== 'day'
  return { shape: { kind: 'compare', later, earlier: bucketOf(!isState && isSameKind ? sameDays(a, later, assumptions) : a, calendar) } }
}

function seriesOf(unit: Unit, time: TimePhrase | undefined, frame: Frame, layer: Layer, isState: boolean, assumptions: PlanAssumption[]): Timed {
  const { calendar } = layer
  const isMoment = time?.period.unit === 'day' && !time.period.count && unit !== 'day'
  if (isMoment && time && time.period.from !== calendar.today) return { problem: { kind: 'two-times' } }
  const said = time && !isMoment ? (unit === 'year' && time.years ? time.years : time.period) : undefined
  const period = said ?? defaultSpan(unit, calendar, frame.grain?.system)
  if (!said) assumptions.push({ kind: 'default-time', period, isNow: false })
  const system = frame.grain?.system ?? (said?.unit === 'year' && said.system === 'calendar' && unit !== 'month' ? 'calendar' : calendar.system)
  if (system === 'calendar' && !frame.grain?.system && (unit === 'quarter' || unit === 'year') && calendar.fiscal.startMonth !== 1)
    assumptions.push({ kind: 'calendar-quarters' })
  const buckets = bucketsOf(period, unit, system, calendar, isState)
  if (!frame.compare || frame.compare === 'times') return { shape: { kind: 'series', unit, buckets } }
  const perYear: Record<Unit, number> = { day: 365, week: 52, month: 12, quarter: 4, half: 2, year: 1 }
  const distance = frame.compare === 'year-ago' ? perYear[unit] : 1
  const [first] = buckets
  const before = first
    ? Array.from({ length: distance }, (_, i) => bucketOf(unitAt(first.period.from, unit, i - distance, system, calendar.fiscal), calendar))
    : []
  return { shape: { kind: 'series', unit, buckets, back: { buckets: before, distance } } }
}

function averageOver(average: Unit | 'auto', time: TimePhrase | undefined, layer: Layer, isState: boolean, assumptions: PlanAssumption[]): Timed {
  const { calendar } = layer
  const isMoment = time && (time.edge || (time.period.unit === 'day' && !time.period.count))
  const period = time && !isMoment ? time.period : defaultSpan(average === 'auto' ? 'month' : average, calendar)
  if (!time || isMoment) assumptions.push({ kind: 'default-time', period, isNow: false })
  const unit = average === 'auto' ? (daysIn(period) > 45 ? 'month' : 'day') : average
  const system = period.system === 'calendar' && period.unit === 'year' ? 'calendar' : calendar.system
  const all = bucketsOf(period, unit, system, calendar, isState)
  const full = all.filter((bucket) => !bucket.isOpen)
  return {
    shape: { kind: 'total', bucket: bucketOf(clipped(period, full.length > 0 ? full : all), calendar) },
    average: { unit, buckets: full.length > 0 ? full : all },
  }
}
