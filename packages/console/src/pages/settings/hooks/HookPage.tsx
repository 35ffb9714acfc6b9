import { hookOutcomes } from '@longhaul/protocol/plain'
import type { Hook, HookDelivery } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useParams, useRouter, useSearch } from '@tanstack/react-router'
import { CirclePause, CirclePlay, Pencil, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { client } from '../../../api/client.ts'
import { hookAddress, hookDeliveriesQuery, hookQuery } from '../../../api/hooks.ts'
import { usePermission } from '../../../api/permissions.ts'
import { useTexts } from '../../../i18n/index.ts'
import type { Translate } from '../../../i18n/index.ts'
import { paths, patterns } from '../../../paths.ts'
import { Button } from '../../../ui/Button.tsx'
import { CopyButton } from '../../../ui/CopyButton.tsx'
import { cx } from '../../../ui/cx.ts'
import { Select } from '../../../ui/Fields.tsx'
import { EmptyState, Note, Skeleton } from '../../../ui/Notes.tsx'
import { Section } from '../../../ui/Page.tsx'
import { StateIcon } from '../../../ui/State.tsx'
import type { Tone } from '../../../ui/State.tsx'
import { coversRow } from '../../../ui/Table.tsx'
import { ActionDialog } from '../../ActionDialog.tsx'
import { AppLink } from '../../AppLink.tsx'
import { RequestError } from '../../ErrorPages.tsx'
import { Listing } from '../../Listing.tsx'
import { Ago } from '../../Moment.tsx'
import { Facts } from '../../runs/detail/parts.tsx'
import { SettingsFrame } from '../SettingsFrame.tsx'
import { ChannelFacts } from './ChannelFacts.tsx'
import { toDraft } from './hook-draft.ts'
import { HookDialog } from './HookDialog.tsx'

/** One hook: its address, what it does with what comes, and what became of that. */
export function HookPage() {
  const { name } = useParams({ from: '/shell/settings/hooks/$name' })
  const hook = useQuery(hookQuery(name))
  return (
    <SettingsFrame section="hooks" title={name} actions={hook.data && <HookActions hook={hook.data} />}>
      {hook.isPending && <Skeleton className="h-96" />}
      {hook.isError && !hook.data && <RequestError error={hook.error} />}
      {hook.data && (
        <div className="space-y-8">
          <HookFacts hook={hook.data} />
          <Deliveries name={name} />
        </div>
      )}
    </SettingsFrame>
  )
}

function HookActions({ hook }: { hook: Hook }) {
  const { t } = useTexts()
  const router = useRouter()
  const mayManage = usePermission('hooks:manage')
  const [open, setOpen] = useState<'change' | 'pause' | 'delete'>()
  const close = () => setOpen(undefined)
  const blocked = mayManage ? undefined : t('common.noPermission', { permission: 'hooks:manage' })
  const declared = hook.fromVersion === null ? undefined : t('hooks.fromFolder', { agent: hook.agent, version: hook.fromVersion })
  const turning = hook.isPaused ? 'resume' : 'pause'
  return (
    <>
      <Button disabledBecause={blocked ?? declared} onClick={() => setOpen('change')}>
        <Pencil size={13} aria-hidden />
        {t('hooks.change')}
      </Button>
      <Button disabledBecause={blocked} onClick={() => setOpen('pause')}>
        {hook.isPaused ? <CirclePlay size={14} aria-hidden /> : <CirclePause size={14} aria-hidden />}
        {t(`hooks.${turning}`)}
      </Button>
      <Button look="danger" disabledBecause={blocked ?? declared} onClick={() => setOpen('delete')}>
        <Trash2 size={13} aria-hidden />
        {t('hooks.delete')}
      </Button>
      {open === 'change' && <HookDialog hook={hook} onMade={close} onClose={close} />}
      {open === 'pause' && (
        <ActionDialog
          title={t(`hooks.${turning}Title`, { name: hook.name })}
          action={t(`hooks.${turning}`)}
          changes={['hooks']}
          act={() => client.hooks[turning]({ name: hook.name })}
          onClose={close}
        >
          <p className="text-sm text-ink-2">{t(`hooks.${turning}Text`)}</p>
        </ActionDialog>
      )}
      {open === 'delete' && (
        <ActionDialog
          title={t('hooks.deleteTitle', { name: hook.name })}
          action={t('hooks.delete')}
          isDangerous
          changes={[]}
          act={async () => {
            await client.hooks.delete({ name: hook.name })
            await router.navigate({ href: paths.hooks() })
          }}
          onClose={close}
        >
          <p className="text-sm text-ink-2">{t('hooks.deleteText')}</p>
        </ActionDialog>
      )}
    </>
  )
}

function HookFacts({ hook }: { hook: Hook }) {
  const { t } = useTexts()
  return (
    <div className="space-y-4">
      {hook.fromVersion !== null && <Note title={t('hooks.fromFolder', { agent: hook.agent, version: hook.fromVersion })} />}
      {hook.isPaused && <Note tone="warn" title={t('hooks.isPaused')} />}
      <div className="flex items-start gap-1 rounded-md border border-line bg-sunken py-1 pr-1 pl-3">
        <code className="min-w-0 flex-1 py-1 text-xs break-all">{`POST ${hookAddress(hook)}`}</code>
        <CopyButton getText={() => hookAddress(hook)} words={{ label: t('common.copy'), done: t('common.copied') }} />
      </div>
      {hook.channel ? <ChannelFacts hook={hook} channel={hook.channel} /> : <PlainFacts hook={hook} />}
    </div>
  )
}

function PlainFacts({ hook }: { hook: Hook }) {
  const { t } = useTexts()
  const { mapping, session, run, signal } = toDraft(hook.action)
  const code = (text: string) => <code className="text-xs whitespace-pre-wrap">{text}</code>
  return (
    <Facts
      facts={[
        [t('hooks.does'), t(`hooks.actions.${hook.action.type}`)],
        [
          t('limits.agent'),
          <AppLink key="agent" href={paths.agent(hook.agent)} className="rounded-sm text-accent hover:underline">
            {hook.agent}
          </AppLink>,
        ],
        [t('limits.namespace'), hook.namespace],
        [t('hooks.scheme'), t(`hooks.schemes.${hook.scheme}`)],
        [t('hooks.secret'), code(hook.secret)],
        ...(run ? ([[t('hooks.run'), code(run)]] as [string, React.ReactNode][]) : []),
        ...(signal ? ([[t('hooks.signal'), code(signal)]] as [string, React.ReactNode][]) : []),
        [t(hook.action.type === 'start' ? 'hooks.input' : 'wait.payload'), mapping === '' ? t('hooks.wholePayload') : code(mapping)],
        ...(session ? ([[t('hooks.session'), code(session)]] as [string, React.ReactNode][]) : []),
        [t('hooks.events'), hook.events?.join(', ') ?? t('hooks.allEvents')],
        [t('limits.setBy'), hook.setBy],
      ]}
    />
  )
}

const tones: Record<HookDelivery['outcome'], Tone> = { started: 'usual', signalled: 'usual', repeated: 'idle', left: 'off', refused: 'bad' }

function Deliveries({ name }: { name: string }) {
  const { t } = useTexts()
  const { outcome, cursor } = useSearch({ from: '/shell/settings/hooks/$name' })
  const navigate = useNavigate()
  const deliveries = useQuery(hookDeliveriesQuery(name, outcome, cursor))
  return (
    <Section
      id="deliveries"
      title={t('hooks.deliveries')}
      aside={
        <Select
          label={t('hooks.outcome')}
          value={outcome ?? 'any'}
          options={[
            { value: 'any', label: t('hooks.anyOutcome') },
            ...hookOutcomes.map((value) => ({ value: value as string, label: t(`hooks.outcomes.${value}`) })),
          ]}
          onChange={(value) =>
            void navigate({
              to: patterns.hook,
              params: { name },
              search: { outcome: value === 'any' ? undefined : value, cursor: undefined },
              replace: true,
              resetScroll: false,
            })
          }
        />
      }
    >
      <Listing<HookDelivery>
        query={deliveries}
        label={t('hooks.deliveries')}
        rows={deliveries.data?.items}
        idOf={({ id }) => id}
        empty={
          outcome ? <EmptyState title={t('deliveries.emptyFiltered')} /> : <EmptyState title={t('hooks.nothingCame')}>{t('hooks.nothingCameText')}</EmptyState>
        }
        newer={cursor && paths.hook(name, { outcome })}
        older={deliveries.data?.next ? paths.hook(name, { outcome, cursor: deliveries.data.next }) : undefined}
        columns={[
          {
            id: 'outcome',
            head: t('hooks.outcome'),
            className: 'w-28 sm:w-36',
            cell: (delivery) => (
              <span className="flex items-center gap-2">
                <StateIcon tone={tones[delivery.outcome]} />
                {t(`hooks.outcomes.${delivery.outcome}`)}
              </span>
            ),
          },
          { id: 'reason', head: t('attention.why'), cell: ({ reason }) => <span className="block text-ink-2 sm:truncate">{reasonInWords(reason, t)}</span> },
          {
            id: 'event',
            head: t('hooks.event'),
            className: 'hidden w-52 lg:table-cell',
            cell: ({ eventId }) => <code className="block truncate text-xs text-ink-3">{eventId}</code>,
          },
          {
            id: 'run',
            head: t('run.id'),
            className: 'hidden w-32 sm:table-cell',
            cell: ({ runId }) =>
              runId && (
                <AppLink href={paths.run(runId)} className={cx(coversRow, 'font-mono text-xs text-accent hover:underline')}>
                  {runId.slice(-12)}
                </AppLink>
              ),
          },
          {
            id: 'at',
            head: t('deliveries.at'),
            className: 'w-28',
            isRight: true,
            cell: ({ receivedAt }) => (
              <span className="text-xs text-ink-3">
                <Ago at={receivedAt} />
              </span>
            ),
          },
        ]}
      />
    </Section>
  )
}

const reasons = ['event_type', 'signature', 'timestamp', 'paused', 'rate', 'payload', 'mapping', 'secret', 'not_found', 'conflict', 'over_limit'] as const

function reasonInWords(reason: string | null, t: Translate): string {
  const known = reasons.find((one) => one === reason)
  return known ? t(`hooks.reasons.${known}`) : (reason ?? '')
}
