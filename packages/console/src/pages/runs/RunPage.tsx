import { isTerminal } from '@longhaul/protocol/plain'
import type { Run } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { ApiError } from '@longhaul/sdk/client'
import { useEffect } from 'react'
import { useLiveRun } from '../../api/live-run.ts'
import { runQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import type { Timeline } from '../../timeline/index.ts'
import { Skeleton } from '../../ui/Notes.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { AnswerView } from './AnswerView.tsx'
import { Family } from './ChildrenTree.tsx'
import { ApprovalsBelow } from './ApprovalsBelow.tsx'
import { NowView } from './NowView.tsx'
import { Origin } from './Origin.tsx'
import { OutcomeView } from './OutcomeView.tsx'
import { answerOf } from './answer-of.ts'
import { questionOf } from './run-facts.ts'
import { RunHeader } from './RunHeader.tsx'
import { TimelineSection } from './TimelineSection.tsx'
import { WaitPanel } from './WaitPanel.tsx'

/** One run: what was asked, what came of it, and everything that happened on the way, as it happens. */
export function RunPage() {
  const { t } = useTexts()
  const { runId } = useParams({ from: '/shell/runs/$runId' })
  const run = useQuery(runQuery(runId))
  const { timeline, following } = useLiveRun(runId)
  useTitle(run.data && questionOf(run.data.input))
  if (run.isPending) return <RunSkeleton />
  if (!run.data) {
    const isMissing = run.error instanceof ApiError && (run.error.code === 'not_found' || run.error.code === 'invalid')
    return <RequestError error={run.error} {...(isMissing ? { title: t('run.missing') } : {})} />
  }
  return (
    <div className="space-y-8">
      <RunHeader run={run.data} timeline={timeline} />
      <Origin run={run.data} />
      {run.data.state === 'waiting' && run.data.wait && <WaitPanel run={run.data} wait={run.data.wait} />}
      {!isTerminal(run.data.state) && <ApprovalsBelow run={run.data} />}
      {isTerminal(run.data.state) ? (
        <Outcome run={run.data} timeline={timeline} />
      ) : (
        <NowView run={run.data} timeline={timeline} isReconnecting={following.state === 'reconnecting'} />
      )}
      {following.state === 'error' && <RequestError error={following.error} title={t('run.streamFailed')} />}
      <Family run={run.data} />
      <TimelineSection run={run.data} timeline={timeline} isLoading={following.state === 'connecting' && timeline.lastSeq < 0} />
    </div>
  )
}

function Outcome({ run, timeline }: { run: Run; timeline: Timeline }) {
  const answer = run.state === 'completed' ? answerOf(run) : undefined
  return answer ? <AnswerView answer={answer} asker={run.asker} /> : <OutcomeView run={run} timeline={timeline} />
}

function useTitle(question: string | undefined): void {
  useEffect(() => {
    if (question) document.title = `${question.slice(0, 80)} · Longhaul`
    return () => void (document.title = 'Longhaul')
  }, [question])
}

function RunSkeleton() {
  return (
    <div className="space-y-8">
      <div className="space-y-3">
        <Skeleton className="h-7 w-2/3" />
        <Skeleton className="h-10 w-full max-w-3xl" />
      </div>
      <Skeleton className="h-40" />
      <div className="space-y-2">
        {Array.from({ length: 6 }, (_, i) => (
          <Skeleton key={i} className="h-6" />
        ))}
      </div>
    </div>
  )
}
