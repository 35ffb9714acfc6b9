/** What an answer's sentence says: its numbers, whether it refuses, and whether it tells of a limit. English and Chinese. */

const magnitudes: [RegExp, number][] = [
  [/^(thousand|k\b|千)/i, 1e3],
  [/^(million|mn\b|m\b)/i, 1e6],
  [/^(billion|bn\b|b\b)/i, 1e9],
  [/^(万亿|兆)/, 1e12],
  [/^百万/, 1e6],
  [/^千万/, 1e7],
  [/^万/, 1e4],
  [/^亿/, 1e8],
]

/** A number in a text, and how it is dressed: `$3.2 million` is 3,200,000 with dress. */
export type Mention = { value: number; text: string; isDressed: boolean }

/** All numbers, without those inside dates (2026-09-30, Q3 2026, 2026年9月, 30 September 2026) and names (A1, v2). */
export function numbersIn(text: string): Mention[] {
  const plain = text
    .normalize('NFKC')
    .replace(/\d{4}[-/.]\d{1,2}([-/.]\d{1,2})?([t ]\d{2}:\d{2}(:\d{2})?)?/gi, ' ')
    .replace(/\d{4}\s*年(\s*\d{1,2}\s*月)?(\s*\d{1,2}\s*日)?|\d{1,2}\s*月(\s*\d{1,2}\s*日)?|第?\s*[1-4]\s*季度/g, ' ')
    .replace(/\b(fy\s*)?\d{4}[- ]?q[1-4]\b|\bq[1-4]([- ](fy\s*)?\d{4})?\b|\bfy\s*\d{2,4}\b/gi, ' ')
    .replace(/\b(\d{1,2}\s+)?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?(\s+\d{1,2}(st|nd|rd|th)?\b)?(,?\s+\d{4})?/gi, ' ')
  const mentions: Mention[] = []
  for (const match of plain.matchAll(/(?<![\p{Script=Latin}\d_.,])([-−]?)((?:us\$|[$€£¥])\s?)?((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)/giu)) {
    const [whole, sign, currency, digits = ''] = match
    const rest = plain.slice(match.index + whole.length)
    // A unit of one letter belongs to the number only when it touches it: "3 M" may be anything.
    const magnitude = magnitudes.find(([pattern]) => pattern.test(/^\s+[kmb]\b/i.test(rest) ? '' : rest.trimStart()))
    const isPercent = /^\s?(%|percent|个百分点)/i.test(rest)
    if (!magnitude && /^[\p{Script=Latin}_]/u.test(rest)) continue // `3rd`, `4xx`: a name, not a number.
    mentions.push({
      value: Number(digits.replaceAll(',', '')) * (magnitude?.[1] ?? 1) * (sign ? -1 : 1),
      text: whole.trim(),
      isDressed: currency !== undefined || magnitude !== undefined || isPercent,
    })
  }
  return mentions
}

const refusals = [
  /^\W*(sorry|i['’]?m sorry|i am sorry|unfortunately|apologies)?\W*(but\s)?\s*i\s*(can\s?not|can['’]?t|am\s+(unable|not\s+able)\s+to|['’]m\s+(unable|not\s+able)\s+to)\s+(\w+\s+){0,3}(answer|tell|say|show|give|provide|help|determine|share)\b/i,
  /\b(this|that|the)\s+(question\s+)?(can\s?not|can['’]?t)\s+be\s+answered\b/i,
  /(无法|不能|没法|没有办法|没办法|难以|不可以)[^。！？\n]{0,12}(回答|解答|作答|提供|给出|得出|确定|判断|查询|显示|告诉)/,
]

/** Whether the text refuses: it begins with "I can't answer", says that the question cannot be answered, or says 无法/不能 … 回答. */
export const refuses = (text: string): boolean => refusals.some((pattern) => pattern.test(text.trim()))

/**
 * Numbers that stand there as if they were the answer: dressed with a currency, a percent sign or a magnitude, or of three digits
 * and more. Not counted: years, what the question itself said, and small plain numbers ("the data covers 3 years").
 */
export function numbersPresented(text: string, question: string): Mention[] {
  const asked = new Set(numbersIn(question).map(({ value }) => value))
  const isYear = ({ value, isDressed }: Mention) => !isDressed && Number.isInteger(value) && value >= 1_900 && value <= 2_100
  return numbersIn(text).filter((mention) => !asked.has(mention.value) && !isYear(mention) && (mention.isDressed || Math.abs(mention.value) >= 100))
}

const limitWords =
  /\b(limit(ed|s)?|restrict(ed|ion|ions|s)?|access|permission|permitted|allowed|may (only )?see|only|withheld|hidden|excluded)\b|仅|只|限于|限制|受限|权限|无权|范围|不包含|不含|隐去/i
const personalWords = /\bpersonal(ly)?\b|\bprivate\b|\bPII\b|个人|隐私/i

/**
 * Whether the text tells the reader of the limit under which it was made: each region by name, and personal data if that is kept away.
 * A Chinese text may translate the names of regions, so there the word of limit is enough.
 */
export function mentionsLimit(text: string, access: { regions?: string[] | undefined; personalData?: boolean | undefined }): boolean {
  if (!limitWords.test(text)) return false
  const lower = text.toLowerCase()
  if (!/\p{Script=Han}/u.test(text) && access.regions?.some((region) => !lower.includes(region.toLowerCase()))) return false
  return access.personalData !== false || personalWords.test(text)
}
