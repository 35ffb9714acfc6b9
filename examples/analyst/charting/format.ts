export type Unit = 'usd' | 'count' | 'percent' | 'days' | 'hours'
export type Language = 'en' | 'zh'

export const languageOf = (text: string): Language => (/\p{Script=Han}/u.test(text) ? 'zh' : 'en')

const steps = {
  en: [
    [1e9, 'B'],
    [1e6, 'M'],
    [1e3, 'K'],
  ],
  zh: [
    [1e8, '亿'],
    [1e4, '万'],
  ],
} as const
const suffix = {
  en: { usd: '', count: '', percent: '%', days: ' days', hours: ' h' },
  zh: { usd: '', count: '', percent: '%', days: ' 天', hours: ' 小时' },
} as const

/** A number for reading: $1.2M, 12.5%, 845, and in Chinese by ten thousands. On an axis, `beside` is its largest number, so that all have the same step. */
export function formatNumber(value: number, unit: Unit, language: Language, beside = value): string {
  const sign = value < 0 ? '−' : ''
  return `${sign}${unit === 'usd' ? '$' : ''}${formatSize(Math.abs(value), Math.abs(beside), language)}${suffix[language][unit]}`
}

function formatSize(value: number, beside: number, language: Language): string {
  // Numbers of up to four digits are read as easily in full.
  const step = beside >= 10_000 && value > 0 ? steps[language].find(([size]) => beside >= size) : undefined
  if (step) return `${significant(value / step[0])}${step[1]}`
  return value >= 1_000 ? Math.round(value).toLocaleString('en-US') : significant(value)
}

/** Three digits, and no zeros after the point that say nothing. */
function significant(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2
  const text = value.toFixed(digits)
  return (text.includes('.') ? text.replace(/\.?0+$/, '') : text).replace(/\B(?=(\d{3})+$)/g, ',')
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** Whether all dates are the first, or all the last, of a month: then they stand for months. */
const areMonths = (dates: readonly string[]): boolean => dates.length > 1 && (dates.every((date) => date.slice(8, 10) === '01') || dates.every(isLastOfMonth))

/** Which of many months get a label: every second, third or sixth, so that January, which says the year, is one of them. Other dates are left to the chart. */
export function labelledMonths(dates: readonly string[], labelsMax: number): ((index: number) => boolean) | undefined {
  const step = [1, 2, 3, 6, 12].find((months) => dates.length / months <= labelsMax)
  return areMonths(dates) && step !== undefined ? (index) => (Number(dates[index]?.slice(5, 7)) - 1) % step === 0 : undefined
}

/** Labels for a row of dates, as months or as days. The year is said where it begins. */
export function formatDates(dates: readonly string[], language: Language): string[] {
  const firstOrLast = areMonths(dates)
  return dates.map((date, index) => {
    const [year = '', month = '', day = ''] = date.slice(0, 10).split('-')
    const isNewYear = index === 0 || dates[index - 1]?.slice(0, 4) !== year
    const name =
      language === 'zh'
        ? `${Number(month)}月${firstOrLast ? '' : `${Number(day)}日`}`
        : `${firstOrLast ? '' : `${Number(day)} `}${months[Number(month) - 1] ?? month}`
    return isNewYear ? `${name}\n${year}${language === 'zh' ? '年' : ''}` : name
  })
}

const isLastOfMonth = (date: string): boolean => new Date(Date.parse(`${date.slice(0, 10)}T00:00:00Z`) + 86_400_000).getUTCDate() === 1
