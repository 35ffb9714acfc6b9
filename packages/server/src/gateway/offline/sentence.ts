// A reading laid out for composition: its atoms in order, without fillers, each ticked off once it has had its say.
import type { Atom, Span } from './atoms.ts'
import type { Problem } from './frame.ts'
import type { Token } from './tokens.ts'
import type { Op } from './words.ts'

export type Item<A extends Atom = Atom> = { atom: A; from: number; to: number; text: string; isUsed: boolean }
/** `silent`: what was taken for words without meaning, by their first token. */
export type Sentence = { items: Item[]; silent: ReadonlyMap<number, Span>; tokens: readonly Token[]; penalty: number; problems: Problem[] }

/** Words of grammar that other words may look across. */
const light: ReadonlySet<Op> = new Set(['of', 'is', 'from', 'with', 'within', 'to', 'than', 'verb-by', 'some', 'total', 'only'])

export function layOut(spans: readonly Span[], tokens: readonly Token[], text: string): Sentence {
  const items = spans
    .filter((span) => span.atom.kind !== 'filler')
    .map(({ atom, from, to }) => ({ atom, from, to, text: text.slice(tokens[from]?.start, tokens[to - 1]?.end), isUsed: false }))
  const silent = new Map(spans.filter((span) => span.atom.kind === 'filler').map((span) => [span.from, span]))
  return { items, silent, tokens, penalty: 0, problems: [] }
}

export const isKind = <K extends Atom['kind']>(item: Item | undefined, kind: K): item is Item<Extract<Atom, { kind: K }>> => item?.atom.kind === kind
export const isOp = (item: Item | undefined, ...ops: Op[]): item is Item<Extract<Atom, { kind: 'op' }>> =>
  item?.atom.kind === 'op' && item.atom.ops.some((op) => ops.includes(op))
export const isLight = (item: Item): boolean =>
  item.atom.kind === 'op' &&
  item.atom.ops.some((op) => light.has(op)) &&
  !item.atom.ops.some((op) => op === 'by' || op === 'each' || op === 'which' || op === 'per')

export const itemsOf = <K extends Atom['kind']>({ items }: Sentence, kind: K): Item<Extract<Atom, { kind: K }>>[] => items.filter((item) => isKind(item, kind))
export const opsOf = ({ items }: Sentence, ...ops: Op[]): Item[] => items.filter((item) => !item.isUsed && isOp(item, ...ops))
export const hasOp = (sentence: Sentence, ...ops: Op[]): boolean => opsOf(sentence, ...ops).length > 0

/** Ticks off every word that does one of these things. True if there was any. */
export function take(sentence: Sentence, ...ops: Op[]): boolean {
  const found = opsOf(sentence, ...ops)
  for (const item of found) item.isUsed = true
  return found.length > 0
}

/** The nearest neighbour that is not a light word, and on request not a number. */
export function neighbour({ items }: Sentence, item: Item, step: 1 | -1, across: (item: Item) => boolean = isLight): Item | undefined {
  let at = items.indexOf(item) + step
  while (items[at] && across(items[at] as Item)) at += step // In range: just checked.
  return items[at]
}

/** 企业客户和小企业客户: what is set beside a value is meant as one of its kind. */
export const isSetBesideValue = (sentence: Sentence, item: Item): boolean =>
  ([1, -1] as const).some((step) => {
    const joiner = neighbour(sentence, item, step)
    return joiner !== undefined && isOp(joiner, 'and', 'versus') && /\p{L}|&/u.test(joiner.text) && isKind(neighbour(sentence, joiner, step), 'value')
  })

export const between = ({ items }: Sentence, a: Item, b: Item): Item[] => items.slice(items.indexOf(a) + 1, items.indexOf(b))

const determiners = new Set(['the', 'a', 'an', 'our', 'all', 'their', 'its', 'each', 'every', "'", '"', '的', '每', '个', '：', ':'])

/** Whether what a word leads to was taken for nothing: "by value", 关于数据. */
export function leadsNowhere({ items, silent, tokens }: Sentence, item: Item): boolean {
  let at = item.to
  while (silent.has(at) && determiners.has(tokens[at]?.norm ?? '')) at = silent.get(at)?.to ?? at + 1
  return silent.has(at) || (at >= tokens.length && !items.some((other) => other.from >= item.to))
}
