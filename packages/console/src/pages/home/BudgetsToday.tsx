import { useQuery } from '@tanstack/react-query'
import { budgetsQuery } from '../../api/money.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { formatAmount } from '../../ui/amount.ts'
import { Meter } from '../../ui/Meter.tsx'
import { Skeleton } from '../../ui/Notes.tsx'
import { Section } from '../../ui/Page.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'

const shownMax = 5

/** The budgets that are nearest to their limits. */
export function BudgetsToday() {
  const { t, locale } = useTexts()
  const budgets = useQuery(budgetsQuery())
  const taken = ({ limit, fullest }: { limit: number; fullest: { spent: number } | null }) => (limit > 0 ? (fullest?.spent ?? 0) / limit : 1)
  const shown = budgets.data?.items.toSorted((one, other) => taken(other) - taken(one)).slice(0, shownMax)
  return (
    <Section
      id="budgets"
      title={t('money.budgets')}
      aside={
        <AppLink href={paths.budgets()} className="rounded-sm text-accent hover:underline">
          {t('overview.all')}
          <span className="sr-only"> {t('money.budgets')}</span>
        </AppLink>
      }
    >
      {budgets.isError && !budgets.data && <RequestError error={budgets.error} />}
      {budgets.isPending && <Skeleton className="h-16" />}
      {shown?.length === 0 && <p className="border-y border-line py-3 text-sm text-ink-3">{t('money.noneText')}</p>}
      <ul className="space-y-3 empty:hidden">
        {shown?.map(({ name, unit, limit, per, fullest }) => {
          const spent = fullest?.spent ?? 0
          const text = t('money.ofLimit', { spent: formatAmount(spent, unit, locale), limit: formatAmount(limit, unit, locale) })
          return (
            <li key={name} className="space-y-1">
              <p className="flex items-baseline justify-between gap-3 text-sm">
                <span className="min-w-0 truncate">{name}</span>
                <span className="shrink-0 text-xs text-ink-2">
                  {text} <span className="text-ink-3">· {t(`money.pers.${per}`)}</span>
                </span>
              </p>
              <Meter used={spent} reserved={fullest?.reserved ?? 0} limit={limit} text={text} />
            </li>
          )
        })}
      </ul>
    </Section>
  )
}
