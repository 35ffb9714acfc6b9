import type { Deployment } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { deploymentsQuery } from '../../api/agents.ts'
import { useTexts } from '../../i18n/index.ts'
import { EmptyState } from '../../ui/Notes.tsx'
import { StateIcon } from '../../ui/State.tsx'
import { Ago } from '../Moment.tsx'
import { HistorySection } from './HistorySection.tsx'
import { deploymentTones } from './agent-facts.ts'
import { RecordTable } from './RecordTable.tsx'

/** What was deployed when and by whom; a deployment that was taken back shows on what grounds. */
export function DeploymentsList({ agent }: { agent: string }) {
  const { t } = useTexts()
  const [limit, setLimit] = useState(20)
  const query = useQuery({ ...deploymentsQuery(agent, limit), placeholderData: (before) => before })
  return (
    <HistorySection<Deployment>
      id="deployments"
      title={t('agents.history')}
      query={query}
      limit={limit}
      onLimit={setLimit}
      idOf={({ id }) => id}
      empty={<EmptyState title={t('agents.noDeployments')} />}
      detailOf={({ evidence }) =>
        evidence && (
          <div className="space-y-2">
            <p className="text-sm">{t('agents.evidence', { rule: evidence.rule })}</p>
            <RecordTable
              records={[
                { name: t('agents.takenBack'), record: evidence.own, isBad: true },
                { name: t('agents.goesOn'), record: evidence.other },
              ]}
            />
          </div>
        )
      }
      columns={[
        {
          id: 'version',
          head: t('agents.version'),
          className: 'w-30 sm:w-40',
          cell: ({ version }) => <code className="text-xs">{version}</code>,
        },
        {
          id: 'state',
          head: t('runs.state'),
          className: 'sm:w-40',
          cell: ({ state, share }) => (
            <span className="flex items-center gap-2">
              <StateIcon tone={deploymentTones[state]} />
              <span className="truncate">
                {t(`agents.states.${state}`)}
                {share < 100 && ` · ${share} %`}
              </span>
            </span>
          ),
        },
        {
          id: 'reason',
          head: t('agents.why'),
          className: 'max-sm:hidden',
          cell: ({ reason }) => (
            <span className="block truncate text-ink-2" title={reason ?? undefined}>
              {reason ?? '–'}
            </span>
          ),
        },
        {
          id: 'by',
          head: t('agents.by'),
          className: 'w-36 max-lg:hidden',
          cell: ({ madeBy }) => <span className="block truncate text-ink-2">{madeBy}</span>,
        },
        {
          id: 'at',
          head: t('agents.deployed'),
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
