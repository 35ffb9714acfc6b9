import type { Secret } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { History, Plus, RefreshCw, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { secretQuery, secretsQuery } from '../../api/settings.ts'
import { useTexts } from '../../i18n/index.ts'
import { Button, IconButton } from '../../ui/Button.tsx'
import { formatNumber } from '../../ui/format.ts'
import { EmptyState, Skeleton } from '../../ui/Notes.tsx'
import type { Column } from '../../ui/Table.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'
import { Facts } from '../runs/detail/parts.tsx'
import { SecretDeleteDialog, SecretSetDialog } from './secret-dialogs.tsx'
import { SettingsFrame } from './SettingsFrame.tsx'

type Asking = { what: 'set'; secret?: Secret } | { what: 'delete'; secret: Secret }

export function SecretsPage() {
  const { t } = useTexts()
  const [asking, setAsking] = useState<Asking>()
  const close = () => setAsking(undefined)
  return (
    <SettingsFrame
      section="secrets"
      lead={t('secrets.lead')}
      actions={
        <Button look="primary" onClick={() => setAsking({ what: 'set' })}>
          <Plus size={14} aria-hidden />
          {t('secrets.create')}
        </Button>
      }
    >
      <SecretTable onAsk={setAsking} />
      {asking?.what === 'set' && <SecretSetDialog secret={asking.secret} onClose={close} />}
      {asking?.what === 'delete' && <SecretDeleteDialog secret={asking.secret} onClose={close} />}
    </SettingsFrame>
  )
}

function SecretTable({ onAsk }: { onAsk: (asking: Asking) => void }) {
  const { t, locale } = useTexts()
  const secrets = useQuery(secretsQuery())
  const [open, setOpen] = useState<string>()
  const columns: Column<Secret>[] = [
    {
      id: 'name',
      head: t('secrets.name'),
      cell: ({ name, description }) => (
        <span className="flex min-w-0 items-baseline gap-3">
          <span className="truncate font-mono text-xs font-medium">{name}</span>
          <span className="hidden min-w-0 truncate text-xs text-ink-3 md:inline">{description}</span>
        </span>
      ),
    },
    {
      id: 'hosts',
      head: t('secrets.hosts'),
      className: 'hidden w-48 xl:table-cell',
      cell: ({ hosts }) =>
        hosts.length > 0 ? (
          <code className="block truncate text-xs text-ink-2">{hosts.join(', ')}</code>
        ) : (
          <span className="text-ink-3">{t('secrets.nowhere')}</span>
        ),
    },
    {
      id: 'agents',
      head: t('secrets.agents'),
      className: 'hidden w-32 xl:table-cell',
      cell: ({ agents }) => <span className="block truncate text-ink-2">{agents?.join(', ') ?? t('limits.all')}</span>,
    },
    { id: 'version', head: t('secrets.version'), className: 'w-20', isRight: true, cell: ({ version }) => version },
    {
      id: 'uses',
      head: t('secrets.uses'),
      className: 'hidden w-20 sm:table-cell',
      isRight: true,
      cell: ({ useCount }) => <span className="text-ink-2">{formatNumber(useCount, locale)}</span>,
    },
    {
      id: 'used',
      head: t('secrets.lastUsed'),
      className: 'hidden w-28 sm:table-cell',
      isRight: true,
      cell: ({ lastUsedAt }) => <span className="text-ink-2">{lastUsedAt ? <Ago at={lastUsedAt} /> : t('keys.never')}</span>,
    },
    {
      id: 'set',
      head: t('secrets.setBy'),
      className: 'hidden w-40 2xl:table-cell',
      cell: ({ createdBy, createdAt }) => (
        <span className="block truncate text-ink-2">
          {createdBy} · <Ago at={createdAt} />
        </span>
      ),
    },
    {
      id: 'actions',
      head: t('admin.actions'),
      isHeadHidden: true,
      className: 'w-26',
      isRight: true,
      cell: (secret) => (
        <span className="inline-flex gap-0.5">
          <IconButton
            size="sm"
            label={t('secrets.versionsOf', { name: secret.name })}
            aria-pressed={open === secret.name}
            onClick={() => setOpen(open === secret.name ? undefined : secret.name)}
          >
            <History size={14} aria-hidden />
          </IconButton>
          <IconButton size="sm" label={t('secrets.rotateOne', { name: secret.name })} onClick={() => onAsk({ what: 'set', secret })}>
            <RefreshCw size={14} aria-hidden />
          </IconButton>
          <IconButton size="sm" label={t('secrets.deleteOne', { name: secret.name })} onClick={() => onAsk({ what: 'delete', secret })}>
            <Trash2 size={14} aria-hidden />
          </IconButton>
        </span>
      ),
    },
  ]
  return (
    <Listing
      query={secrets}
      label={t('admin.section.secrets')}
      columns={columns}
      rows={secrets.data?.items}
      idOf={({ name }) => name}
      detailOf={(secret) => (open === secret.name ? <SecretDetail secret={secret} /> : null)}
      empty={<EmptyState title={t('secrets.empty')}>{t('secrets.emptyText')}</EmptyState>}
    />
  )
}

function SecretDetail({ secret: { name, description, hosts, agents } }: { secret: Secret }) {
  const { t } = useTexts()
  return (
    <div className="space-y-3">
      <Facts
        facts={[
          ...(description ? ([[t('admin.description'), description]] as [string, string][]) : []),
          [t('secrets.hosts'), hosts.join(', ') || t('secrets.nowhere')],
          [t('secrets.agents'), agents?.join(', ') ?? t('limits.all')],
        ]}
      />
      <Versions name={name} />
    </div>
  )
}

function Versions({ name }: { name: string }) {
  const { t, locale } = useTexts()
  const versions = useQuery(secretQuery(name))
  if (versions.isError) return <RequestError error={versions.error} />
  if (!versions.data) return <Skeleton className="h-6" />
  return (
    <ul aria-label={t('secrets.versionsOf', { name })} className="space-y-1 text-xs text-ink-2">
      {versions.data.items.map(({ version, createdBy, createdAt, useCount, lastUsedAt }) => (
        <li key={version} className="flex flex-wrap gap-x-4">
          <span className="w-8 font-medium text-ink">v{version}</span>
          <span className="w-48">
            {createdBy} · <Ago at={createdAt} />
          </span>
          <span>
            {t('secrets.usedTimes', { count: useCount, times: formatNumber(useCount, locale) })}
            {lastUsedAt && (
              <>
                {' · '}
                <Ago at={lastUsedAt} />
              </>
            )}
          </span>
        </li>
      ))}
    </ul>
  )
}
