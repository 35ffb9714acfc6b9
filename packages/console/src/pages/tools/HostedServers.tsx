import type { Agent, AuditEntry } from '@longhaul/protocol'
import { useMutation, useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { askHostedTools, hostedAddress, hostedCallsQuery } from '../../api/hosted.ts'
import { stopsQuery } from '../../api/overview.ts'
import { useMay, usePermission } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Button } from '../../ui/Button.tsx'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { StateBadge, StateIcon } from '../../ui/State.tsx'
import type { Tone } from '../../ui/State.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { Ago } from '../Moment.tsx'

type HostedState = 'ready' | 'starting' | 'broken' | 'stopped'
const tones: Record<HostedState, Tone> = { ready: 'usual', starting: 'active', broken: 'bad', stopped: 'warn' }

/** All of them, each with its address; its name leads to what it has. */
export function HostedServers({ servers }: { servers: readonly Agent[] }) {
  const { t } = useTexts()
  return (
    <section aria-label={t('tools.hosted')} className="mt-10">
      <h2 className="mb-2 font-semibold">{t('tools.hosted')}</h2>
      <ul className="divide-y divide-line border-y border-line">
        {servers.map((server) => (
          <li key={server.name} className="flex min-h-10 flex-wrap items-center gap-x-4 gap-y-1 px-1.5 py-1 text-sm">
            <ServerState server={server} isIconOnly />
            <AppLink href={paths.tools({ agent: server.name })} className="rounded-sm font-medium hover:underline">
              {server.name}
            </AppLink>
            <span className="min-w-0 flex-1 truncate text-ink-2">{server.manifest?.description}</span>
            <Address name={server.name} />
          </li>
        ))}
      </ul>
    </section>
  )
}

/** How clients reach it, what it offers them, and what they have called. */
export function HostedServer({ server }: { server: Agent }) {
  const { t } = useTexts()
  const may = useMay()
  const { name, version, manifest, problem } = server
  return (
    <div className="space-y-6">
      <p className="max-w-3xl">{manifest?.description}</p>
      <dl className="grid grid-cols-[7rem_minmax(0,1fr)] items-center gap-x-4 gap-y-2 text-sm">
        <Fact name={t('tools.state')}>
          <ServerState server={server} />
        </Fact>
        <Fact name={t('marketplace.address')}>
          <Address name={name} />
        </Fact>
        <Fact name={t('tools.hostedVersion')}>
          <AppLink href={paths.agent(name)} className="rounded-sm font-mono text-accent hover:underline">
            {version}
          </AppLink>
        </Fact>
      </dl>
      {problem !== null && <pre className="max-h-48 overflow-auto text-xs whitespace-pre-wrap">{problem}</pre>}
      <Offered name={name} />
      {may('audit:read') && <Calls name={name} />}
    </div>
  )
}

function Address({ name }: { name: string }) {
  const { t } = useTexts()
  return (
    <span className="flex max-w-full min-w-0 items-center gap-1">
      <code className="truncate text-xs">{hostedAddress(name)}</code>
      <CopyButton isIconOnly getText={() => hostedAddress(name)} words={{ label: t('tools.copyAddress', { name }), done: t('common.copied') }} />
    </span>
  )
}

function ServerState({ server: { name, status }, isIconOnly = false }: { server: Agent; isIconOnly?: boolean }) {
  const { t } = useTexts()
  const stops = useQuery(stopsQuery())
  const isStopped = stops.data?.items.some(({ agent, runId, namespace }) => runId === null && namespace === null && (agent === null || agent === name)) === true
  const state: HostedState = isStopped ? 'stopped' : status
  const text = t(`tools.hostedStates.${state}`)
  if (!isIconOnly) return <StateBadge tone={tones[state]}>{text}</StateBadge>
  return (
    <>
      <StateIcon tone={tones[state]} />
      <span className="sr-only">{text}</span>
    </>
  )
}

/** Only the program itself knows, and asking starts one. */
function Offered({ name }: { name: string }) {
  const { t } = useTexts()
  const mayCall = usePermission('tools:call')
  const ask = useMutation({ mutationFn: () => askHostedTools(name) })
  return (
    <section aria-label={t('tools.hostedTools')}>
      <h2 className="mb-2 flex items-center gap-3 font-semibold">
        {t('tools.hostedTools')}
        <Button
          size="sm"
          isBusy={ask.isPending}
          disabledBecause={mayCall ? undefined : t('common.noPermission', { permission: 'tools:call' })}
          onClick={() => ask.mutate()}
        >
          {t('tools.hostedAsk')}
        </Button>
      </h2>
      {ask.isError && <RequestError error={ask.error} />}
      {!ask.data && !ask.isError && <p className="text-sm text-ink-3">{t('tools.hostedAskText')}</p>}
      {ask.data?.length === 0 && <p className="text-sm text-ink-3">{t('tools.hostedNoTools')}</p>}
      <dl className="space-y-1.5 text-sm">
        {ask.data?.map((tool) => (
          <div key={tool.name} className="flex flex-wrap gap-x-4">
            <dt className="font-mono text-xs font-medium">{tool.name}</dt>
            <dd className="min-w-0 text-ink-2">{tool.description}</dd>
          </div>
        ))}
      </dl>
    </section>
  )
}

function Calls({ name }: { name: string }) {
  const { t } = useTexts()
  const calls = useQuery(hostedCallsQuery(name))
  return (
    <section aria-label={t('tools.hostedCalls')}>
      <h2 className="mb-2 flex items-center gap-3 font-semibold">
        {t('tools.hostedCalls')}
        <AppLink href={paths.audit({ action: 'tools.call' })} className="rounded-sm text-sm font-normal text-accent hover:underline">
          {t('admin.nav.audit')}
        </AppLink>
      </h2>
      {calls.isError && <RequestError error={calls.error} />}
      {calls.data?.length === 0 && <p className="text-sm text-ink-3">{t('tools.hostedNoCalls')}</p>}
      <ul className="space-y-1 text-sm">
        {calls.data?.map((call) => (
          <Call key={call.seq} call={call} />
        ))}
      </ul>
    </section>
  )
}

function Call({ call: { target, who, outcome, at } }: { call: AuditEntry }) {
  const { t } = useTexts()
  return (
    <li className="flex flex-wrap items-center gap-x-3">
      <StateIcon tone={outcome === 'done' ? 'usual' : 'bad'} />
      <span className="sr-only">{t(`audit.outcomes.${outcome}`)}</span>
      <span className="font-mono text-xs">{target}</span>
      <span className="text-ink-2">{who.name}</span>
      <span className="text-ink-3">
        <Ago at={at} />
      </span>
    </li>
  )
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="contents">
      <dt className="text-ink-2">{name}</dt>
      <dd className="min-w-0">{children}</dd>
    </div>
  )
}
