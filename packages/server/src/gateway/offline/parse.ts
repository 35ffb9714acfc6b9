// Stages 1 to 3 in one: a question becomes a frame, or the reason why it cannot.
import { compose } from './compose.ts'
import { continueFrom } from './follow-up.ts'
import type { Frame, Parsed, Problem } from './frame.ts'
import type { Layer } from './layer.ts'
import type { Lexicon } from './lexicon.ts'
import { findSpans } from './match.ts'
import { bestReadings } from './readings.ts'
import type { Span } from './atoms.ts'
import { layOut } from './sentence.ts'
import { correctSpelling } from './spelling.ts'
import type { Op } from './words.ts'
import { tokenize, type Token } from './tokens.ts'

export type Question = { text: string; tokens: readonly Token[] }

export function readQuestion(text: string, lexicon: Lexicon): Question {
  return { text, tokens: correctSpelling(tokenize(text), lexicon.vocabulary) }
}

export function parseQuestion({ text, tokens }: Question, lexicon: Lexicon, layer: Layer, context?: Frame): Parsed {
  const readings = bestReadings(findSpans(tokens, lexicon, layer.calendar))
  let best: { frame: Frame; spans: readonly Span[]; score: number } | undefined
  let problem: { problem: Problem; score: number } | undefined
  for (const { spans, score } of readings) {
    if (best && score <= best.score) break // A penalty only lowers.
    const composed = compose(layOut(spans, tokens, text), layer, context)
    if (composed.problem?.kind === 'exclusive' && !best) return { problem: composed.problem }
    const total = score - composed.penalty
    if (composed.frame && (!best || total > best.score))
      best = { frame: composed.leans && context ? continueFrom(context, composed.frame) : composed.frame, spans, score: total }
    // The problem to tell is that of the likeliest reading; one that names its subject beats one that does not.
    const worth = composed.problem ? total + telling(composed.problem) : 0
    if (composed.problem && (!problem || worth > problem.score)) problem = { problem: composed.problem, score: worth }
  }
  if (!best) return { problem: problem?.problem ?? { kind: 'no-metric' } }
  const used = tokens.filter((token) => token.misspelt)
  const suspects = brokenNames(best.spans, tokens)
  return {
    ...(suspects.length > 0 && { suspects }),
    frame: {
      ...best.frame,
      assumptions: [...used.map((token) => ({ kind: 'spelling' as const, written: token.misspelt ?? '', read: token.norm })), ...best.frame.assumptions],
    },
  }
}

const telling = (problem: Problem): number =>
  problem.kind === 'unavailable' || problem.kind === 'beyond' ? 30 : problem.kind === 'not-by' || problem.kind === 'not-value' ? 5 : 0

/** Words that join others are capital in titles; they break no name. */
const joins: ReadonlySet<Op> = new Set([
  'by',
  'and',
  'or',
  'of',
  'within',
  'versus',
  'per',
  'each',
  'which',
  'to',
  'than',
  'is',
  'from',
  'with',
  'count',
  'total',
])

/** Words of grammar with a capital, beside another capital, inside a sentence: more likely "Delta Medical" than a difference. */
function brokenNames(spans: readonly Span[], tokens: readonly Token[]): { from: number; to: number }[] {
  const words = tokens.filter((token) => token.kind === 'word' && !/^\p{Lu}+$/u.test(token.text))
  const isTitle = words.length > 4 && words.filter((token) => /^\p{Lu}/u.test(token.text)).length > words.length * 0.6
  if (isTitle) return []
  const isNameLike = (at: number) => at > 0 && tokens[at]?.kind === 'word' && /^\p{Lu}\p{Ll}{2}/u.test(tokens[at]?.text ?? '')
  return spans.flatMap(({ from, to, atom }) => {
    const isGrammar = (atom.kind === 'op' && !atom.ops.some((op) => joins.has(op))) || atom.kind === 'filler' || atom.kind === 'grain'
    const isCorrected = tokens.slice(from, to).some((token) => token.misspelt !== undefined)
    return (isGrammar || isCorrected) && to - from === 1 && isNameLike(from) && (isNameLike(from + 1) || isNameLike(from - 1)) ? [{ from, to }] : []
  })
}
