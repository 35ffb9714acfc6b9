// Stage 3a: the best ways to cut a question into atoms, best first.
import type { Atom, Span } from './atoms.ts'
import type { Op } from './words.ts'

/** How many ways to keep at each place. Enough for three nouns with four readings each. */
const width = 160

type State = { span: Span; before: State | undefined; score: number; last: Atom | undefined }

export type Reading = { spans: readonly Span[]; score: number }

export function bestReadings(spansAt: readonly (readonly Span[])[]): Reading[] {
  const ending: State[][] = Array.from({ length: spansAt.length + 1 }, () => [])
  for (const [at, spans] of spansAt.entries()) {
    const befores: (State | undefined)[] = at === 0 ? [undefined] : prune(ending[at] ?? [])
    for (const before of befores) {
      for (const span of spans) {
        const score = (before?.score ?? 0) + span.score + affinity(before?.last, span.atom)
        const isSilent = span.atom.kind === 'filler'
        ending[span.to]?.push({ span, before, score, last: isSilent ? before?.last : span.atom })
      }
    }
  }
  return prune(ending[spansAt.length] ?? []).map((state) => ({ spans: unwind(state), score: state.score }))
}

const prune = (states: readonly State[]): State[] => [...states].sort((a, b) => b.score - a.score).slice(0, width)

function unwind(state: State): Span[] {
  const spans: Span[] = []
  for (let at: State | undefined = state; at; at = at.before) spans.push(at.span)
  return spans.reverse()
}

const isOp = (atom: Atom | undefined, ...ops: Op[]): boolean => atom?.kind === 'op' && ops.some((op) => atom.ops.includes(op))

/** What likes to stand beside what. It only orders the readings; whether they make sense is decided later. */
function affinity(last: Atom | undefined, atom: Atom): number {
  if (atom.kind === 'dimension') {
    if (isOp(last, 'by', 'each', 'which', 'list', 'top', 'bottom', 'most', 'least', 'best', 'worst')) return 3
    if (isOp(last, 'and') || last?.kind === 'number') return 1
    if (last?.kind === 'value' && last.choices.some((choice) => atom.refs.includes(choice.ref))) return 2
    return -1
  }
  if (atom.kind === 'metric') {
    if (isOp(last, 'count', 'average', 'total', 'growth', 'share', 'most', 'least')) return 1.5
    return isOp(last, 'by', 'which', 'each') ? -1 : 0
  }
  if (atom.kind === 'value' && last?.kind === 'dimension') return atom.choices.some((choice) => last.refs.includes(choice.ref)) ? 3 : 0
  if (atom.kind === 'entity') return isOp(last, 'by', 'which', 'each', 'top', 'most', 'least') ? -4 : last?.kind === 'value' ? 1 : 0
  if (atom.kind === 'number' && isOp(last, 'top', 'bottom', 'above', 'below', 'at-least', 'at-most', 'which')) return 2
  if (atom.kind === 'grain' && isOp(last, 'by', 'each', 'which', 'average', 'most', 'least')) return 2
  return 0
}
