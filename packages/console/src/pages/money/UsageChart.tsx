import type { Forecast, UsageGroup } from '@longhaul/protocol'
import { spans, startOfSpan } from '../../api/money.ts'
import type { Span } from '../../api/money.ts'
import { useTexts } from '../../i18n/index.ts'
import { formatCount, formatUsd } from '../../ui/format.ts'

const fields = {
  hour: { hour: '2-digit', minute: '2-digit' },
  day: { month: 'short', day: 'numeric' },
  month: { month: 'short', year: 'numeric' },
} as const satisfies Record<string, Intl.DateTimeFormatOptions>

type Band = NonNullable<Forecast['total']>

/** What is still to come in each slot, by its start: of days those that are forecast, of months the rest of this one. A day's hours are not forecast. */
function aheadOf(span: Span, forecast: Forecast | undefined): Map<number, Band> {
  if (!forecast?.total || span === 'day') return new Map()
  const { spent, total, startsAt, days } = forecast
  if (span === 'year') return new Map([[Date.parse(startsAt ?? ''), { expected: total.expected - spent, low: total.low - spent, high: total.high - spent }]])
  return new Map(days.slice(0, spans[span].count).map(({ at, ...band }) => [new Date(at).setHours(0, 0, 0, 0), band]))
}

/** One bar for each hour, day or month, as high as what it cost; by calls where nothing had a price. What is forecast is dashed, with its range. The table below has the numbers. */
export function UsageChart({ span, groups, forecast }: { span: Span; groups: readonly UsageGroup[]; forecast?: Forecast | undefined }) {
  const { t, locale } = useTexts()
  const { grain, count } = spans[span]
  const isMoney = groups.some(({ costUsd }) => costUsd > 0)
  const found = new Map(groups.map((group) => [group.at === null ? 0 : Date.parse(group.at), group]))
  const ahead = isMoney ? aheadOf(span, forecast) : new Map<number, Band>()
  const start = startOfSpan(span)
  const starts = Array.from({ length: count }, (_, i) => {
    const at = new Date(start)
    if (grain === 'hour') at.setHours(at.getHours() + i)
    else if (grain === 'day') at.setDate(at.getDate() + i)
    else at.setMonth(at.getMonth() + i)
    return at.getTime()
  })
  const slots = [...new Set([...starts, ...ahead.keys()])].map((ms) => {
    const group = found.get(ms)
    return { at: new Date(ms), group, value: group ? (isMoney ? group.costUsd : group.calls) : 0, band: ahead.get(ms) }
  })
  const most = Math.max(...slots.map(({ value, band }) => value + (band?.high ?? 0)))
  const percent = (value: number) => `${most > 0 ? (value / most) * 100 : 0}%`
  const format = (value: number) => (isMoney ? formatUsd(value, locale) : t('money.callsCount', { count: value }))
  const { format: name } = new Intl.DateTimeFormat(locale, fields[grain])
  return (
    <figure aria-label={t('money.chart')}>
      <figcaption className="mb-1 flex justify-between text-xs text-ink-3">
        <span>{t(isMoney ? 'money.chartCost' : 'money.chartCalls')}</span>
        <span>{most > 0 && t('money.most', { value: isMoney ? formatUsd(most, locale) : formatCount(most, locale) })}</span>
      </figcaption>
      <ul className="flex h-20 items-end gap-px border-b border-line">
        {slots.map(({ at, group, value, band }) => {
          const text = [
            `${name(at)}: ${group || !band ? format(value) : ''}`,
            band && t('money.stillExpected', { value: format(band.expected), low: format(band.low), high: format(band.high) }),
          ].join(' ')
          return (
            <li key={at.getTime()} title={text} className="relative flex h-full flex-1 flex-col items-center justify-end">
              <span className="sr-only">{text}</span>
              {band && (
                <>
                  <span
                    aria-hidden
                    className="w-full max-w-8 rounded-t-sm border border-b-0 border-dashed border-bar-model"
                    style={{ height: percent(band.expected) }}
                  />
                  <span aria-hidden className="absolute w-px bg-ink-3" style={{ bottom: percent(value + band.low), height: percent(band.high - band.low) }} />
                </>
              )}
              <span
                aria-hidden
                className={group ? 'w-full max-w-8 shrink-0 rounded-t-sm bg-bar-model' : 'w-full'}
                style={{ height: most > 0 && value > 0 ? `${Math.max(3, (value / most) * 100)}%` : 0 }}
              />
            </li>
          )
        })}
      </ul>
      <div aria-hidden className="mt-1 flex justify-between text-xs text-ink-3">
        <span>{slots[0] && name(slots[0].at)}</span>
        <span>{name(slots[Math.floor(slots.length / 2)]?.at ?? start)}</span>
        <span>{name(slots.at(-1)?.at ?? start)}</span>
      </div>
    </figure>
  )
}
