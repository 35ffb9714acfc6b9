import type { Limit, Namespace } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { Pencil, Plus, Trash2 } from 'lucide-react'
import { useState } from 'react'
import type { ReactNode } from 'react'
import { useMay, usePermission } from '../../api/permissions.ts'
import { limitsQuery, namespacesQuery } from '../../api/settings.ts'
import { useTexts } from '../../i18n/index.ts'
import { Button, IconButton } from '../../ui/Button.tsx'
import { formatNumber } from '../../ui/format.ts'
import { EmptyState } from '../../ui/Notes.tsx'
import type { Column } from '../../ui/Table.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'
import { LimitDeleteDialog, LimitSetDialog, scopeOf } from './limit-dialogs.tsx'
import { NamespaceDeleteDialog, NamespaceDialog } from './namespace-dialogs.tsx'
import { Meter, StorageMeter } from './quota-parts.tsx'
import { SettingsFrame } from './SettingsFrame.tsx'

export function LimitsPage() {
  const { t } = useTexts()
  const may = useMay()
  return (
    <SettingsFrame section="limits" lead={t('limits.lead')}>
      <div className="space-y-10">
        {may('namespaces:read') && <Namespaces />}
        <Limits />
      </div>
    </SettingsFrame>
  )
}

type NamespaceRow = Awaited<ReturnType<NonNullable<ReturnType<typeof namespacesQuery>['queryFn']>>>['items'][number]

function Namespaces() {
  const { t } = useTexts()
  const mayManage = usePermission('namespaces:manage')
  const namespaces = useQuery(namespacesQuery())
  const [asking, setAsking] = useState<{ what: 'edit'; namespace?: Namespace } | { what: 'delete'; namespace: Namespace }>()
  const columns: Column<NamespaceRow>[] = [
    {
      id: 'name',
      head: t('limits.namespace'),

      cell: ({ name, description }) => (
        <span className="block truncate font-medium" title={description}>
          {name}
        </span>
      ),
    },
    {
      id: 'runs',
      head: t('limits.inFlight'),
      className: 'w-28 md:w-44',
      isRight: true,
      cell: ({ quotas, consumption }) => <Meter used={consumption.runsInFlight} max={quotas.runsInFlightMax} />,
    },
    {
      id: 'starts',
      head: t('limits.startsLastMinute'),
      className: 'hidden w-44 sm:table-cell',
      isRight: true,
      cell: ({ quotas, consumption }) => <Meter used={consumption.startsInLastMinute} max={quotas.startsPerMinuteMax} />,
    },
    {
      id: 'storage',
      head: t('limits.storage'),
      className: 'hidden w-44 md:table-cell',
      isRight: true,
      cell: ({ quotas, consumption }) => <StorageMeter used={consumption.storageBytes} max={quotas.storageBytesMax} />,
    },
    ...actions<NamespaceRow>(mayManage, t('admin.actions'), (namespace) => ({
      edit: { label: t('limits.editNamespace', { name: namespace.name }), onClick: () => setAsking({ what: 'edit', namespace }) },
      remove: { label: t('limits.deleteNamespace', { name: namespace.name }), onClick: () => setAsking({ what: 'delete', namespace }) },
    })),
  ]
  return (
    <Part
      title={t('limits.namespaces')}
      text={t('limits.namespacesText')}
      action={
        mayManage && (
          <Button size="sm" onClick={() => setAsking({ what: 'edit' })}>
            <Plus size={13} aria-hidden />
            {t('limits.newNamespace')}
          </Button>
        )
      }
    >
      <Listing
        query={namespaces}
        label={t('limits.namespaces')}
        columns={columns}
        rows={namespaces.data?.items}
        idOf={({ name }) => name}
        skeletonRows={1}
        empty={<EmptyState title={t('limits.noNamespaces')} />}
      />
      {asking?.what === 'edit' && <NamespaceDialog namespace={asking.namespace} onClose={() => setAsking(undefined)} />}
      {asking?.what === 'delete' && <NamespaceDeleteDialog namespace={asking.namespace} onClose={() => setAsking(undefined)} />}
    </Part>
  )
}

function Limits() {
  const { t, locale } = useTexts()
  const mayManage = usePermission('limits:manage')
  const limits = useQuery(limitsQuery())
  const [asking, setAsking] = useState<{ what: 'set'; limit?: Limit } | { what: 'delete'; limit: Limit }>()
  const scope = (value: string | null) => <span className="block truncate">{value ?? <span className="text-ink-3">{t('limits.all')}</span>}</span>
  const number = (value: number | null) => (value === null ? <span className="text-ink-3">–</span> : formatNumber(value, locale))
  const columns: Column<Limit>[] = [
    { id: 'agent', head: t('limits.agent'), cell: ({ agent }) => scope(agent) },
    { id: 'namespace', head: t('limits.namespace'), className: 'hidden sm:table-cell', cell: ({ namespace }) => scope(namespace) },
    { id: 'lane', head: t('limits.lane'), className: 'hidden sm:table-cell', cell: ({ laneKey }) => scope(laneKey === '*' ? t('limits.eachLane') : laneKey) },
    { id: 'running', head: t('limits.running'), className: 'w-24', isRight: true, cell: ({ runningMax }) => number(runningMax) },
    {
      id: 'second',
      head: t('limits.perSecond'),
      className: 'hidden w-28 sm:table-cell',
      isRight: true,
      cell: ({ startsPerSecond }) => number(startsPerSecond),
    },
    {
      id: 'minute',
      head: t('limits.perMinute'),
      className: 'hidden w-28 sm:table-cell',
      isRight: true,
      cell: ({ startsPerMinute }) => number(startsPerMinute),
    },
    {
      id: 'by',
      head: t('limits.setBy'),
      className: 'hidden w-44 lg:table-cell',
      cell: ({ setBy, setAt }) => (
        <span className="block truncate text-ink-2">
          {setBy} · <Ago at={setAt} />
        </span>
      ),
    },
    ...actions<Limit>(mayManage, t('admin.actions'), (limit) => ({
      edit: { label: t('limits.editLimit', { scope: scopeOf(limit, t('limits.all')) }), onClick: () => setAsking({ what: 'set', limit }) },
      remove: { label: t('limits.deleteLimit', { scope: scopeOf(limit, t('limits.all')) }), onClick: () => setAsking({ what: 'delete', limit }) },
    })),
  ]
  return (
    <Part
      title={t('limits.limits')}
      text={t('limits.limitsText')}
      action={
        mayManage && (
          <Button size="sm" onClick={() => setAsking({ what: 'set' })}>
            <Plus size={13} aria-hidden />
            {t('limits.newLimit')}
          </Button>
        )
      }
    >
      <Listing
        query={limits}
        label={t('limits.limits')}
        columns={columns}
        rows={limits.data?.items}
        idOf={({ id }) => id}
        skeletonRows={2}
        empty={<EmptyState title={t('limits.empty')}>{t('limits.emptyText')}</EmptyState>}
      />
      {asking?.what === 'set' && <LimitSetDialog limit={asking.limit} onClose={() => setAsking(undefined)} />}
      {asking?.what === 'delete' && <LimitDeleteDialog limit={asking.limit} onClose={() => setAsking(undefined)} />}
    </Part>
  )
}

function Part({ title, text, action, children }: { title: string; text: string; action: ReactNode; children: ReactNode }) {
  return (
    <section>
      <div className="mb-2 flex flex-wrap items-end justify-between gap-x-6 gap-y-2">
        <div className="min-w-0">
          <h2 className="font-semibold">{title}</h2>
          <p className="max-w-2xl text-sm text-ink-2">{text}</p>
        </div>
        {action}
      </div>
      {children}
    </section>
  )
}

type Act = { label: string; onClick: () => void }

/** What can be done with a line, for those who may. */
const actions = <Row,>(mayManage: boolean, head: string, of: (row: Row) => { edit: Act; remove: Act }): Column<Row>[] => {
  const cell = (row: Row) => {
    const { edit, remove } = of(row)
    return (
      <span className="inline-flex gap-0.5">
        <IconButton size="sm" {...edit}>
          <Pencil size={14} aria-hidden />
        </IconButton>
        <IconButton size="sm" {...remove}>
          <Trash2 size={14} aria-hidden />
        </IconButton>
      </span>
    )
  }
  return mayManage ? [{ id: 'actions', head, isHeadHidden: true, className: 'w-20', isRight: true, cell }] : []
}
