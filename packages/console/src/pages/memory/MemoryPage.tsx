import { memoryKinds } from '@longhaul/protocol'
import type { Memory } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { Trash2 } from 'lucide-react'
import { useState } from 'react'
import { memoriesQuery } from '../../api/memory.ts'
import { useMay, usePermission } from '../../api/permissions.ts'
import { agentsQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths, patterns } from '../../paths.ts'
import { Button, buttonClass } from '../../ui/Button.tsx'
import { Select } from '../../ui/Fields.tsx'
import { EmptyState } from '../../ui/Notes.tsx'
import { RowToggle } from '../../ui/Table.tsx'
import { AppLink } from '../AppLink.tsx'
import { Guarded } from '../Guarded.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'
import { PageHead } from '../PageHead.tsx'
import { Facts } from '../runs/detail/parts.tsx'
import { Labels } from '../runs/Labels.tsx'
import { SearchField } from '../SearchField.tsx'
import { EraseAllDialog, EraseDialog } from './erase-dialogs.tsx'

const pageSize = 50

/** What agents remember of the visitor: to be read, found, and forgotten. */
export function MemoryPage() {
  const { t } = useTexts()
  const may = useMay()
  const mayErase = usePermission('runs:write')
  const filter = useSearch({ from: '/shell/memory' })
  const navigate = useNavigate()
  const agents = useQuery({ ...agentsQuery(), enabled: may('agents:read') === true })
  const [isErasing, setErasing] = useState(false)
  const [forgotten, setForgotten] = useState<number>()
  const change = (changes: Partial<typeof filter>) => void navigate({ to: patterns.memory, search: { ...filter, ...changes, page: undefined }, replace: true })
  const names = [...new Set([...(agents.data?.items ?? []).map(({ name }) => name), ...(filter.agent ? [filter.agent] : [])])].sort()
  return (
    <>
      <PageHead
        title={t('memory.title')}
        lead={may('runs:read') ? t('memory.lead') : undefined}
        actions={
          may('runs:read') && (
            <>
              <SearchField label={t('memory.search')} value={filter.search ?? ''} onChange={(search) => change({ search: search || undefined })} />
              <Select
                label={t('memory.kind')}
                value={filter.kind ?? ''}
                options={[
                  { value: '', label: t('memory.anyKind') },
                  ...memoryKinds.map((value) => ({ value: value as string, label: t(`memory.kinds.${value}`) })),
                ]}
                onChange={(kind) => change({ kind: kind || undefined })}
              />
              <Select
                label={t('limits.agent')}
                value={filter.agent ?? ''}
                options={[{ value: '', label: t('runs.anyAgent') }, ...names.map((value) => ({ value, label: value }))]}
                onChange={(agent) => change({ agent: agent || undefined })}
              />
              <Button
                look="danger"
                disabledBecause={mayErase ? undefined : t('common.noPermission', { permission: 'runs:write' })}
                onClick={() => setErasing(true)}
              >
                <Trash2 size={13} aria-hidden />
                {t('memory.eraseAll')}
              </Button>
            </>
          )
        }
      />
      <p role="status" className="mb-2 text-sm text-ink-2 empty:hidden">
        {forgotten !== undefined && t('memory.forgotten', { count: forgotten })}
      </p>
      <Guarded permission="runs:read">
        <MemoryTable />
      </Guarded>
      {isErasing && <EraseAllDialog agent={filter.agent} onForgotten={setForgotten} onClose={() => setErasing(false)} />}
    </>
  )
}

function MemoryTable() {
  const { t } = useTexts()
  const filter = useSearch({ from: '/shell/memory' })
  const memories = useQuery(memoriesQuery(filter.agent))
  const [open, setOpen] = useState<string>()
  const sought = filter.search?.toLowerCase()
  const found = memories.data?.items.filter(
    ({ kind, name, text, agent }) =>
      (filter.kind === undefined || kind === filter.kind) &&
      (sought === undefined || [name ?? '', text, agent].some((part) => part.toLowerCase().includes(sought))),
  )
  const page = Math.max(0, Number(filter.page) || 0)
  const isFiltered = (filter.agent ?? filter.kind ?? filter.search) !== undefined
  return (
    <>
      <Listing<Memory>
        query={memories}
        label={t('memory.title')}
        rows={found?.slice(page * pageSize, (page + 1) * pageSize)}
        idOf={({ id }) => id}
        empty={
          isFiltered ? (
            <EmptyState
              title={t('memory.emptyFiltered')}
              action={
                <AppLink href={paths.memory()} className={buttonClass('secondary')}>
                  {t('runs.clear')}
                </AppLink>
              }
            />
          ) : (
            <EmptyState title={t('memory.empty')}>{t('memory.emptyText')}</EmptyState>
          )
        }
        newer={page > 0 ? paths.memory({ ...filter, page: page > 1 ? String(page - 1) : undefined }) : undefined}
        older={found && found.length > (page + 1) * pageSize ? paths.memory({ ...filter, page: String(page + 1) }) : undefined}
        detailOf={(memory) => memory.id === open && <MemoryDetail memory={memory} />}
        columns={[
          {
            id: 'kind',
            head: t('memory.kind'),
            className: 'w-24 max-sm:hidden',
            cell: ({ kind }) => <span className="text-ink-2">{t(`memory.kinds.${kind}`)}</span>,
          },
          {
            id: 'text',
            head: t('memory.text'),
            cell: ({ id, name, text }) => (
              <RowToggle id={id} open={open} onOpen={setOpen} className="line-clamp-2 w-full text-left sm:line-clamp-1">
                {name && <span className="mr-2 font-medium">{name}</span>}
                <span className={name ? 'text-ink-2' : 'font-medium'}>{text}</span>
              </RowToggle>
            ),
          },
          {
            id: 'agent',
            head: t('limits.agent'),
            className: 'w-32 max-md:hidden',
            cell: ({ agent }) => <span className="block truncate text-ink-2">{agent}</span>,
          },
          {
            id: 'labels',
            head: t('memory.labels'),
            className: 'w-44 max-lg:hidden',
            cell: ({ labels }) =>
              labels.length > 0 ? <span className="block truncate text-xs text-warn">{labels.join(', ')}</span> : <span className="text-ink-3">–</span>,
          },
          {
            id: 'at',
            head: t('memory.made'),
            className: 'w-28',
            isRight: true,
            cell: ({ createdAt }) => (
              <span className="text-xs text-ink-3">
                <Ago at={createdAt} />
              </span>
            ),
          },
        ]}
      />
      {memories.data?.isCut && <p className="mt-2 text-xs text-ink-3">{t('memory.cut', { count: memories.data.items.length })}</p>}
    </>
  )
}

function MemoryDetail({ memory }: { memory: Memory }) {
  const { t } = useTexts()
  const mayErase = usePermission('runs:write')
  const [isErasing, setErasing] = useState(false)
  return (
    <div className="space-y-3">
      <p className="max-w-[75ch] break-words whitespace-pre-wrap">{memory.text}</p>
      <Facts
        facts={[
          [t('limits.agent'), memory.agent],
          [t('memory.kind'), t(`memory.kinds.${memory.kind}`)],
          [t('memory.recalled'), memory.recalledAt ? <Ago key="recalled" at={memory.recalledAt} /> : t('memory.never')],
          [t('memory.labels'), memory.labels.length > 0 ? <Labels key="labels" labels={memory.labels} /> : t('memory.noLabels')],
        ]}
      />
      <div className="flex gap-2">
        <AppLink href={paths.run(memory.runId)} className={buttonClass('secondary', 'sm')}>
          {t('memory.byRun')}
        </AppLink>
        <Button
          size="sm"
          look="danger"
          disabledBecause={mayErase ? undefined : t('common.noPermission', { permission: 'runs:write' })}
          onClick={() => setErasing(true)}
        >
          <Trash2 size={13} aria-hidden />
          {t('memory.erase')}
        </Button>
      </div>
      {isErasing && <EraseDialog memory={memory} onClose={() => setErasing(false)} />}
    </div>
  )
}
