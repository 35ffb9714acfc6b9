import type { ReactNode } from 'react'
import { useQuery } from '@tanstack/react-query'
import { attentionQuery } from '../../api/attention.ts'
import { approvalsQuery, runsQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Skeleton } from '../../ui/Notes.tsx'
import { Section } from '../../ui/Page.tsx'
import { StateIcon } from '../../ui/State.tsx'
import type { Tone } from '../../ui/State.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { Ago } from '../Moment.tsx'
import { questionOf, runTones } from '../runs/run-facts.ts'

type Line = { id: string; href: string; tone: Tone; text: string; state: string; agent: string; at: string }

/** What a person is asked: approvals, and runs that wait for an operator. */
export function Waiting() {
  const { t } = useTexts()
  const approvals = useQuery(approvalsQuery('pending'))
  const attention = useQuery(attentionQuery({}))
  const lines: Line[] | undefined = approvals.data && [
    ...approvals.data.items.slice(0, 5).map(({ id, runId, title, agent, createdAt }) => ({
      id,
      href: paths.run(runId),
      tone: 'waiting' as const,
      text: title,
      state: t('wait.approval'),
      agent,
      at: createdAt,
    })),
    ...(attention.data?.items ?? [])
      .filter(({ kind, reason }) => kind === 'run' && reason !== 'failed')
      .slice(0, 5)
      .map(({ id, runId, message, reason, agent, createdAt }) => ({
        id,
        href: paths.run(runId),
        tone: 'warn' as const,
        text: message.split('\n')[0] ?? '',
        state: t(`attention.reasons.${reason}`),
        agent,
        at: createdAt,
      })),
  ]
  return <Lines id="waiting" title={t('overview.waits')} href={paths.approvals()} lines={lines} error={approvals.error} empty={t('overview.waitsEmpty')} />
}

export function Failed() {
  const { t } = useTexts()
  const failed = useQuery(attentionQuery({ reason: 'failed' }, 5))
  const lines = failed.data?.items.map(({ id, runId, message, agent, createdAt }) => ({
    id,
    href: paths.run(runId),
    tone: 'bad' as const,
    text: message.split('\n')[0] ?? '',
    state: t('state.failed'),
    agent,
    at: createdAt,
  }))
  return <Lines id="failed" title={t('overview.justFailed')} href={paths.attention()} lines={lines} error={failed.error} empty={t('overview.failedEmpty')} />
}

export function RecentRuns() {
  const { t } = useTexts()
  const runs = useQuery(runsQuery({}, 8))
  const lines = runs.data?.items.map((run) => ({
    id: run.id,
    href: paths.run(run.id),
    tone: runTones[run.state],
    text: questionOf(run.input) || t('runs.noInput'),
    state: t(`state.${run.state}`),
    agent: run.agent,
    at: run.createdAt,
  }))
  return <Lines id="recent" title={t('home.recent')} href={paths.runs()} lines={lines} error={runs.error} empty={t('home.noRunsText')} />
}

function Lines({
  id,
  title,
  href,
  lines,
  error,
  empty,
}: {
  id: string
  title: string
  href: string
  lines: Line[] | undefined
  error: unknown
  empty: ReactNode
}) {
  const { t } = useTexts()
  return (
    <Section
      id={id}
      title={title}
      aside={
        <AppLink href={href} className="rounded-sm text-accent hover:underline">
          {t('overview.all')}
          <span className="sr-only"> {title}</span>
        </AppLink>
      }
    >
      {!lines && error ? <RequestError error={error} /> : null}
      {!lines && !error && <Skeleton className="h-24" />}
      {lines?.length === 0 && <p className="border-y border-line py-3 text-sm text-ink-3">{empty}</p>}
      {lines && lines.length > 0 && (
        <ul className="divide-y divide-line border-y border-line">
          {lines.map((line) => (
            <li key={line.id}>
              <AppLink href={line.href} className="flex h-9 items-center gap-2.5 px-1.5 text-sm hover:bg-hover">
                <StateIcon tone={line.tone} />
                <span className="sr-only">{line.state}</span>
                <span className="min-w-0 flex-1 truncate">{line.text}</span>
                <span className="hidden max-w-28 shrink-0 truncate text-xs text-ink-3 sm:inline">{line.agent}</span>
                <span className="w-18 shrink-0 text-right text-xs whitespace-nowrap text-ink-3">
                  <Ago at={line.at} />
                </span>
              </AppLink>
            </li>
          ))}
        </ul>
      )}
    </Section>
  )
}
