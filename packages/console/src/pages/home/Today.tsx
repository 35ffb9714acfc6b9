import type { RunCount } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { usageQuery } from '../../api/money.ts'
import { runCountsQuery } from '../../api/overview.ts'
import { useMay } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { formatCount, formatUsd } from '../../ui/format.ts'
import { Figure, Figures } from '../../ui/Page.tsx'
import { AppLink } from '../AppLink.tsx'

/** Runs now and today, and today's money, in one line. */
export function Today() {
  const { t, locale } = useTexts()
  const counts = useQuery(runCountsQuery())
  const may = useMay()
  const sum = (pick: (one: RunCount) => number) =>
    counts.data &&
    formatCount(
      counts.data.items.reduce((total, one) => total + pick(one), 0),
      locale,
    )
  const inState = (state: RunCount['state']) => sum((one) => (one.state === state ? one.count : 0))
  const figure = (text: string | undefined, href: string) =>
    text === undefined ? (
      '–'
    ) : (
      <AppLink href={href} className="rounded-sm hover:underline">
        {text}
      </AppLink>
    )
  return (
    <Figures>
      <Figure name={t('overview.running')}>{figure(inState('running'), paths.runs({ state: 'running' }))}</Figure>
      <Figure name={t('overview.waiting')}>{figure(inState('waiting'), paths.runs({ state: 'waiting' }))}</Figure>
      <Figure name={t('overview.queued')}>{figure(inState('pending'), paths.runs({ state: 'pending' }))}</Figure>
      <Figure name={t('overview.begun')}>
        {figure(
          sum(({ sinceCount }) => sinceCount),
          paths.runs(),
        )}
      </Figure>
      <Figure name={t('overview.failed')}>
        {figure(
          sum((one) => (one.state === 'failed' ? one.sinceCount : 0)),
          paths.runs({ state: 'failed' }),
        )}
      </Figure>
      {may('money:read') && (
        <Figure name={t('overview.spent')}>
          <Spent locale={locale} />
        </Figure>
      )}
    </Figures>
  )
}

function Spent({ locale }: { locale: string }) {
  const { t } = useTexts()
  const { data } = useQuery(usageQuery('day', 'model'))
  if (!data) return <>–</>
  const cost = data.groups.reduce((sum, { costUsd }) => sum + costUsd, 0)
  const unpriced = data.groups.reduce((sum, { unpricedCalls }) => sum + unpricedCalls, 0)
  return (
    <>
      <AppLink href={paths.budgets({ span: 'day' })} className="rounded-sm hover:underline">
        {formatUsd(cost, locale)}
      </AppLink>
      {unpriced > 0 && <span className="ml-1.5 text-xs font-normal text-warn">{t('money.unpriced', { count: unpriced })}</span>}
    </>
  )
}
