import type { BudgetForecast, Forecast } from '@longhaul/protocol'
import { useTexts } from '../../i18n/index.ts'
import { formatAmount } from '../../ui/amount.ts'
import { formatInstant } from '../../ui/format.ts'

/** What a window is expected to have used at its end, within what, and what that goes by. */
export function ForecastLine({ forecast }: { forecast: Forecast }) {
  const { t, locale } = useTexts()
  const { total, unit, endsAt, method, historyDays } = forecast
  if (method === 'none') return <p className="text-sm text-ink-3">{t('money.tooLittle', { count: historyDays })}</p>
  const amount = (value: number) => formatAmount(value, unit, locale)
  return (
    <p className="text-sm text-ink-2">
      {total && t('money.expected', { value: amount(total.expected), low: amount(total.low), high: amount(total.high), at: instant(endsAt, locale) })}{' '}
      <span className="text-ink-3">{t(`money.methods.${method}`, { count: historyDays })}</span>
    </p>
  )
}

/** When a budget's limit will be reached. */
export function ReachLine({ forecast }: { forecast: BudgetForecast }) {
  const { t, locale } = useTexts()
  const { reachesLimit, spent, limit, method, endsAt } = forecast
  const { at, earliest, latest } = reachesLimit
  if (spent >= limit) return <p className="text-sm font-medium text-bad">{t('money.isReached')}</p>
  if (method === 'none') return null
  const when = at ? t('money.reaches', { at: instant(at, locale) }) : endsAt ? t('money.holds', { at: instant(endsAt, locale) }) : t('money.holdsYear')
  return (
    <p className={at ? 'text-sm font-medium text-warn' : 'text-sm text-ink-2'}>
      {when}{' '}
      {earliest !== null && earliest !== latest && (
        <span className="font-normal text-ink-3">
          {latest === null
            ? t('money.reachesFrom', { earliest: instant(earliest, locale) })
            : t('money.reachesBetween', { earliest: instant(earliest, locale), latest: instant(latest, locale) })}
        </span>
      )}
    </p>
  )
}

const instant = (iso: string | null, locale: string): string => (iso === null ? '' : formatInstant(Date.parse(iso), locale))
