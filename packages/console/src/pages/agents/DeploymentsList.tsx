import type { Deployment } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { deploymentsQuery } from '../../api/agents.ts'
import { useTexts } from '../../i18n/index.ts'
import { Button } from '../../ui/Button.tsx'
import { EmptyState } from '../../ui/Notes.tsx'
import { Section } from '../../ui/Page.tsx'
import { StateIcon } from '../../ui/State.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'
import { deploymentTones } from './agent-facts.ts'
import { RecordTable } from './RecordTable.tsx'

const step = 20

/** What was deployed when and by whom; a deployment that was taken back shows on what grounds. */
export function DeploymentsList({ agent }: { agent: string }) {
  const { t } = useTexts()
  const [limit, setLimit] = useState(step)
  const deployments = useQuery({ ...deploymentsQuery(agent, limit), placeholderData: (before) => before })
  return (
    <Section id="deployments" title={t('agents.history')}>
      <Listing<Deployment>
        label={t('agents.history')}
        query={deployments}
        rows={deployments.data?.items}
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
      {deployments.data?.next && limit < 200 && (
        <div className="mt-3 flex justify-end">
          <Button size="sm" onClick={() => setLimit(Math.min(200, limit + 40))}>
            {t('agents.showOlder')}
          </Button>
        </div>
      )}
    </Section>
  )
}
