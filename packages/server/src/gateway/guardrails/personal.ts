/** Personal data in texts: patterns, and check digits where there are any. Bounded patterns only: a text of any kind is looked through in linear time. */
import type { PersonalKind } from '@longhaul/protocol'
import { type Found, openFinds } from './found.ts'

type Part = readonly [start: number, end: number]
/** `take`: the parts of a match that are one. Absent: all of it. */
type Detector = { kind: PersonalKind; pattern: RegExp; take?(match: string): Part[] }

const whole =
  (isOne: (match: string) => boolean) =>
  (match: string): Part[] =>
    isOne(match) ? [[0, match.length]] : []
const digitsOf = (text: string): string => text.replaceAll(/\D/g, '')

/** Where two overlap, the earlier in this list counts. */
const detectors: readonly Detector[] = [
  { kind: 'email', pattern: /(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}/g },
  { kind: 'iban', pattern: /(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])/g, take: takeIban },
  {
    kind: 'national-id', // People's Republic of China: date of birth and a check digit
    pattern: /(?<![A-Za-z0-9])[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?![A-Za-z0-9])/g,
    take: whole(isChineseId),
  },
  { kind: 'national-id', pattern: /(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])/g }, // United States
  { kind: 'national-id', pattern: /\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b/g }, // United Kingdom
  { kind: 'national-id', pattern: /\b[XYZ\d]\d{7}-?[A-Z]\b/g, take: whole(isSpanishId) },
  { kind: 'national-id', pattern: /(?<!\d)\d{3}\.\d{3}\.\d{3}-\d{2}(?!\d)/g, take: whole(isBrazilianId) },
  { kind: 'card', pattern: /(?<![A-Za-z0-9])\d{2,19}(?:[ -]\d{2,19})*(?![A-Za-z0-9])/g, take: takeCard },
  { kind: 'phone', pattern: /(?<![A-Za-z0-9])(?:(?:\+|00)?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?![A-Za-z0-9])/g }, // China, mobile
  { kind: 'phone', pattern: /(?<![\d-])0\d{2,3}-\d{7,8}(?![\d-])/g }, // China, at home
  {
    kind: 'phone',
    pattern: /(?<![A-Za-z0-9+])\+[1-9][\d ().-]{6,18}\d(?![A-Za-z0-9])/g,
    take: whole((match) => digitsOf(match).length >= 8 && digitsOf(match).length <= 15),
  },
  { kind: 'phone', pattern: /(?<![\w.-])(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}(?![\w-])/g }, // North America
]

/** In order, without overlaps. */
export function findPersonal(text: string, kinds: readonly PersonalKind[]): Found[] {
  const folded = fold(text)
  if (!/[@\d]/.test(folded)) return []
  const finds = openFinds(text)
  for (const { kind, pattern, take } of detectors) {
    if (!kinds.includes(kind)) continue
    for (const match of folded.matchAll(pattern)) {
      const parts = take ? take(match[0]) : [[0, match[0].length] as const]
      for (const [start, end] of parts) finds.add({ kind, start: match.index + start, end: match.index + end })
    }
  }
  return finds.all()
}

/** Digits and signs of the full width, as Chinese and Japanese keyboards give them, are one to one those of ASCII. */
const fold = (text: string): string => text.replaceAll(/[０-９Ａ-Ｚａ-ｚ＠．＋－（）]/g, (sign) => String.fromCharCode(sign.charCodeAt(0) - 0xfee0))

function isChineseId(id: string): boolean {
  const weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
  const sum = weights.reduce((total, weight, i) => total + weight * Number(id[i]), 0)
  return '10X98765432'[sum % 11] === id.at(-1)?.toUpperCase()
}

function isSpanishId(id: string): boolean {
  const number = Number(digitsOf(id.replace(/^[XYZ]/, (letter) => String('XYZ'.indexOf(letter)))))
  return 'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23] === id.at(-1)
}

function isBrazilianId(id: string): boolean {
  const digits = [...digitsOf(id)].map(Number)
  if (digits.every((digit) => digit === digits[0])) return false
  const check = (count: number) => ((digits.slice(0, count).reduce((sum, digit, i) => sum + digit * (count + 1 - i), 0) * 10) % 11) % 10
  return check(9) === digits[9] && check(10) === digits[10]
}

/** Other numbers may stand beside it, such as the month in which it ends: the longest runs of whole groups that fit. */
function takeCard(match: string): Part[] {
  if (match.length < cardDigitsMin) return []
  const groups = [...match.matchAll(/\d+/g)].map(({ 0: text, index }) => ({ text, start: index, end: index + text.length }))
  const parts: Part[] = []
  for (let first = 0; first < groups.length; first++) {
    let digits = ''
    let end: number | undefined
    let last = first
    for (let i = first; i < groups.length && digits.length < cardDigitsMax; i++) {
      const group = groups[i]! // Within the list.
      digits += group.text
      if (digits.length > cardDigitsMax || digits.length < cardDigitsMin || !/^[2-6]/.test(digits) || !isLuhn(digits)) continue
      end = group.end
      last = i
    }
    if (end === undefined) continue
    parts.push([groups[first]!.start, end])
    first = last
  }
  return parts
}

const cardDigitsMin = 13
const cardDigitsMax = 19

function isLuhn(digits: string): boolean {
  const sum = [...digits].toReversed().reduce((total, sign, i) => {
    const doubled = i % 2 === 1 ? Number(sign) * 2 : Number(sign)
    return total + (doubled > 9 ? doubled - 9 : doubled)
  }, 0)
  return sum % 10 === 0
}

function takeIban(match: string): Part[] {
  for (let end = match.length; end >= 15; end = match.lastIndexOf(' ', end - 1)) {
    const account = match.slice(0, end).replaceAll(' ', '').toUpperCase()
    if (account.length >= 15 && account.length <= 34 && remainder97(account) === 1) return [[0, end]]
  }
  return []
}

const remainder97 = (account: string): number =>
  [...(account.slice(4) + account.slice(0, 4))].reduce((rest, sign) => Number(String(rest) + parseInt(sign, 36)) % 97, 0)
