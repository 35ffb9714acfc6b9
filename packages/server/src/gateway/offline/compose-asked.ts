// Stage 3b, what is to be listed although no column was named: the noun in the metric's own name, or people.
import type { Measure } from './compose-measure.ts'
import { basicParts, type Dimension, type Layer, type Metric } from './layer.ts'
import { isKind, isLight, isOp, neighbour, type Item, type Sentence } from './sentence.ts'
import { isChinese, looseStem } from './tokens.ts'

/** "Which customers churned", "list our customers": the noun inside the metric's own name is what is to be listed. */
export function askedNoun(sentence: Sentence, measure: Measure): { refs: readonly string[]; isPlural: boolean } | undefined {
  const [item] = measure.items
  if (!item || !(isKind(item, 'metric') || isKind(item, 'count-noun')) || !item.atom.refs) return undefined
  const across = (other: Item) => isLight(other) || isKind(other, 'value') || isKind(other, 'number') || isKind(other, 'metric-part') || isOp(other, 'and')
  const before = neighbour(sentence, item, -1, across)
  const after = neighbour(sentence, item, 1)
  const isScattered = isKind(item, 'metric') && item.atom.needs !== undefined && isOp(before, 'most', 'least', 'top', 'bottom')
  const isNamed = sentence.items.some((other) => isOp(other, 'which') && /^(?:谁|哪些|哪几家|哪几个)$/u.test(other.text))
  const isAsked =
    isScattered ||
    isNamed ||
    (isOp(before, 'which', 'list') && !isOp(before, 'count') && !isWhatIs(sentence, before)) ||
    (isOp(after, 'list') && !isOp(after, 'count'))
  const isPlural = sentence.tokens.slice(item.from, item.to).some((token) => token.norm !== token.stem) || /些|几/u.test(before?.text ?? '')
  return isAsked ? { refs: item.atom.refs, isPlural } : undefined
}

/** "What is our customer satisfaction" asks for the figure, "what customers churned" for them. */
export const isWhatIs = (sentence: Sentence, item: Item | undefined): boolean =>
  item !== undefined &&
  /^what$/i.test(item.text) &&
  (sentence.tokens[item.from]?.isPossessive === true || /^(?:is|was)$/i.test(sentence.tokens[item.to]?.norm ?? ''))

/** "Who resolved the most tickets": the people of the metric's own table, or those of whom the verb speaks (manages, account manager). */
export function askedPeople(sentence: Sentence, layer: Layer, metric: Metric | undefined): string | undefined {
  const who = sentence.items.find((item) => isOp(item, 'which') && /^(?:who|谁)$/i.test(item.text))
  if (!who || !metric) return undefined
  const tables = basicParts(layer, metric).map((part) => part.table)
  const people = metric.dimensions.flatMap((ref) => {
    const dimension = layer.dimensions.get(ref)
    return dimension && !ref.startsWith(`${dimension.table}.`) ? [dimension] : []
  })
  const verb = sentence.items.find((item) => isOp(item, 'verb-by'))?.text.toLowerCase()
  const root = verb && (isChinese(verb) ? verb : looseStem(verb.split(' ')[0] ?? ''))
  const isMeant = (dimension: Dimension) =>
    root === undefined || root === ''
      ? tables.some((table) => layer.entities.get(table)?.joins.some((join) => dimension.ref.startsWith(`${join.as}.`)))
      : dimension.phrases.some(({ label, synonyms }) => [label.en, label.zh, ...synonyms.en, ...synonyms.zh].some((name) => name.toLowerCase().includes(root)))
  const found = people.filter(isMeant)
  return found.length === 1 ? found[0]?.ref : undefined
}
