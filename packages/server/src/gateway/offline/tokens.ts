// Stage 1: text → tokens. English words and numbers are tokens of their own; every Han character is one.

export type Token = {
  kind: 'word' | 'number' | 'date' | 'han' | 'mark'
  /** As written. */
  text: string
  /** Lower case, full-width forms folded. */
  norm: string
  /** Singular of an English noun; the same as `norm` otherwise. */
  stem: string
  /** Where it begins and ends in the text. */
  start: number
  end: number
  /** Nothing stands between it and the token before it. */
  isGlued: boolean
  /** Followed by 's. */
  isPossessive?: boolean
  /** What stood there before spelling was corrected. */
  misspelt?: string
}

const pattern =
  /(?<date>\d{4}-\d{1,2}-\d{1,2}(?!\d))|(?<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)|(?<word>[\p{Script=Latin}\p{M}]+(?:['’](?!s\b)[\p{Script=Latin}]+)?)|(?<han>\p{Script=Han}|〇)|(?<mark>[^\s])/gu

const chineseDigits = '〇一二三四五六七八九'

export function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  for (const match of text.matchAll(pattern)) {
    const kind = (['date', 'number', 'word', 'han', 'mark'] as const).find((name) => match.groups?.[name] !== undefined) ?? 'mark'
    const raw = match[0]
    const norm = normalize(raw, kind)
    if (norm === '') continue
    const start = match.index
    const last = tokens.at(-1)
    // A possessive adds nothing that is not said by the words around it.
    if (kind === 'word' && norm === 's' && last?.norm === "'" && last.isGlued) {
      tokens.pop()
      const owner = tokens.at(-1)
      if (owner) owner.isPossessive = true
      continue
    }
    tokens.push({ kind, text: raw, norm, stem: kind === 'word' ? singular(norm) : norm, start, end: start + raw.length, isGlued: last?.end === start })
  }
  return tokens
}

function normalize(raw: string, kind: Token['kind']): string {
  const folded = raw.normalize('NFKC').toLowerCase()
  if (kind === 'number') return folded.replaceAll(',', '')
  if (kind === 'date') return folded.replace(/-(\d)(?=-|$)/g, '-0$1')
  if (kind === 'word') return folded.normalize('NFD').replace(/\p{M}/gu, '').replaceAll('’', "'")
  if (kind === 'mark') return markNames[folded] ?? folded
  return folded
}

const markNames: Record<string, string> = {
  '’': "'",
  '‘': "'",
  '–': '-',
  '—': '-',
  '~': '-',
  '～': '-',
  '，': ',',
  '。': '.',
  '？': '?',
  '“': '"',
  '”': '"',
  '＆': '&',
}

const irregular: Record<string, string> = {
  people: 'person',
  men: 'man',
  women: 'woman',
  lives: 'life',
  indices: 'index',
  analyses: 'analysis',
  criteria: 'criterion',
  data: 'data',
  statuses: 'status',
  bonuses: 'bonus',
}
const notPlural = /(^hows|^whats|^wheres|ss|us|is|news|series|sales|always|was|has|does|yes|this|its|his|as|plus|versus|status|basis|vs)$/

/** Good enough for the nouns of business: plurals only, since verb forms tell metrics apart (open, opened). */
export function singular(word: string): string {
  const known = irregular[word]
  if (known) return known
  if (word.length < 4 || notPlural.test(word)) return word
  if (word.endsWith('ies') && word.length > 4) return `${word.slice(0, -3)}y`
  if (/(?:[sxz]|ch|sh)es$/.test(word)) return word.endsWith('ses') && !word.endsWith('sses') ? word.slice(0, -1) : word.slice(0, -2)
  return word.endsWith('s') ? word.slice(0, -1) : word
}

const looseStems = new Map<string, string>()
const looseStemsMax = 20_000

/** What a verb's forms have in common, roughly: churned, churning and churns meet at `churn`. Asked for the same words over and over. */
export function looseStem(word: string): string {
  const known = looseStems.get(word)
  if (known !== undefined) return known
  const stem = looseStemOf(word)
  if (looseStems.size < looseStemsMax) looseStems.set(word, stem)
  return stem
}

function looseStemOf(word: string): string {
  const known = irregularVerbs[word]
  if (known) return known
  const base = singular(word)
  const cut = base.replace(/(?:ing|ed)$/, '')
  const root = (cut.length >= 3 ? cut : base).replace(/([b-df-hj-np-tv-z])\1$/, '$1')
  return root.length > 3 ? root.replace(/e$/, '') : root
}

const irregularVerbs: Record<string, string> = {
  lost: 'los',
  lose: 'los',
  loses: 'los',
  losing: 'los',
  won: 'win',
  paid: 'pay',
  sold: 'sel',
  sent: 'send',
  began: 'begin',
  begun: 'begin',
  grew: 'grow',
  grown: 'grow',
  left: 'leav',
  came: 'com',
  spent: 'spend',
  took: 'tak',
  taken: 'tak',
  made: 'mak',
  given: 'giv',
  gave: 'giv',
  bought: 'buy',
  kept: 'keep',
  use: 'use',
  uses: 'use',
  used: 'use',
  using: 'use',
}

/** A form that says that something has happened: opened, sold, lost. */
export const isPastForm = (word: string): boolean =>
  /ed$|billing$/.test(word) || /^(?:lost|won|paid|sold|sent|began|grew|left|came|spent|took|taken|made|gave|given|bought|kept|begun|grown)$/.test(word)

export const isHan = (token: Token): boolean => token.kind === 'han'
export const isChinese = (text: string): boolean => /\p{Script=Han}/u.test(text)

/** A Chinese numeral's digits, or undefined when the character is none. */
export const chineseDigit = (char: string): number | undefined => {
  if (char === '两') return 2
  if (char === '零') return 0
  const digit = chineseDigits.indexOf(char)
  return digit < 0 ? undefined : digit
}
