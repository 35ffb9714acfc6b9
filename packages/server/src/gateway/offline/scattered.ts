// Stage 2c, names whose words stand apart or in another order: "tickets that were resolved", 流失了多少客户.
import type { Atom, Span } from './atoms.ts'
import type { Lexicon } from './lexicon.ts'
import { phraseEnd, spanOf, withRefs } from './spans.ts'
import { isChinese, isPastForm, looseStem, type Token } from './tokens.ts'
import { likeChinese, likeVerbs } from './words.ts'

/** Names of metrics whose words stand apart or in another order: "tickets that were resolved", 流失了多少客户. */
export function scatteredSpans(tokens: readonly Token[], lexicon: Lexicon): Span[] {
  const find = finderIn(tokens, lexicon)
  return lexicon.scattered.flatMap(({ words, metric, quality, isDerived, isPaced }) => {
    const places = words.map(find)
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
          const atom: Atom = i === nounAt ? { kind: 'metric', metric, needs, ...(isPaced && { isPaced }) } : { kind: 'metric-part', metric }
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
type Finder = (word: string) => readonly Place[]

/** Finds where a word of a name stands. Names share their words, so each is looked for once in a question. */
function finderIn(tokens: readonly Token[], lexicon: Lexicon): Finder {
  const isAsked = tokens.some((token) => ['did', 'does', 'do'].includes(token.norm))
  const norms = tokens.map((token) => token.norm)
  const characters = new Set(norms)
  const forms = tokens.map((token): Form => ({ ...token, loose: looseStem(token.norm), isPast: isPastForm(token.norm) }))
  const known = new Map<string, readonly Place[]>()
  return (word) => {
    const before = known.get(word)
    if (before) return before
    const plain = isChinese(word) ? chinesePlaces(norms, characters, word) : englishPlaces(forms, word, { isAsked, nouns: lexicon.nouns })
    const places = withModifiers(plain, tokens, word, lexicon)
    known.set(word, places)
    return places
  }
}

function chinesePlaces(norms: readonly string[], characters: ReadonlySet<string>, word: string): Place[] {
  const others = (likeChinese.find((group) => group.includes(word)) ?? []).filter((other) => other !== word)
  // Most names are not in the question at all, and one character that is missing says so.
  const [isPossible, alike] = [isMadeOf(word, characters), others.filter((other) => isMadeOf(other, characters))]
  if (!isPossible && alike.length === 0) return []
  const isAt = (at: number, text: string) => [...text].every((char, i) => norms[at + i] === char)
  return norms.flatMap((_, at): Place[] => {
    if (isPossible && isAt(at, word)) return [{ from: at, to: at + word.length, quality: 1 }]
    return alike.filter((other) => isAt(at, other)).map((other) => ({ from: at, to: at + other.length, quality: 0.75 }))
  })
}

function isMadeOf(word: string, characters: ReadonlySet<string>): boolean {
  for (const char of word) if (!characters.has(char)) return false
  return true
}

type Form = Token & { loose: string; isPast: boolean }

function englishPlaces(forms: readonly Form[], word: string, { isAsked, nouns }: { isAsked: boolean; nouns: ReadonlySet<string> }): Place[] {
  const loose = looseStem(word)
  const isVerb = isPastForm(word)
  const alike = isVerb ? verbsLike(loose) : undefined
  const qualityAt = ({ kind, norm, stem, loose: root, isPast }: Form, at: number): number | undefined => {
    if (kind !== 'word') return undefined
    // After "did", the plain form of a verb is its past: "did they open" is about what was opened.
    if (norm === word || stem === word)
      return isAsked && !isVerb && at > 1 && forms[at - 1]?.kind === 'word' && loose === word && isLikelyVerb(forms, at) ? 0.7 : 1
    // An invoice is no "invoiced", unless something was asked to have been done.
    if (isVerb && root === loose) return isAsked ? 0.98 : nouns.has(stem) && !isPast ? undefined : 0.85
    if (word.length < 5 && root === word && loose === word && norm.endsWith('ed')) return 0.8
    const isActing = isPast || (isAsked && norm === stem)
    return alike?.has(root) && isActing ? 0.75 : undefined
  }
  return forms.flatMap((form, at) => {
    const quality = qualityAt(form, at)
    return quality === undefined ? [] : [{ from: at, to: at + 1, quality }]
  })
}

const likeGroups = likeVerbs.map((verbs) => new Set(verbs.map(looseStem)))
const verbsLike = (loose: string): ReadonlySet<string> | undefined => likeGroups.find((group) => group.has(loose))

/** Behind a pronoun or noun that follows "did". */
const isLikelyVerb = (tokens: readonly Token[], at: number): boolean =>
  tokens.slice(Math.max(0, at - 4), at).some((token) => token.norm === 'did' || token.norm === 'do' || token.norm === 'does')

function combinations<T>(lists: readonly (readonly T[])[]): T[][] {
  return lists.reduce<T[][]>((all, list) => all.flatMap((head) => list.map((item) => [...head, item])).slice(0, 40), [[]])
}
