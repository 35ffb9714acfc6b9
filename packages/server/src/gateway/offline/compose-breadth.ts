// Stage 3b, of how many kinds: "customers with more than one product", "who use both A and B". The thing that is counted is looked at one
// by one, by how many different values it has in a column of another table.
import type { Scope } from './compose-scope.ts'
import type { Comparison, Frame } from './frame.ts'
import type { Layer, Metric } from './layer.ts'
import { isKind, isOp, itemsOf, neighbour, opsOf, take, type Item, type Sentence } from './sentence.ts'
import type { Op } from './words.ts'

type Breadth = NonNullable<Frame['breadth']>

const ahead: readonly [Op, Comparison][] = [
  ['above', '>'],
  ['at-least', '>='],
  ['below', '<'],
  ['at-most', '<='],
]
const behind: readonly [Op, Comparison][] = [
  ['at-least-behind', '>='],
  ['at-most-behind', '<='],
]

/** A number of values of a column: more than one product, 两个以上产品, several plans. Must be asked before numbers get other parts. */
export function takeBreadth(sentence: Sentence, layer: Layer, metric: Metric | undefined): Breadth | undefined {
  if (!metric || countedEntity(layer, metric) === undefined) return undefined
  for (const item of sentence.items.filter((each) => isKind(each, 'number') || isOp(each, 'several'))) {
    const [before, next] = [neighbour(sentence, item, -1), neighbour(sentence, item, 1)]
    const tail = comparisonOf(next, behind)
    const noun = tail ? next && neighbour(sentence, next, 1) : next
    const ref = isKind(noun, 'dimension') ? noun.atom.refs.find((each) => metric.dimensions.includes(each)) : undefined
    const comparison = isOp(item, 'several') ? '>' : (comparisonOf(before, ahead) ?? tail)
    if (ref === undefined || comparison === undefined || isOwn(layer, metric, ref)) continue
    const value = isKind(item, 'number') ? item.atom.value : 1
    for (const done of [item, noun, tail ? next : isKind(item, 'number') ? before : undefined]) if (done) done.isUsed = true
    return { ref, comparison, value }
  }
  return undefined
}

/** "Both A and B": as many values as were named. For what is added up, both is no more than and. */
export function takeBoth(sentence: Sentence, layer: Layer, scope: Scope, metric: Metric | undefined): Breadth | undefined {
  const [word] = opsOf(sentence, 'both')
  take(sentence, 'both')
  const several = scope.filters.filter((filter) => !filter.isNegated && filter.values.length > 1)
  if (!word || several.length === 1) {
    const [filter] = several
    if (!word || !filter || !metric || metric.additive || metric.unit !== 'count' || isOwn(layer, metric, filter.ref)) return undefined
    if (countedEntity(layer, metric) !== undefined) {
      // 两款产品 only says how many were named.
      for (const item of itemsOf(sentence, 'number')) if (item.atom.value === filter.values.length) item.isUsed = true
      return { ref: filter.ref, comparison: '>=', value: filter.values.length }
    }
  }
  sentence.problems.push({ kind: 'unused', said: word?.text ?? '' })
  return undefined
}

/** The table whose rows a metric counts: in `count(distinct t.account_id)`, that with the key account_id. */
export function countedEntity(layer: Layer, metric: Metric): string | undefined {
  const key = metric.kind === 'ratio' ? undefined : /^count\(distinct \w+\.(\w+)\)$/i.exec(metric.sql)?.[1]
  return key === undefined ? undefined : [...layer.entities.values()].find((entity) => entity.key === key)?.table
}

/** What is counted has one value in each column of its own table, and may have several everywhere else. */
export function isOwn(layer: Layer, metric: Metric, ref: string): boolean {
  const table = countedEntity(layer, metric) ?? ''
  const joined = layer.entities.get(table)?.joins.map((join) => join.as ?? join.to) ?? []
  return [table, ...joined].some((name) => ref.startsWith(`${name}.`))
}

const comparisonOf = (item: Item | undefined, table: readonly [Op, Comparison][]): Comparison | undefined => table.find(([op]) => isOp(item, op))?.[1]
