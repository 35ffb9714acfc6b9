import { approvalStates } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { approvalsQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths, patterns } from '../../paths.ts'
import { buttonClass } from '../../ui/Button.tsx'
import { Segmented } from '../../ui/Fields.tsx'
import { EmptyState, Skeleton } from '../../ui/Notes.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { ApprovalCard } from './ApprovalCard.tsx'

const filters = ['pending', 'approved', 'denied', 'all'] as const

export function ApprovalsPage() {
  const { t } = useTexts()
  const search = useSearch({ from: '/shell/approvals' })
  const navigate = useNavigate()
  const filter = filters.find((one) => one === search.state) ?? 'pending'
  const approvals = useQuery(
    approvalsQuery(
      approvalStates.find((one) => one === filter),
      search.cursor,
    ),
  )
  return (
    <div className="max-w-3xl">
      <div className="mb-4 flex flex-wrap items-center justify-between gap-3">
        <h1 className="text-2xl font-semibold tracking-tight">{t('approvals.title')}</h1>
        <Segmented
          label={t('approvals.filter')}
          value={filter}
          options={filters.map((value) => ({ value, label: value === 'all' ? t('common.all') : t(`wait.${value}`) }))}
          onChange={(state) =>
            void navigate({ to: patterns.approvals, search: { state: state === 'pending' ? undefined : state, cursor: undefined }, replace: true })
          }
        />
      </div>
      {approvals.isError && !approvals.data && <RequestError error={approvals.error} />}
      {approvals.isPending && <Skeleton className="h-40" />}
      {approvals.data?.items.length === 0 && (
        <div className="rounded-lg border border-line bg-surface">
          {filter === 'pending' ? (
            <EmptyState title={t('approvals.emptyPending')}>{t('approvals.emptyPendingText')}</EmptyState>
          ) : (
            <EmptyState title={t('approvals.empty')} />
          )}
        </div>
      )}
      <div className="space-y-4">
        {approvals.data?.items.map((approval) => (
          <ApprovalCard key={approval.id} approval={approval} isLinked />
        ))}
      </div>
      <nav aria-label={t('approvals.title')} className="mt-4 flex justify-end gap-2">
        {search.cursor && (
          <AppLink href={paths.approvals({ state: search.state })} className={buttonClass('secondary', 'sm')}>
            {t('common.newer')}
          </AppLink>
        )}
        {approvals.data?.next && (
          <AppLink href={paths.approvals({ state: search.state, cursor: approvals.data.next })} className={buttonClass('secondary', 'sm')}>
            {t('common.older')}
          </AppLink>
        )}
      </nav>
    </div>
  )
}
