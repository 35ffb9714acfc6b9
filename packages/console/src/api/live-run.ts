import { isTerminal } from '@longhaul/protocol/plain'
import type { LiveFrame, RunEvent } from '@longhaul/protocol'
import { ApiError, streamRun } from '@longhaul/sdk/client'
import { queryOptions, skipToken, useQuery } from '@tanstack/react-query'
import { useCallback, useSyncExternalStore } from 'react'
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
/** A history that is still coming is drawn a few times on its way, not with every batch: each drawing holds up the rest of it. */
const historyBatchMs = 300
const historyFrames = 300
/** How long a run is followed that was asked for before its page was there, should the page never come. */
const unseenMs = 30_000

type Follower = { following: Following; listeners: Set<() => void>; leaving: AbortController }
const followers = new Map<string, Follower>()

/** Asks for a run's events while the page that shows them is on its way. */
export function beginRun(runId: string): void {
  const follower = followerOf(runId)
  setTimeout(() => end(runId, follower), unseenMs)
}

export function useLiveRun(runId: string): { timeline: Timeline; following: Following } {
  const { data: timeline = emptyTimeline } = useQuery(timelineQuery(runId), queryClient)
  const subscribe = useCallback(
    (listener: () => void) => {
      const follower = followerOf(runId)
      follower.listeners.add(listener)
      return () => {
        follower.listeners.delete(listener)
        end(runId, follower)
      }
    },
    [runId],
  )
  const following = useSyncExternalStore(subscribe, () => followers.get(runId)?.following ?? connecting)
  return { timeline, following }
}

const connecting: Following = { state: 'connecting' }

function followerOf(runId: string): Follower {
  const known = followers.get(runId)
  if (known) return known
  const follower: Follower = { following: connecting, listeners: new Set(), leaving: new AbortController() }
  followers.set(runId, follower)
  void follow(runId, follower.leaving.signal, (following) => {
    follower.following = following
    for (const listener of follower.listeners) listener()
  })
  return follower
}

/** Unless somebody looks. Whoever comes back later has it followed anew, from where it was. */
function end(runId: string, follower: Follower): void {
  if (follower.listeners.size > 0 || followers.get(runId) !== follower) return
  followers.delete(runId)
  follower.leaving.abort()
}

async function follow(runId: string, signal: AbortSignal, report: (following: Following) => void): Promise<void> {
  const { queryKey } = timelineQuery(runId)
  let waiting: (RunEvent | LiveFrame)[] = []
  let isHistory = false
  let timer: ReturnType<typeof setTimeout> | undefined
  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    const frames = waiting
    waiting = []
    if (frames.length === 0) return
    isHistory = frames.length >= historyFrames
    queryClient.setQueryData<Timeline>(queryKey, (before = emptyTimeline) => advance(before, frames))
    // What changes the run's own fields: state, wait, usage, outcome. Those of a run that has ended are known.
    const run = queryClient.getQueryData(runQuery(runId).queryKey)
    if ((!run || !isTerminal(run.state)) && frames.some((frame) => 'seq' in frame && frame.type !== 'step.started'))
      void queryClient.invalidateQueries({ queryKey: runQuery(runId).queryKey })
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
      timer ??= setTimeout(flush, isHistory ? historyBatchMs : batchMs)
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
