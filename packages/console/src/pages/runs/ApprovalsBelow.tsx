import type { Run } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { approvalsBelowQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { ApprovalCard } from '../approvals/ApprovalCard.tsx'

/**
 * What runs that this one has started ask of a person: whoever watches the parent need not look for the child. And what it asks itself besides what it is
 * said to wait for: while its program goes on, or of several at once.
 */
export function ApprovalsBelow({ run }: { run: Run }) {
  const { t } = useTexts()
  const approvals = useQuery(approvalsBelowQuery(run.id))
  const pending = approvals.data?.items ?? []
  const own = pending.filter(({ id, runId }) => runId === run.id && id !== run.wait?.approvalId)
  const below = pending.filter(({ runId }) => runId !== run.id)
  return (
    <>
      {own.map((approval) => (
        <ApprovalCard key={approval.id} approval={approval} />
      ))}
      {below.length > 0 && (
        <section aria-label={t('run.askedBelow')} className="space-y-3">
          <p className="text-sm text-ink-2">{t('run.askedBelow')}</p>
          {below.map((approval) => (
            <ApprovalCard key={approval.id} approval={approval} isLinked />
          ))}
        </section>
      )}
    </>
  )
}
