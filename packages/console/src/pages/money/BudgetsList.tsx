import type { Budget, BudgetCounter } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { budgetsQuery } from '../../api/money.ts'
import { useTexts } from '../../i18n/index.ts'
import { formatAmount } from '../../ui/amount.ts'
import { Meter } from '../../ui/Meter.tsx'
import { Ago } from '../Moment.tsx'
import { NamedSection } from '../NamedSection.tsx'
import { BudgetDetail } from './BudgetDetail.tsx'
import { BudgetDialog } from './BudgetDialog.tsx'

type Row = Budget & { fullest: BudgetCounter | null }

export function BudgetsList() {
  const { t, locale } = useTexts()
  const budgets = useQuery(budgetsQuery())
  const amount = (row: Row, value: number) => formatAmount(value, row.unit, locale)
  return (
    <NamedSection<Row>
      id="budgets"
      title={t('money.budgets')}
      query={budgets}
      nameClass="lg:w-44"
      add={t('money.add')}
      permission="money:manage"
      dialog={(onClose) => <BudgetDialog onClose={onClose} />}
      none={{ title: t('money.none'), text: t('money.noneText') }}
      detailOf={(budget) => <BudgetDetail budget={budget} />}
      columns={[
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
  )
}
