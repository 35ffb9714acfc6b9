// Corrects a word that is nearly one we know. The answer says so, since a guess must never be silent.
import { looseStem, type Token } from './tokens.ts'

const calendarWords =
  'january february march april may june july august september october november december jan feb mar apr jun jul aug sep sept oct nov dec today yesterday fiscal financial calendar fy cy ytd qtd mtd fytd wtd q h ' +
  'first second third fourth last previous past prior current this trailing preceding recent latest same ago earlier before since until till through between end start beginning close half week day month quarter year st nd rd th ' +
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fifteen twenty thirty forty fifty sixty ninety hundred thousand million billion dozen k m mn bn full complete completed date far onwards'

const known = new Set(calendarWords.split(' '))

/** Tokens with misspelt English words replaced. A word is only touched when nothing in the vocabulary has its form. */
export function correctSpelling(tokens: readonly Token[], vocabulary: ReadonlySet<string>): Token[] {
  const loose = looseOf(vocabulary)
  const isKnown = (token: Token) =>
    [token.norm, token.stem].some((form) => vocabulary.has(form) || known.has(form)) ||
    (/(?:ed|ing|s|e|t)$/.test(token.norm) && loose.has(looseStem(token.norm)))
  let candidates: string[] | undefined
  return tokens.map((token) => {
    if (token.kind !== 'word' || token.norm.length < 4) return token
    if (isKnown(token)) return doubled(token, vocabulary)
    const root = /^(.{3,})(?:al|wise|ial)$/.exec(token.norm)?.[1]
    if (root && vocabulary.has(root)) return { ...token, norm: root, stem: root }
    const joined = splitWord(token, vocabulary)
    if (joined) return joined
    candidates ??= [...vocabulary, ...known].filter((word) => /^[a-z]{4,}$/.test(word))
    const best = nearest(token.stem, candidates) ?? nearest(token.norm, candidates)
    return best ? { ...token, norm: best, stem: best, misspelt: token.text } : token
  })
}

/** "Recuring" has the form of a verb that is known, and is one letter short of it all the same. */
function doubled(token: Token, vocabulary: ReadonlySet<string>): Token {
  if (vocabulary.has(token.norm) || vocabulary.has(token.stem) || known.has(token.norm)) return token
  const right = [...token.norm].map((letter, i) => token.norm.slice(0, i) + letter + token.norm.slice(i)).find((word) => vocabulary.has(word))
  return right === undefined ? token : { ...token, norm: right, stem: right, misspelt: token.text }
}

const looseSets = new WeakMap<ReadonlySet<string>, ReadonlySet<string>>()

function looseOf(vocabulary: ReadonlySet<string>): ReadonlySet<string> {
  const loose = looseSets.get(vocabulary) ?? new Set([...vocabulary].map(looseStem))
  looseSets.set(vocabulary, loose)
  return loose
}

/** `midmarket` is what the vocabulary writes in two words: left as it is for the matcher, which joins them. */
function splitWord(token: Token, vocabulary: ReadonlySet<string>): Token | undefined {
  for (let cut = 3; cut <= token.stem.length - 3; cut++) {
    if (vocabulary.has(token.stem.slice(0, cut)) && vocabulary.has(token.stem.slice(cut))) return token
  }
  return undefined
}

function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined
  let bestDistance = Infinity
  for (const candidate of candidates) {
    if (candidate[0] !== word[0] && candidate[1] !== word[0]) continue
    const limit = Math.min(word.length, candidate.length) >= 8 ? 2 : Math.min(word.length, candidate.length) >= 5 ? 1 : 0.9
    if (Math.abs(candidate.length - word.length) > limit) continue
    const distance = editDistance(word, candidate)
    if (distance <= limit && distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Insertions, deletions and substitutions count 1; two neighbours exchanged, the commonest slip, 0.9. */
export function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const above = rows[i - 1] ?? []
      let cost = Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, (rows[i - 2]?.[j - 2] ?? 0) + 0.9)
      row.push(cost)
    }
    rows.push(row)
  }
  return rows[a.length]?.[b.length] ?? 0
}
