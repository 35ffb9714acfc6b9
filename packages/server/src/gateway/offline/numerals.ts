// Numbers as people write them: 1,000 · 100k · 1.5 million · twelve · 三十 · 十万 · 50 % · $2M.
import { chineseDigit, type Token } from './tokens.ts'

export type NumberSpan = { value: number; length: number; unit?: 'percent' | 'money' }

const words: Record<string, number> = {
  zero: 0,
  one: 1,
  two: 2,
  three: 3,
  four: 4,
  five: 5,
  six: 6,
  seven: 7,
  eight: 8,
  nine: 9,
  ten: 10,
  eleven: 11,
  twelve: 12,
  thirteen: 13,
  fourteen: 14,
  fifteen: 15,
  sixteen: 16,
  seventeen: 17,
  eighteen: 18,
  nineteen: 19,
  twenty: 20,
  thirty: 30,
  forty: 40,
  fifty: 50,
  sixty: 60,
  seventy: 70,
  eighty: 80,
  ninety: 90,
  dozen: 12,
}
const scales: Record<string, number> = {
  hundred: 100,
  thousand: 1e3,
  k: 1e3,
  million: 1e6,
  mn: 1e6,
  m: 1e6,
  billion: 1e9,
  bn: 1e9,
  b: 1e9,
  千: 1e3,
  万: 1e4,
  百万: 1e6,
  千万: 1e7,
  亿: 1e8,
}
const chineseUnits: Record<string, number> = { 十: 10, 百: 100, 千: 1_000 }
const money = new Set(['dollar', 'usd', 'euro', 'eur', 'buck', '美元', '美金', '元', '块', '欧元'])

/** The number that begins at `at`, with its sign of currency or percent. */
export function numberAt(tokens: readonly Token[], at: number): NumberSpan | undefined {
  let next = at
  let unit: NumberSpan['unit']
  if (tokens[next]?.norm === '百' && tokens[next + 1]?.norm === '分' && tokens[next + 2]?.norm === '之') return withPercent(plainNumberAt(tokens, next + 3), 3)
  if (['$', '€', '£', '¥'].includes(tokens[next]?.norm ?? '')) {
    unit = 'money'
    next++
  }
  const plain = plainNumberAt(tokens, next)
  if (!plain) return undefined
  next += plain.length
  const after = tokens[next]?.norm ?? ''
  const two = after + (tokens[next + 1]?.norm ?? '')
  if (after === '%' || after === 'percent' || after === 'pct') return { value: plain.value, length: next + 1 - at, unit: 'percent' }
  if (money.has(two)) return { value: plain.value, length: next + 2 - at, unit: 'money' }
  if (money.has(tokens[next]?.stem ?? '')) return { value: plain.value, length: next + 1 - at, unit: 'money' }
  return { value: plain.value, length: next - at, ...(unit && { unit }) }
}

const withPercent = (number: NumberSpan | undefined, more: number): NumberSpan | undefined =>
  number && { value: number.value, length: number.length + more, unit: 'percent' }

function plainNumberAt(tokens: readonly Token[], at: number): NumberSpan | undefined {
  const first = tokens[at]
  if (!first) return undefined
  if (first.kind === 'han') return chineseNumberAt(tokens, at)
  const base = first.kind === 'number' ? Number(first.norm) : words[first.norm]
  if (base === undefined) return undefined
  let value = base
  let next = at + 1
  const unitWord = words[tokens[next]?.norm === '-' ? (tokens[next + 1]?.norm ?? '') : (tokens[next]?.norm ?? '')]
  if (first.kind === 'word' && value >= 20 && unitWord !== undefined && unitWord < 10) {
    value += unitWord
    next += tokens[next]?.norm === '-' ? 2 : 1
  }
  for (;;) {
    const token = tokens[next]
    if (!token) break
    const second = tokens[next + 1]?.kind === 'han' ? tokens[next + 1]?.norm : undefined
    const pair = second === undefined ? undefined : scales[token.norm + second]
    const scale = pair ?? scales[token.norm]
    // A single letter is a scale only when it clings to its number: 5m, but not "5 m".
    if (scale === undefined || (/^[a-z]$/.test(token.norm) && !token.isGlued)) break
    value *= scale
    next += pair === undefined ? 1 : 2
  }
  return { value, length: next - at }
}

/** 三 · 十二 · 二十 · 一百二十 · 三千 · 十万 · 二〇二五. */
function chineseNumberAt(tokens: readonly Token[], at: number): NumberSpan | undefined {
  const chars: string[] = []
  for (let i = at; tokens[i]?.kind === 'han'; i++) {
    const char = tokens[i]?.norm ?? ''
    if (chineseDigit(char) === undefined && !(char in chineseUnits) && char !== '万' && char !== '亿') break
    chars.push(char)
  }
  if (chars.length === 0 || chars[0] === '万' || chars[0] === '亿') return undefined
  if (chars.length > 1 && chars.every((char) => chineseDigit(char) !== undefined))
    return { value: Number(chars.map(chineseDigit).join('')), length: chars.length }
  let total = 0
  let section = 0
  let digit: number | undefined
  for (const char of chars) {
    const read = chineseDigit(char)
    if (read !== undefined) digit = read
    else if (char in chineseUnits) {
      section += (digit ?? 1) * (chineseUnits[char] ?? 1)
      digit = undefined
    } else {
      total = (total + section + (digit ?? 0)) * (char === '万' ? 1e4 : 1e8)
      section = 0
      digit = undefined
    }
  }
  return { value: total + section + (digit ?? 0), length: chars.length }
}
