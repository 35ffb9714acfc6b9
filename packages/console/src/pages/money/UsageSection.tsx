import { usageDimensions } from '@longhaul/protocol'
import type { UsageDimension, UsageGroup } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { forecastQuery, spanNames, spanOf, usageQuery } from '../../api/money.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths, patterns } from '../../paths.ts'
import { Segmented, Select } from '../../ui/Fields.tsx'
import { formatCount, formatNumber, formatUsd } from '../../ui/format.ts'
import { EmptyState, Skeleton } from '../../ui/Notes.tsx'
import { Section } from '../../ui/Page.tsx'
import { AppLink } from '../AppLink.tsx'
import { Listing } from '../Listing.tsx'
import { ForecastLine } from './ForecastLine.tsx'
import { UsageChart } from './UsageChart.tsx'

/** What was used in a time: over that time, and by whom or for what. */
export function UsageSection() {
  const { t, locale } = useTexts()
  const search = useSearch({ from: '/shell/budgets' })
  const navigate = useNavigate()
  const span = spanOf(search.span)
  const by: UsageDimension = usageDimensions.find((one) => one === search.by) ?? 'agent'
  const groups = useQuery(usageQuery(span, by))
  const overTime = useQuery(usageQuery(span, 'time'))
  const forecast = useQuery(forecastQuery())
  const total = groups.data?.groups.reduce((sum, { costUsd }) => sum + costUsd, 0) ?? 0
  const unpriced = groups.data?.groups.reduce((sum, { unpricedCalls }) => sum + unpricedCalls, 0) ?? 0
  const change = (changes: { by?: string; span?: string }) =>
    void navigate({ to: patterns.budgets, search: { ...search, ...changes }, replace: true, resetScroll: false })
  return (
    <Section
      id="usage"
      title={
        <>
          {t('money.usage')}
          {groups.data && <span className="ml-2 font-normal text-ink-2">{formatUsd(total, locale)}</span>}
          {unpriced > 0 && <span className="ml-2 text-sm font-normal text-warn">{t('money.unpriced', { count: unpriced })}</span>}
        </>
      }
      aside={
        <>
          <Segmented
            label={t('money.span')}
            value={span}
            options={spanNames.map((value) => ({ value, label: t(`money.spans.${value}`) }))}
            onChange={(value) => change({ span: value })}
          />
          <Select
            label={t('money.by')}
            value={by}
            options={usageDimensions.map((value) => ({ value, label: t(`money.dimensions.${value}`) }))}
            onChange={(value) => change({ by: value })}
          />
        </>
      }
    >
      <div className="space-y-4">
        {overTime.data ? <UsageChart span={span} groups={overTime.data.groups} forecast={forecast.data} /> : <Skeleton className="h-28" />}
        {forecast.data && (forecast.data.spent > 0 || forecast.data.total?.expected) ? <ForecastLine forecast={forecast.data} /> : null}
        <Listing<UsageGroup>
          label={t('money.usage')}
          query={groups}
          rows={groups.data?.groups}
          idOf={(group) => JSON.stringify(group.by)}
          empty={<EmptyState title={t('money.nothingUsed')}>{t('money.nothingUsedText')}</EmptyState>}
          columns={[
            { id: 'by', head: t(`money.dimensions.${by}`), cell: (group) => <ValueOf by={by} value={Object.values(group.by)[0] ?? null} /> },
            { id: 'calls', head: t('money.calls'), isRight: true, className: 'w-18', cell: ({ calls }) => formatCount(calls, locale) },
            {
              id: 'failed',
              head: t('state.failed'),
              isRight: true,
              className: 'w-18 max-md:hidden',
              cell: ({ failedCalls }) => (failedCalls > 0 ? <span className="text-bad">{formatCount(failedCalls, locale)}</span> : '–'),
            },
            {
              id: 'input',
              head: t('money.input'),
              isRight: true,
              className: 'w-24 max-sm:hidden',
              cell: ({ tokens: { input, cacheRead, cacheWrite, cacheWriteLong, inputAudio, inputImage } }) =>
                formatCount(input + cacheRead + cacheWrite + cacheWriteLong + inputAudio + inputImage, locale),
            },
            {
              id: 'cached',
              head: t('money.cached'),
              isRight: true,
              className: 'w-24 max-lg:hidden',
              cell: ({ tokens: { cacheRead } }) => (cacheRead > 0 ? formatCount(cacheRead, locale) : '–'),
            },
            {
              id: 'output',
              head: t('money.output'),
              isRight: true,
              className: 'w-24 max-sm:hidden',
              cell: ({ tokens: { output, reasoning, outputAudio, outputImage } }) => formatCount(output + reasoning + outputAudio + outputImage, locale),
            },
            { id: 'cost', head: t('runs.cost'), isRight: true, className: 'w-24', cell: ({ costUsd }) => formatUsd(costUsd, locale) },
            {
              id: 'share',
              head: t('money.share'),
              isRight: true,
              className: 'w-18 max-md:hidden',
              cell: ({ costUsd }) => <span className="text-ink-3">{total > 0 ? `${formatNumber((costUsd / total) * 100, locale, 0)} %` : '–'}</span>,
            },
          ]}
        />
        {groups.data?.isCut && <p className="text-sm text-ink-3">{t('money.cut', { count: groups.data.groups.length })}</p>}
      </div>
    </Section>
  )
}

function ValueOf({ by, value }: { by: UsageDimension; value: string | null }) {
  const { t } = useTexts()
  if (value === null || value === '') return <span className="text-ink-3">{t('common.none')}</span>
  const href = by === 'run' ? paths.run(value) : by === 'agent' ? paths.agent(value) : undefined
  return href ? (
    <AppLink href={href} className="block truncate rounded-sm hover:underline">
      {value}
    </AppLink>
  ) : (
    <span className="block truncate">{value}</span>
  )
}
