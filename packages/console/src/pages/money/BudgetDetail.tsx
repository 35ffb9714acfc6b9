import type { Budget, BudgetCounter } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { Pencil, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { budgetForecastQuery, budgetQuery } from '../../api/budgets.ts'
import { usePermission } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { formatAmount } from '../../ui/amount.ts'
import { Button } from '../../ui/Button.tsx'
import { formatInstant } from '../../ui/format.ts'
import { EmptyState } from '../../ui/Notes.tsx'
import { ActionDialog } from '../ActionDialog.tsx'
import { AppLink } from '../AppLink.tsx'
import { Listing } from '../Listing.tsx'
import { BudgetDialog } from './BudgetDialog.tsx'
import { ForecastLine, ReachLine } from './ForecastLine.tsx'

/** Each subject of a budget and each window of it, and what can be done about the limit. */
export function BudgetDetail({ budget }: { budget: Budget }) {
  const { t, locale } = useTexts()
  const mayManage = usePermission('money:manage')
  const found = useQuery(budgetQuery(budget.name))
  const forecast = useQuery({ ...budgetForecastQuery(budget.name), enabled: budget.per !== 'run' })
  const [open, setOpen] = useState<'change' | 'delete'>()
  const blocked = mayManage ? undefined : t('common.noPermission', { permission: 'money:manage' })
  const amount = (value: number) => formatAmount(value, budget.unit, locale)
  return (
    <div className="space-y-3">
      <div className="flex flex-wrap gap-2">
        <Button size="sm" look="primary" disabledBecause={blocked} onClick={() => setOpen('change')}>
          <Pencil size={13} aria-hidden />
          {t('money.change')}
        </Button>
        <Button size="sm" look="danger" disabledBecause={blocked} onClick={() => setOpen('delete')}>
          <Trash2 size={13} aria-hidden />
          {t('money.delete')}
        </Button>
      </div>
      {forecast.data?.subject && (
        <div>
          <ReachLine forecast={forecast.data} />
          <ForecastLine forecast={forecast.data} />
        </div>
      )}
      <Listing<BudgetCounter>
        label={t('money.counters')}
        query={found}
        rows={found.data?.counters}
        skeletonRows={2}
        idOf={(counter) => `${counter.subject} ${counter.startsAt} ${counter.runId}`}
        empty={<EmptyState title={t('money.unused')}>{t('money.unusedText')}</EmptyState>}
        columns={[
          {
            id: 'subject',
            head: t('money.who'),
            cell: ({ subject, runId }) =>
              runId ? (
                <AppLink href={paths.run(runId)} className="block truncate rounded-sm text-accent hover:underline">
                  {runId.slice(-12)}
                </AppLink>
              ) : (
                <span className="block truncate">{subject || t('money.scopes.tenant')}</span>
              ),
          },
          { id: 'spent', head: t('money.spent'), isRight: true, className: 'w-22', cell: ({ spent }) => amount(spent) },
          { id: 'reserved', head: t('money.reserved'), isRight: true, className: 'w-24 max-sm:hidden', cell: ({ reserved }) => amount(reserved) },
          {
            id: 'overrun',
            head: t('money.overrun'),
            isRight: true,
            className: 'w-24 max-md:hidden',
            cell: ({ overrun }) => (overrun > 0 ? amount(overrun) : '–'),
          },
          { id: 'left', head: t('money.left'), isRight: true, className: 'w-22', cell: ({ left }) => amount(Math.max(0, left)) },
          {
            id: 'ends',
            head: t('money.refill'),
            isRight: true,
            className: 'w-44 max-md:hidden',
            cell: ({ endsAt }) => <span className="text-xs text-ink-3">{endsAt ? formatInstant(Date.parse(endsAt), locale) : t('money.never')}</span>,
          },
        ]}
      />
      {open === 'change' && <BudgetDialog budget={budget} onClose={() => setOpen(undefined)} />}
      {open === 'delete' && (
        <ActionDialog
          title={t('money.deleteTitle', { name: budget.name })}
          action={t('money.delete')}
          isDangerous
          changes={['budgets']}
          act={() => client.budgets.delete({ name: budget.name })}
          onClose={() => setOpen(undefined)}
        >
          <p className="text-sm text-ink-2">{t('money.deleteText')}</p>
        </ActionDialog>
      )}
    </div>
  )
}
