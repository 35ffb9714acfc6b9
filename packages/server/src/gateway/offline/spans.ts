// Stage 2c, what every matched stretch has in common: where a phrase ends, how much it speaks for its reading, what its noun names besides.
import type { Atom, Span } from './atoms.ts'
import type { Lexicon, Phrase } from './lexicon.ts'
import type { Token } from './tokens.ts'

/** How much a matched stretch speaks for its reading, for each kind of atom. */
const weights: Record<Atom['kind'], number> = {
  metric: 3,
  'metric-part': 3,
  'count-noun': 2.4,
  dimension: 2.8,
  value: 3,
  entity: 2.3,
  time: 3.2,
  grain: 2.6,
  'average-per': 3,
  number: 2.4,
  op: 2.2,
  filler: 1,
  unavailable: 3.1,
  unknown: 0,
}
const glue = new Set(['-', "'", '"', '.'])
const chineseGlue = new Set(['的', '了', '之', '过'])

const tokenWeight = (token: Token): number => (token.kind === 'han' ? 1 : token.kind === 'mark' ? 0.3 : 2)

export function spanOf(tokens: readonly Token[], from: number, to: number, atom: Atom, quality: number): Span {
  const covered = tokens.slice(from, to)
  const weight = covered.reduce((sum, token) => sum + tokenWeight(token), 0)
  const misspelt = covered.some((token) => token.misspelt) ? 0.9 : 1
  const idle = atom.kind === 'op' && atom.isIdle ? 0.6 : 1
  return { from, to, atom, score: weights[atom.kind] * quality * misspelt * idle * weight ** 1.2 }
}

/** Where a phrase that begins at `at` ends, or undefined if it is not there. */
export function phraseEnd(tokens: readonly Token[], at: number, { words, exactText, atom }: Phrase): number | undefined {
  if (exactText !== undefined && tokens[at]?.text !== exactText) return undefined
  const isName = atom.kind === 'metric' || atom.kind === 'value' || atom.kind === 'dimension'
  let next = at
  for (const [index, word] of words.entries()) {
    if (index > 0) {
      while (glue.has(tokens[next]?.norm ?? '') && tokens[next]?.norm !== word) next++
      const isLong = words.length >= 3 && atom.kind === 'metric'
      if (isName && isLong && tokens[next]?.norm !== word && chineseGlue.has(tokens[next]?.norm ?? '')) next++
    }
    const token = tokens[next]
    if (!token || (token.norm !== word && token.stem !== word)) return undefined
    next++
  }
  return next
}

/** Notes on a metric which columns its noun names as well: "which customers churned" asks for a list of them. */
export function withRefs(span: Span, all: readonly Span[], lexicon: Lexicon, tokens: readonly Token[]): Span {
  const { atom } = span
  if (atom.kind !== 'metric' && atom.kind !== 'count-noun') return span
  const same = all.flatMap((other) => (other.atom.kind === 'dimension' && other.from === span.from && other.to === span.to ? other.atom.refs : []))
  const inside = tokens
    .slice(span.from, span.to)
    .flatMap((token, i) =>
      (lexicon.phrases.get(token.stem) ?? []).flatMap((phrase) =>
        phrase.atom.kind === 'dimension' && !phrase.atom.isGuess && (phraseEnd(tokens, span.from + i, phrase) ?? Infinity) <= span.to ? phrase.atom.refs : [],
      ),
    )
  const refs = [...new Set([...same, ...inside])]
  return refs.length > 0 ? { ...span, atom: { ...atom, refs } } : span
}
