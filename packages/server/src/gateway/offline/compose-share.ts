// Stage 3b, part of what: "percentage of ARR from Enterprise", "Europe's share of customers", 欧洲占 ARR 的比例.
import type { Scope } from './compose-scope.ts'
import { isKind, isOp, neighbour, opsOf, type Item, type Sentence } from './sentence.ts'

/** The filters that make the part. The others narrow the whole as well. */
export function chooseShare(sentence: Sentence, scope: Scope): { part: Scope['filters'] } | undefined {
  const words = opsOf(sentence, 'share')
  const [word] = words
  if (!word) return undefined
  for (const item of words) item.isUsed = true
  const kept = scope.filters.filter((filter) => !filter.isNegated)
  // A share of nothing in particular would be the whole.
  if (kept.length === 0 && scope.groups.length === 0) sentence.problems.push({ kind: 'unused', said: word.text })
  if (kept.length < 2) return { part: scope.groups.length > 0 && !pointsTo(sentence, kept[0]) && !isWithinEach(sentence, scope, kept[0], word) ? [] : kept }
  const pointed = kept.filter((filter) => pointsTo(sentence, filter) || standsBefore(sentence, filter, word))
  return { part: pointed.length > 0 ? pointed : kept.slice(0, 1) }
}

/** "For each region, the share of enterprise customers" is a share within each, unlike "… by region". */
function isWithinEach(sentence: Sentence, scope: Scope, filter: Scope['filters'][number] | undefined, word: Item): boolean {
  const isEach = sentence.items.some((item) => isOp(item, 'each', 'per') && isKind(neighbour(sentence, item, 1), 'dimension'))
  return isEach && filter !== undefined && neighbour(sentence, word, 1) === filter.items[0]
}

/** "from Enterprise", "with high priority", "were urgent": what such a word leads to is the part. */
function pointsTo(sentence: Sentence, filter: Scope['filters'][number] | undefined): boolean {
  const before =
    filter?.items[0] && neighbour(sentence, filter.items[0], -1, (item) => isKind(item, 'dimension') || isKind(item, 'value') || isOp(item, 'and', 'or'))
  return isOp(before, 'from', 'with', 'is') && !isOp(before, 'within', 'of')
}

/** 欧洲占比, 高优先级工单的比例, "Europe's share": what stands right before the word is the part. */
function standsBefore(sentence: Sentence, filter: Scope['filters'][number], word: Item): boolean {
  const last = filter.items.at(-1)
  const next = last && neighbour(sentence, last, 1)
  return next === word
}
