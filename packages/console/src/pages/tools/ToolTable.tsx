import type { Tool } from '@longhaul/protocol'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useTexts } from '../../i18n/index.ts'
import { patterns } from '../../paths.ts'
import { cx } from '../../ui/cx.ts'
import { formatDuration, formatNumber } from '../../ui/format.ts'
import { EmptyState } from '../../ui/Notes.tsx'
import { StateIcon } from '../../ui/State.tsx'
import type { Tone } from '../../ui/State.tsx'
import { coversRow } from '../../ui/Table.tsx'
import type { Column } from '../../ui/Table.tsx'
import { Listing } from '../Listing.tsx'
import { ToolDetail } from './ToolDetail.tsx'

const tones: Record<Tool['state'], Tone> = { ready: 'usual', changed: 'warn', added: 'warn', gone: 'bad', off: 'off' }

type Props = { tools: readonly Tool[] | undefined; label: string; query: { isError: boolean; error: unknown; data: unknown; refetch: () => unknown } }

export function ToolTable({ tools, label, query }: Props) {
  const { t, locale } = useTexts()
  const search = useSearch({ from: '/shell/tools' })
  const navigate = useNavigate()
  const open = (tool: string) =>
    void navigate({ to: patterns.tools, search: { ...search, tool: search.tool === tool ? undefined : tool }, replace: true, resetScroll: false })
  const duration = (ms: number | null) => (ms === null ? <span className="text-ink-3">–</span> : formatDuration(ms, locale))
  const columns: Column<Tool>[] = [
    {
      id: 'state',
      head: t('tools.state'),
      isHeadHidden: 'small',
      className: 'w-10 md:w-32',
      cell: ({ state }) => (
        <span className="flex items-center gap-2">
          <StateIcon tone={tones[state]} />
          <span className="sr-only md:not-sr-only">{t(`tools.states.${state}`)}</span>
        </span>
      ),
    },
    {
      id: 'name',
      head: t('tools.name'),
      className: 'md:w-64',
      cell: ({ name }) => (
        <button
          type="button"
          aria-expanded={search.tool === name}
          onClick={() => open(name)}
          className={cx('block max-w-full truncate text-left font-mono text-xs font-medium', coversRow)}
        >
          {name}
        </button>
      ),
    },
    {
      id: 'description',
      head: t('admin.description'),
      className: 'hidden md:table-cell',
      cell: ({ description }) => <span className="block truncate text-ink-2">{description}</span>,
    },
    { id: 'calls', head: t('tools.calls'), className: 'w-16', isRight: true, cell: ({ calls }) => formatNumber(calls.count, locale) },
    {
      id: 'errors',
      head: t('tools.errors'),
      className: 'w-16',
      isRight: true,
      cell: ({ calls }) => <span className={calls.errorCount > 0 ? 'text-bad' : 'text-ink-3'}>{formatNumber(calls.errorCount, locale)}</span>,
    },
    { id: 'half', head: t('tools.half'), className: 'hidden w-24 lg:table-cell', isRight: true, cell: ({ calls }) => duration(calls.durationMsP50) },
    { id: 'most', head: t('tools.most'), className: 'hidden w-24 lg:table-cell', isRight: true, cell: ({ calls }) => duration(calls.durationMsP95) },
  ]
  return (
    <Listing
      query={query}
      label={label}
      columns={columns}
      rows={tools}
      idOf={({ name }) => name}
      detailOf={(tool) => (search.tool === tool.name ? <ToolDetail key={tool.pin?.offeredHash ?? tool.name} tool={tool} /> : null)}
      empty={<EmptyState title={t('tools.nothingYet')}>{t('tools.nothingYetText')}</EmptyState>}
    />
  )
}
