import type { Budget, BudgetCounter } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { budgetsQuery } from '../../api/money.ts'
import { usePermission } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import { formatAmount } from '../../ui/amount.ts'
import { Button } from '../../ui/Button.tsx'
import { Meter } from '../../ui/Meter.tsx'
import { EmptyState } from '../../ui/Notes.tsx'
import { Section } from '../../ui/Page.tsx'
import { RowToggle } from '../../ui/Table.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'
import { BudgetDetail } from './BudgetDetail.tsx'
import { BudgetDialog } from './BudgetDialog.tsx'

type Row = Budget & { fullest: BudgetCounter | null }

export function BudgetsList() {
  const { t, locale } = useTexts()
  const budgets = useQuery(budgetsQuery())
  const mayManage = usePermission('money:manage')
  const [open, setOpen] = useState<string>()
  const [isMaking, setMaking] = useState(false)
  const add = (
    <Button size="sm" disabledBecause={mayManage ? undefined : t('common.noPermission', { permission: 'money:manage' })} onClick={() => setMaking(true)}>
      <Plus size={13} aria-hidden />
      {t('money.add')}
    </Button>
  )
  const amount = (row: Row, value: number) => formatAmount(value, row.unit, locale)
  return (
    <Section id="budgets" title={t('money.budgets')} aside={budgets.data && budgets.data.items.length > 0 ? add : undefined}>
      <Listing<Row>
        label={t('money.budgets')}
        query={budgets}
        rows={budgets.data?.items}
        idOf={({ name }) => name}
        empty={
          <EmptyState title={t('money.none')} action={add}>
            {t('money.noneText')}
          </EmptyState>
        }
        detailOf={(budget) => budget.name === open && <BudgetDetail budget={budget} />}
        columns={[
          {
            id: 'name',
            head: t('money.name'),
            className: 'lg:w-44',
            cell: ({ name }) => (
              <RowToggle id={name} open={open} onOpen={setOpen}>
                {name}
              </RowToggle>
            ),
          },
          {
            id: 'who',
            head: t('money.who'),
            className: 'w-36 max-lg:hidden',
            cell: ({ scope, subject }) => (
              <span className="block truncate text-ink-2">
                {scope === 'tenant'
                  ? t('money.scopes.tenant')
                  : subject === '*'
                    ? t('money.each', { scope: t(`money.scopes.${scope}`).toLowerCase() })
                    : `${t(`money.scopes.${scope}`)} ${subject}`}
              </span>
            ),
          },
          {
            id: 'meter',
            head: t('money.used'),
            className: 'max-md:hidden',
            cell: (row) => (
              <Meter
                used={row.fullest?.spent ?? 0}
                reserved={row.fullest?.reserved ?? 0}
                limit={row.limit}
                text={t('money.ofLimit', { spent: amount(row, row.fullest?.spent ?? 0), limit: amount(row, row.limit) })}
              />
            ),
          },
          { id: 'spent', head: t('money.spent'), isRight: true, className: 'w-22', cell: (row) => amount(row, row.fullest?.spent ?? 0) },
          {
            id: 'reserved',
            head: t('money.reserved'),
            isRight: true,
            className: 'w-24 max-lg:hidden',
            cell: (row) => <span className="text-ink-2">{row.fullest && row.fullest.reserved > 0 ? amount(row, row.fullest.reserved) : '–'}</span>,
          },
          {
            id: 'left',
            head: t('money.left'),
            isRight: true,
            className: 'w-24',
            cell: (row) => {
              const left = row.fullest?.left ?? row.limit
              return <span className={left <= 0 ? 'font-medium text-bad' : ''}>{amount(row, Math.max(0, left))}</span>
            },
          },
          {
            id: 'limit',
            head: t('money.limit'),
            isRight: true,
            className: 'w-36 max-sm:hidden',
            cell: (row) => (
              <>
                {amount(row, row.limit)} <span className="text-xs text-ink-3">{t(`money.pers.${row.per}`)}</span>
              </>
            ),
          },
          {
            id: 'refill',
            head: t('money.refill'),
            isRight: true,
            className: 'w-28 max-md:hidden',
            cell: ({ fullest, per }) => (
              <span className="text-xs text-ink-3">
                {fullest?.endsAt ? <Ago at={fullest.endsAt} /> : per === 'total' || per === 'run' ? t('money.never') : '–'}
              </span>
            ),
          },
        ]}
      />
      {isMaking && <BudgetDialog onClose={() => setMaking(false)} />}
    </Section>
  )
}
