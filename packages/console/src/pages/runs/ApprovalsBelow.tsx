import type { Run } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { approvalsBelowQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { ApprovalCard } from '../approvals/ApprovalCard.tsx'

/** What runs that this one has started ask of a person: whoever watches the parent need not look for the child. */
export function ApprovalsBelow({ run }: { run: Run }) {
  const { t } = useTexts()
  const approvals = useQuery(approvalsBelowQuery(run.id))
  const below = approvals.data?.items.filter(({ runId }) => runId !== run.id) ?? []
  if (below.length === 0) return null
  return (
    <section aria-label={t('run.askedBelow')} className="space-y-3">
      <p className="text-sm text-ink-2">{t('run.askedBelow')}</p>
      {below.map((approval) => (
        <ApprovalCard key={approval.id} approval={approval} isLinked />
      ))}
    </section>
  )
}
