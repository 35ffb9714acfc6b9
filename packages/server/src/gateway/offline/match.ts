// Stage 2c: everything that stretches of a question can stand for.
import type { Atom, Span } from './atoms.ts'
import type { Lexicon } from './lexicon.ts'
import { numberAt } from './numerals.ts'
import { timeReader, timesAt } from './time.ts'
import type { Calendar } from './time-reading.ts'
import { scatteredSpans } from './scattered.ts'
import { phraseEnd, spanOf, withRefs } from './spans.ts'
import type { Token } from './tokens.ts'

const unknownScore = -40
/** How a question may begin; elsewhere these words mean something. */
const imperatives = new Set([
  'plot',
  'chart',
  'graph',
  'draw',
  'report',
  'return',
  'view',
  'look',
  'count',
  'calculate',
  'compute',
  'retrieve',
  'summarise',
  'get',
])
/** The readings that begin at each token. Every token has at least one: `unknown`. */
export function findSpans(tokens: readonly Token[], lexicon: Lexicon, calendar: Calendar): Span[][] {
  const scattered = scatteredSpans(tokens, lexicon)
  const reader = timeReader(tokens, calendar, lexicon.periods)
  const found = tokens.map((token, at) => {
    const spans: Span[] = [
      ...phraseSpans(tokens, at, lexicon),
      ...kindSpans(tokens, at, lexicon),
      ...shortSpans(tokens, at, lexicon),
      ...scattered.filter((span) => span.from === at),
    ]
    for (const read of timesAt(reader, at)) {
      if (read.next > tokens.length || spans.some((span) => span.atom.kind === 'time' && span.to === read.next)) continue
      spans.push(spanOf(tokens, at, read.next, { kind: 'time', time: read.value }, 1))
    }
    if (at === 0 && imperatives.has(token.norm)) spans.push(spanOf(tokens, 0, 1, { kind: 'filler' }, 1))
    const number = numberAt(tokens, at)
    // 前十大客户: the ten largest, not those called large.
    const isLeading = number !== undefined && tokens[at - 1]?.norm === '前' && tokens[at + number.length]?.norm === '大'
    if (number && isLeading) spans.push(spanOf(tokens, at, at + number.length + 1, { kind: 'number', value: number.value }, 2))
    if (number) spans.push(spanOf(tokens, at, at + number.length, { kind: 'number', value: number.value, ...(number.unit && { unit: number.unit }) }, 1))
    if (token.kind === 'mark' && spans.length === 0) spans.push({ from: at, to: at + 1, atom: { kind: 'filler' }, score: 0 })
    else if (spans.every((span) => span.to > at + 1 || span.atom.kind !== 'filler'))
      spans.push({ from: at, to: at + 1, atom: { kind: 'unknown' }, score: unknownScore })
    return distinct(spans)
  })
  return withoutLoopholes(found)
}

/** The best of those that say the same. */
function distinct(spans: readonly Span[]): Span[] {
  const best = new Map<string, Span>()
  for (const span of spans) {
    const key = `${span.to} ${JSON.stringify(span.atom)}`
    const known = best.get(key)
    if (!known || known.score < span.score) best.set(key, span)
  }
  return [...best.values()]
}

/** "为什么" is no "为" and "什么": what says that a question is beyond us must not fall apart into words that say nothing. */
function withoutLoopholes(found: readonly Span[][]): Span[][] {
  const limits = found
    .flat()
    .filter(({ atom }) => atom.kind === 'unavailable' || (atom.kind === 'op' && atom.ops.some((op) => op.startsWith('refuse-') || op === 'both')))
  // Nor "phone numbers" into a channel and a word for figures.
  const details = limits.filter(({ atom }) => atom.kind === 'op' && atom.ops.includes('refuse-personal'))
  const isInside = (span: Span, of: readonly Span[]) =>
    of.some((limit) => span.from >= limit.from && span.to <= limit.to && span.to - span.from < limit.to - limit.from)
  return found.map((spans) =>
    spans.filter((span) => !isInside(span, ['filler', 'op', 'grain'].includes(span.atom.kind) ? limits : span.atom.kind === 'value' ? details : [])),
  )
}

function phraseSpans(tokens: readonly Token[], at: number, lexicon: Lexicon): Span[] {
  const token = tokens[at]
  if (!token) return []
  const heads = new Set([token.norm, token.stem])
  const candidates = [...heads].flatMap((head) => lexicon.phrases.get(head) ?? [])
  const joined = token.kind === 'word' ? (lexicon.joined.get(token.stem) ?? []) : []
  const spans = candidates.flatMap((phrase) => {
    const to = phraseEnd(tokens, at, phrase)
    return to === undefined ? [] : [spanOf(tokens, at, to, withNumber(phrase.atom, tokens[to - 1]), phrase.quality)]
  })
  spans.push(...joined.map((phrase) => spanOf(tokens, at, at + 1, phrase.atom, phrase.quality)))
  return spans.map((span) => withRefs(span, spans, lexicon, tokens))
}

/** In 各类工单 or 哪类工单 the one character stands for 工单类别, the kind of what follows. */
function kindSpans(tokens: readonly Token[], at: number, lexicon: Lexicon): Span[] {
  if (tokens[at]?.norm !== '类' || !['各', '哪', '每', '何', '几'].includes(tokens[at - 1]?.norm ?? '')) return []
  const next = tokens[at + 1]?.norm === '的' ? at + 2 : at + 1
  const refs = (lexicon.phrases.get(tokens[next]?.norm ?? '') ?? []).flatMap(({ words, atom }) => {
    const noun = words.slice(0, -2)
    const isKind = atom.kind === 'dimension' && !atom.isGuess && ['类别', '类型', '分类', '种类'].includes(words.slice(-2).join(''))
    return isKind && noun.length > 0 && noun.every((word, i) => tokens[next + i]?.norm === word) ? atom.refs : []
  })
  return refs.length > 0 ? [spanOf(tokens, at, at + 1, { kind: 'dimension', refs: [...new Set(refs)], isPlural: false }, 1.5)] : []
}

/** 各国, 各地: behind "each", the first character of a column's name of two. */
function shortSpans(tokens: readonly Token[], at: number, lexicon: Lexicon): Span[] {
  if (!['各', '每'].includes(tokens[at - 1]?.norm ?? '') || tokens[at]?.kind !== 'han') return []
  const named = (lexicon.phrases.get(tokens[at].norm) ?? []).flatMap(({ words, atom }) =>
    words.length === 2 && atom.kind === 'dimension' && !atom.isGuess && tokens[at + 1]?.norm !== words[1] ? [atom] : [],
  )
  return named.map((atom) => spanOf(tokens, at, at + 1, atom, 1.2))
}

const withNumber = (atom: Atom, last: Token | undefined): Atom =>
  (atom.kind === 'dimension' || atom.kind === 'grain') && last && last.norm !== last.stem ? { ...atom, isPlural: true } : atom
