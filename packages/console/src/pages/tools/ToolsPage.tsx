import type { Agent, Connection, Tool } from '@longhaul/protocol'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { RefreshCw } from 'lucide-react'
import { useMay, usePermission } from '../../api/permissions.ts'
import { agentsQuery } from '../../api/queries.ts'
import { refreshTools, toolsQuery } from '../../api/tools.ts'
import { useTexts } from '../../i18n/index.ts'
import { patterns } from '../../paths.ts'
import { Button } from '../../ui/Button.tsx'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { Select } from '../../ui/Fields.tsx'
import { EmptyState, Note } from '../../ui/Notes.tsx'
import { Tag } from '../../ui/State.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { Guarded } from '../Guarded.tsx'
import { PageHead } from '../PageHead.tsx'
import { HostedServer, HostedServers } from './HostedServers.tsx'
import { ToolTable } from './ToolTable.tsx'
import { ToolTabs } from './ToolTabs.tsx'

export function ToolsPage() {
  const { t } = useTexts()
  if (useMay()('agents:read') === true) return <Agents />
  return (
    <>
      <PageHead title={t('tools.title')} />
      <Guarded permission="agents:read">{null}</Guarded>
    </>
  )
}

/** The tools of one agent at a time: each has its own, and decides about them by itself. */
function Agents() {
  const { t } = useTexts()
  const search = useSearch({ from: '/shell/tools' })
  const navigate = useNavigate()
  const agents = useQuery(agentsQuery())
  const names = agents.data?.items.map(({ name }) => name).sort() ?? []
  const agent = search.agent ?? names[0]
  const found = agents.data?.items.find(({ name }) => name === agent)
  const hosted = agents.data?.items.filter(({ manifest }) => manifest?.mcp) ?? []
  return (
    <>
      <PageHead
        title={t('tools.title')}
        lead={t('tools.lead')}
        actions={
          agent && (
            <>
              <Select
                label={t('runs.agent')}
                value={agent}
                options={(names.includes(agent) ? names : [agent, ...names]).map((value) => ({ value, label: value }))}
                onChange={(value) => void navigate({ to: patterns.tools, search: { agent: value, tool: undefined } })}
              />
              {!found?.manifest?.mcp && (
                <Refresh key={agent} agent={agent} hasServers={found?.manifest?.connections?.length !== undefined && found.manifest.connections.length > 0} />
              )}
            </>
          )
        }
      />
      <ToolTabs />
      {agents.isError && !agents.data && <RequestError error={agents.error} />}
      {agents.data && !agent && (
        <div className="rounded-lg border border-line bg-surface">
          <EmptyState title={t('home.noAgents')}>{t('home.noAgentsText')}</EmptyState>
        </div>
      )}
      {agent &&
        (found?.manifest?.mcp ? (
          <HostedServer key={agent} server={found} />
        ) : (
          <ToolsOf key={agent} agent={agent} connections={found?.manifest?.connections ?? []} />
        ))}
      {hosted.length > 0 && <HostedServers servers={hosted} />}
    </>
  )
}

function Refresh({ agent, hasServers }: { agent: string; hasServers: boolean }) {
  const { t } = useTexts()
  const mayDeploy = usePermission('agents:deploy')
  const refresh = useMutation({ mutationFn: () => refreshTools(agent) })
  return (
    <>
      <Button
        isBusy={refresh.isPending}
        disabledBecause={!mayDeploy ? t('common.noPermission', { permission: 'agents:deploy' }) : hasServers ? undefined : t('tools.noServers')}
        onClick={() => refresh.mutate()}
      >
        <RefreshCw size={14} aria-hidden />
        {t('tools.refresh')}
      </Button>
      {refresh.isError && (
        <div className="w-full">
          <RequestError error={refresh.error} />
        </div>
      )}
      {refresh.data && refresh.data.length > 0 && (
        <div className="w-full">
          <Note tone="warn" title={t('tools.unanswered')}>
            <ul className="space-y-1 text-sm">
              {refresh.data.map(({ connection, message }) => (
                <li key={connection} className="break-words">
                  <span className="font-medium">{connection}</span> {message}
                </li>
              ))}
            </ul>
          </Note>
        </div>
      )}
    </>
  )
}

type Connections = NonNullable<NonNullable<Agent['manifest']>['connections']>

/** Its own, those that it has of the box, and those of each connection. What waits for somebody comes first. */
function ToolsOf({ agent, connections }: { agent: string; connections: Connections }) {
  const { t } = useTexts()
  const tools = useQuery(toolsQuery(agent))
  const items = tools.data?.items
  const unauthorized = tools.data?.problems.map(({ connection }) => connection) ?? []
  const waiting = items?.filter(({ state }) => state === 'changed' || state === 'added').length ?? 0
  const groups = [
    { id: 'own', title: t('tools.kinds.own'), rows: items?.filter(({ kind }) => kind === 'own') },
    { id: 'stock', title: t('tools.kinds.stock'), rows: items?.filter(({ kind }) => kind === 'stock') },
    ...connections.map(({ name, connection }) => ({
      id: `connection ${name}`,
      title: name,
      kind: t(`tools.kinds.${connection.kind}`),
      about: aboutOf(connection),
      waits: unauthorized.includes(name),
      rows: items?.filter((tool) => tool.connection === name),
    })),
  ]
  if (tools.isError && !items) return <RequestError error={tools.error} action={<Button onClick={() => void tools.refetch()}>{t('admin.again')}</Button>} />
  if (items?.length === 0 && connections.length === 0)
    return (
      <div className="rounded-lg border border-line bg-surface">
        <EmptyState title={t('tools.empty', { agent })}>{t('tools.emptyText')}</EmptyState>
      </div>
    )
  return (
    <div className="space-y-8">
      {waiting > 0 && (
        <Note tone="warn" title={t('tools.waiting', { count: waiting })}>
          <p className="text-sm text-ink-2">{t('tools.waitingText')}</p>
        </Note>
      )}
      {groups
        .filter(({ id, rows }) => (rows === undefined ? id === 'own' : rows.length > 0 || id.startsWith('connection ')))
        .map((group) => (
          <section key={group.id} aria-label={group.title}>
            <h2 className="mb-2 flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1 font-semibold">
              {group.title}
              {'kind' in group && <Tag>{group.kind}</Tag>}
              {'waits' in group && group.waits && <Tag tone="warn">{t('tools.unauthorized')}</Tag>}
              {'about' in group && <span className="min-w-0 truncate font-mono text-xs font-normal text-ink-3">{group.about}</span>}
            </h2>
            {'waits' in group && group.waits && <Authorize agent={agent} connection={group.title} />}
            <ToolTable tools={group.rows as readonly Tool[] | undefined} label={group.title} query={tools} />
          </section>
        ))}
    </div>
  )
}

/** A person is sent back to a program on their own machine, so it begins there. */
function Authorize({ agent, connection }: { agent: string; connection: string }) {
  const { t } = useTexts()
  const command = `npx longhaul tools authorize ${agent} ${connection}`
  return (
    <div className="mb-2 text-sm text-ink-2">
      <p>{t('tools.unauthorizedText')}</p>
      <p className="flex min-w-0 items-center gap-1">
        <code className="min-w-0 text-xs break-all">{command}</code>
        <CopyButton isIconOnly getText={() => command} words={{ label: t('tools.copyCommand', { name: connection }), done: t('common.copied') }} />
      </p>
    </div>
  )
}

function aboutOf(connection: Connection): string {
  if (connection.kind === 'mcp') return connection.url
  if (connection.kind === 'marketplace') return connection.entry
  return connection.kind === 'openapi' ? connection.document : [connection.command, ...connection.args].join(' ')
}
