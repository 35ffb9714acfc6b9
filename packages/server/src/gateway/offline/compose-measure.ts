// Stage 3b, what is measured: the metrics of a question, and the numbers that limit or count.
import type { Condition, Frame } from './frame.ts'
import type { Layer, Metric } from './layer.ts'
import { tokenize } from './tokens.ts'
import { between, isKind, isLight, isOp, itemsOf, neighbour, opsOf, type Item, type Sentence } from './sentence.ts'
import type { Op } from './words.ts'

/** `leans`: taken from the question before. */
export type Measure = { metrics: string[]; per?: string; /** The first as a share of `per`. */ isShare?: boolean; items: Item[]; leans?: boolean }

/** The metrics, in order. Two must be joined by a word that joins, or the reading is wrong. */
export function chooseMetrics(sentence: Sentence, layer: Layer, context?: Frame): Measure | undefined {
  const named = itemsOf(sentence, 'metric')
  const parts = itemsOf(sentence, 'metric-part')
  const isWhole = named.every(({ atom }) => (atom.needs ?? []).every((at) => parts.some((part) => part.from === at && part.atom.metric === atom.metric)))
  const isOwned = parts.every((part) => named.some(({ atom }) => atom.metric === part.atom.metric && (atom.needs ?? [part.from]).includes(part.from)))
  // "How many new customers came … and what MRR did they bring": two questions, whose words make no name together.
  const isTorn = named.some(({ atom, from }) =>
    (atom.needs ?? []).some((at) =>
      sentence.items.some(
        (item) => isOp(item, 'and') && item.from > Math.min(at, from) && item.from < Math.max(at, from) && isOp(neighbour(sentence, item, 1), 'which', 'count'),
      ),
    ),
  )
  if (!isWhole || !isOwned || isTorn) return fail(sentence, { kind: 'no-metric' })
  if (named.some((item) => item.atom.noun !== undefined && !hasNounBeside(sentence, layer, item, item.atom.noun))) return fail(sentence, { kind: 'no-metric' })
  if (named.some((item) => item.atom.isPaced) && !sentence.items.some(isPace)) return fail(sentence, { kind: 'no-metric' })
  for (const item of [...named, ...parts]) item.isUsed = true

  let items: Item[] = named.length > 0 ? named : impliedMetrics(sentence, context !== undefined)
  const metrics = items.map((item) => metricOf(item))
  if (metrics.length === 0 && context) return { metrics: context.metrics, ...(context.per && { per: context.per }), items: [], leans: true }
  const only = metrics.length === 0 ? onlyMetricOf(sentence, layer) : undefined
  if (only) {
    sentence.penalty += 5
    return { metrics: [only], items: [] }
  }
  if (metrics.length === 0) return fail(sentence, { kind: 'no-metric' })
  for (const item of named)
    if (item.atom.isGuess) sentence.penalty += opsOf(sentence, 'count').length > 0 && layer.metrics.get(item.atom.metric)?.unit === 'percent' ? 100 : 3
  const first = items[0]
  const second = items[1]
  const joiner = first && second && between(sentence, first, second).filter((item) => !isLight(item))
  if (second && joiner?.length === 1 && isOp(joiner[0], 'per') && metrics[0] !== metrics[1] && isCount(layer, metrics[1])) {
    for (const item of joiner) item.isUsed = true
    return { metrics: metrics.slice(0, 1), per: metrics[1] ?? '', items: items.slice(0, 1) }
  }
  // "The conversion rate of trials": a noun that the first metric's own name holds is only mentioned.
  // 上季度开始试用的客户，试用转化率: what is measured may come behind what it is measured of.
  const behind = items.at(-1)
  if (first && behind && items.length === 2 && isMeasuredOf(sentence, layer, behind, first)) items = [behind]
  const isEcho = (item: Item, i: number) => i > 0 && first !== undefined && isEchoOf(layer, metricOf(first), item, { sentence, i })
  const echoes = items.filter(isEcho)
  if (echoes.length > 0) {
    sentence.penalty += 4
    items = items.filter((item) => !echoes.includes(item))
  }
  const distinct = [...new Set(items.map(metricOf))]
  const areJoined = items.every((item, i) => {
    const before = items[i - 1]
    if (!before || metricOf(before) === metricOf(item)) return true
    const joiners = between(sentence, before, item).filter((other) => !isLight(other) && !isOp(other, 'count', 'average', 'respectively'))
    const isJoined = joiners.length > 0 && joiners.every((other) => isOp(other, 'and', 'versus', 'or'))
    if (isJoined) for (const other of joiners) other.isUsed = true
    return isJoined
  })
  const whole = distinct.length === 2 && !areJoined ? wholeOf(sentence, layer, items) : undefined
  if (whole) return { metrics: distinct.filter((name) => name !== whole), per: whole, isShare: true, items }
  const ordering = distinct.length > 1 && !areJoined ? items.find((item) => isOp(neighbour(sentence, item, -1), 'by', 'descending', 'ascending')) : undefined
  if (distinct.length > 1 && !areJoined && !ordering) return fail(sentence, { kind: 'several-metrics', metrics: distinct })
  if (ordering) return fail(sentence, { kind: 'several-metrics', metrics: distinct })
  const perNoun = itemsOf(sentence, 'count-noun').find((item) => !item.isUsed && isOp(neighbour(sentence, item, -1), 'per'))
  if (perNoun && named.length > 0 && distinct.length === 1) {
    perNoun.isUsed = true
    const per = neighbour(sentence, perNoun, -1)
    if (per) per.isUsed = true
    return { metrics: distinct, per: perNoun.atom.metric, items }
  }
  return { metrics: distinct, items }
}

const isPace = (item: Item): boolean => isOp(item, 'fastest', 'slowest') || (isOp(item, 'most', 'least') && /^(?:longest|shortest|最长|最短)$/i.test(item.text))

/** Whether the metric joined to this one has the noun that this one leaves out. */
function hasNounBeside(sentence: Sentence, layer: Layer, item: Item, noun: string): boolean {
  return ([1, -1] as const).some((step) => {
    const joiner = neighbour(sentence, item, step)
    const other = joiner && isOp(joiner, 'and', 'versus', 'or') ? neighbour(sentence, joiner, step) : undefined
    if (!isKind(other, 'metric') || other.atom.noun !== undefined) return false
    const metric = layer.metrics.get(other.atom.metric)
    return metric !== undefined && sentence.tokens.slice(other.from, other.to).some((token) => token.stem === noun || [...noun].includes(token.norm))
  })
}

function isMeasuredOf(sentence: Sentence, layer: Layer, behind: Item, first: Item): boolean {
  const [of, metric] = [layer.metrics.get(metricOf(first)), layer.metrics.get(metricOf(behind))]
  if (!of || !metric || of === metric || of.unit !== 'count' || metric.unit === 'count' || of.kind !== 'flow' || metric.kind !== 'flow') return false
  const words = sentence.tokens.slice(first.from, first.to).map((token) => token.stem)
  const isInName = namesIn(metric).some((name) => words.every((word) => name.includes(word)))
  return (
    of.table === metric.table && isInName && !between(sentence, first, behind).some((item) => isOp(item, 'and', 'versus', 'or') && /[\p{L}&]/u.test(item.text))
  )
}

const namesIn = ({ label, synonyms }: Metric): string[][] =>
  [label.en, label.zh, ...synonyms.en, ...synonyms.zh].map((name) => tokenize(name).map((token) => token.stem))

function isEchoOf(layer: Layer, of: string, item: Item, { sentence, i }: { sentence: Sentence; i: number }): boolean {
  const metric = layer.metrics.get(of)
  const other = layer.metrics.get(metricOf(item))
  const words = sentence.tokens.slice(item.from, item.to).map((token) => token.stem)
  const names = metric ? namesIn(metric) : []
  const isMentioned = isOp(
    neighbour(sentence, item, -1, (next) => isKind(next, 'value') || isOp(next, 'and')),
    'of',
    'from',
    'within',
    'with',
  )
  const isTail = i > 0 && names.some((name) => words.every((word) => name.includes(word))) && follows(sentence, item)
  if (isTail && other?.unit === 'count') return true
  return (
    other?.unit === 'count' &&
    metric?.kind === 'flow' &&
    other.kind === 'flow' &&
    other.table === metric.table &&
    isMentioned &&
    metric.name !== other.name &&
    names.some((name) => words.every((word) => name.includes(word)))
  )
}

/** 日活用户数 is 日活: the noun clings to the metric that holds it. */
const follows = ({ items, tokens }: Sentence, item: Item): boolean =>
  items.some((other) => isKind(other, 'metric') && other !== item && other.to === item.from && tokens[item.from]?.kind === 'han')

const isCount = (layer: Layer, name: string | undefined): boolean => name !== undefined && layer.metrics.get(name)?.unit === 'count'
const metricOf = (item: Item): string =>
  isKind(item, 'metric') || isKind(item, 'count-noun') ? item.atom.metric : isKind(item, 'value') ? (item.atom.counts ?? '') : ''

/** Without a named metric, a noun that is counted is meant: "how many users", 有多少大客户. */
function impliedMetrics(sentence: Sentence, mayLean: boolean): Item[] {
  const nouns = itemsOf(sentence, 'count-noun')
  const found: Item[] =
    nouns.length > 0
      ? nouns.slice(0, 1)
      : itemsOf(sentence, 'value')
          .filter((item) => item.atom.counts)
          .slice(0, 1)
  if (mayLean && opsOf(sentence, 'count').length === 0 && nouns.length === 0) return []
  for (const item of found) if (item.atom.kind === 'count-noun') item.isUsed = true
  sentence.penalty += mayLean ? 6 : 2
  return found
}

/** "API calls by month": where only one thing is counted of which there are such values, that is meant. */
function onlyMetricOf(sentence: Sentence, layer: Layer): string | undefined {
  const counts = [...layer.metrics.values()].filter((metric) => metric.unit === 'count')
  const values = itemsOf(sentence, 'value').map((item) => item.atom.choices.map((choice) => choice.ref))
  const found = values
    .map((refs) =>
      oneOf(
        layer,
        counts.filter((metric) => refs.some((ref) => metric.dimensions.includes(ref))),
      ),
    )
    .find((metric) => metric !== undefined)
  // 月付客户有多少 counts the customers, not what else there is of which some are paid by the month.
  const isOther = (item: Item | undefined) => isKind(item, 'entity') && found?.kind !== 'ratio' && item.atom.table !== found?.table
  if (sentence.items.some((item) => isOp(item, 'count') && (isOther(neighbour(sentence, item, 1)) || isOther(neighbour(sentence, item, -1))))) return undefined
  return found && values.every((refs) => refs.some((ref) => found.dimensions.includes(ref))) ? found.name : undefined
}

/** "What share of receivables is overdue", 逾期应收账款占应收账款的比例: of two metrics of the same kind and time, the one that is the whole. */
function wholeOf(sentence: Sentence, layer: Layer, items: readonly Item[]): string | undefined {
  const [share] = opsOf(sentence, 'share')
  const metrics = items.map((item) => layer.metrics.get(metricOf(item)))
  const [first, second] = metrics
  if (!share || !first || !second || first.kind === 'ratio' || second.kind === 'ratio') return undefined
  const isAlike = first.table === second.table && first.unit === second.unit && first.kind === second.kind && first.additive && second.additive
  const isSameTime = first.kind !== 'flow' || second.kind !== 'flow' || first.time === second.time
  if (!isAlike || !isSameTime) return undefined
  const whole = items.find((item) =>
    sentence.tokens[item.from]?.kind === 'han' ? neighbour(sentence, item, -1) === share : /of$/i.test(share.text) && neighbour(sentence, share, 1) === item,
  )
  if (!whole) return undefined
  for (const item of opsOf(sentence, 'share')) item.isUsed = true
  return metricOf(whole)
}

/** The only metric, or of several over one table the one that is called by the table's own name: "bugs" are tickets, not those resolved. */
function oneOf(layer: Layer, metrics: readonly Metric[]): Metric | undefined {
  if (metrics.length < 2) return metrics[0]
  const tables = new Set(metrics.map((metric) => (metric.kind === 'ratio' ? '' : metric.table)))
  const entity = tables.size === 1 ? layer.entities.get([...tables][0] ?? '') : undefined
  const names = new Set(entity && [entity.label.en, ...entity.synonyms.en])
  const called = metrics.filter(({ label, synonyms }) => [label.en, ...synonyms.en].some((name) => names.has(name)))
  return called.length === 1 ? called[0] : undefined
}

function fail(sentence: Sentence, problem: Sentence['problems'][number]): undefined {
  sentence.problems.push(problem)
  return undefined
}

const rankOps: Op[] = ['top', 'bottom', 'most', 'least', 'best', 'worst', 'fastest', 'slowest']
const ahead: Partial<Record<Op, Condition['comparison']>> = { above: '>', 'at-least': '>=', below: '<', 'at-most': '<=' }
const behind: Partial<Record<Op, Condition['comparison']>> = { 'at-least-behind': '>=', 'at-most-behind': '<=' }

/** Gives each number its part: a limit on figures, or how many rows are wanted. */
export function placeNumbers(sentence: Sentence, measure: Measure): { limit?: number; having: Condition[] } {
  const having: Condition[] = []
  let limit: number | undefined
  for (const item of itemsOf(sentence, 'number')) {
    if (item.isUsed) continue
    const before = neighbour(sentence, item, -1)
    const after = neighbour(sentence, item, 1)
    const condition = (comparison: Condition['comparison']): Condition => ({
      comparison,
      value: item.atom.value,
      ...(item.atom.unit && { unit: item.atom.unit }),
      metric: nearestMetric(sentence, item, measure),
      of: 'value',
    })
    const joiner = after && isOp(after, 'and', 'to') ? neighbour(sentence, after, 1) : after
    const closing = isKind(joiner, 'number') ? neighbour(sentence, joiner, 1) : undefined
    const fence = isOp(before, 'between') ? before : isOp(closing, 'between') ? closing : undefined
    if (fence && isKind(joiner, 'number')) {
      having.push(condition('>='), { ...condition('<='), value: joiner.atom.value })
      for (const done of [item, fence, joiner, after]) if (done) done.isUsed = true
    } else if (before && comparisonOf(before, ahead) && !(isOp(before, 'most') && isKind(after, 'dimension'))) {
      having.push(condition(comparisonOf(before, ahead) ?? '>'))
      before.isUsed = item.isUsed = true
    } else if (after && comparisonOf(after, behind)) {
      having.push(condition(comparisonOf(after, behind) ?? '>='))
      after.isUsed = item.isUsed = true
    } else if (isCountOfValues(sentence, item, after)) {
      item.isUsed = true
    } else if (isCountOfRows(sentence, item, before, after) && Number.isInteger(item.atom.value) && item.atom.value > 0 && !item.atom.unit) {
      limit = item.atom.value
      item.isUsed = true
    }
  }
  return { having, ...(limit !== undefined && { limit }) }
}

/** "The two regions Europe and Asia": as many as are named. */
function isCountOfValues(sentence: Sentence, item: Item, after: Item | undefined): boolean {
  if (!isKind(after, 'dimension') || !isKind(item, 'number')) return false
  return itemsOf(sentence, 'value').filter((value) => value.atom.choices.some((choice) => after.atom.refs.includes(choice.ref))).length === item.atom.value
}

function comparisonOf(item: Item, table: Partial<Record<Op, Condition['comparison']>>): Condition['comparison'] | undefined {
  return item.atom.kind === 'op' ? item.atom.ops.flatMap((op) => table[op] ?? [])[0] : undefined
}

const isCountOfRows = (sentence: Sentence, item: Item, before: Item | undefined, after: Item | undefined): boolean =>
  isOp(before, ...rankOps, 'which', 'list') ||
  isOp(after, ...rankOps) ||
  ((isKind(after, 'dimension') || isKind(after, 'grain')) && sentence.items.some((other) => isOp(other, ...rankOps, 'descending', 'ascending')))

/** "more than 50 tickets": the metric right behind; "ARR over 100k": the one before. */
function nearestMetric(sentence: Sentence, item: Item, measure: Measure): string {
  const after = neighbour(sentence, item, 1)
  if (after && measure.items.includes(after)) return metricOf(after)
  const at = sentence.items.indexOf(item)
  const before = measure.items.filter((other) => sentence.items.indexOf(other) < at).at(-1)
  return before ? metricOf(before) : (measure.metrics[0] ?? '')
}

/** Which end of the order is asked for, if any. Two different ends make no sense together. */
export function chooseDirection(
  sentence: Sentence,
  better: 'higher' | 'lower' | 'neutral',
  isChange: boolean,
): { direction: 'desc' | 'asc'; isOrdering: boolean } | undefined {
  const found = opsOf(sentence, ...rankOps, 'descending', 'ascending')
  const directions = found.map((item): 'desc' | 'asc' => {
    if (isOp(item, 'best')) return better === 'lower' && !isChange ? 'asc' : 'desc'
    if (isOp(item, 'worst')) return better === 'lower' && !isChange ? 'desc' : 'asc'
    if (isOp(item, 'fastest')) return isChange ? 'desc' : 'asc'
    if (isOp(item, 'slowest')) return isChange ? 'asc' : 'desc'
    return isOp(item, 'bottom', 'least', 'ascending') ? 'asc' : 'desc'
  })
  for (const item of found) item.isUsed = true
  if (new Set(directions).size > 1) sentence.problems.push({ kind: 'unused', said: found.at(-1)?.text ?? '' })
  const [direction] = directions
  return direction && { direction, isOrdering: found.some((item) => isOp(item, 'descending', 'ascending')) }
}
