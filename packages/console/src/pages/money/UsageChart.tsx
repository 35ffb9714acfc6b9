import type { UsageGroup } from '@longhaul/protocol'
import { spans, startOfSpan } from '../../api/money.ts'
import type { Span } from '../../api/money.ts'
import { useTexts } from '../../i18n/index.ts'
import { formatCount, formatUsd } from '../../ui/format.ts'

const fields = {
  hour: { hour: '2-digit', minute: '2-digit' },
  day: { month: 'short', day: 'numeric' },
  month: { month: 'short', year: 'numeric' },
} as const satisfies Record<string, Intl.DateTimeFormatOptions>

/** One bar for each hour, day or month, as high as what it cost; by calls where nothing had a price. The table below has the numbers. */
export function UsageChart({ span, groups }: { span: Span; groups: readonly UsageGroup[] }) {
  const { t, locale } = useTexts()
  const { grain, count } = spans[span]
  const isMoney = groups.some(({ costUsd }) => costUsd > 0)
  const found = new Map(groups.map((group) => [group.at === null ? 0 : Date.parse(group.at), group]))
  const start = startOfSpan(span)
  const slots = Array.from({ length: count }, (_, i) => {
    const at = new Date(start)
    if (grain === 'hour') at.setHours(at.getHours() + i)
    else if (grain === 'day') at.setDate(at.getDate() + i)
    else at.setMonth(at.getMonth() + i)
    const group = found.get(at.getTime())
    return { at, group, value: group ? (isMoney ? group.costUsd : group.calls) : 0 }
  })
  const most = Math.max(...slots.map(({ value }) => value))
  const format = (value: number) => (isMoney ? formatUsd(value, locale) : t('money.callsCount', { count: value }))
  const { format: name } = new Intl.DateTimeFormat(locale, fields[grain])
  return (
    <figure aria-label={t('money.chart')}>
      <figcaption className="mb-1 flex justify-between text-xs text-ink-3">
        <span>{t(isMoney ? 'money.chartCost' : 'money.chartCalls')}</span>
        <span>{most > 0 && t('money.most', { value: isMoney ? formatUsd(most, locale) : formatCount(most, locale) })}</span>
      </figcaption>
      <ul className="flex h-20 items-end gap-px border-b border-line">
        {slots.map(({ at, group, value }) => (
          <li key={at.getTime()} title={`${name(at)}: ${format(value)}`} className="flex h-full flex-1 items-end justify-center">
            <span className="sr-only">{`${name(at)}: ${format(value)}`}</span>
            <span
              aria-hidden
              className={group ? 'w-full max-w-8 rounded-t-sm bg-bar-model' : 'w-full'}
              style={{ height: most > 0 && value > 0 ? `${Math.max(3, (value / most) * 100)}%` : 0 }}
            />
          </li>
        ))}
      </ul>
      <div aria-hidden className="mt-1 flex justify-between text-xs text-ink-3">
        <span>{slots[0] && name(slots[0].at)}</span>
        <span>{name(slots[Math.floor(slots.length / 2)]?.at ?? start)}</span>
        <span>{name(slots.at(-1)?.at ?? start)}</span>
      </div>
    </figure>
  )
}
