import { useQueries, useQuery } from '@tanstack/react-query'
import { deploymentsQuery } from '../../api/agents.ts'
import { agentsQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Skeleton } from '../../ui/Notes.tsx'
import { Section } from '../../ui/Page.tsx'
import { StateIcon } from '../../ui/State.tsx'
import { deploymentTones } from '../agents/agent-facts.ts'
import { AppLink } from '../AppLink.tsx'
import { Ago } from '../Moment.tsx'

/** Each is asked of its agent: of many agents, those whose live version is the newest. */
const agentsMax = 8
const shownMax = 5

export function LastDeployments() {
  const { t } = useTexts()
  const agents = useQuery(agentsQuery())
  const newest = agents.data?.items.toSorted((one, other) => other.deployedAt.localeCompare(one.deployedAt)).slice(0, agentsMax) ?? []
  const lists = useQueries({ queries: newest.map(({ name }) => deploymentsQuery(name, shownMax)) })
  const isLoading = agents.isPending || lists.some(({ isPending }) => isPending)
  const shown = lists
    .flatMap(({ data }) => data?.items ?? [])
    .toSorted((one, other) => other.createdAt.localeCompare(one.createdAt))
    .slice(0, shownMax)
  return (
    <Section id="deployments" title={t('overview.deployments')}>
      {isLoading && <Skeleton className="h-24" />}
      {!isLoading && shown.length === 0 && <p className="border-y border-line py-3 text-sm text-ink-3">{t('home.noAgentsText')}</p>}
      {!isLoading && shown.length > 0 && (
        <ul className="divide-y divide-line border-y border-line">
          {shown.map(({ id, agent, version, state, createdAt, share }) => (
            <li key={id}>
              <AppLink href={paths.agent(agent)} className="flex h-9 items-center gap-2.5 px-1.5 text-sm hover:bg-hover">
                <StateIcon tone={deploymentTones[state]} />
                <span className="min-w-0 truncate">{agent}</span>
                <code className="text-xs text-ink-3">{version.slice(0, 7)}</code>
                <span className="text-xs whitespace-nowrap text-ink-3">
                  {t(`agents.states.${state}`)}
                  {state === 'canary' && ` ${share} %`}
                </span>
                <span className="ml-auto text-xs whitespace-nowrap text-ink-3">
                  <Ago at={createdAt} />
                </span>
              </AppLink>
            </li>
          ))}
        </ul>
      )}
    </Section>
  )
}
