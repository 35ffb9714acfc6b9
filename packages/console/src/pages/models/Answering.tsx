import type { UsageGroup } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { modelHealthQuery } from '../../api/money.ts'
import { useTexts } from '../../i18n/index.ts'
import { formatCount, formatNumber, formatUsd } from '../../ui/format.ts'
import { EmptyState } from '../../ui/Notes.tsx'
import { Section } from '../../ui/Page.tsx'
import { StateIcon } from '../../ui/State.tsx'
import { Listing } from '../Listing.tsx'
import { healthOf } from './health.ts'

/** The models that were asked within the last hour, and how they answered. */
export function Answering() {
  const { t, locale } = useTexts()
  const groups = useQuery(modelHealthQuery())
  const nameOf = ({ by }: UsageGroup) => by['model'] ?? '–'
  return (
    <Section id="answering" title={t('models.answering')}>
      <Listing<UsageGroup>
        label={t('models.answering')}
        query={groups}
        rows={groups.data?.groups}
        skeletonRows={2}
        idOf={(group) => JSON.stringify(group.by)}
        empty={<EmptyState title={t('models.silent')}>{t('models.silentText')}</EmptyState>}
        columns={[
          {
            id: 'model',
            head: t('models.model'),
            cell: (group) => {
              const { tone } = healthOf([group], nameOf(group))
              return (
                <span className="flex min-w-0 items-center gap-2">
                  <StateIcon tone={tone} />
                  <span className="sr-only">{t(tone === 'bad' ? 'models.bad' : tone === 'warn' ? 'models.shaky' : 'models.good')}</span>
                  <code className="truncate text-xs">{nameOf(group)}</code>
                </span>
              )
            },
          },
          { id: 'calls', head: t('money.calls'), isRight: true, className: 'w-20', cell: ({ calls }) => formatCount(calls, locale) },
          {
            id: 'failed',
            head: t('state.failed'),
            isRight: true,
            className: 'w-28',
            cell: ({ calls, failedCalls }) =>
              failedCalls === 0 ? (
                '–'
              ) : (
                <span className="text-bad">{`${formatCount(failedCalls, locale)} · ${formatNumber((failedCalls / calls) * 100, locale, 0)} %`}</span>
              ),
          },
          { id: 'cost', head: t('runs.cost'), isRight: true, className: 'w-28 max-sm:hidden', cell: ({ costUsd }) => formatUsd(costUsd, locale) },
        ]}
      />
    </Section>
  )
}
