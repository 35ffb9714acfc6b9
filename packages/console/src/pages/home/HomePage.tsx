import { useNavigate, useSearch } from '@tanstack/react-router'
import { useQuery } from '@tanstack/react-query'
import type { Agent } from '@longhaul/protocol'
import { agentsQuery, systemQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { patterns } from '../../paths.ts'
import { EmptyState, Note, Skeleton } from '../../ui/Notes.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { AgentCards } from './AgentCards.tsx'
import { AskForm } from './AskForm.tsx'
import { RecentRuns } from './RecentRuns.tsx'

export function HomePage() {
  const { t } = useTexts()
  const agents = useQuery(agentsQuery())
  const { data: system } = useQuery(systemQuery())
  const search = useSearch({ from: '/shell/' })
  const navigate = useNavigate()
  const agent = choose(agents.data?.items, search.agent)
  return (
    <div className="grid gap-x-12 gap-y-10 lg:grid-cols-[minmax(0,1fr)_22rem] xl:grid-cols-[minmax(0,1fr)_26rem]">
      <div className="min-w-0 space-y-6">
        <div>
          <h1 className="text-2xl font-semibold tracking-tight">{t('home.title')}</h1>
          <p className="mt-1 text-ink-2">{t('home.lead')}</p>
        </div>
        {agents.isPending && <FormSkeleton />}
        {agents.isError && !agents.data && <RequestError error={agents.error} />}
        {agents.data?.items.length === 0 && <EmptyState title={t('home.noAgents')}>{t('home.noAgentsText')}</EmptyState>}
        {agents.data && agent && (
          <>
            <AgentCards
              agents={agents.data.items}
              chosen={agent.name}
              onChoose={(name) => void navigate({ to: patterns.home, search: { ...search, agent: name }, replace: true, resetScroll: false })}
            />
            {agent.status === 'broken' && (
              <Note tone="warn" title={t('home.brokenTitle', { agent: agent.name })}>
                <pre className="max-h-48 overflow-auto text-xs whitespace-pre-wrap">{agent.problem}</pre>
                <p className="text-sm text-ink-2">{t('home.brokenText')}</p>
              </Note>
            )}
            <AskForm key={agent.name} agent={agent} initialQuestion={search.question ?? ''} isOffline={system?.models.offline ?? false} />
          </>
        )}
      </div>
      <RecentRuns />
    </div>
  )
}

/** The one in the address, or the first that can be asked. */
function choose(agents: readonly Agent[] | undefined, name: string | undefined): Agent | undefined {
  return agents?.find((one) => one.name === name) ?? agents?.find((one) => one.status === 'ready') ?? agents?.[0]
}

function FormSkeleton() {
  return (
    <div className="space-y-6">
      <div className="grid gap-3 sm:grid-cols-2">
        <Skeleton className="h-[88px]" />
        <Skeleton className="h-[88px]" />
      </div>
      <Skeleton className="h-36" />
    </div>
  )
}
