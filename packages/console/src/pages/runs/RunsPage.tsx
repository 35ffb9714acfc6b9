import { runStates } from '@longhaul/protocol'
import type { Run, RunState } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { agentsQuery, runsQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths, patterns } from '../../paths.ts'
import { buttonClass } from '../../ui/Button.tsx'
import { cx } from '../../ui/cx.ts'
import { Select } from '../../ui/Fields.tsx'
import { formatUsd } from '../../ui/format.ts'
import { EmptyState, Skeleton } from '../../ui/Notes.tsx'
import { StateIcon } from '../../ui/State.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { Ago, Elapsed } from '../Moment.tsx'
import { questionOf, runTones } from './run-facts.ts'

export function RunsPage() {
  const { t } = useTexts()
  const filter = useSearch({ from: '/shell/runs' })
  const navigate = useNavigate()
  const runs = useQuery(runsQuery(filter))
  const agents = useQuery(agentsQuery())
  const isFiltered = filter.state !== undefined || filter.agent !== undefined
  // Another filter begins at the newest again: a cursor belongs to the list it came from.
  const change = (changes: { state?: RunState | undefined; agent?: string | undefined }) =>
    void navigate({ to: patterns.runs, search: { ...filter, ...changes, cursor: undefined }, replace: true })
  return (
    <div>
      <div className="mb-4 flex flex-wrap items-center justify-between gap-3">
        <h1 className="text-2xl font-semibold tracking-tight">{t('runs.title')}</h1>
        <div className="flex flex-wrap gap-2">
          <Select
            label={t('runs.state')}
            value={filter.state ?? 'any'}
            options={[{ value: 'any', label: t('runs.anyState') }, ...runStates.map((state) => ({ value: state, label: t(`state.${state}`) }))]}
            onChange={(value) => change({ state: value === 'any' ? undefined : value })}
          />
          <Select
            label={t('runs.agent')}
            value={filter.agent ?? ''}
            options={[{ value: '', label: t('runs.anyAgent') }, ...agentNames(agents.data?.items, filter.agent).map((name) => ({ value: name, label: name }))]}
            onChange={(value) => change({ agent: value || undefined })}
          />
        </div>
      </div>
      {runs.isError && !runs.data && <RequestError error={runs.error} />}
      {runs.isPending && <TableSkeleton />}
      {runs.data?.items.length === 0 && (
        <div className="rounded-lg border border-line bg-surface">
          {isFiltered ? (
            <EmptyState
              title={t('runs.emptyFiltered')}
              action={
                <AppLink href={paths.runs()} className={buttonClass('secondary')}>
                  {t('runs.clear')}
                </AppLink>
              }
            >
              {t('runs.emptyFilteredText')}
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
          )}
        </div>
      )}
      {runs.data && runs.data.items.length > 0 && <RunsTable runs={runs.data.items} />}
      <nav aria-label={t('runs.title')} className="mt-4 flex justify-end gap-2">
        {filter.cursor && (
          <AppLink href={paths.runs({ ...filter, cursor: undefined })} className={buttonClass('secondary', 'sm')}>
            {t('common.newer')}
          </AppLink>
        )}
        {runs.data?.next && (
          <AppLink href={paths.runs({ ...filter, cursor: runs.data.next })} className={buttonClass('secondary', 'sm')}>
            {t('common.older')}
          </AppLink>
        )}
      </nav>
    </div>
  )
}

const head = 'px-3 py-2 text-left text-xs font-medium text-ink-3 whitespace-nowrap'
const cell = 'px-3 py-2 align-middle'

function RunsTable({ runs }: { runs: readonly Run[] }) {
  const { t } = useTexts()
  return (
    <div className="overflow-hidden rounded-lg border border-line bg-surface">
      <table className="w-full table-fixed border-collapse text-sm">
        <thead className="border-b border-line bg-sunken">
          <tr>
            <th scope="col" className={cx(head, 'w-10 md:w-32')}>
              <span className="sr-only md:not-sr-only">{t('runs.state')}</span>
            </th>
            <th scope="col" className={head}>
              {t('runs.question')}
            </th>
            <th scope="col" className={cx(head, 'hidden w-36 md:table-cell')}>
              {t('runs.agent')}
            </th>
            <th scope="col" className={cx(head, 'hidden w-32 lg:table-cell')}>
              {t('runs.asker')}
            </th>
            <th scope="col" className={cx(head, 'hidden w-28 text-right md:table-cell')}>
              {t('runs.duration')}
            </th>
            <th scope="col" className={cx(head, 'hidden w-24 text-right lg:table-cell')}>
              {t('runs.cost')}
            </th>
            <th scope="col" className={cx(head, 'w-28 text-right')}>
              {t('runs.started')}
            </th>
          </tr>
        </thead>
        <tbody className="divide-y divide-line">
          {runs.map((run) => (
            <RunRow key={run.id} run={run} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function RunRow({ run }: { run: Run }) {
  const { t, locale } = useTexts()
  const from = Date.parse(run.startedAt ?? run.createdAt)
  return (
    <tr className="relative hover:bg-hover">
      <td className={cell}>
        <span className="flex items-center gap-2">
          <StateIcon tone={runTones[run.state]} />
          <span className="sr-only md:not-sr-only">{t(`state.${run.state}`)}</span>
        </span>
      </td>
      <td className={cell}>
        {/* The link covers its whole row. */}
        <AppLink
          href={paths.run(run.id)}
          className="line-clamp-2 font-medium after:absolute after:inset-0 focus-visible:outline-none focus-visible:after:rounded-sm focus-visible:after:outline-2 focus-visible:after:-outline-offset-2 focus-visible:after:outline-accent md:line-clamp-1"
        >
          {questionOf(run.input) || t('runs.noInput')}
        </AppLink>
        <span className="text-xs text-ink-3 md:hidden">{run.agent}</span>
      </td>
      <td className={cx(cell, 'hidden truncate text-ink-2 md:table-cell')}>{run.agent}</td>
      <td className={cx(cell, 'hidden truncate text-ink-2 lg:table-cell')}>{run.asker.name}</td>
      <td className={cx(cell, 'hidden text-right whitespace-nowrap text-ink-2 md:table-cell')}>
        {run.state === 'pending' ? '–' : <Elapsed from={from} to={run.endedAt === null ? null : Date.parse(run.endedAt)} />}
      </td>
      <td className={cx(cell, 'hidden text-right whitespace-nowrap text-ink-2 lg:table-cell')}>
        {run.usage.costUsd === null || run.usage.input + run.usage.output === 0 ? '–' : formatUsd(run.usage.costUsd, locale)}
      </td>
      <td className={cx(cell, 'text-right text-xs whitespace-nowrap text-ink-3')}>
        <Ago at={run.createdAt} />
      </td>
    </tr>
  )
}

/** Agents of today, and the one in the address even if it is gone. */
function agentNames(agents: readonly { name: string }[] | undefined, chosen: string | undefined): string[] {
  return [...new Set([...(agents ?? []).map((agent) => agent.name), ...(chosen ? [chosen] : [])])].sort()
}

function TableSkeleton() {
  return (
    <div className="divide-y divide-line rounded-lg border border-line bg-surface">
      {Array.from({ length: 10 }, (_, i) => (
        <div key={i} className="flex h-[37px] items-center gap-4 px-3">
          <Skeleton className="size-3.5" />
          <Skeleton className="h-3 flex-1" />
          <Skeleton className="h-3 w-20" />
        </div>
      ))}
    </div>
  )
}
