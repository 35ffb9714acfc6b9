import type { Agent } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { runCountsQuery } from '../../api/overview.ts'
import { agentsQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { cx } from '../../ui/cx.ts'
import { formatCount } from '../../ui/format.ts'
import { EmptyState } from '../../ui/Notes.tsx'
import { StateIcon } from '../../ui/State.tsx'
import { coversRow } from '../../ui/Table.tsx'
import { AppLink } from '../AppLink.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'
import { PageHead } from '../PageHead.tsx'
import { agentTones } from './agent-facts.ts'

export function AgentsPage() {
  const { t, locale } = useTexts()
  const agents = useQuery(agentsQuery())
  const counts = useQuery(runCountsQuery())
  const count = (agent: string, isCounted: (state: string) => boolean, field: 'count' | 'sinceCount') =>
    counts.data
      ? formatCount(
          counts.data.items.reduce((sum, one) => sum + (one.agent === agent && isCounted(one.state) ? one[field] : 0), 0),
          locale,
        )
      : '–'
  return (
    <>
      <PageHead title={t('agents.title')} lead={t('agents.lead')} />
      <Listing<Agent>
        label={t('agents.title')}
        query={agents}
        rows={agents.data?.items}
        idOf={({ name }) => name}
        empty={<EmptyState title={t('home.noAgents')}>{t('home.noAgentsText')}</EmptyState>}
        columns={[
          {
            id: 'name',
            head: t('agents.name'),
            className: 'md:w-52',
            cell: ({ name, status }) => (
              <span className="flex items-center gap-2">
                <StateIcon tone={agentTones[status]} />
                <AppLink href={paths.agent(name)} className={cx(coversRow, 'truncate font-medium')}>
                  {name}
                </AppLink>
                <span className="sr-only">{t(`home.${status}`)}</span>
              </span>
            ),
          },
          {
            id: 'description',
            head: t('agents.description'),
            className: 'max-md:hidden',
            cell: ({ manifest, problem }) =>
              problem === null ? (
                <span className="block truncate text-ink-2">{manifest?.description}</span>
              ) : (
                <span className="block truncate text-bad">{problem.split('\n')[0]}</span>
              ),
          },
          { id: 'now', head: t('agents.now'), isRight: true, className: 'w-16', cell: ({ name }) => count(name, isOpen, 'count') },
          { id: 'today', head: t('agents.today'), isRight: true, className: 'w-18 max-sm:hidden', cell: ({ name }) => count(name, () => true, 'sinceCount') },
          {
            id: 'failed',
            head: t('agents.failedToday'),
            isRight: true,
            className: 'w-28 max-lg:hidden',
            cell: ({ name }) => count(name, (state) => state === 'failed', 'sinceCount'),
          },
          {
            id: 'version',
            head: t('agents.version'),
            className: 'w-32 max-sm:hidden',
            cell: ({ version }) => <code className="text-xs text-ink-2">{version}</code>,
          },
          {
            id: 'deployed',
            head: t('agents.deployed'),
            isRight: true,
            className: 'w-28',
            cell: ({ deployedAt }) => (
              <span className="text-xs text-ink-3">
                <Ago at={deployedAt} />
              </span>
            ),
          },
        ]}
      />
    </>
  )
}

const isOpen = (state: string): boolean => state === 'pending' || state === 'running' || state === 'waiting'
