import type { ApiKey } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { Plus, RefreshCw, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { serverNow } from '../../api/connection.ts'
import { systemQuery } from '../../api/queries.ts'
import { keysQuery } from '../../api/settings.ts'
import { useTexts } from '../../i18n/index.ts'
import { Button, IconButton } from '../../ui/Button.tsx'
import { cx } from '../../ui/cx.ts'
import { TextInput } from '../../ui/Fields.tsx'
import { EmptyState } from '../../ui/Notes.tsx'
import { Tag } from '../../ui/State.tsx'
import type { Column } from '../../ui/Table.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'
import { KeyCreateDialog } from './KeyCreateDialog.tsx'
import { KeyRevokeDialog, KeyRotateDialog } from './key-dialogs.tsx'
import { KeyOnce } from './SecretOnce.tsx'
import { SettingsFrame } from './SettingsFrame.tsx'

type Asking = { what: 'create' } | { what: 'rotate' | 'revoke'; key: ApiKey }
type Made = { name: string; secret: string; note?: string | undefined }
const shownMax = 100

export function KeysPage() {
  const { t } = useTexts()
  const [asking, setAsking] = useState<Asking>()
  const [made, setMade] = useState<Made>()
  const close = () => setAsking(undefined)
  const onMade = (key: Made) => {
    close()
    setMade(key)
  }
  return (
    <SettingsFrame
      section="keys"
      lead={t('keys.lead')}
      actions={
        <Button look="primary" onClick={() => setAsking({ what: 'create' })}>
          <Plus size={14} aria-hidden />
          {t('keys.create')}
        </Button>
      }
    >
      <KeyTable onAsk={setAsking} />
      {asking?.what === 'create' && <KeyCreateDialog onMade={onMade} onClose={close} />}
      {asking?.what === 'rotate' && <KeyRotateDialog apiKey={asking.key} onMade={onMade} onClose={close} />}
      {asking?.what === 'revoke' && <KeyRevokeDialog apiKey={asking.key} onClose={close} />}
      {made && <KeyOnce title={t('keys.made', { name: made.name })} secret={made.secret} note={made.note} onClose={() => setMade(undefined)} />}
    </SettingsFrame>
  )
}

function KeyTable({ onAsk }: { onAsk: (asking: Asking) => void }) {
  const { t } = useTexts()
  const keys = useQuery(keysQuery())
  const { data: system } = useQuery(systemQuery())
  const [search, setSearch] = useState('')
  const [isWhole, setWhole] = useState(false)
  const wanted = search.trim().toLowerCase()
  const found = keys.data?.items
    .filter(({ name, id, role }) => [name, id, role ?? ''].some((text) => text.toLowerCase().includes(wanted)))
    .toSorted((one, other) => other.createdAt.localeCompare(one.createdAt))
  const rows = isWhole ? found : found?.slice(0, shownMax)
  const columns: Column<ApiKey>[] = [
    {
      id: 'name',
      head: t('keys.name'),
      cell: (key) => (
        <span className="flex min-w-0 flex-wrap items-center gap-x-2">
          <span className="truncate font-medium" title={key.id}>
            {key.name}
          </span>
          {key.id === system?.caller.id && <Tag tone="accent">{t('keys.own')}</Tag>}
          <span className="w-full truncate text-xs text-ink-3 md:hidden">
            <Rights apiKey={key} />
          </span>
        </span>
      ),
    },
    { id: 'rights', head: t('keys.may'), className: 'hidden w-40 md:table-cell', cell: (key) => <Rights apiKey={key} /> },
    { id: 'reach', head: t('keys.where'), className: 'hidden w-44 lg:table-cell', cell: (key) => <Reach apiKey={key} /> },
    {
      id: 'used',
      head: t('keys.lastUsed'),
      className: 'hidden w-28 sm:table-cell',
      isRight: true,
      cell: ({ lastUsedAt }) => <span className="text-ink-2">{lastUsedAt ? <Ago at={lastUsedAt} /> : t('keys.never')}</span>,
    },
    {
      id: 'created',
      head: t('keys.created'),
      className: 'hidden w-28 xl:table-cell',
      isRight: true,
      cell: ({ createdAt }) => (
        <span className="text-ink-2">
          <Ago at={createdAt} />
        </span>
      ),
    },
    { id: 'expires', head: t('keys.expires'), className: 'w-32', isRight: true, cell: (key) => <Expiry apiKey={key} /> },
    {
      id: 'actions',
      head: t('admin.actions'),
      isHeadHidden: true,
      className: 'w-20',
      isRight: true,
      cell: (key) => (
        <span className="inline-flex gap-0.5">
          <IconButton size="sm" label={t('keys.rotateOne', { name: key.name })} onClick={() => onAsk({ what: 'rotate', key })}>
            <RefreshCw size={14} aria-hidden />
          </IconButton>
          <IconButton size="sm" label={t('keys.revokeOne', { name: key.name })} onClick={() => onAsk({ what: 'revoke', key })}>
            <Trash2 size={14} aria-hidden />
          </IconButton>
        </span>
      ),
    },
  ]
  return (
    <div className="space-y-3">
      <TextInput
        isSmall
        type="search"
        aria-label={t('keys.search')}
        placeholder={t('keys.search')}
        value={search}
        onChange={(event) => setSearch(event.target.value)}
        className="sm:max-w-64"
      />
      <Listing
        query={keys}
        label={t('admin.section.keys')}
        columns={columns}
        rows={rows}
        idOf={({ id }) => id}
        empty={
          wanted ? (
            <EmptyState title={t('keys.noneFound')} action={<Button onClick={() => setSearch('')}>{t('keys.clear')}</Button>} />
          ) : (
            <EmptyState title={t('keys.empty')}>{t('keys.emptyText')}</EmptyState>
          )
        }
      />
      {found && rows && rows.length < found.length && (
        <Button size="sm" look="quiet" onClick={() => setWhole(true)}>
          {t('keys.showAll', { count: found.length })}
        </Button>
      )}
    </div>
  )
}

function Rights({ apiKey: { role, permissions } }: { apiKey: ApiKey }) {
  const { t } = useTexts()
  return (
    <span className="text-ink-2" title={permissions.join('\n') || undefined}>
      {[role && t(`keys.role.${role}`), permissions.length > 0 && t(role ? 'keys.more' : 'keys.permissions', { count: permissions.length })]
        .filter(Boolean)
        .join(' ')}
    </span>
  )
}

function Reach({ apiKey: { namespaces, agents, access } }: { apiKey: ApiKey }) {
  const { t } = useTexts()
  const limits = [namespaces?.join(', '), agents?.join(', '), access.regions?.join(', '), !access.personalData && t('run.accessNoPersonal')].filter(Boolean)
  const text = limits.length > 0 ? limits.join(' · ') : t('keys.everywhere')
  return (
    <span className="block truncate text-ink-2" title={text}>
      {text}
    </span>
  )
}

const soonMs = 7 * 86_400_000
function Expiry({ apiKey: { expiresAt } }: { apiKey: ApiKey }) {
  const { t } = useTexts()
  if (expiresAt === null) return <span className="text-ink-3">{t('keys.noEnd')}</span>
  const left = Date.parse(expiresAt) - serverNow()
  if (left <= 0) return <span className="text-bad">{t('keys.expired')}</span>
  return (
    <span className={cx(left < soonMs ? 'text-warn' : 'text-ink-2')}>
      <Ago at={expiresAt} />
    </span>
  )
}
