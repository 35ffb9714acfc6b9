import type { LiveFrame, RunEvent } from '@longhaul/protocol'
import { ApiError, streamRun } from '@longhaul/sdk/client'
import { queryOptions, skipToken, useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { advance, emptyTimeline } from '../timeline/index.ts'
import type { Timeline } from '../timeline/index.ts'
import { client } from './client.ts'
import { noteLoss } from './connection.ts'
import { queryClient, runQuery } from './queries.ts'

/** `following`: connected and up to date. `error`: the stream is over although the run is not. */
export type Following = { state: 'connecting' | 'following' | 'reconnecting' | 'ended' } | { state: 'error'; error: unknown }

/** The folded history sits in the query cache, so coming back to a run goes on after what is there instead of from the start. */
const timelineQuery = (runId: string) =>
  queryOptions<Timeline>({ queryKey: ['runs', 'timeline', runId], queryFn: skipToken, staleTime: Number.POSITIVE_INFINITY, structuralSharing: false })

/** Frames that came within this time are folded together: what a screen can show, not more. */
const batchMs = 50

export function useLiveRun(runId: string): { timeline: Timeline; following: Following } {
  const { data: timeline = emptyTimeline } = useQuery(timelineQuery(runId), queryClient)
  const [following, setFollowing] = useState<Following>({ state: 'connecting' })
  useEffect(() => {
    const leaving = new AbortController()
    setFollowing({ state: 'connecting' })
    void follow(runId, leaving.signal, setFollowing)
    return () => leaving.abort()
  }, [runId])
  return { timeline, following }
}

async function follow(runId: string, signal: AbortSignal, report: (following: Following) => void): Promise<void> {
  const { queryKey } = timelineQuery(runId)
  let waiting: (RunEvent | LiveFrame)[] = []
  let timer: ReturnType<typeof setTimeout> | undefined
  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    const frames = waiting
    waiting = []
    if (frames.length === 0) return
    queryClient.setQueryData<Timeline>(queryKey, (before = emptyTimeline) => advance(before, frames))
    // What changes the run's own fields: state, wait, usage, outcome.
    if (frames.some((frame) => 'seq' in frame && frame.type !== 'step.started')) void queryClient.invalidateQueries({ queryKey: runQuery(runId).queryKey })
  }
  try {
    const before = queryClient.getQueryData<Timeline>(queryKey) ?? emptyTimeline
    if (before.endedAt !== null) return report({ state: 'ended' })
    const onConnection = ({ state }: { state: 'connected' | 'lost' }) => {
      if (state === 'lost') noteLoss()
      report({ state: state === 'lost' ? 'reconnecting' : 'following' })
    }
    for await (const frame of streamRun(client, runId, { after: before.lastSeq, signal, onConnection, giveUpAfterMs: Number.POSITIVE_INFINITY })) {
      waiting.push(frame)
      timer ??= setTimeout(flush, batchMs)
    }
    flush()
    report({ state: 'ended' })
    void queryClient.invalidateQueries({ queryKey: ['runs', 'list'] })
  } catch (error) {
    flush()
    if (!signal.aborted) report({ state: 'error', error: error instanceof ApiError ? error : new ApiError('internal', String(error)) })
  } finally {
    clearTimeout(timer)
  }
}
