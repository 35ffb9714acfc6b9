// Stage 3b, an average of what: over units of time, over the groups, or none because the metric is an average already.
import type { Scope } from './compose-scope.ts'
import type { Measure } from './compose-measure.ts'
import type { Frame } from './frame.ts'
import type { Layer, Metric } from './layer.ts'
import { isKind, isOp, neighbour, opsOf, take, type Item, type Sentence } from './sentence.ts'
import type { TimePhrase } from './time-reading.ts'

type About = { sentence: Sentence; layer: Layer; scope: Scope; measure: Measure; times: readonly TimePhrase[] }

/**
 * "Average" alone says little: of invoices it may mean their amount, their number a month or a customer's. It is taken where the question says
 * over what, or where there is only one sense: a state over the days of a period. All else is refused.
 */
export function chooseAverage({ sentence, layer, scope, measure, times }: About): Frame['average'] {
  const words = opsOf(sentence, 'average')
  take(sentence, 'average')
  const [word] = words
  if (!word || scope.average) return scope.average
  const metrics = measure.metrics.flatMap((name) => layer.metrics.get(name) ?? [])
  if (measure.per || metrics.every(isAverage)) return undefined
  const refuse = () => void sentence.problems.push({ kind: 'unused', said: word.text })
  if (isOfNoun(sentence, word, measure)) refuse()
  const unit = scope.grain?.unit
  if (unit) {
    delete scope.grain
    return unit
  }
  if (scope.groups.length === 1 && isOfEach(sentence, scope)) return 'groups'
  const isState = metrics.every((metric) => metric.kind === 'snapshot')
  const isOverDays = times.length === 1 && times.every((time) => !time.edge && !time.ago && !(time.period.unit === 'day' && !time.period.count))
  if (!isState || !isOverDays) refuse()
  return 'auto'
}

const isAverage = (metric: Metric): boolean => metric.kind === 'ratio' || /\bavg\(|\/|\bmean\(/i.test(metric.sql)

/** 每个客户经理平均, "average per account manager": the groups are what the average is taken over. */
const isOfEach = ({ items }: Sentence, scope: Scope): boolean =>
  items.some(
    (item, i) =>
      isKind(item, 'dimension') &&
      item.atom.refs.some((ref) => scope.groups.includes(ref)) &&
      isEach(items.slice(0, i).findLast((other) => !isOp(other, 'average'))),
  )

const isEach = (item: Item | undefined): boolean => isOp(item, 'each', 'per') && /^(?:per|each|every|每.*|平均每.*)$/iu.test(item.text)

/** "An average enterprise customer": what is average is the thing, not the figure. */
function isOfNoun(sentence: Sentence, word: Item, measure: Measure): boolean {
  const next = neighbour(sentence, word, 1, (item) => isKind(item, 'value'))
  return (
    next !== undefined &&
    !measure.items.includes(next) &&
    (isKind(next, 'entity') || isKind(next, 'dimension') || isKind(next, 'count-noun') || isKind(next, 'metric-part'))
  )
}
