import type { Hook } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { hookAddress, hooksQuery } from '../../../api/hooks.ts'
import { usePermission } from '../../../api/permissions.ts'
import { useTexts } from '../../../i18n/index.ts'
import { paths } from '../../../paths.ts'
import { Button } from '../../../ui/Button.tsx'
import { cx } from '../../../ui/cx.ts'
import { EmptyState } from '../../../ui/Notes.tsx'
import { StateIcon, Tag } from '../../../ui/State.tsx'
import { coversRow } from '../../../ui/Table.tsx'
import { AppLink } from '../../AppLink.tsx'
import { Listing } from '../../Listing.tsx'
import { Ago } from '../../Moment.tsx'
import { SecretOnce } from '../SecretOnce.tsx'
import { SettingsFrame } from '../SettingsFrame.tsx'
import { HookDialog } from './HookDialog.tsx'
import type { MadeHook } from './HookDialog.tsx'

/** Addresses at which other services tell of events. */
export function HooksPage() {
  const { t } = useTexts()
  const mayManage = usePermission('hooks:manage')
  const [isMaking, setMaking] = useState(false)
  const [made, setMade] = useState<MadeHook>()
  return (
    <SettingsFrame
      section="hooks"
      lead={t('hooks.lead')}
      actions={
        <Button
          look="primary"
          disabledBecause={mayManage ? undefined : t('common.noPermission', { permission: 'hooks:manage' })}
          onClick={() => setMaking(true)}
        >
          <Plus size={14} aria-hidden />
          {t('hooks.create')}
        </Button>
      }
    >
      <HookTable />
      {isMaking && (
        <HookDialog
          onMade={(hook) => {
            setMaking(false)
            setMade(hook)
          }}
          onClose={() => setMaking(false)}
        />
      )}
      {made?.secret !== undefined && (
        <SecretOnce
          title={t('hooks.made', { name: made.hook.name })}
          text={t('hooks.once')}
          lines={[
            { label: t('hooks.address'), text: hookAddress(made.hook) },
            { label: t('hooks.secret'), text: made.secret },
          ]}
          onClose={() => setMade(undefined)}
        />
      )}
    </SettingsFrame>
  )
}

function HookTable() {
  const { t } = useTexts()
  const { cursor } = useSearch({ from: '/shell/settings/hooks' })
  const hooks = useQuery(hooksQuery(cursor))
  return (
    <Listing<Hook>
      query={hooks}
      label={t('admin.section.hooks')}
      rows={hooks.data?.items}
      idOf={({ id }) => id}
      empty={<EmptyState title={t('hooks.empty')}>{t('hooks.emptyText')}</EmptyState>}
      newer={cursor && paths.hooks()}
      older={hooks.data?.next ? paths.hooks({ cursor: hooks.data.next }) : undefined}
      columns={[
        {
          id: 'state',
          head: t('runs.state'),
          isHeadHidden: 'small',
          className: 'w-10 md:w-28',
          cell: ({ isPaused }) => (
            <span className="flex items-center gap-2">
              <StateIcon tone={isPaused ? 'waiting' : 'usual'} />
              <span className="sr-only md:not-sr-only">{t(isPaused ? 'hooks.paused' : 'hooks.active')}</span>
            </span>
          ),
        },
        {
          id: 'name',
          head: t('hooks.name'),
          cell: ({ name, fromVersion }) => (
            <span className="flex min-w-0 items-center gap-2">
              <AppLink href={paths.hook(name)} className={cx(coversRow, 'truncate font-medium')}>
                {name}
              </AppLink>
              {fromVersion !== null && <Tag>{t('agents.declared')}</Tag>}
            </span>
          ),
        },
        {
          id: 'agent',
          head: t('limits.agent'),
          className: 'hidden w-36 sm:table-cell',
          cell: ({ agent }) => <span className="block truncate text-ink-2">{agent}</span>,
        },
        {
          id: 'does',
          head: t('hooks.does'),
          className: 'hidden w-40 md:table-cell',
          cell: ({ action, channel }) => (
            <span className="text-ink-2">{t(channel === null ? `hooks.actions.${action.type}` : `hooks.kinds.${channel.type}`)}</span>
          ),
        },
        {
          id: 'scheme',
          head: t('hooks.scheme'),
          className: 'hidden w-44 lg:table-cell',
          cell: ({ scheme }) => <span className="text-ink-2">{t(`hooks.schemes.${scheme}`)}</span>,
        },
        {
          id: 'at',
          head: t('guardrails.changed'),
          className: 'w-28',
          isRight: true,
          cell: ({ setAt }) => (
            <span className="text-xs text-ink-3">
              <Ago at={setAt} />
            </span>
          ),
        },
      ]}
    />
  )
}
