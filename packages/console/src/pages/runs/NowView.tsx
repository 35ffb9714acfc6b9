import type { Run } from '@longhaul/protocol'
import { useId, useLayoutEffect, useRef } from 'react'
import { useTexts } from '../../i18n/index.ts'
import type { Entry, Live, Timeline } from '../../timeline/index.ts'
import { StateIcon } from '../../ui/State.tsx'
import { Elapsed } from '../Moment.tsx'
import { SafeMarkdown } from './AnswerView.tsx'
import { entryTones, wordsOf } from './entry-facts.ts'
import type { EntryWords } from './entry-facts.ts'

/** What a run is doing right now, in the place where its answer will be. Of fixed height, so that streaming moves nothing. */
export function NowView({ run, timeline, isReconnecting }: { run: Run; timeline: Timeline; isReconnecting: boolean }) {
  const { t } = useTexts()
  const id = useId()
  const current = latestOpenStep(timeline)
  if (run.state === 'waiting' && !current?.live) return null
  const words = current && wordsOf({ ...current, live: null }, t)
  return (
    <section aria-labelledby={id} aria-busy className="overflow-hidden rounded-lg border border-line bg-surface">
      <h2 id={id} className="flex h-9 items-center gap-2 border-b border-line px-3 text-sm">
        <StateIcon tone={current ? entryTones[current.state] : run.state === 'pending' ? 'idle' : 'active'} />
        <span className="font-medium">{words?.title ?? t(run.state === 'pending' ? 'run.queued' : 'run.working')}</span>
        <Summary
          words={current?.live?.text ? undefined : words}
          isThinking={current?.subject.type === 'step' && current.subject.kind === 'model' && current.state === 'running'}
        />
        {current && (
          <span className="shrink-0 text-xs text-ink-3">
            <Elapsed from={current.attempts.at(-1)?.startedAt ?? current.startedAt} to={null} />
          </span>
        )}
      </h2>
      <div className="h-32">
        {isReconnecting ? <p className="p-3 text-warn">{t('run.reconnecting')}</p> : <Streamed key={current?.key} live={current?.live ?? null} />}
      </div>
    </section>
  )
}

function Summary({ words, isThinking }: { words: EntryWords | undefined; isThinking: boolean }) {
  return (
    <span
      className={
        isThinking
          ? 'min-w-0 flex-1 animate-pulse-slow truncate text-ink-3'
          : words?.isCode
            ? 'min-w-0 flex-1 truncate font-mono text-xs text-ink-3'
            : 'min-w-0 flex-1 truncate text-ink-3'
      }
    >
      {words?.summary}
    </span>
  )
}

/** The text of a model or the output of a command as it comes, always scrolled to its end. */
function Streamed({ live }: { live: Live | null }) {
  const box = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight
  }, [live])
  const output = live ? (live.stdout + live.stderr).slice(-4_000) : ''
  return (
    <div ref={box} className="h-full overflow-hidden p-3">
      {live?.text ? (
        <div className="prose max-w-[75ch]">
          <SafeMarkdown text={live.text.slice(-4_000)} />
        </div>
      ) : (
        <pre className="text-xs leading-5 break-all whitespace-pre-wrap">{output}</pre>
      )}
    </div>
  )
}

/** The newest step that goes on: what it does inside began after it. */
function latestOpenStep(timeline: Timeline): Entry | undefined {
  let latest: Entry | undefined
  for (const entry of timeline.entries.values()) {
    if (entry.subject.type !== 'step' || (entry.state !== 'running' && entry.state !== 'retrying')) continue
    if (!latest || entry.startedAt >= latest.startedAt) latest = entry
  }
  return latest
}
