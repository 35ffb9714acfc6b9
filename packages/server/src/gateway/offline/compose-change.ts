// Stage 3b, how something changes: grew, fell, by how many percent, more than before.
import { hasOp, isKind, itemsOf, opsOf, take, type Item, type Sentence } from './sentence.ts'

export type Change = { change: 'rate' | 'difference'; isDecline: boolean; /** It was said to be upwards. */ isRise: boolean }

/** What kind of change is asked for. Ticks off the words that say so. */
export function takeChange(sentence: Sentence): Change | undefined {
  const isInPercent = takePercent(sentence)
  const isDecline = take(sentence, 'decline')
  const isRate = take(sentence, 'growth-rate') || isInPercent
  const isRise = opsOf(sentence, 'growth').some((item) => !/chang|evol|develop|变|增减/i.test(item.text))
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
  return { change: isRate || isFast ? 'rate' : 'difference', isDecline, isRise }
}

/** "By what percentage did … grow", 增长了百分之几: the unit of a change, and no share of anything. */
function takePercent(sentence: Sentence): boolean {
  const words = opsOf(sentence, 'share').filter((item) => /^(?:%|percent|percentage|百分之几|百分之多少|百分比|percent of|percentage of)$/i.test(item.text))
  const isChange =
    hasOp(sentence, 'growth', 'decline', 'growth-rate', 'difference', 'year-ago', 'previous') ||
    (hasOp(sentence, 'comparative') && hasOp(sentence, 'than', 'versus'))
  const isPart = (item: Item) => /of$/i.test(item.text) || /占/u.test(sentence.items.map((other) => other.text).join(' '))
  if (!isChange || words.length === 0 || words.some(isPart)) return false
  for (const item of words) item.isUsed = true
  return true
}
