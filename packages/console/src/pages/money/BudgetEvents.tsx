import type { BudgetEvent } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { budgetEventsQuery } from '../../api/budgets.ts'
import { useTexts } from '../../i18n/index.ts'
import { formatAmount } from '../../ui/amount.ts'
import { EmptyState } from '../../ui/Notes.tsx'
import { Section } from '../../ui/Page.tsx'
import { StateIcon } from '../../ui/State.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'

const tones = { warning: 'warn', refused: 'bad', overrun: 'bad' } as const

export function BudgetEvents() {
  const { t, locale } = useTexts()
  const events = useQuery(budgetEventsQuery())
  return (
    <Section id="events" title={t('money.events')}>
      <Listing<BudgetEvent>
        label={t('money.events')}
        query={events}
        rows={events.data?.items}
        skeletonRows={3}
        idOf={({ id }) => id}
        empty={<EmptyState title={t('money.noEvents')}>{t('money.noEventsText')}</EmptyState>}
        columns={[
          {
            id: 'what',
            head: t('money.what'),
            cell: ({ kind, percent }) => (
              <span className="flex items-center gap-2">
                <StateIcon tone={tones[kind]} />
                <span className="truncate">{t(`money.kinds.${kind}`, { percent })}</span>
              </span>
            ),
          },
          { id: 'budget', head: t('money.budget'), className: 'w-32 sm:w-40', cell: ({ budget }) => <span className="block truncate">{budget}</span> },
          {
            id: 'subject',
            head: t('money.who'),
            className: 'w-40 max-md:hidden',
            cell: ({ subject }) => <span className="block truncate text-ink-2">{subject}</span>,
          },
          {
            id: 'spent',
            head: t('money.spent'),
            isRight: true,
            className: 'w-44 max-sm:hidden',
            cell: ({ spent, limit, unit }) => t('money.ofLimit', { spent: formatAmount(spent, unit, locale), limit: formatAmount(limit, unit, locale) }),
          },
          {
            id: 'at',
            head: t('journal.at'),
            isRight: true,
            className: 'w-24',
            cell: ({ at }) => (
              <span className="text-xs text-ink-3">
                <Ago at={at} />
              </span>
            ),
          },
        ]}
      />
    </Section>
  )
}
