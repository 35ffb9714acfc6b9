import type { Run } from '@longhaul/protocol'
import { useTexts } from '../../i18n/index.ts'
import type { Entry, Timeline } from '../../timeline/index.ts'
import { StateIcon } from '../../ui/State.tsx'
import { Elapsed } from '../Moment.tsx'
import { entryTones, wordsOf } from './entry-facts.ts'

/** What a run is doing right now, in the place where its answer will be. Of fixed height, so that streaming moves nothing. */
export function NowView({ run, timeline, isReconnecting }: { run: Run; timeline: Timeline; isReconnecting: boolean }) {
  const { t } = useTexts()
  const current = latestOpenLeaf(timeline)
  if (run.state === 'waiting' && !current?.live) return null
  const live = current?.live
  const words = current && wordsOf(current, t)
  const streamed = live ? live.text || live.stdout + live.stderr : ''
  return (
    <section aria-labelledby="now" aria-busy className="overflow-hidden rounded-lg border border-line bg-surface">
      <h2 id="now" className="flex h-9 items-center gap-2 border-b border-line px-3 text-sm">
        <StateIcon tone={current ? entryTones[current.state] : run.state === 'pending' ? 'idle' : 'active'} />
        <span className="font-medium">{words?.title ?? t(run.state === 'pending' ? 'run.queued' : 'run.working')}</span>
        <span className="min-w-0 flex-1 truncate text-ink-3">{live ? '' : words?.summary}</span>
        {current && (
          <span className="shrink-0 text-xs text-ink-3">
            <Elapsed from={current.attempts.at(-1)?.startedAt ?? current.startedAt} to={null} />
          </span>
        )}
      </h2>
      <div className="flex h-32 flex-col justify-end overflow-hidden px-3 py-2.5">
        {isReconnecting ? (
          <p className="text-warn">{t('run.reconnecting')}</p>
        ) : streamed ? (
          <p className={live?.text ? 'max-w-[75ch] whitespace-pre-wrap' : 'font-mono text-xs leading-5 whitespace-pre-wrap break-all'}>{streamed.slice(-1_500)}</p>
        ) : (
          <p className="animate-pulse-slow self-start text-ink-3">{t(run.state === 'pending' ? 'run.queued' : current?.subject.type === 'step' && current.subject.kind === 'model' ? 'entry.thinking' : 'run.working')}</p>
        )}
      </div>
    </section>
  )
}

/** The newest thing that goes on and has nothing going on inside it. */
function latestOpenLeaf(timeline: Timeline): Entry | undefined {
  let latest: Entry | undefined
  for (const entry of timeline.entries.values()) {
    if (entry.subject.type !== 'step' || (entry.state !== 'running' && entry.state !== 'retrying')) continue
    if (!latest || entry.startedAt >= latest.startedAt) latest = entry
  }
  return latest
}
