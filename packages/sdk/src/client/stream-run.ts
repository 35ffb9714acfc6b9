import type { LiveFrame, RunEvent } from '@longhaul/protocol'
import { ApiError, isPassing } from './api-error.ts'
import { defaultBackoff, delayMsAfter, pause } from './backoff.ts'
import type { Backoff } from './backoff.ts'
import { whyLost } from './client.ts'
import type { Client } from './client.ts'
import { eventStreamParser } from './server-sent-events.ts'

export type ConnectionState =
  | { state: 'connected'; after: number }
  /** `failures` counts from 1 since something last arrived. */
  | { state: 'lost'; because: string; failures: number; retryInMs: number }

export type StreamOptions = {
  /** Number of the last event that the caller has. Default -1: all of them. */
  after?: number
  signal?: AbortSignal
  /** How long to go on without any connection. Default ten minutes. */
  giveUpAfterMs?: number
  /** A connection this long without a byte is taken for dead. Servers send a comment now and then. Default 45 s. */
  silenceMsMax?: number
  backoff?: Backoff
  onConnection?(state: ConnectionState): void
}

/**
 * A run as it happens: every recorded event exactly once and in order, live frames in between, to the run's last event.
 * Reconnects by itself after whatever the connection or the server did, and asks for what follows the last whole event.
 * Throws an `ApiError` for what repeating does not mend (no such run, not allowed) and when it gives up, and the signal's reason when aborted.
 */
export async function* streamRun(client: Client, runId: string, options: StreamOptions = {}): AsyncGenerator<RunEvent | LiveFrame, void, void> {
  const { signal, giveUpAfterMs = 600_000, silenceMsMax = 45_000, backoff = defaultBackoff, onConnection } = options
  let last = options.after ?? -1
  let failures = 0
  let lostAt = performance.now()

  while (true) {
    let problem: ApiError
    try {
      let isConnected = false
      for await (const frames of connect(client, runId, last, silenceMsMax, signal)) {
        lostAt = performance.now()
        if (!isConnected) onConnection?.({ state: 'connected', after: last })
        isConnected = true
        for (const frame of frames) {
          if (frame === end) return // The caller had the whole history before.
          if ('seq' in frame) {
            if (frame.seq <= last) continue // The server may well repeat itself; the caller never sees it.
            if (frame.seq > last + 1) throw new ApiError('unavailable', `event ${frame.seq} came after ${last}`)
            last = frame.seq
          }
          failures = 0
          yield frame
          if (isLastEvent(frame)) return
        }
        lostAt = performance.now()
      }
      problem = new ApiError('unavailable', 'the server ended the stream')
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof ApiError) || !isPassing(error)) throw error
      problem = error
    }
    failures++
    const retryInMs = delayMsAfter(failures, backoff, problem)
    if (performance.now() - lostAt + retryInMs > giveUpAfterMs)
      throw new ApiError('unavailable', `Lost run ${runId} after event ${last}: ${problem.message}`, { status: problem.status, cause: problem })
    onConnection?.({ state: 'lost', because: problem.message, failures, retryInMs })
    await pause(retryInMs, signal)
  }
}

/** The server's word that the run has ended and that all of its history was sent. */
const end = Symbol('end')

/** One connection: the frames that each chunk of bytes completed. The first batch is empty and says that the server answered. */
async function* connect(
  client: Client,
  runId: string,
  last: number,
  silenceMsMax: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<(RunEvent | LiveFrame | typeof end)[], void, void> {
  const silence = new AbortController()
  const either = signal ? AbortSignal.any([signal, silence.signal]) : silence.signal
  /** The clock runs only while the server is waited for, not while the caller is busy with what came. */
  const inTime = async <Result>(work: Promise<Result>): Promise<Result> => {
    const timer = setTimeout(() => silence.abort(new ApiError('unavailable', `nothing came for ${Math.round(silenceMsMax / 1_000)} s`)), silenceMsMax)
    try {
      return await work
    } finally {
      clearTimeout(timer)
    }
  }
  try {
    const headers = { accept: 'text/event-stream', 'cache-control': 'no-cache', ...(last >= 0 ? { 'last-event-id': String(last) } : {}) }
    const response = await inTime(client.request(`/v1/runs/${encodeURIComponent(runId)}/events`, { headers, signal: either }))
    const mediaType = response.headers.get('content-type') ?? 'nothing'
    if (!mediaType.startsWith('text/event-stream') || !response.body)
      throw new ApiError('internal', `${client.url} answered with ${mediaType} and not with an event stream. Is it a Longhaul server?`, {
        status: response.status,
      })
    yield []
    const parser = eventStreamParser()
    for (const reader = response.body.getReader(); ;) {
      const { done, value } = await inTime(reader.read())
      if (done) return
      yield parser.push(value).flatMap(({ event, data }) => (event === 'end' ? end : (toFrame(data) ?? [])))
    }
  } catch (error) {
    if (silence.signal.aborted || error instanceof ApiError) throw silence.signal.reason ?? error
    throw new ApiError('unavailable', whyLost(error), { cause: error })
  } finally {
    silence.abort() // Closes the connection when the caller stops in the middle.
  }
}

/** Recorded events pass even when their type is unknown here: a newer server's history is still history. Unknown live frames do not. */
function toFrame(data: string): RunEvent | LiveFrame | undefined {
  let frame: unknown
  try {
    frame = JSON.parse(data)
  } catch (cause) {
    throw new ApiError('unavailable', 'an event was damaged on its way', { cause })
  }
  if (typeof frame !== 'object' || frame === null || !('type' in frame)) return undefined
  const isKnown = 'seq' in frame ? Number.isInteger(frame.seq) : frame.type === 'text-delta' || frame.type === 'output-delta'
  return isKnown ? (frame as RunEvent | LiveFrame) : undefined // The server checked it against the same schema before it sent it.
}

const isLastEvent = (frame: RunEvent | LiveFrame): boolean => frame.type === 'run.completed' || frame.type === 'run.failed' || frame.type === 'run.cancelled'
