import type { Agent } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { ApiError } from '@longhaul/sdk/client'
import { CirclePlay, CircleStop, MessagesSquare } from 'lucide-react'
import { useState } from 'react'
import { agentQuery } from '../../api/agents.ts'
import { client } from '../../api/client.ts'
import { stopsQuery } from '../../api/overview.ts'
import { usePermission } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Button, buttonClass } from '../../ui/Button.tsx'
import { Field } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { Note, Skeleton } from '../../ui/Notes.tsx'
import { StateBadge } from '../../ui/State.tsx'
import { ActionDialog } from '../ActionDialog.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { Ago } from '../Moment.tsx'
import { PageHead } from '../PageHead.tsx'
import { SchedulesList } from '../schedules/SchedulesList.tsx'
import { agentTones } from './agent-facts.ts'
import { Definition } from './Definition.tsx'
import { DeploymentsList } from './DeploymentsList.tsx'
import { EvaluationsList } from './EvaluationsList.tsx'
import { HooksList } from './HooksList.tsx'
import { PreviewsList } from './PreviewsList.tsx'
import { Traffic } from './Traffic.tsx'
import { VersionsList } from './VersionsList.tsx'

/** One agent: which version its new runs get, all its versions, what was deployed when, and when it starts by itself. */
export function AgentPage() {
  const { t } = useTexts()
  const { agent: name } = useParams({ from: '/shell/agents/$agent' })
  const agent = useQuery(agentQuery(name))
  if (agent.isPending) return <Skeleton className="h-96" />
  if (!agent.data) {
    const isMissing = agent.error instanceof ApiError && (agent.error.code === 'not_found' || agent.error.code === 'invalid')
    return <RequestError error={agent.error} {...(isMissing ? { title: t('agents.missing') } : {})} />
  }
  return (
    <div className="space-y-8">
      <div>
        <Head agent={agent.data} />
        <StopNote agent={name} />
        {agent.data.problem !== null && (
          <Note tone="warn" title={t('home.brokenTitle', { agent: name })}>
            <pre className="max-h-48 overflow-auto text-xs whitespace-pre-wrap">{agent.data.problem}</pre>
          </Note>
        )}
      </div>
      <Traffic agent={name} />
      <VersionsList agent={name} />
      <DeploymentsList agent={name} />
      <PreviewsList agent={name} />
      <EvaluationsList agent={name} />
      <SchedulesList agent={name} />
      <HooksList agent={name} />
      {agent.data.manifest && <Definition manifest={agent.data.manifest} />}
    </div>
  )
}

function Head({ agent }: { agent: Agent }) {
  const { t } = useTexts()
  const [isStopping, setStopping] = useState(false)
  const mayStop = usePermission('runs:stop')
  const stop = useStopOf(agent.name)
  const blocked = !mayStop ? t('common.noPermission', { permission: 'runs:stop' }) : stop ? t('agents.isStopped') : undefined
  return (
    <PageHead
      title={agent.name}
      lead={agent.manifest?.description}
      actions={
        <>
          <StateBadge tone={agentTones[agent.status]}>{t(`home.${agent.status}`)}</StateBadge>
          <AppLink href={paths.runs({ agent: agent.name })} className={buttonClass('secondary')}>
            {t('runs.title')}
          </AppLink>
          <AppLink href={paths.chat({ agent: agent.name })} className={buttonClass('secondary')}>
            <MessagesSquare size={14} aria-hidden />
            {t('chat.title')}
          </AppLink>
          <Button look="danger" disabledBecause={blocked} onClick={() => setStopping(true)}>
            <CircleStop size={14} aria-hidden />
            {t('agents.stop')}
          </Button>
          {isStopping && <StopDialog agent={agent.name} onClose={() => setStopping(false)} />}
        </>
      }
    />
  )
}

function StopDialog({ agent, onClose }: { agent: string; onClose: () => void }) {
  const { t } = useTexts()
  const [reason, setReason] = useState('')
  return (
    <ActionDialog
      title={t('agents.stopTitle', { agent })}
      action={t('agents.stop')}
      isDangerous
      changes={['stops', 'runs', 'attention']}
      act={() => client.stops.create({ agent, ...(reason.trim() ? { reason: reason.trim() } : {}) })}
      onClose={onClose}
    >
      <p className="text-sm text-ink-2">{t('agents.stopText')}</p>
      <Field label={t('agents.reason')}>
        {(ids) => <TextInput {...ids} value={reason} maxLength={500} onChange={(event) => setReason(event.target.value)} />}
      </Field>
    </ActionDialog>
  )
}

/** The stop that holds all runs of an agent: its own, or that of everything. */
function useStopOf(agent: string) {
  const stops = useQuery(stopsQuery())
  return stops.data?.items.find((stop) => stop.runId === null && (stop.agent === agent || (stop.agent === null && stop.namespace === null)))
}

function StopNote({ agent }: { agent: string }) {
  const { t } = useTexts()
  const stop = useStopOf(agent)
  const mayStop = usePermission('runs:stop')
  const [isLifting, setLifting] = useState(false)
  if (!stop) return null
  return (
    <div className="mb-4">
      <Note
        tone="warn"
        title={t(stop.agent === null ? 'agents.allStopped' : 'agents.stopped', { agent })}
        action={
          <Button disabledBecause={mayStop ? undefined : t('common.noPermission', { permission: 'runs:stop' })} onClick={() => setLifting(true)}>
            <CirclePlay size={14} aria-hidden />
            {t('agents.resume')}
          </Button>
        }
      >
        <p className="text-sm text-ink-2">
          {t('agents.stoppedBy', { name: stop.stoppedBy })} <Ago at={stop.stoppedAt} />
          {stop.reason && <q className="ml-2 text-ink">{stop.reason}</q>}
        </p>
      </Note>
      {isLifting && (
        <ActionDialog
          title={t('agents.resumeTitle')}
          action={t('agents.resume')}
          changes={['stops', 'runs', 'attention']}
          act={() => client.stops.lift({ stopId: stop.id })}
          onClose={() => setLifting(false)}
        >
          <p className="text-sm text-ink-2">{t('agents.resumeText')}</p>
        </ActionDialog>
      )}
    </div>
  )
}
