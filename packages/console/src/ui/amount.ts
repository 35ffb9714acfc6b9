import { formatCount, formatUsd } from './format.ts'

/** An amount of a budget in its unit: money, or a count of tokens or requests. */
export const formatAmount = (value: number, unit: 'usd' | 'tokens' | 'requests', locale: string): string =>
  unit === 'usd' ? formatUsd(value, locale) : formatCount(value, locale)
