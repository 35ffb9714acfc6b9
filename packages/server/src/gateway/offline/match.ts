// Stage 2c: everything that stretches of a question can stand for.
import type { Atom, Span } from './atoms.ts'
import type { Lexicon, Phrase } from './lexicon.ts'
import { numberAt } from './numerals.ts'
import { timesAt } from './time.ts'
import type { Calendar } from './time-reading.ts'
import { isPastForm, looseStem, type Token } from './tokens.ts'
import { likeChinese, likeVerbs } from './words.ts'

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
const glue = new Set(['-', "'", '"', '.'])
const chineseGlue = new Set(['的', '了', '之', '过'])

/** The readings that begin at each token. Every token has at least one: `unknown`. */
export function findSpans(tokens: readonly Token[], lexicon: Lexicon, calendar: Calendar): Span[][] {
  const scattered = scatteredSpans(tokens, lexicon)
  const reader = { tokens, calendar, named: lexicon.periods }
  const found = tokens.map((token, at) => {
    const spans: Span[] = [...phraseSpans(tokens, at, lexicon), ...kindSpans(tokens, at, lexicon), ...scattered.filter((span) => span.from === at)]
    for (const read of timesAt(reader, at)) {
      if (read.next > tokens.length || spans.some((span) => span.atom.kind === 'time' && span.to === read.next)) continue
      spans.push(spanOf(tokens, at, read.next, { kind: 'time', time: read.value }, 1))
    }
    if (at === 0 && imperatives.has(token.norm)) spans.push(spanOf(tokens, 0, 1, { kind: 'filler' }, 1))
    const number = numberAt(tokens, at)
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
  const limits = found.flat().filter(({ atom }) => atom.kind === 'unavailable' || (atom.kind === 'op' && atom.ops.some((op) => op.startsWith('refuse-'))))
  const isInside = (span: Span) => limits.some((limit) => span.from >= limit.from && span.to <= limit.to && span.to - span.from < limit.to - limit.from)
  return found.map((spans) => spans.filter((span) => !['filler', 'op', 'grain'].includes(span.atom.kind) || !isInside(span)))
}

const tokenWeight = (token: Token): number => (token.kind === 'han' ? 1 : token.kind === 'mark' ? 0.3 : 2)

function spanOf(tokens: readonly Token[], from: number, to: number, atom: Atom, quality: number): Span {
  const covered = tokens.slice(from, to)
  const weight = covered.reduce((sum, token) => sum + tokenWeight(token), 0)
  const misspelt = covered.some((token) => token.misspelt) ? 0.9 : 1
  const idle = atom.kind === 'op' && atom.isIdle ? 0.6 : 1
  return { from, to, atom, score: weights[atom.kind] * quality * misspelt * idle * weight ** 1.2 }
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

/** Where a phrase that begins at `at` ends, or undefined if it is not there. */
function phraseEnd(tokens: readonly Token[], at: number, { words, exactText, atom }: Phrase): number | undefined {
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

const withNumber = (atom: Atom, last: Token | undefined): Atom =>
  (atom.kind === 'dimension' || atom.kind === 'grain') && last && last.norm !== last.stem ? { ...atom, isPlural: true } : atom

/** Notes on a metric which columns its noun names as well: "which customers churned" asks for a list of them. */
function withRefs(span: Span, all: readonly Span[], lexicon: Lexicon, tokens: readonly Token[]): Span {
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

/** Names of metrics whose words stand apart or in another order: "tickets that were resolved", 流失了多少客户. */
function scatteredSpans(tokens: readonly Token[], lexicon: Lexicon): Span[] {
  const isAsked = tokens.some((token) => ['did', 'does', 'do'].includes(token.norm))
  return lexicon.scattered.flatMap(({ words, metric, quality, isDerived }) => {
    const places = words.map((word) => withModifiers(placesOf(tokens, word, isAsked), tokens, word, lexicon))
    const elided = words.length === 2 && !isDerived ? elidedSpans(tokens, words, places, metric, lexicon) : []
    if (places.some((found) => found.length === 0)) return elided
    return [
      ...elided,
      ...combinations(places).flatMap((combination) => {
        const isInOrder = combination.every((place, i) => i === 0 || place.from === combination[i - 1]?.to)
        const isExact = combination.every((place) => place.quality === 1)
        const isApart = new Set(combination.map((place) => place.from)).size === combination.length
        const reach = Math.max(...combination.map((place) => place.to)) - Math.min(...combination.map((place) => place.from))
        if (!isApart || (isInOrder && isExact && !isDerived) || reach > 16) return []
        const nounAt = Math.max(
          0,
          words.findIndex((word) => lexicon.nouns.has(word) || lexicon.nouns.has([...word].join(' '))),
        )
        const rate = quality * Math.min(...combination.map((place) => place.quality))
        const needs = combination.filter((_, i) => i !== nounAt).map((place) => place.from)
        return combination.map((place, i): Span => {
          const atom: Atom = i === nounAt ? { kind: 'metric', metric, needs } : { kind: 'metric-part', metric }
          return withRefs(spanOf(tokens, place.from, place.to, atom, rate), [], lexicon, tokens)
        })
      }),
    ]
  })
}

/** "Opened and resolved tickets": one of two words alone, whose noun stands with the other metric. */
function elidedSpans(tokens: readonly Token[], words: readonly string[], places: readonly (readonly Place[])[], metric: string, lexicon: Lexicon): Span[] {
  const nounAt = words.findIndex((word) => lexicon.nouns.has(word) || lexicon.nouns.has([...word].join(' ')))
  const noun = words[nounAt]
  if (noun === undefined) return []
  return (places[1 - nounAt] ?? []).map((place) => spanOf(tokens, place.from, place.to, { kind: 'metric', metric, noun }, 0.6 * place.quality))
}

/** "Support tickets" for "tickets": a longer name of the same thing, which ends in the noun. */
function withModifiers(places: readonly Place[], tokens: readonly Token[], word: string, lexicon: Lexicon): Place[] {
  const longer = places.flatMap((place) =>
    [1, 2].flatMap((back) =>
      (lexicon.phrases.get(tokens[place.from - back]?.stem ?? '') ?? []).flatMap((phrase) =>
        phrase.atom.kind === 'entity' && phrase.words.at(-1) === word && phraseEnd(tokens, place.from - back, phrase) === place.to
          ? [{ ...place, from: place.from - back }]
          : [],
      ),
    ),
  )
  return [...places, ...longer]
}

type Place = { from: number; to: number; quality: number }

function placesOf(tokens: readonly Token[], word: string, isAsked: boolean): Place[] {
  const isChinese = /\p{Script=Han}/u.test(word)
  return tokens.flatMap((token, at): Place[] => {
    if (isChinese) {
      const isHere = (text: string) => [...text].every((char, i) => tokens[at + i]?.norm === char)
      if (isHere(word)) return [{ from: at, to: at + word.length, quality: 1 }]
      const alike = likeChinese.find((group) => group.includes(word)) ?? []
      return alike.filter((other) => other !== word && isHere(other)).map((other) => ({ from: at, to: at + other.length, quality: 0.75 }))
    }
    if (token.kind !== 'word') return []
    const isVerb = isPastForm(word)
    // After "did", the plain form of a verb is its past: "did they open" is about what was opened.
    if (token.norm === word || token.stem === word)
      return [
        {
          from: at,
          to: at + 1,
          quality: isAsked && !isVerb && tokens[at - 1]?.kind === 'word' && looseStem(word) === word && at > 1 && isLikelyVerb(tokens, at) ? 0.7 : 1,
        },
      ]
    if (isVerb && looseStem(token.norm) === looseStem(word)) return [{ from: at, to: at + 1, quality: isAsked ? 0.98 : 0.85 }]
    if (token.norm.endsWith('ed') && looseStem(token.norm) === word && looseStem(word) === word && word.length < 5)
      return [{ from: at, to: at + 1, quality: 0.8 }]
    const alike = likeVerbs.find((verbs) => verbs.some((verb) => looseStem(verb) === looseStem(word)))
    const isActing = isPastForm(token.norm) || (isAsked && token.norm === token.stem)
    if (isVerb && isActing && alike?.some((verb) => looseStem(verb) === looseStem(token.norm))) return [{ from: at, to: at + 1, quality: 0.75 }]
    return []
  })
}

/** Behind a pronoun or noun that follows "did". */
const isLikelyVerb = (tokens: readonly Token[], at: number): boolean =>
  tokens.slice(Math.max(0, at - 4), at).some((token) => token.norm === 'did' || token.norm === 'do' || token.norm === 'does')

function combinations<T>(lists: readonly (readonly T[])[]): T[][] {
  return lists.reduce<T[][]>((all, list) => all.flatMap((head) => list.map((item) => [...head, item])).slice(0, 40), [[]])
}
