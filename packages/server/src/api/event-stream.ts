/**
 * A run's events as they come: what has happened, then what happens, until the run ends.
 *
 * Events come from the journal by number, so a client that was cut off goes on where it was, on any server. What happens live
 * (words of a model, output of a command) is passed on in between while it lasts and is not repeated. Of both at most a fixed amount is
 * held for a client that reads slowly: events wait in the journal, live frames are dropped.
 */
import { LiveFrame, RunEvent } from '@longhaul/protocol'
import type { Audience } from '../db/index.ts'
import { AppError, type Log, monotonicMs, sleep } from '../kernel/index.ts'
import { makeBell } from './bell.ts'
import { type Frame, type Frames, heartbeatMs as usualHeartbeatMs, retryMs } from './server-sent-events.ts'

export type RunStream = {
  /** Events with numbers above `after`, oldest first, `limit` of them unless there are fewer. `isEnded` when the run has ended and no event will ever follow these. Throws `not_found`. */
  read(audience: Audience, runId: string, after: number, limit: number): Promise<{ events: RunEvent[]; isEnded: boolean }>
  /** `onWake` is called when there may be new events, `onLive` with each live frame, after the wake for the event that it belongs under. Call the result to end it. */
  subscribe(runId: string, onWake: () => void, onLive: (frame: LiveFrame) => void): () => void
}

type Page = Awaited<ReturnType<RunStream['read']>>

type StreamOptions = {
  source: RunStream
  audience: Audience
  runId: string
  /** Number of the last event that the client has; -1 for none. */
  after: number
  end: AbortSignal
  log: Log
  /** How long an event may go unnoticed when the wake for it was lost. */
  pollMs?: number
  heartbeatMs?: number
}

/** An event may hold a megabyte, so this bounds what a client that reads slowly costs. */
const readLimit = 100
const liveCharactersMax = 256 * 1024

/** Rejects, before anything is sent, when there is no such run. */
export async function streamRun(options: StreamOptions): Promise<Frames> {
  const { source, audience, runId, after } = options
  await source.read(audience, runId, after, 1)
  return makeFrames(options)
}

async function* makeFrames({ source, audience, runId, after, end, log, pollMs = 5_000, heartbeatMs = usualHeartbeatMs }: StreamOptions): Frames {
  const live = makeLiveQueue()
  const bell = makeBell(end)
  let isWoken = true
  const unsubscribe = source.subscribe(
    runId,
    () => {
      isWoken = true
      bell.ring()
    },
    (frame) => {
      live.add(frame)
      bell.ring()
    },
  )
  let last = after
  let sentAt = monotonicMs()
  try {
    while (!end.aborted) {
      if (isWoken) {
        isWoken = false
        const readable = live.newest() // The events that these and older frames belong under can be read. Of newer ones that is not certain yet.
        const page = await readPatiently(source, { audience, runId, after: last, log, end })
        if (!page) return
        const frames: Frame[] = []
        for (const event of page.events) {
          if (isEndOfStep(event)) frames.push(...live.take(({ op }) => op === event.op))
          frames.push(toFrame(event))
          last = event.seq
        }
        frames.push(...live.take((_, number) => number <= readable))
        const isLast = page.isEnded && page.events.length < readLimit
        if (isLast) frames.push({ event: 'end', data: {} })
        if (frames.length > 0) {
          yield frames
          sentAt = monotonicMs()
        }
        if (isLast) return
        if (page.events.length === readLimit) isWoken = true
        continue
      }
      const frames = live.take(() => true)
      if (frames.length > 0) {
        yield frames
        sentAt = monotonicMs()
        continue
      }
      await bell.wait(pollMs)
      if (end.aborted) return
      if (!isWoken && live.isEmpty()) isWoken = true // Time is up: look, in case a wake was lost.
      if (monotonicMs() - sentAt >= heartbeatMs) {
        yield []
        sentAt = monotonicMs()
      }
    }
  } catch (error) {
    // The status is sent long since. The client comes back and is then told.
    log.error('event stream broke off', { error, runId })
  } finally {
    unsubscribe()
  }
}

type ReadOptions = { audience: Audience; runId: string; after: number; log: Log; end: AbortSignal }

/** Outlasts a database that is away for a while. Undefined when the stream ended meanwhile. */
async function readPatiently(source: RunStream, { audience, runId, after, log, end }: ReadOptions): Promise<Page | undefined> {
  while (!end.aborted) {
    try {
      return await source.read(audience, runId, after, readLimit)
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'unavailable')) throw error
      log.debug('event stream waits for the database', { runId })
      await sleep(retryMs, end)
    }
  }
  return undefined
}

const isEndOfStep = (event: RunEvent) => event.type === 'step.completed' || event.type === 'step.failed'
const toFrame = (event: RunEvent): Frame => ({ cursor: String(event.seq), event: event.type, data: RunEvent.parse(event) })

/** Live frames that the client has not taken yet, numbered. Past the limit all are dropped: the step's result will tell what they said. */
function makeLiveQueue() {
  let entries: { frame: LiveFrame; number: number }[] = []
  let characters = 0
  let newest = 0
  return {
    add(frame: LiveFrame) {
      characters += frame.text.length
      entries.push({ frame, number: ++newest })
      if (characters <= liveCharactersMax) return
      entries = []
      characters = 0
    },
    newest: () => newest,
    isEmpty: () => entries.length === 0,
    /** Removes those that are chosen. */
    take(isChosen: (frame: LiveFrame, number: number) => boolean): Frame[] {
      if (entries.length === 0) return []
      const { taken = [], left = [] } = Object.groupBy(entries, ({ frame, number }) => (isChosen(frame, number) ? 'taken' : 'left'))
      entries = left
      for (const { frame } of taken) characters -= frame.text.length
      return taken.map(({ frame }) => ({ event: frame.type, data: LiveFrame.parse(frame) }))
    },
  }
}
