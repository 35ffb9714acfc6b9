import type { Snapshot } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { Plus, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { useMay, usePermission } from '../../api/permissions.ts'
import { snapshotsQuery } from '../../api/sandboxes.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { IconButton } from '../../ui/Button.tsx'
import { formatBytes } from '../../ui/format.ts'
import { EmptyState } from '../../ui/Notes.tsx'
import type { Column } from '../../ui/Table.tsx'
import { ActionDialog } from '../ActionDialog.tsx'
import { AppLink } from '../AppLink.tsx'
import { Guarded } from '../Guarded.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'
import { PageHead } from '../PageHead.tsx'
import { CreateDialog } from './CreateDialog.tsx'
import { SandboxTabs } from './SandboxTabs.tsx'

export function SnapshotsPage() {
  const { t } = useTexts()
  return (
    <>
      <PageHead title={t('sandboxes.title')} lead={useMay()('sandboxes:read') && t('sandboxes.snapshotsLead')} />
      <Guarded permission="sandboxes:read">
        <SandboxTabs />
        <SnapshotTable />
      </Guarded>
    </>
  )
}

function SnapshotTable() {
  const { t } = useTexts()
  const { cursor } = useSearch({ from: '/shell/sandboxes/snapshots' })
  const snapshots = useQuery(snapshotsQuery(cursor))
  return (
    <Snapshots
      query={snapshots}
      items={snapshots.data?.items}
      hasSandbox
      empty={<EmptyState title={t('sandboxes.noSnapshots')}>{t('sandboxes.noSnapshotsText')}</EmptyState>}
      newer={cursor && paths.snapshots()}
      older={snapshots.data?.next ? paths.snapshots({ cursor: snapshots.data.next }) : undefined}
    />
  )
}

type SnapshotsProps = {
  query: { isError: boolean; error: unknown; data: unknown; refetch: () => unknown }
  items: readonly Snapshot[] | undefined
  hasSandbox?: boolean
  empty: React.ReactNode
  newer?: string | undefined
  older?: string | undefined
}

/** Of all sandboxes, or of one. */
export function Snapshots({ query, items, hasSandbox = false, empty, newer, older }: SnapshotsProps) {
  const { t, locale } = useTexts()
  const mayWrite = usePermission('sandboxes:write')
  const [asking, setAsking] = useState<{ what: 'use' | 'delete'; snapshot: Snapshot }>()
  const called = ({ name, id }: Snapshot) => name ?? id.slice(0, 8)
  const columns: Column<Snapshot>[] = [
    {
      id: 'name',
      head: t('sandboxes.name'),
      cell: ({ id, name }) => <span className={name ? 'block truncate font-medium' : 'block truncate font-mono text-xs'}>{name ?? id}</span>,
    },
    ...(hasSandbox
      ? [
          {
            id: 'sandbox',
            head: t('sandboxes.of'),
            className: 'hidden w-80 md:table-cell',
            cell: ({ sandboxId }: Snapshot) => (
              <AppLink href={paths.sandbox(sandboxId)} className="block truncate font-mono text-xs text-ink-2 hover:underline">
                {sandboxId}
              </AppLink>
            ),
          },
        ]
      : []),
    { id: 'bytes', head: t('sandboxes.size'), className: 'w-24', isRight: true, cell: ({ bytes }) => formatBytes(bytes, locale) },
    {
      id: 'at',
      head: t('sandboxes.kept'),
      className: 'hidden w-28 sm:table-cell',
      isRight: true,
      cell: ({ createdAt }) => (
        <span className="text-xs text-ink-3">
          <Ago at={createdAt} />
        </span>
      ),
    },
    ...(mayWrite
      ? [
          {
            id: 'actions',
            head: t('admin.actions'),
            isHeadHidden: true as const,
            className: 'w-20',
            isRight: true,
            cell: (snapshot: Snapshot) => (
              <span className="inline-flex gap-0.5">
                <IconButton size="sm" label={t('sandboxes.useSnapshot', { name: called(snapshot) })} onClick={() => setAsking({ what: 'use', snapshot })}>
                  <Plus size={14} aria-hidden />
                </IconButton>
                <IconButton size="sm" label={t('sandboxes.deleteSnapshot', { name: called(snapshot) })} onClick={() => setAsking({ what: 'delete', snapshot })}>
                  <Trash2 size={14} aria-hidden />
                </IconButton>
              </span>
            ),
          },
        ]
      : []),
  ]
  return (
    <>
      <Listing {...{ query, columns, empty, newer, older }} label={t('sandboxes.snapshots')} rows={items} idOf={({ id }) => id} skeletonRows={3} />
      {asking?.what === 'use' && <CreateDialog snapshot={asking.snapshot.name ?? asking.snapshot.id} onClose={() => setAsking(undefined)} />}
      {asking?.what === 'delete' && <DeleteDialog snapshot={asking.snapshot} name={called(asking.snapshot)} onClose={() => setAsking(undefined)} />}
    </>
  )
}

function DeleteDialog({ snapshot, name, onClose }: { snapshot: Snapshot; name: string; onClose: () => void }) {
  const { t } = useTexts()
  return (
    <ActionDialog
      title={t('sandboxes.deleteSnapshotTitle', { name })}
      action={t('sandboxes.delete')}
      isDangerous
      changes={['snapshots']}
      act={() => client.snapshots.delete({ snapshotId: snapshot.id })}
      onClose={onClose}
    >
      <p className="text-ink-2">{t('sandboxes.deleteSnapshotText')}</p>
    </ActionDialog>
  )
}
