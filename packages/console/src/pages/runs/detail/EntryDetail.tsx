import type { Run } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { GitFork, Link2, X } from 'lucide-react'
import { useState } from 'react'
import type { ReactNode } from 'react'
import { usePermission } from '../../../api/permissions.ts'
import { entryEventsQuery, stepQuery } from '../../../api/queries.ts'
import { useTexts } from '../../../i18n/index.ts'
import { paths } from '../../../paths.ts'
import type { Entry, Timeline } from '../../../timeline/index.ts'
import { IconButton } from '../../../ui/Button.tsx'
import { CopyButton } from '../../../ui/CopyButton.tsx'
import { Segmented } from '../../../ui/Fields.tsx'
import { formatClock, formatDuration } from '../../../ui/format.ts'
import { Skeleton } from '../../../ui/Notes.tsx'
import { StateBadge } from '../../../ui/State.tsx'
import { RuleLine } from '../../approvals/RuleView.tsx'
import { RequestError } from '../../ErrorPages.tsx'
import { entryTones, titleOf } from '../entry-facts.ts'
import { ForkDialog } from '../fork/ForkDialog.tsx'
import { KindIcon } from '../KindIcon.tsx'
import { FailureView } from '../OutcomeView.tsx'
import { WaitPanel } from '../WaitPanel.tsx'
import { ExecDetail } from './ExecDetail.tsx'
import { ArtifactDetail, FilesDetail } from './FilesDetail.tsx'
import { ModelDetail } from './ModelDetail.tsx'
import { FoldersView } from './FoldersView.tsx'
import { Facts, Value } from './parts.tsx'
import { ToolDetail } from './ToolDetail.tsx'

type Props = { run: Run; entry: Entry; timeline: Timeline; onClose: () => void; onChoose: (key: string) => void }

/** Everything that is known of one entry: exactly what went in, what came out, what went wrong. */
export function EntryDetail({ run, entry, timeline, onClose, onChoose }: Props) {
  const { t } = useTexts()
  const [isRaw, setRaw] = useState(false)
  return (
    <>
      <header className="flex shrink-0 flex-wrap items-center gap-2 border-b border-line py-2 pr-2 pl-4">
        <KindIcon subject={entry.subject} size={16} />
        <h3 className="min-w-0 truncate font-semibold">{titleOf(entry, t)}</h3>
        {entry.subject.type !== 'mark' && <StateBadge tone={entryTones[entry.state]}>{t(`entry.state.${entry.state}`)}</StateBadge>}
        <span className="ml-auto flex items-center">
          <Segmented
            label={t('detail.label')}
            value={isRaw ? 'raw' : 'readable'}
            options={[
              { value: 'readable', label: t('detail.readable') },
              { value: 'raw', label: t('detail.raw') },
            ]}
            onChange={(value) => setRaw(value === 'raw')}
          />
          <ForkHere run={run} entry={entry} timeline={timeline} />
          <CopyLink run={run} entry={entry} />
          <IconButton label={t('common.close')} onClick={onClose}>
            <X size={16} aria-hidden />
          </IconButton>
        </span>
      </header>
      <div className="min-h-0 flex-1 space-y-5 overflow-y-auto overscroll-contain p-4" tabIndex={0} role="region" aria-label={titleOf(entry, t)}>
        {isRaw ? <RawDetail run={run} entry={entry} /> : <ReadableDetail run={run} entry={entry} timeline={timeline} onChoose={onChoose} />}
      </div>
    </>
  )
}

/** What went on from here can be tried once more, with something changed. */
function ForkHere({ run, entry, timeline }: { run: Run; entry: Entry; timeline: Timeline }) {
  const { t } = useTexts()
  const mayWrite = usePermission('runs:write')
  const [isForking, setForking] = useState(false)
  if (!mayWrite || (entry.subject.type !== 'step' && entry.subject.type !== 'wait')) return null
  return (
    <>
      <IconButton label={t('fork.here')} onClick={() => setForking(true)}>
        <GitFork size={15} aria-hidden />
      </IconButton>
      {isForking && <ForkDialog run={run} timeline={timeline} op={entry.key} onClose={() => setForking(false)} />}
    </>
  )
}

function CopyLink({ run, entry }: { run: Run; entry: Entry }) {
  const { t } = useTexts()
  return (
    <CopyButton
      isIconOnly
      size="md"
      icon={<Link2 size={15} aria-hidden />}
      getText={() => new URL(paths.run(run.id, { step: entry.key }), location.origin).href}
      words={{ label: t('detail.copyLink'), done: t('common.copied') }}
    />
  )
}

function ReadableDetail({ run, entry, timeline, onChoose }: Omit<Props, 'onClose'>) {
  const { t, locale } = useTexts()
  const { subject } = entry
  const facts: [string, ReactNode][] = [[t('detail.started'), formatClock(entry.startedAt, locale)]]
  if (entry.endedAt !== null && subject.type !== 'mark') facts.push([t('detail.duration'), formatDuration(entry.endedAt - entry.startedAt, locale)])
  if (subject.type !== 'mark') facts.push([t('detail.path'), <span className="font-mono text-xs">{entry.key}</span>])
  return (
    <>
      {subject.type === 'step' ? (
        <StepDetail run={run} entry={entry} timeline={timeline} facts={facts} onChoose={onChoose} />
      ) : (
        <OtherDetail run={run} entry={entry} facts={facts} />
      )}
      {entry.attempts.length > 1 && <Attempts entry={entry} />}
    </>
  )
}

function StepDetail({ run, entry, timeline, facts: known, onChoose }: Omit<Props, 'onClose'> & { facts: [string, ReactNode][] }) {
  const { t } = useTexts()
  const step = useQuery(stepQuery(run.id, entry.key, entry.events.length))
  if (step.isPending) return <Skeleton className="h-40" />
  if (!step.data) return <RequestError error={step.error} />
  const { kind, folders } = step.data
  const facts: [string, ReactNode][] = folders ? [...known, [t('detail.folders'), <FoldersView folders={folders} />]] : known
  const about = { step: step.data, entry, facts }
  if (kind === 'model') return <ModelDetail {...about} />
  if (kind === 'exec') return <ExecDetail {...about} />
  if (kind === 'files') return <FilesDetail step={step.data} facts={facts} />
  if (kind === 'artifact') return <ArtifactDetail step={step.data} facts={facts} />
  return <ToolDetail {...about} timeline={timeline} onChoose={onChoose} />
}

/** Waits, branches, and what happened to the run as a whole: all that there is came with the events. */
function OtherDetail({ run, entry, facts }: { run: Run; entry: Entry; facts: [string, ReactNode][] }) {
  const { t, locale } = useTexts()
  const { wait } = entry
  const more: [string, ReactNode][] = wait
    ? [
        [titleOf(entry, t), wait.name],
        ...(wait.until ? ([[t('wait.until', { until: '' }), formatClock(Date.parse(wait.until), locale)]] as [string, ReactNode][]) : []),
      ]
    : []
  return (
    <>
      <Facts facts={[...facts, ...more]} />
      {wait?.kind === 'approval' && entry.state !== 'waiting' && <RuleLine rule={wait.rule} from={wait.ruleFrom} />}
      {entry.state === 'waiting' && wait && <WaitPanel run={run} wait={wait} />}
      {entry.failure && <FailureView failure={entry.failure} title={t('detail.error')} />}
      {entry.input !== undefined && entry.state !== 'waiting' && <Value title={t(inputTitle(entry))} value={entry.input} />}
      {entry.output !== undefined && entry.output !== null && <Value title={t(outputTitle(entry))} value={entry.output} />}
    </>
  )
}

function outputTitle({ subject }: Entry): 'detail.reason' | 'detail.by' | 'detail.output' {
  if (subject.type !== 'mark') return 'detail.output'
  return subject.event === 'run.cancelled' ? 'detail.reason' : subject.event === 'signal.received' ? 'detail.by' : 'detail.output'
}

function inputTitle({ subject }: Entry): 'detail.input' | 'detail.reason' | 'detail.payload' {
  if (subject.type !== 'mark') return 'detail.payload'
  return subject.event === 'run.started' ? 'detail.input' : subject.event === 'run.interrupted' ? 'detail.reason' : 'detail.payload'
}

function Attempts({ entry }: { entry: Entry }) {
  const { t, locale } = useTexts()
  return (
    <section className="space-y-2">
      <h4 className="text-sm font-semibold">{t('detail.attempts')}</h4>
      <ol className="divide-y divide-line rounded-md border border-line text-sm">
        {entry.attempts.map((one, i) => (
          <li key={i} className="space-y-1 px-3 py-2">
            <p className="flex flex-wrap justify-between gap-x-4">
              <span className="font-medium">{t('detail.attempt', { attempt: one.attempt })}</span>
              <span className="text-ink-3">
                {formatClock(one.startedAt, locale)}
                {one.endedAt !== null && ` · ${formatDuration(one.endedAt - one.startedAt, locale)}`}
              </span>
            </p>
            {one.isInterrupted && <p className="text-warn">{t('detail.worker')}</p>}
            {one.failure && <p className="break-words whitespace-pre-wrap text-bad">{one.failure.message}</p>}
            {one.retryInMs !== null && <p className="text-ink-2">{t('detail.retryIn', { delay: formatDuration(one.retryInMs, locale) })}</p>}
          </li>
        ))}
      </ol>
    </section>
  )
}

function RawDetail({ run, entry }: { run: Run; entry: Entry }) {
  const { t } = useTexts()
  const isStep = entry.subject.type === 'step'
  const step = useQuery({ ...stepQuery(run.id, entry.key, entry.events.length), enabled: isStep })
  const events = useQuery(entryEventsQuery(run.id, entry.events))
  return (
    <>
      {isStep && step.data && <Value title={`GET /v1/runs/…/steps/${entry.key}`} value={step.data} isRaw />}
      {events.isPending && events.isFetching && <Skeleton className="h-40" />}
      {events.isError && <RequestError error={events.error} />}
      {events.data && <Value title={t('detail.events')} value={events.data} isRaw />}
    </>
  )
}
