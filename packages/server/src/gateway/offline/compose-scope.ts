// Stage 3b, of what: the columns to group by, and the values to keep or leave out.
import type { ValueChoice } from './atoms.ts'
import type { Unit } from './calendar.ts'
import { isWhatIs } from './compose-asked.ts'
import type { Assumption, Filter, Frame } from './frame.ts'
import type { Layer } from './layer.ts'
import { hasOp, isKind, isLight, isOp, isSetBesideValue, itemsOf, neighbour, type Item, type Sentence } from './sentence.ts'
import type { Op } from './words.ts'

export type Scope = {
  groups: string[]
  grain?: NonNullable<Frame['grain']>
  average?: Unit
  filters: (Filter & { items: Item[] })[]
  isPlural: boolean
  assumptions: Assumption[]
  /** What the ranking starts anew for: "the top 3 in each region". */ within?: { refs: string[]; isByTime: boolean }
}

const rankOps: Op[] = ['top', 'bottom', 'most', 'least', 'best', 'worst', 'fastest', 'slowest', 'descending', 'ascending']

/** Columns that every one of the metrics may be split by. */
export function allowedRefs(layer: Layer, metrics: readonly string[]): string[] {
  const [first, ...rest] = metrics.map((name) => layer.metrics.get(name)?.dimensions ?? [])
  return (first ?? []).filter((ref) => rest.every((refs) => refs.includes(ref)) && layer.dimensions.has(ref))
}

type About = { sentence: Sentence; layer: Layer; metrics: readonly string[]; isRanked: boolean; isLimited: boolean }

export function chooseScope(about: About): Scope {
  const scope: Scope = { groups: [], filters: [], isPlural: true, assumptions: [] }
  const allowed = allowedRefs(about.layer, about.metrics)
  chooseFilters(about, scope, allowed)
  chooseGroups(about, scope, allowed)
  chooseGrain(about, scope)
  chooseEach(about, scope)
  chooseWithin(about, scope)
  return scope
}

function chooseGroups(about: About, scope: Scope, allowed: readonly string[]): void {
  const { sentence, metrics } = about
  const items = itemsOf(sentence, 'dimension').filter((item) => !item.isUsed)
  const licensed = new Set<Item>()
  for (const item of items) {
    const isJoined = isOp(neighbour(sentence, item, -1), 'and') && licensed.has(beforeJoin(sentence, item) as Item) // A set may be asked about anything.
    if (isJoined || isAskedFor(sentence, item)) licensed.add(item)
  }
  const hasMore = sentence.items.some((item) => isKind(item, 'grain') && isOp(neighbour(sentence, item, -1), 'which', 'most', 'least'))
  for (const item of items) {
    const refs = item.atom.refs.filter((ref) => allowed.includes(ref))
    item.isUsed = true
    const [ref] = refs
    if (ref === undefined) {
      sentence.problems.push({ kind: 'not-by', metric: metrics[0] ?? '', ref: item.atom.refs[0] ?? '' })
      continue
    }
    // "The regions Europe and Asia" names the column of values that are listed anyway.
    if (!licensed.has(item) && scope.filters.some((filter) => filter.ref === ref && filter.values.length > 1)) continue
    if (item.atom.isPlural && isDoer(about, item, ref, licensed)) continue
    const before = neighbour(sentence, item, -1)
    if (isOp(before, 'between') && before) before.isUsed = true
    if (!licensed.has(item) && isSetBesideValue(sentence, item)) sentence.problems.push({ kind: 'unused', said: item.text })
    if (!licensed.has(item)) {
      const isNeeded = (about.isRanked || about.isLimited) && licensed.size === 0 && !hasMore
      sentence.penalty += isNeeded ? 0 : item.atom.isGuess ? 60 : 8
    }
    // "per customer" of a long list means an average, which another reading offers; a list stays the last resort.
    if (
      isOp(neighbour(sentence, item, -1), 'per') &&
      !isOp(neighbour(sentence, item, -1), 'which') &&
      about.layer.dimensions.get(ref)?.values.length === 0 &&
      /^per$/i.test(neighbour(sentence, item, -1)?.text ?? '')
    )
      sentence.penalty += 6
    if (item.atom.isGuess) scope.assumptions.push({ kind: 'dimension', said: item.text, ref })
    if (!scope.groups.includes(ref)) scope.groups.push(ref)
    scope.isPlural = isPluralAsked(sentence, item, item.atom.isPlural)
  }
}

/** "Features used by customers in Japan", "tickets opened by customers": who does it, not what to split by. */
function isDoer({ sentence, layer }: About, item: Item, ref: string, licensed: ReadonlySet<Item>): boolean {
  const by = neighbour(sentence, item, -1)
  if (!by || !/^by$/i.test(by.text) || layer.dimensions.get(ref)?.values.length !== 0) return false
  const behind = sentence.items[sentence.items.indexOf(item) + 1]
  const isDone = participle.test(sentence.tokens[by.from - 1]?.norm ?? '') && isOp(behind, 'within', 'from')
  const isOtherAsked = [...licensed].some((other) => other !== item && isOp(neighbour(sentence, other, -1), 'which'))
  return isDone || isOtherAsked
}
const participle = /(?:ed|bought|sent|paid|made|lost|won|given|seen|written)$/

/** 哪些 asks for several; "which of our products" for one, plural though the noun is. */
function isPluralAsked(sentence: Sentence, item: Item, isPlural: boolean): boolean {
  const before = neighbour(sentence, item, -1)
  if (isOp(before, 'which')) {
    const next = sentence.items[sentence.items.indexOf(before) + 1]
    if (next !== item && isOp(next, 'of') && /of/i.test(next.text)) return false
    return isPlural || /些|几/u.test(before.text)
  }
  return isPlural
}

function beforeJoin(sentence: Sentence, item: Item): Item | undefined {
  const join = neighbour(sentence, item, -1)
  const before = join && neighbour(sentence, join, -1)
  return before && isOp(before, 'by', 'each') ? neighbour(sentence, before, -1) : before
}

/** A word beside the column says that it is to be split by it. */
function isAskedFor(sentence: Sentence, item: Item): boolean {
  const across = (other: Item) => isLight(other) || isKind(other, 'number') || isOp(other, 'count')
  const before = neighbour(sentence, item, -1, across)
  const after = neighbour(sentence, item, 1)
  // "What is our customer satisfaction": the first half of one noun.
  if (isWhatIs(sentence, before) && isKind(after, 'metric') && after?.from === item.to) return false
  return (
    isOp(before, 'by', 'each', 'per', 'between', 'which', 'list', 'spread', ...rankOps) ||
    isOp(after, 'spread', 'each', 'respectively', ...rankOps) ||
    // 客户有哪些 asks for them; "customers who are …" only says more of them.
    (isOp(after, 'which') && !/^(?:who|whose|which)$/i.test(after.text) && !isKind(neighbour(sentence, after, 1), 'dimension'))
  )
}

/** Of two things to split by, the one next to the word of ranking is ranked, within the other. */
function chooseWithin({ sentence, isRanked }: About, scope: Scope): void {
  if (!isRanked || scope.groups.length + (scope.grain ? 1 : 0) !== 2) return
  const across = (other: Item) => isLight(other) || isKind(other, 'number') || isOp(other, 'count')
  const isBeside = (item: Item) => isOp(neighbour(sentence, item, -1, across), ...rankOps, 'which') || isOp(neighbour(sentence, item, 1, across), ...rankOps)
  const dimensions = itemsOf(sentence, 'dimension')
  const ranked = scope.groups.filter((ref) => dimensions.some((item) => item.atom.refs.includes(ref) && isBeside(item)))
  if (ranked.length === 1) scope.within = { refs: scope.groups.filter((ref) => !ranked.includes(ref)), isByTime: scope.grain !== undefined }
}

function chooseGrain({ sentence }: About, scope: Scope): void {
  for (const item of itemsOf(sentence, 'average-per')) {
    item.isUsed = true
    scope.average = item.atom.unit
  }
  for (const item of itemsOf(sentence, 'grain')) {
    if (item.isUsed) continue
    item.isUsed = true
    // "Annual plans" are plans, not years.
    const next = sentence.items[sentence.items.indexOf(item) + 1]
    if (/ly$|annual$/i.test(item.text) && (isKind(next, 'entity') || isKind(next, 'dimension') || isKind(next, 'count-noun')))
      sentence.problems.push({ kind: 'unused', said: item.text })
    // "Overdue by more than 30 days": a length of time, and not by day.
    const last = sentence.items[sentence.items.indexOf(item) - 1]
    // "Open for more than a week": neither.
    if ((isKind(last, 'number') && last.to === item.from) || isOp(last, 'than', 'above', 'below', 'at-least', 'at-most'))
      sentence.problems.push({ kind: 'unused', said: item.text })
    if (scope.grain && scope.grain.unit !== item.atom.unit) sentence.problems.push({ kind: 'unused', said: item.text })
    scope.grain = { unit: item.atom.unit, ...(item.atom.system && { system: item.atom.system }) }
    scope.isPlural = isPluralAsked(sentence, item, item.atom.isPlural)
  }
}

/** "In each of the last three months": the units that a length of time was given in. */
function chooseEach({ sentence, metrics }: About, scope: Scope): void {
  if (scope.grain) return
  for (const item of itemsOf(sentence, 'time')) {
    const { period, years } = item.atom.time
    const unit = years ? 'year' : (period.count ?? 1) > 1 ? period.unit : undefined
    const before = neighbour(sentence, item, -1)
    const isEach = isOp(before, 'each', 'per') || (isOp(before, 'by') && /each|every|每|各/i.test(before.text))
    const isApart =
      metrics.length === 1 && scope.groups.length === 0 && !scope.filters.some((filter) => filter.values.length > 1) && hasOp(sentence, 'respectively')
    if (!unit || !(isEach || isApart)) continue
    if (isEach && before) before.isUsed = true
    scope.grain = { unit }
  }
}

function chooseFilters({ sentence, layer, metrics }: About, scope: Scope, allowed: readonly string[]): void {
  const values = itemsOf(sentence, 'value')
  for (const item of values) {
    item.isUsed = true
    // "MRR lost to churn" says twice what the metric is.
    if (isInMetric(layer, metrics, item)) continue
    const beside = [neighbour(sentence, item, -1), neighbour(sentence, item, 1)].filter((other) => isKind(other, 'dimension'))
    const named = beside.find(
      (other) =>
        item.atom.choices.some((choice) => allowed.includes(choice.ref) && (other.atom.refs.includes(choice.ref) || isTailOf(layer, other.text, choice.ref))) &&
        !isOp(neighbour(sentence, other, -1), 'by', 'each', 'which'),
    )
    const choices = item.atom.choices.filter(
      (choice) => allowed.includes(choice.ref) && (!named || named.atom.refs.includes(choice.ref) || isTailOf(layer, named.text, choice.ref)),
    )
    const choice = preferred(choices, sentence, item, layer, metrics)
    if (named) named.isUsed = true
    if (!choice) {
      sentence.problems.push({ kind: 'not-value', metric: metrics[0] ?? '', said: item.text })
      continue
    }
    if (new Set(choices.map(({ ref }) => ref)).size > 1) scope.assumptions.push({ kind: 'value', said: item.text, ref: choice.ref, value: choice.value })
    if (asksForIt(sentence, item)) sentence.problems.push({ kind: 'unused', said: item.text })
    const isNegated = isLeftOut(sentence, item)
    const known = scope.filters.find((filter) => filter.ref === choice.ref && filter.isNegated === isNegated)
    if (known) {
      if (!known.values.includes(choice.value)) known.values.push(choice.value)
      known.items.push(item)
    } else scope.filters.push({ ref: choice.ref, values: [choice.value], isNegated, items: [item] })
  }
}

const isInMetric = (layer: Layer, metrics: readonly string[], item: Item): boolean =>
  isKind(item, 'value') &&
  metrics.every((name) => {
    const metric = layer.metrics.get(name)
    return metric?.kind !== 'ratio' && item.atom.choices.some(({ ref, value }) => metric?.filter === `${ref} = '${value}'`)
  })

/** 电话渠道: 渠道 is the end of 联系渠道, the column of that value, whatever else bears the name. */
const isTailOf = (layer: Layer, text: string, ref: string): boolean =>
  (layer.dimensions.get(ref)?.phrases ?? []).some(({ label, synonyms }) =>
    [label.en, label.zh, ...synonyms.en, ...synonyms.zh].some((name) => name.length > text.length && name.toLowerCase().endsWith(text.toLowerCase())),
  )

/** "Which competitor do we lose to?": a name of a value that is asked for like a thing has no names below it. "Which urgent tickets" has a noun behind. */
function asksForIt({ items, tokens }: Sentence, item: Item): boolean {
  const before = items[items.indexOf(item) - 1]
  if (!isOp(before, 'which') || before.to !== item.from) return false
  return (
    /^(?:do|does|did|is|are|was|were|has|have|had|causes?|caused|我们|让|导致|使|是)$/i.test(tokens[item.to]?.norm ?? '') ||
    (tokens[item.to]?.norm === '我' && tokens[item.to + 1]?.norm === '们')
  )
}

/** Of several columns with such a value, the one whose name is said somewhere in the question, else the nearest to the metric's own table. */
function preferred(choices: readonly ValueChoice[], sentence: Sentence, item: Item, layer: Layer, metrics: readonly string[]): ValueChoice | undefined {
  if (choices.length < 2) return choices[0]
  const said = itemsOf(sentence, 'dimension')
    .filter((other) => other !== item)
    .flatMap((other) => other.atom.refs)
  const metric = layer.metrics.get(metrics[0] ?? '')
  const own = metric?.kind === 'ratio' ? undefined : layer.entities.get(metric?.table ?? '')
  const isNear = (ref: string) => ref.startsWith(`${own?.table ?? ''}.`) || own?.joins.some((join) => join.as !== undefined && ref.startsWith(`${join.as}.`))
  return choices.find((choice) => said.includes(choice.ref)) ?? choices.find((choice) => isNear(choice.ref)) ?? choices[0]
}

/** Whether "excluding", 除了 … or … 以外 reaches the value, across other values, their columns and the words that join them. */
function isLeftOut(sentence: Sentence, item: Item): boolean {
  const refsOf = (other: Item) => (isKind(other, 'value') ? other.atom.choices.map((choice) => choice.ref) : [])
  // "Excluding A, in B" leaves out A alone: a value of another column ends what is left out, and so does a place behind a value.
  let last = item
  const joins = (other: Item) => {
    const isPlace = isOp(other, 'within') && last !== item
    if (isKind(other, 'value')) {
      const inside = sentence.items.slice(sentence.items.indexOf(other) + 1, sentence.items.indexOf(item))
      const isOther = !refsOf(other).some((ref) => refsOf(item).includes(ref))
      if (inside.some((each) => isLight(each) && (isOther || (isOp(each, 'within') && /^[a-z]/i.test(each.text))))) return false
      last = other
    }
    return !isPlace && (isLight(other) || isKind(other, 'value') || isKind(other, 'dimension') || isKind(other, 'entity') || isOp(other, 'and', 'or'))
  }
  const before = neighbour(sentence, item, -1, joins)
  const after = neighbour(sentence, item, 1, (other) => isKind(other, 'value') || isOp(other, 'and', 'or'))
  const at = (other: Item | undefined) => (other ? sentence.items.indexOf(other) : -1)
  // 除了A以外的B: what is behind 以外 is kept.
  const closes = sentence.items.slice(at(before) + 1, at(item)).some((other) => isOp(other, 'not-behind'))
  const reaches = isOp(before, 'not') && !closes
  if (reaches && before) before.isUsed = true
  if (isOp(after, 'not-behind') && after) after.isUsed = true
  return reaches || isOp(after, 'not-behind')
}

/** Values of one column set side by side are to be shown side by side. */
export function splitsByValues(sentence: Sentence, scope: Scope): string | undefined {
  const several = scope.filters.find((filter) => !filter.isNegated && filter.values.length > 1)
  if (!several || scope.groups.includes(several.ref)) return undefined
  const [first] = several.items
  const last = several.items.at(-1)
  const inside = first && last ? sentence.items.slice(sentence.items.indexOf(first), sentence.items.indexOf(last)) : []
  const isVersus = inside.some((item) => isOp(item, 'versus')) || hasOp(sentence, 'versus', 'respectively', 'each', 'difference', 'between', 'comparative')
  const isOr = inside.some((item) => isOp(item, 'or')) || hasOp(sentence, 'combined')
  return isVersus && !isOr ? several.ref : undefined
}

/** "In Europe and North America" may ask for each or for both together: such values are shown side by side, with their total. */
export function listsValues(sentence: Sentence, scope: Scope): string | undefined {
  const several = scope.filters.filter((filter) => !filter.isNegated && filter.values.length > 1)
  const [filter] = several
  if (several.length !== 1 || !filter || hasOp(sentence, 'combined', 'total')) return undefined
  const at = filter.items.map((item) => sentence.items.indexOf(item))
  const inside = sentence.items.slice(Math.min(...at), Math.max(...at))
  return inside.some((item) => isOp(item, 'and')) && !inside.some((item) => isOp(item, 'or')) ? filter.ref : undefined
}
