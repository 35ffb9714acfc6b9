/** Lists of words that may not be said. Case makes no difference; a word of letters is not found inside another. */
import { type Found, openFinds } from './found.ts'

/** Where each word stands. Words of scripts that are written without spaces are found anywhere. */
export function findWords(text: string, words: readonly string[]): Found[] {
  const finds = openFinds(text)
  for (const word of words) {
    for (const { 0: match, index } of text.matchAll(patternOf(word))) finds.add({ kind: 'word', start: index, end: index + match.length })
  }
  return finds.all()
}

const patterns = new Map<string, RegExp>()

function patternOf(word: string): RegExp {
  const known = patterns.get(word)
  if (known) return known
  const escaped = word.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`).replaceAll(/\s+/g, String.raw`\s+`)
  const [before, behind] = [
    /^[\p{Script=Latin}\p{N}]/u.test(word) ? '(?<![\\p{Script=Latin}\\p{N}])' : '',
    /[\p{Script=Latin}\p{N}]$/u.test(word) ? '(?![\\p{Script=Latin}\\p{N}])' : '',
  ]
  const pattern = new RegExp(`${before}${escaped}${behind}`, 'giu')
  if (patterns.size > 10_000) patterns.clear()
  patterns.set(word, pattern)
  return pattern
}
