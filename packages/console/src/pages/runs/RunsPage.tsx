import { may, runStates } from '@longhaul/protocol/plain'
import type { Run, RunState } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { GitCompare, Square } from 'lucide-react'
import { useState } from 'react'
import { usePermission } from '../../api/permissions.ts'
import { agentsQuery, runsQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths, patterns } from '../../paths.ts'
import { Button, buttonClass } from '../../ui/Button.tsx'
import { cx } from '../../ui/cx.ts'
import { Select } from '../../ui/Fields.tsx'
import { formatUsd } from '../../ui/format.ts'
import { EmptyState } from '../../ui/Notes.tsx'
import { StateIcon } from '../../ui/State.tsx'
import { coversRow } from '../../ui/Table.tsx'
import { AppLink } from '../AppLink.tsx'
import { Listing } from '../Listing.tsx'
import { Ago, Elapsed } from '../Moment.tsx'
import { PageHead } from '../PageHead.tsx'
import { SearchField } from '../SearchField.tsx'
import { SelectAll, SelectOne, SelectionBar } from '../Selection.tsx'
import { useSelection } from '../use-selection.ts'
import { CancelManyDialog } from './CancelManyDialog.tsx'
import { questionOf, runTones } from './run-facts.ts'

type Changes = { state?: RunState | undefined; agent?: string | undefined; search?: string | undefined }

export function RunsPage() {
  const { t } = useTexts()
  const filter = useSearch({ from: '/shell/runs' })
  const navigate = useNavigate()
  const runs = useQuery(runsQuery(filter))
  const agents = useQuery(agentsQuery())
  const mayOperate = usePermission('runs:operate')
  const selection = useSelection(runs.data?.items.map(({ id }) => id))
  const [isCancelling, setCancelling] = useState(false)
  const isFiltered = filter.state !== undefined || filter.agent !== undefined || filter.search !== undefined
  // Another filter begins at the newest again: a cursor belongs to the list it came from.
  const change = (changes: Changes) => void navigate({ to: patterns.runs, search: { ...filter, ...changes, cursor: undefined }, replace: true })
  const open = runs.data?.items.filter(({ id, state }) => selection.chosen.has(id) && may(state, 'cancel')) ?? []
  // The older one first: what came of it later is the change.
  const [newer, older, ...others] = [...selection.chosen].toSorted().toReversed()
  const pair = newer !== undefined && older !== undefined && others.length === 0 ? paths.compare(older, newer) : undefined
  const blocked = !mayOperate ? t('common.noPermission', { permission: 'runs:operate' }) : open.length === 0 ? t('runs.allEnded') : undefined
  return (
    <>
      <PageHead
        title={t('runs.title')}
        actions={
          <>
            <SearchField label={t('runs.search')} value={filter.search ?? ''} onChange={(search) => change({ search: search || undefined })} />
            <Select
              label={t('runs.state')}
              value={filter.state ?? 'any'}
              options={[{ value: 'any', label: t('runs.anyState') }, ...runStates.map((state) => ({ value: state, label: t(`state.${state}`) }))]}
              onChange={(value) => change({ state: value === 'any' ? undefined : value })}
            />
            <Select
              label={t('runs.agent')}
              value={filter.agent ?? ''}
              options={[
                { value: '', label: t('runs.anyAgent') },
                ...agentNames(agents.data?.items, filter.agent).map((name) => ({ value: name, label: name })),
              ]}
              onChange={(value) => change({ agent: value || undefined })}
            />
          </>
        }
      />
      <RunsTable
        query={runs}
        runs={runs.data?.items}
        selection={selection}
        newer={filter.cursor && paths.runs({ ...filter, cursor: undefined })}
        older={runs.data?.next ? paths.runs({ ...filter, cursor: runs.data.next }) : undefined}
        empty={
          isFiltered ? (
            <EmptyState
              title={t(filter.search && runs.data?.next ? 'runs.emptySoFar' : 'runs.emptyFiltered')}
              action={
                <AppLink href={paths.runs()} className={buttonClass('secondary')}>
                  {t('runs.clear')}
                </AppLink>
              }
            >
              {t(filter.search && runs.data?.next ? 'runs.emptySoFarText' : 'runs.emptyFilteredText')}
            </EmptyState>
          ) : (
            <EmptyState
              title={t('runs.empty')}
              action={
                <AppLink href={paths.home()} className={buttonClass('primary')}>
                  {t('runs.ask')}
                </AppLink>
              }
            >
              {t('runs.emptyText')}
            </EmptyState>
          )
        }
      />
      <SelectionBar selection={selection}>
        <SelectAll selection={selection} />
        <Button size="sm" disabledBecause={pair ? undefined : t('compare.chooseTwo')} onClick={() => pair && void navigate({ href: pair })}>
          <GitCompare size={13} aria-hidden />
          {t('compare.button')}
        </Button>
        <Button size="sm" look="danger" disabledBecause={blocked} onClick={() => setCancelling(true)}>
          <Square size={11} aria-hidden fill="currentColor" />
          {t('runs.cancelMany')}
        </Button>
      </SelectionBar>
      {isCancelling && <CancelManyDialog runs={open} onClose={() => setCancelling(false)} onDone={selection.clear} />}
    </>
  )
}

type TableProps = {
  query: Parameters<typeof Listing>[0]['query']
  runs: readonly Run[] | undefined
  selection: ReturnType<typeof useSelection>
  empty: React.ReactNode
  newer: string | undefined
  older: string | undefined
}

function RunsTable({ runs, selection, ...rest }: TableProps) {
  const { t, locale } = useTexts()
  return (
    <Listing<Run>
      {...rest}
      label={t('runs.title')}
      rows={runs}
      skeletonRows={10}
      idOf={({ id }) => id}
      columns={[
        {
          id: 'select',
          head: t('selection.choose'),
          isHeadHidden: true,
          className: 'w-9 max-sm:hidden',
          cell: (run) => <SelectOne id={run.id} label={t('selection.one', { what: questionOf(run.input).slice(0, 80) || run.id })} selection={selection} />,
        },
        {
          id: 'state',
          head: t('runs.state'),
          className: 'w-14 md:w-28',
          cell: ({ state }) => (
            <span className="flex items-center gap-2">
              <StateIcon tone={runTones[state]} />
              <span className="sr-only md:not-sr-only">{t(`state.${state}`)}</span>
            </span>
          ),
        },
        {
          id: 'question',
          head: t('runs.question'),
          cell: (run) => (
            <>
              {/* The link covers its whole row. */}
              <AppLink href={paths.run(run.id)} className={cx(coversRow, 'line-clamp-2 font-medium md:line-clamp-1')}>
                {questionOf(run.input) || t('runs.noInput')}
              </AppLink>
              <span className="text-xs text-ink-3 md:hidden">{run.agent}</span>
            </>
          ),
        },
        {
          id: 'agent',
          head: t('runs.agent'),
          className: 'w-32 max-md:hidden',
          cell: ({ agent }) => <span className="block truncate text-ink-2">{agent}</span>,
        },
        {
          id: 'asker',
          head: t('runs.asker'),
          className: 'w-32 max-xl:hidden',
          cell: ({ asker }) => <span className="block truncate text-ink-2">{asker.name}</span>,
        },
        {
          id: 'duration',
          head: t('runs.duration'),
          isRight: true,
          className: 'w-28 max-md:hidden',
          cell: (run) => <span className="text-ink-2">{run.state === 'pending' ? '–' : <DurationOf run={run} />}</span>,
        },
        {
          id: 'cost',
          head: t('runs.cost'),
          isRight: true,
          className: 'w-22 max-lg:hidden',
          cell: ({ usage }) => (
            <span className="text-ink-2">{usage.costUsd === null || usage.input + usage.output === 0 ? '–' : formatUsd(usage.costUsd, locale)}</span>
          ),
        },
        {
          id: 'started',
          head: t('runs.started'),
          isRight: true,
          className: 'w-24',
          cell: ({ createdAt }) => (
            <span className="text-xs text-ink-3">
              <Ago at={createdAt} />
            </span>
          ),
        },
      ]}
    />
  )
}

const DurationOf = ({ run }: { run: Run }) => (
  <Elapsed from={Date.parse(run.startedAt ?? run.createdAt)} to={run.endedAt === null ? null : Date.parse(run.endedAt)} />
)

/** Agents of today, and the one in the address even if it is gone. */
function agentNames(agents: readonly { name: string }[] | undefined, chosen: string | undefined): string[] {
  return [...new Set([...(agents ?? []).map((agent) => agent.name), ...(chosen ? [chosen] : [])])].sort()
}
