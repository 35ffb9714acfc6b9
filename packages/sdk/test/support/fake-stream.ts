/** A run's history and a server for it that loses connections as told. Its `fetch` is in memory, so a cut falls on exactly the byte that was asked for. */
import type { LiveFrame, RunEvent } from '@longhaul/protocol'
import { createClient } from '../../src/client/client.ts'
import type { Client } from '../../src/client/client.ts'

export const runId = '0198c1f2-0000-7000-8000-000000000001'
const at = '2026-11-21T03:00:00.000Z'

/** History with what makes parsers stumble: text in several scripts, line breaks in values, an empty object. */
export const history: RunEvent[] = [
  { seq: 0, type: 'run.started', at, data: { input: '上季度各地区的 ARR 是多少? 🚚' } },
  { seq: 1, type: 'step.started', op: '0', at, data: { kind: 'model', name: 'offline/planner', attempt: 1 } },
  { seq: 2, type: 'step.completed', op: '0', at, data: { kind: 'model', name: 'offline/planner', attempt: 1, output: { text: 'line\r\nbreak\u2028' } } },
  { seq: 3, type: 'run.interrupted', at, data: { reason: 'worker_lost', message: 'gone', isSuspect: true } },
  { seq: 4, type: 'step.started', op: '1', at, data: { kind: 'tool', name: 'query', attempt: 1, input: {} } },
  { seq: 5, type: 'step.completed', op: '1', at, data: { kind: 'tool', name: 'query', attempt: 1, output: [['é', 1.5, null]] } },
  { seq: 6, type: 'run.completed', at, data: { output: 'done' } },
]

export type Cut =
  | {
      /** Bytes of the answer that still arrive; undefined: all of it, and the stream ends as it should. */
      afterBytes?: number
      /** How it ends: as if the process had died, or politely. */
      kind: 'reset' | 'end'
      /** Sizes of the pieces in which the bytes come, repeated. */
      pieces?: number[]
      /** Events that the server sends again although the client has them. */
      repeats?: number
    }
  | { kind: 'refused' }
  | { kind: 'status'; status: number }

const lineEnds = ['\n', '\r\n', '\r']

/** The bytes of a stream after an event, with each kind of line end, comments, data over several lines, live frames and a byte order mark. */
export function streamBytes(after: number, { lineEnd = '\n' } = {}): Uint8Array {
  const parts: string[] = ['\ufeff', `retry: 500${lineEnd}${lineEnd}: hello${lineEnd}${lineEnd}`]
  for (const event of history.slice(after + 1)) {
    const live: LiveFrame | undefined = event.type === 'step.started' ? { type: 'text-delta', op: event.op ?? '0', text: 'zwölf' } : undefined
    const [head, ...tail] = JSON.stringify(event, null, event.seq % 2 === 0 ? 1 : undefined).split('\n')
    parts.push(
      `id: ${event.seq}`,
      lineEnd,
      `event: ${event.type}`,
      lineEnd,
      `data: ${head}`,
      lineEnd,
      ...tail.flatMap((line) => [`data: ${line}`, lineEnd]),
      lineEnd,
    )
    if (live) parts.push(`event: ${live.type}${lineEnd}data:${JSON.stringify(live)}${lineEnd}${lineEnd}: still here${lineEnd}`)
  }
  parts.push(`event: end${lineEnd}data: {}${lineEnd}${lineEnd}`)
  return new TextEncoder().encode(parts.join(''))
}

/** Answers the n-th request as `cuts[n]` says, and every one after the last cut as it should be. */
export function fakeStreamServer(
  cuts: Cut[],
  { lineEnd }: { lineEnd?: string } = {},
): { client: Client; requests: { lastEventId: string | null }[]; open(): number } {
  const requests: { lastEventId: string | null }[] = []
  let opened = 0
  const answer = (headers: Headers, signal: AbortSignal | null): Response => {
    const cut = cuts[requests.length] ?? { kind: 'end' }
    requests.push({ lastEventId: headers.get('last-event-id') })
    if (cut.kind === 'refused') throw Object.assign(new TypeError('fetch failed'), { cause: Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }) })
    if (cut.kind === 'status')
      return Response.json({ error: { code: cut.status === 404 ? 'not_found' : 'unavailable', message: 'starting' } }, { status: cut.status })
    const after = Number(headers.get('last-event-id') ?? -1) - (cut.repeats ?? 0)
    const bytes = streamBytes(Math.max(-1, after), { lineEnd: lineEnd ?? lineEnds[requests.length % 3] ?? '\n' }).slice(0, cut.afterBytes)
    opened++
    return new Response(
      pieces(bytes, cut.pieces ?? [64], cut.kind, signal, () => opened--),
      { headers: { 'content-type': 'text/event-stream; charset=utf-8' } },
    )
  }
  const client = createClient({ url: 'http://fake', key: 'k', fetch: async (_, init) => answer(new Headers(init?.headers), init?.signal ?? null) })
  return { client, requests, open: () => opened }
}

function pieces(bytes: Uint8Array, sizes: number[], end: 'reset' | 'end', signal: AbortSignal | null, closed: () => void): ReadableStream<Uint8Array> {
  let at = 0
  let n = 0
  return new ReadableStream({
    start(controller) {
      signal?.addEventListener(
        'abort',
        () => {
          try {
            controller.error(signal.reason)
          } catch {
            // Already closed: then there is nothing to abort.
          }
          closed()
        },
        { once: true },
      )
    },
    pull(controller) {
      if (at < bytes.length) {
        const size = Math.max(1, sizes[n++ % sizes.length] ?? 1)
        controller.enqueue(bytes.slice(at, at + size))
        at += size
      } else if (end === 'reset')
        controller.error(Object.assign(new TypeError('terminated'), { cause: Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' }) }))
      else controller.close()
    },
  })
}
