import type { Evaluation } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { evaluationsQuery } from '../../api/versions.ts'
import { useTexts } from '../../i18n/index.ts'
import { EmptyState } from '../../ui/Notes.tsx'
import { Ago } from '../Moment.tsx'
import { HistorySection } from './HistorySection.tsx'

/** What evaluations found of this agent's versions, newest first. */
export function EvaluationsList({ agent }: { agent: string }) {
  const { t } = useTexts()
  const [limit, setLimit] = useState(10)
  const query = useQuery({ ...evaluationsQuery(agent, limit), placeholderData: (before) => before })
  return (
    <HistorySection<Evaluation>
      id="evaluations"
      title={t('agents.evaluations')}
      query={query}
      limit={limit}
      onLimit={setLimit}
      idOf={({ id }) => id}
      empty={<EmptyState title={t('agents.noEvaluations')}>{t('agents.noEvaluationsText')}</EmptyState>}
      columns={[
        { id: 'suite', head: t('agents.suite'), className: 'w-36 sm:w-48', cell: ({ suite }) => <span className="block truncate font-medium">{suite}</span> },
        {
          id: 'passed',
          head: t('agents.passed'),
          className: 'w-32 sm:w-44',
          cell: ({ passedCount, caseCount }) => {
            const text = t('agents.passedOf', { passed: passedCount, count: caseCount })
            return (
              <span className="flex items-center gap-3" title={text}>
                <span aria-hidden className="flex h-1.5 w-14 overflow-hidden rounded-sm bg-bad/30 sm:w-20">
                  <span className="h-full bg-ink-3" style={{ width: `${(passedCount / caseCount) * 100}%` }} />
                </span>
                <span className="text-xs tabular-nums">{`${passedCount} / ${caseCount}`}</span>
              </span>
            )
          },
        },
        { id: 'version', head: t('agents.version'), className: 'w-32 max-sm:hidden', cell: ({ version }) => <code className="text-xs">{version}</code> },
        {
          id: 'failed',
          head: t('agents.failedCases'),
          className: 'max-lg:hidden',
          cell: ({ failedCases }) => (
            <span className="block truncate text-xs text-ink-2" title={failedCases.join(', ')}>
              {failedCases.join(', ') || '–'}
            </span>
          ),
        },
        {
          id: 'at',
          head: t('agents.asked'),
          isRight: true,
          className: 'w-28',
          cell: ({ createdAt }) => (
            <span className="text-xs text-ink-3">
              <Ago at={createdAt} />
            </span>
          ),
        },
      ]}
    />
  )
}
