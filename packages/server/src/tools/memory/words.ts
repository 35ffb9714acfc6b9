/** Texts as the search by words takes them: languages with spaces by words, which the database stems; those without by characters and pairs of them. */

export type Words = { spaced: string[]; pairs: string[] }

const unspaced = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{sc=Thai}]+/gu
const word = /[\p{L}\p{N}]+/gu

export function wordsOf(text: string): Words {
  const plain = text.normalize('NFKC').toLowerCase()
  const runs = plain.match(unspaced) ?? []
  return { spaced: plain.replaceAll(unspaced, ' ').match(word) ?? [], pairs: [...new Set(runs.flatMap((run) => [...singles(run), ...pairsOf(run)]))] }
}

/** A single character is looked for only where it stands alone: in a text almost every one is found. */
export function queryOf(text: string): Words {
  const { spaced } = wordsOf(text)
  const runs = text.normalize('NFKC').toLowerCase().match(unspaced) ?? []
  return {
    spaced: [...new Set(spaced)].slice(0, 100),
    pairs: [...new Set(runs.flatMap((run) => ([...run].length === 1 ? [run] : pairsOf(run))))].slice(0, 200),
  }
}

const singles = (run: string): string[] => [...run]
const pairsOf = (run: string): string[] => {
  const characters = [...run]
  return characters.slice(1).map((character, at) => `${characters[at]}${character}`)
}
