/**
 * A run's events as server-sent events: what has happened, then what happens, until the run ends.
 *
 * Events come from the journal by number, so a client that was cut off goes on where it was, on any server. What happens live
 * (words of a model, output of a command) is passed on in between while it lasts and is not repeated. Of both at most a fixed amount is
 * held for a client that reads slowly: events wait in the journal, live frames are dropped.
 */
import { LiveFrame, RunEvent } from '@longhaul/protocol'
import type { Audience } from '../db/index.ts'
import { AppError, type Log, after as callAfter, monotonicMs, sleep } from '../kernel/index.ts'
import { answerWithFrames, retryMs } from './server-sent-events.ts'

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
  /** Aborts when the server stops. The client then comes back to another one. */
  stopping: AbortSignal
  log: Log
  /** How long an event may go unnoticed when the wake for it was lost. */
  pollMs?: number
  heartbeatMs?: number
}

/** An event may hold a megabyte, so this bounds what a client that reads slowly costs. */
const readLimit = 100
const chunkCharacters = 64 * 1024
const liveCharactersMax = 256 * 1024

/** Rejects, before anything is sent, when there is no such run. */
export async function streamRun(options: StreamOptions): Promise<Response> {
  const { source, audience, runId, after } = options
  await source.read(audience, runId, after, 1)
  return answerWithFrames((end) => makeFrames(options, end), options.stopping)
}

async function* makeFrames(
  { source, audience, runId, after, log, pollMs = 5_000, heartbeatMs = 15_000 }: StreamOptions,
  end: AbortSignal,
): AsyncGenerator<string, void> {
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
    yield `retry: ${retryMs}\n\n` // Sends the headers on their way, too.
    while (!end.aborted) {
      if (isWoken) {
        isWoken = false
        const readable = live.newest() // The events that these and older frames belong under can be read. Of newer ones that is not certain yet.
        const page = await readPatiently(source, { audience, runId, after: last, log, end })
        if (!page) return
        let text = ''
        for (const event of page.events) {
          if (isEndOfStep(event)) text += live.take(({ op }) => op === event.op)
          text += writeEvent(event)
          last = event.seq
          if (text.length < chunkCharacters) continue
          yield text
          text = ''
        }
        text += live.take((_, number) => number <= readable)
        if (text) yield text
        if (text || page.events.length > 0) sentAt = monotonicMs()
        if (page.isEnded && page.events.length < readLimit) return yield 'event: end\ndata: {}\n\n'
        if (page.events.length === readLimit) isWoken = true
        continue
      }
      const text = live.take(() => true)
      if (text) {
        yield text
        sentAt = monotonicMs()
        continue
      }
      await bell.wait(pollMs)
      if (end.aborted) return
      if (!isWoken && live.isEmpty()) isWoken = true // Time is up: look, in case a wake was lost.
      if (monotonicMs() - sentAt >= heartbeatMs) {
        yield ': here\n\n'
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
const writeEvent = (event: RunEvent) => `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(RunEvent.parse(event))}\n\n`
const writeLive = (frame: LiveFrame) => `event: ${frame.type}\ndata: ${JSON.stringify(LiveFrame.parse(frame))}\n\n`

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
    /** Removes those that are chosen and writes them out. */
    take(isChosen: (frame: LiveFrame, number: number) => boolean): string {
      if (entries.length === 0) return ''
      const { taken = [], left = [] } = Object.groupBy(entries, ({ frame, number }) => (isChosen(frame, number) ? 'taken' : 'left'))
      entries = left
      for (const { frame } of taken) characters -= frame.text.length
      return taken.map(({ frame }) => writeLive(frame)).join('')
    },
  }
}

/** Waits for a ring, a time, or the end. A ring while nobody waits is kept. */
function makeBell(end: AbortSignal) {
  let isRung = false
  let hear = () => {}
  const ring = () => {
    isRung = true
    hear()
  }
  end.addEventListener('abort', ring)
  return {
    ring,
    async wait(ms: number): Promise<void> {
      if (!isRung) {
        await new Promise<void>((resolve) => {
          const cancel = callAfter(ms, resolve)
          hear = () => {
            cancel()
            resolve()
          }
        })
      }
      hear = () => {}
      isRung = false
    },
  }
}
