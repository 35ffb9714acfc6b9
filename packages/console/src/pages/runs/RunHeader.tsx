import { attachmentsOf, isTerminal } from '@longhaul/protocol/plain'
import type { Run } from '@longhaul/protocol'
import type { ReactNode } from 'react'
import { serverNow } from '../../api/connection.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { waitedMs } from '../../timeline/index.ts'
import type { Timeline } from '../../timeline/index.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { formatCount, formatDuration, formatUsd } from '../../ui/format.ts'
import { StateBadge } from '../../ui/State.tsx'
import { useNow } from '../../ui/use-now.ts'
import { AppLink } from '../AppLink.tsx'
import { AttachmentList } from '../attachments/AttachmentList.tsx'
import { Ago, Elapsed } from '../Moment.tsx'
import { Labels } from './Labels.tsx'
import { answerOf } from './answer-of.ts'
import { accessInWords, questionOf, runTones } from './run-facts.ts'
import { RunActions } from './RunActions.tsx'

export function RunHeader({ run, timeline }: { run: Run; timeline: Timeline }) {
  const { t, locale } = useTexts()
  const model = answerOf(run)?.model
  const { usage } = run
  const isUsed = usage.input + usage.output > 0
  return (
    <header className="space-y-4">
      <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
        <div className="flex min-w-0 flex-wrap items-center gap-2">
          <StateBadge tone={runTones[run.state]}>{t(`state.${run.state}`)}</StateBadge>
          <AppLink href={paths.runs({ agent: run.agent })} className="rounded-sm text-sm font-medium hover:underline">
            {run.agent}
          </AppLink>
          <span className="hidden text-sm text-ink-3 sm:inline">{t('run.askedBy', { name: run.asker.name })}</span>
        </div>
        <RunActions run={run} timeline={timeline} />
      </div>
      <h1 className="max-w-[50ch] text-2xl font-semibold tracking-tight break-words whitespace-pre-line">
        {questionOf(run.input).slice(0, 2_000) || t('runs.noInput')}
      </h1>
      <AttachmentList attachments={attachmentsOf(run.input)} />
      <dl className="grid grid-cols-2 gap-x-6 gap-y-3 border-y border-line py-3 text-sm sm:grid-cols-3 md:flex md:flex-wrap md:gap-x-10">
        <Fact name={t('run.started')}>
          <Ago at={run.startedAt ?? run.createdAt} />
        </Fact>
        <Fact name={t('run.duration')}>
          {run.startedAt === null && !isTerminal(run.state) ? (
            '–'
          ) : (
            <Elapsed from={Date.parse(run.startedAt ?? run.createdAt)} to={run.endedAt === null ? null : Date.parse(run.endedAt)} />
          )}
          <Waited timeline={timeline} />
        </Fact>
        {model && <Fact name={t('run.model')}>{model}</Fact>}
        <Fact name={t('run.tokens')} title={usage.cachedInput > 0 ? t('run.tokensCached', { cached: formatCount(usage.cachedInput, locale) }) : undefined}>
          {isUsed ? t('run.tokensValue', { input: formatCount(usage.input, locale), output: formatCount(usage.output, locale) }) : '–'}
        </Fact>
        <Fact name={t('run.cost')}>
          {!isUsed ? '–' : usage.costUsd === null ? <span className="text-ink-2">{t('common.unpriced')}</span> : formatUsd(usage.costUsd, locale)}
        </Fact>
        {run.compute.memoryMbS > 0 && (
          <Fact name={t('run.compute')} title={t('run.computeText')}>
            {t('run.computeValue', { cpu: formatDuration(run.compute.cpuMs, locale), memory: formatCount(Math.round(run.compute.memoryMbS), locale) })}
          </Fact>
        )}
        <Fact name={t('run.access')}>{accessInWords(run.asker, t)}</Fact>
        {run.labels && (
          <Fact name={t('run.labels')} title={t('run.labelsText')}>
            <Labels labels={run.labels} />
          </Fact>
        )}
        <Fact name={t('run.id')}>
          <span className="flex items-center gap-1 font-mono text-xs leading-5" title={`${run.id} · ${t('run.version', { version: run.version })}`}>
            {run.id.slice(-12)}
            <CopyButton isIconOnly getText={() => run.id} words={{ label: t('common.copy'), done: t('common.copied') }} />
          </span>
        </Fact>
      </dl>
    </header>
  )
}

/** Part of the duration in which nothing was being done: a refund that took a day took a moment of work. */
function Waited({ timeline }: { timeline: Timeline }) {
  const { t, locale } = useTexts()
  const now = useNow(serverNow, 1_000, timeline.endedAt === null)
  const ms = waitedMs(timeline, now)
  return ms < 1_000 ? null : <span className="ml-1.5 text-ink-3">{t('run.waited', { duration: formatDuration(ms, locale) })}</span>
}

function Fact({ name, title, children }: { name: string; title?: string | undefined; children: ReactNode }) {
  return (
    <div className="min-w-0" title={title}>
      <dt className="text-xs text-ink-3">{name}</dt>
      <dd className="flex min-h-6 items-center md:whitespace-nowrap">{children}</dd>
    </div>
  )
}
