import type { Run } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { runsQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { EmptyState, Skeleton } from '../../ui/Notes.tsx'
import { StateIcon } from '../../ui/State.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { Ago } from '../Moment.tsx'
import { questionOf, runTones } from '../runs/run-facts.ts'

export function RecentRuns() {
  const { t } = useTexts()
  const runs = useQuery(runsQuery({}, 8))
  return (
    <section aria-labelledby="recent" className="min-w-0">
      <div className="mb-2 flex items-baseline justify-between">
        <h2 id="recent" className="text-sm font-semibold text-ink-2">
          {t('home.recent')}
        </h2>
        <AppLink href={paths.runs()} className="rounded-sm text-sm text-accent hover:underline">
          {t('home.allRuns')}
        </AppLink>
      </div>
      {runs.isPending && [0, 1, 2, 3].map((i) => <Skeleton key={i} className="mb-2 h-14" />)}
      {runs.isError && !runs.data && <RequestError error={runs.error} />}
      {runs.data?.items.length === 0 && <EmptyState title={t('home.noRuns')}>{t('home.noRunsText')}</EmptyState>}
      <ul className="divide-y divide-line border-y border-line empty:hidden">
        {runs.data?.items.map((run) => (
          <RecentRun key={run.id} run={run} />
        ))}
      </ul>
    </section>
  )
}

function RecentRun({ run }: { run: Run }) {
  const { t } = useTexts()
  return (
    <li>
      <AppLink href={paths.run(run.id)} className="flex gap-2.5 px-2 py-2.5 hover:bg-hover">
        <StateIcon tone={runTones[run.state]} className="mt-1" />
        <span className="min-w-0 flex-1">
          <span className="line-clamp-2 text-sm text-ink">{questionOf(run.input) || t('runs.noInput')}</span>
          <span className="mt-0.5 flex gap-1.5 text-xs text-ink-3">
            <span className="sr-only">{t(`state.${run.state}`)}, </span>
            <span className="truncate">{run.agent}</span>
            <span aria-hidden>·</span>
            <Ago at={run.createdAt} />
          </span>
        </span>
      </AppLink>
    </li>
  )
}
