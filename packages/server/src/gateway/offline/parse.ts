// Stages 1 to 3 in one: a question becomes a frame, or the reason why it cannot.
import { compose } from './compose.ts'
import type { Parsed, Problem } from './frame.ts'
import type { Layer } from './layer.ts'
import type { Lexicon } from './lexicon.ts'
import { findSpans } from './match.ts'
import { bestReadings } from './readings.ts'
import { layOut } from './sentence.ts'
import { correctSpelling } from './spelling.ts'
import { tokenize, type Token } from './tokens.ts'

export type Question = { text: string; tokens: readonly Token[] }

export function readQuestion(text: string, lexicon: Lexicon): Question {
  return { text, tokens: correctSpelling(tokenize(text), lexicon.vocabulary) }
}

export function parseQuestion({ text, tokens }: Question, lexicon: Lexicon, layer: Layer): Parsed {
  const readings = bestReadings(findSpans(tokens, lexicon, layer.calendar))
  let best: { frame: Exclude<ReturnType<typeof compose>['frame'], undefined>; score: number } | undefined
  let problem: { problem: Problem; score: number } | undefined
  for (const { spans, score } of readings) {
    if (best && score <= best.score) break // A penalty only lowers.
    const composed = compose(layOut(spans, tokens, text), layer)
    const total = score - composed.penalty
    if (composed.frame && (!best || total > best.score)) best = { frame: composed.frame, score: total }
    // The problem to tell is that of the likeliest reading; one that names its subject beats one that does not.
    const worth = composed.problem ? total + telling(composed.problem) : 0
    if (composed.problem && (!problem || worth > problem.score)) problem = { problem: composed.problem, score: worth }
  }
  if (!best) return { problem: problem?.problem ?? { kind: 'no-metric' } }
  const used = tokens.filter((token) => token.misspelt)
  return { frame: { ...best.frame, assumptions: [...used.map((token) => ({ kind: 'spelling' as const, written: token.misspelt ?? '', read: token.norm })), ...best.frame.assumptions] } }
}

const telling = (problem: Problem): number => (problem.kind === 'unavailable' || problem.kind === 'beyond' ? 30 : problem.kind === 'not-by' || problem.kind === 'not-value' ? 5 : 0)
