import { useNavigate, useSearch } from '@tanstack/react-router'
import { useQuery } from '@tanstack/react-query'
import type { Agent } from '@longhaul/protocol'
import { useMay } from '../../api/permissions.ts'
import { agentsQuery, systemQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { patterns } from '../../paths.ts'
import { EmptyState, Note, Skeleton } from '../../ui/Notes.tsx'
import { Frame, Section } from '../../ui/Page.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { PageHead } from '../PageHead.tsx'
import { AgentPicker } from './AgentPicker.tsx'
import { AskForm } from './AskForm.tsx'
import { BudgetsToday } from './BudgetsToday.tsx'
import { Failed, RecentRuns, Waiting } from './RunLists.tsx'
import { Health } from './Health.tsx'
import { LastDeployments } from './LastDeployments.tsx'
import { Today } from './Today.tsx'

/** How things are, what waits for the visitor, and the place to ask. */
export function HomePage() {
  const { t } = useTexts()
  const may = useMay()
  return (
    <div className="space-y-7">
      <div>
        <PageHead title={t('overview.title')} actions={<Health />} />
        <Today />
      </div>
      <div className="grid gap-x-12 gap-y-8 lg:grid-cols-[minmax(0,1fr)_21rem]">
        <div className="min-w-0 space-y-8">
          <Ask />
          <Waiting />
          <Failed />
        </div>
        <div className="min-w-0 space-y-8">
          {may('money:read') && <BudgetsToday />}
          {may('agents:read') && <LastDeployments />}
          <RecentRuns />
        </div>
      </div>
    </div>
  )
}

function Ask() {
  const { t } = useTexts()
  const agents = useQuery(agentsQuery())
  const { data: system } = useQuery(systemQuery())
  const search = useSearch({ from: '/shell/' })
  const navigate = useNavigate()
  const agent = choose(agents.data?.items, search.agent)
  return (
    <Section id="ask" title={t('home.title')}>
      {agents.isPending && <Skeleton className="h-56" />}
      {agents.isError && !agents.data && <RequestError error={agents.error} />}
      {agents.data?.items.length === 0 && (
        <Frame>
          <EmptyState title={t('home.noAgents')}>{t('home.noAgentsText')}</EmptyState>
        </Frame>
      )}
      {agents.data && agent && (
        <div className="space-y-3">
          <AgentPicker
            agents={agents.data.items}
            chosen={agent}
            onChoose={(name) => void navigate({ to: patterns.home, search: { ...search, agent: name }, replace: true, resetScroll: false })}
          />
          {agent.status === 'broken' && (
            <Note tone="warn" title={t('home.brokenTitle', { agent: agent.name })}>
              <pre className="max-h-48 overflow-auto text-xs whitespace-pre-wrap">{agent.problem}</pre>
              <p className="text-sm text-ink-2">{t('home.brokenText')}</p>
            </Note>
          )}
          <AskForm key={agent.name} agent={agent} initialQuestion={search.question ?? ''} isOffline={system?.models.offline ?? false} />
        </div>
      )}
    </Section>
  )
}

/** The one in the address, or the first that can be asked. */
function choose(agents: readonly Agent[] | undefined, name: string | undefined): Agent | undefined {
  return agents?.find((one) => one.name === name) ?? agents?.find((one) => one.status === 'ready') ?? agents?.[0]
}
