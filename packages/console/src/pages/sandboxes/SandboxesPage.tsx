import { sandboxStates } from '@longhaul/protocol/plain'
import type { SandboxInfo } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { useMay } from '../../api/permissions.ts'
import { sandboxesQuery, statsQuery } from '../../api/sandboxes.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths, patterns } from '../../paths.ts'
import { Button } from '../../ui/Button.tsx'
import { cx } from '../../ui/cx.ts'
import { Select } from '../../ui/Fields.tsx'
import { formatBytes } from '../../ui/format.ts'
import { EmptyState } from '../../ui/Notes.tsx'
import { StateIcon } from '../../ui/State.tsx'
import { coversRow } from '../../ui/Table.tsx'
import type { Column } from '../../ui/Table.tsx'
import { AppLink } from '../AppLink.tsx'
import { Guarded } from '../Guarded.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'
import { PageHead } from '../PageHead.tsx'
import { CreateDialog } from './CreateDialog.tsx'
import { NotEnforced, sandboxTones } from './sandbox-parts.tsx'
import { SandboxTabs } from './SandboxTabs.tsx'

export function SandboxesPage() {
  const { t } = useTexts()
  const may = useMay()
  const search = useSearch({ from: '/shell/sandboxes' })
  const navigate = useNavigate()
  const [isCreating, setCreating] = useState(false)
  const mayWrite = may('sandboxes:write')
  return (
    <>
      <PageHead
        title={t('sandboxes.title')}
        lead={may('sandboxes:read') && t('sandboxes.lead')}
        actions={
          may('sandboxes:read') && (
            <>
              <Select
                label={t('sandboxes.state')}
                value={search.state ?? 'any'}
                options={[{ value: 'any', label: t('sandboxes.present') }, ...sandboxStates.map((value) => ({ value, label: t(`sandboxes.states.${value}`) }))]}
                onChange={(value) =>
                  void navigate({ to: patterns.sandboxes, search: { state: value === 'any' ? undefined : value, cursor: undefined }, replace: true })
                }
              />
              <Button
                look="primary"
                disabledBecause={mayWrite === false ? t('common.noPermission', { permission: 'sandboxes:write' }) : undefined}
                onClick={() => setCreating(true)}
              >
                <Plus size={14} aria-hidden />
                {t('sandboxes.create')}
              </Button>
            </>
          )
        }
      />
      <Guarded permission="sandboxes:read">
        <SandboxTabs />
        <SandboxTable />
        {isCreating && <CreateDialog onClose={() => setCreating(false)} />}
      </Guarded>
    </>
  )
}

function SandboxTable() {
  const { t, locale } = useTexts()
  const { state, cursor } = useSearch({ from: '/shell/sandboxes' })
  const sandboxes = useQuery(sandboxesQuery(state, cursor))
  const columns: Column<SandboxInfo>[] = [
    {
      id: 'state',
      head: t('sandboxes.state'),
      isHeadHidden: 'small',
      className: 'w-10 md:w-28',
      cell: (sandbox) => (
        <span className="flex items-center gap-2">
          <StateIcon tone={sandboxTones[sandbox.state]} />
          <span className="sr-only md:not-sr-only">{t(`sandboxes.states.${sandbox.state}`)}</span>
        </span>
      ),
    },
    {
      id: 'name',
      head: t('sandboxes.name'),
      cell: ({ id, name }) => (
        <AppLink href={paths.sandbox(id)} className={cx('block truncate font-medium', name === null && 'font-mono text-xs', coversRow)}>
          {name ?? id}
        </AppLink>
      ),
    },
    {
      id: 'driver',
      head: t('sandboxes.driver'),
      className: 'hidden w-40 sm:table-cell',
      cell: ({ driver, kernel }) => (
        <span className="text-xs text-ink-2">
          <span className="font-mono">{driver}</span> {t(`sandboxes.kernels.${kernel}`)}
        </span>
      ),
    },
    { id: 'enforced', head: t('sandboxes.notEnforced'), className: 'hidden w-36 md:table-cell', cell: ({ notEnforced }) => <NotEnforced what={notEnforced} /> },
    { id: 'memory', head: t('sandboxes.memory'), className: 'hidden w-40 lg:table-cell', isRight: true, cell: (sandbox) => <Memory sandbox={sandbox} /> },
    {
      id: 'disk',
      head: t('sandboxes.disk'),
      className: 'w-24 md:w-40',
      isRight: true,
      cell: ({ diskBytes, limits }) => (
        <>
          {formatBytes(diskBytes, locale)}
          <span className="hidden text-ink-3 md:inline"> / {formatBytes(limits.diskBytesMax, locale)}</span>
        </>
      ),
    },
    {
      id: 'used',
      head: t('sandboxes.used'),
      className: 'w-28',
      isRight: true,
      cell: ({ usedAt }) => (
        <span className="text-xs text-ink-3">
          <Ago at={usedAt} />
        </span>
      ),
    },
    {
      id: 'expires',
      head: t('sandboxes.expires'),
      className: 'hidden w-28 lg:table-cell',
      isRight: true,
      cell: ({ state: now, expiresAt }) => <span className="text-xs text-ink-3">{now === 'stopped' ? '–' : <Ago at={expiresAt} />}</span>,
    },
  ]
  return (
    <Listing
      query={sandboxes}
      label={t('sandboxes.title')}
      columns={columns}
      rows={sandboxes.data?.items}
      idOf={({ id }) => id}
      empty={state ? <EmptyState title={t('sandboxes.emptyFiltered')} /> : <EmptyState title={t('sandboxes.empty')}>{t('sandboxes.emptyText')}</EmptyState>}
      newer={cursor && paths.sandboxes({ state })}
      older={sandboxes.data?.next ? paths.sandboxes({ state, cursor: sandboxes.data.next }) : undefined}
    />
  )
}

/** Counted by the host while something runs inside; asked only of those that are there. */
function Memory({ sandbox: { id, state, limits } }: { sandbox: SandboxInfo }) {
  const { locale } = useTexts()
  const { data } = useQuery({ ...statsQuery(id), enabled: state === 'active' })
  return (
    <>
      {data && data.memoryBytes !== null ? formatBytes(data.memoryBytes, locale) : '–'}
      <span className="text-ink-3"> / {formatBytes(limits.memoryBytesMax, locale)}</span>
    </>
  )
}
