import { isTerminal } from '@longhaul/protocol/plain'
import type { Run } from '@longhaul/protocol'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useCallback, useMemo, useState } from 'react'
import { serverNow } from '../../api/connection.ts'
import { useTexts } from '../../i18n/index.ts'
import { patterns } from '../../paths.ts'
import { makeTimeScale, toRows } from '../../timeline/index.ts'
import type { RowFilter, Timeline } from '../../timeline/index.ts'
import { Segmented } from '../../ui/Fields.tsx'
import { formatDuration } from '../../ui/format.ts'
import { Skeleton } from '../../ui/Notes.tsx'
import { Sheet } from '../../ui/Sheet.tsx'
import { useIsWide } from '../../ui/use-media.ts'
import { useNow } from '../../ui/use-now.ts'
import { cx } from '../../ui/cx.ts'
import { EntryDetail } from './detail/EntryDetail.tsx'
import { titleOf } from './entry-facts.ts'
import { TimelineList } from './TimelineList.tsx'

const filters = ['all', 'model', 'tool', 'exec', 'problem'] as const satisfies readonly RowFilter[]

/** Everything that happened, line by line, and the chosen line in detail beside it. */
export function TimelineSection({ run, timeline, isLoading }: { run: Run; timeline: Timeline; isLoading: boolean }) {
  const { t, locale } = useTexts()
  const search = useSearch({ from: '/shell/runs/$runId' })
  const navigate = useNavigate()
  const isWide = useIsWide()
  const [folds, setFolds] = useState<ReadonlyMap<string, boolean>>(new Map())
  const filter = filters.find((one) => one === search.show) ?? 'all'
  const isLive = !isTerminal(run.state)
  const now = useNow(serverNow, run.state === 'waiting' ? 1_000 : 250, isLive)
  const rows = useMemo(() => toRows(timeline, folds, filter), [timeline, folds, filter])
  const scale = useMemo(() => makeTimeScale(timeline, now), [timeline, timeline.endedAt === null ? now : 0])
  const chosen = search.step === undefined ? undefined : timeline.entries.get(search.step)
  const params = useMemo(() => ({ runId: run.id }), [run.id])

  const choose = useCallback(
    (key: string | undefined) =>
      void navigate({
        to: patterns.run,
        params,
        search: { show: search.show, step: key },
        replace: key !== undefined && search.step !== undefined,
        resetScroll: false,
      }),
    [navigate, params, search.step, search.show],
  )
  const toggle = useCallback((key: string, isCollapsed: boolean) => setFolds((before) => new Map(before).set(key, isCollapsed)), [])

  const stepCount = useMemo(() => [...timeline.entries.values()].filter((entry) => entry.subject.type === 'step').length, [timeline.entries])
  const counts = [
    t('timeline.steps', { count: stepCount }),
    timeline.retryCount > 0 && t('timeline.retries', { count: timeline.retryCount }),
    timeline.interruptionCount > 0 && t('timeline.interruptions', { count: timeline.interruptionCount }),
  ]
  const detail = chosen && <EntryDetail key={chosen.key} run={run} entry={chosen} timeline={timeline} onClose={() => choose(undefined)} onChoose={choose} />
  return (
    <section aria-labelledby="timeline">
      <div className="mb-2 flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
        <div className="flex items-baseline gap-3">
          <h2 id="timeline" className="text-lg font-semibold">
            {t('timeline.title')}
          </h2>
          {stepCount > 0 && <p className="text-sm text-ink-3">{counts.filter(Boolean).join(' · ')}</p>}
        </div>
        <Segmented
          label={t('timeline.filter')}
          value={filter}
          options={filters.map((value) => ({ value, label: t(`timeline.${value}`) }))}
          onChange={(show) =>
            void navigate({
              to: patterns.run,
              params,
              search: { step: search.step, show: show === 'all' ? undefined : show },
              replace: true,
              resetScroll: false,
            })
          }
        />
      </div>
      <div className={cx('grid items-start gap-4', detail && isWide && 'grid-cols-[minmax(0,1fr)_minmax(26rem,42%)]')}>
        <div className="min-w-0 overflow-clip rounded-lg border border-line bg-surface">
          {isLoading && <ListSkeleton label={t('timeline.loading')} />}
          {!isLoading && rows.length === 0 && (
            <p className="px-4 py-8 text-center text-sm text-ink-3">{t(filter === 'all' ? 'timeline.empty' : 'timeline.emptyFilter')}</p>
          )}
          {rows.length > 0 && (
            <>
              <div aria-hidden className="hidden h-7 items-center border-b border-line bg-sunken text-xs text-ink-3 md:flex">
                <span className="flex-1" />
                <span className="flex w-[34%] justify-between px-2">
                  <span>0</span>
                  <span>{formatDuration(scale.to - scale.from, locale)}</span>
                </span>
                <span className="w-20" />
              </div>
              <TimelineList
                rows={rows}
                scale={scale}
                now={now}
                chosen={search.step}
                isLive={isLive && run.state !== 'waiting'}
                onChoose={choose}
                onToggle={toggle}
              />
            </>
          )}
        </div>
        {isWide && detail && (
          <aside
            aria-label={t('detail.label')}
            className="sticky top-16 flex max-h-[calc(100dvh-5rem)] min-h-80 flex-col overflow-hidden rounded-lg border border-line bg-surface"
          >
            {detail}
          </aside>
        )}
      </div>
      {!isWide && (
        <Sheet isOpen={chosen !== undefined} onClose={() => choose(undefined)} title={chosen ? titleOf(chosen, t) : ''}>
          {detail}
        </Sheet>
      )}
      {search.step !== undefined && !chosen && !isLoading && timeline.lastSeq >= 0 && <p className="mt-3 text-sm text-ink-2">{t('detail.gone')}</p>}
    </section>
  )
}

function ListSkeleton({ label }: { label: string }) {
  return (
    <div role="status" aria-label={label} className="divide-y divide-line">
      {Array.from({ length: 8 }, (_, i) => (
        <div key={i} className="flex h-8 items-center gap-3 px-3">
          <Skeleton className="size-3.5" />
          <Skeleton className="h-3 w-1/3" />
        </div>
      ))}
    </div>
  )
}
