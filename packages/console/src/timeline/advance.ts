import { isLiveFrame } from '@longhaul/protocol/plain'
import type { EventData, LiveFrame, RunEvent } from '@longhaul/protocol'
import type { Attempt, Entry, EntryState, Subject, Timeline } from './entry.ts'

/** More than this much of a stream is not kept: the recorded step has all of it later. */
export const liveCharsMax = 100_000

/**
 * The next timeline: `timeline` with what `frames` tell. Pure, and exact under repetition: events that are already in it change
 * nothing, so a stream may be resumed anywhere. Entries that no frame concerns are the same objects as before.
 */
export function advance(timeline: Timeline, frames: readonly (RunEvent | LiveFrame)[]): Timeline {
  const draft = makeDraft(timeline)
  for (const frame of frames) {
    if (isLiveFrame(frame)) applyLive(draft, frame)
    else if (frame.seq > draft.lastSeq) {
      draft.lastSeq = frame.seq
      applyEvent(draft, frame)
    }
  }
  return { ...draft.facts, lastSeq: draft.lastSeq, entries: draft.entries, roots: draft.roots }
}

type Draft = {
  entries: Map<string, Entry>
  roots: string[]
  lastSeq: number
  facts: Pick<Timeline, 'startedAt' | 'endedAt' | 'retryCount' | 'interruptionCount'>
}

function makeDraft({ entries, roots, lastSeq, startedAt, endedAt, retryCount, interruptionCount }: Timeline): Draft {
  return { entries: new Map(entries), roots: [...roots], lastSeq, facts: { startedAt, endedAt, retryCount, interruptionCount } }
}

function applyEvent(draft: Draft, event: RunEvent): void {
  const at = Date.parse(event.at)
  const key = event.op ?? `e${event.seq}`
  switch (event.type) {
    case 'step.started':
      return stepStarted(draft, key, event.seq, at, event.data)
    case 'step.completed':
      return stepEnded(draft, key, event.seq, at, event.data, { state: 'completed', output: event.data.output, failure: null, endedAt: at })
    case 'step.failed':
      return stepFailed(draft, key, event.seq, at, event.data)
    case 'step.paused':
      return stepEnded(draft, key, event.seq, at, event.data, { state: 'waiting', failure: null, endedAt: null })
    case 'step.doubted':
      ensure(draft, key, event.seq, at, { type: 'step', kind: event.data.kind }, event.data.name)
      return change(draft, key, event.seq, { state: 'waiting', failure: { message: event.data.message, retryable: false } })
    case 'step.decided':
      return change(draft, key, event.seq, { state: 'running', failure: null })
    case 'wait.created': {
      const { data } = event
      ensure(draft, key, event.seq, at, { type: 'wait', kind: data.kind }, data.name)
      return change(draft, key, event.seq, { state: 'waiting', wait: data, input: data.detail, endedAt: null, startedAt: at })
    }
    case 'wait.completed':
      ensure(draft, key, event.seq, at, { type: 'wait', kind: event.data.kind }, event.data.name)
      return change(draft, key, event.seq, { state: 'completed', output: event.data.output, endedAt: at })
    case 'run.interrupted':
      draft.facts.interruptionCount++
      endOpen(draft, at, 'interrupted', (entry) => entry.state === 'running')
      mark(draft, key, event.seq, at, event.type, event.data.reason)
      return change(draft, key, event.seq, { input: event.data.message })
    case 'run.resumed':
      endOpen(draft, at, 'completed', (entry) => entry.subject.type === 'wait' && entry.subject.kind === 'operator')
      return mark(draft, key, event.seq, at, event.type, event.data.by)
    case 'signal.received':
      mark(draft, key, event.seq, at, event.type, event.data.name)
      return change(draft, key, event.seq, { input: event.data.payload, output: event.data.by })
    case 'child.ended':
    case 'run.warned':
      return
    case 'run.started':
      draft.facts.startedAt ??= at
      mark(draft, key, event.seq, at, event.type, '')
      return change(draft, key, event.seq, { input: event.data.input })
    case 'run.completed':
      runEnded(draft, key, event.seq, at, event.type)
      return change(draft, key, event.seq, { output: event.data.output })
    case 'run.failed':
      runEnded(draft, key, event.seq, at, event.type)
      return change(draft, key, event.seq, { failure: event.data.failure, state: 'failed' })
    case 'run.cancelled':
      runEnded(draft, key, event.seq, at, event.type, event.data.by)
      return change(draft, key, event.seq, { output: event.data.reason })
  }
}

function stepStarted(draft: Draft, key: string, seq: number, at: number, { kind, name, attempt, input }: EventData<'step.started'>): void {
  const entry = ensure(draft, key, seq, at, { type: 'step', kind }, name)
  // An attempt that is still open when the next begins lost its worker before it could tell.
  const before = entry.attempts.map((one) => (one.endedAt === null ? { ...one, endedAt: at, isInterrupted: true } : one))
  const attempts = [...before, { attempt, startedAt: at, endedAt: null, failure: null, retryInMs: null, isInterrupted: false }]
  change(draft, key, seq, { state: 'running', attempts, input: input ?? entry.input, live: null, endedAt: null, failure: null })
}

function stepFailed(draft: Draft, key: string, seq: number, at: number, data: EventData<'step.failed'>): void {
  const isRetried = data.retryInMs !== null
  if (isRetried) draft.facts.retryCount++
  stepEnded(draft, key, seq, at, data, { state: isRetried ? 'retrying' : 'failed', failure: data.failure, endedAt: isRetried ? null : at })
}

/** The end of an attempt. A step so short that only its end was recorded began `durationMs` before. */
function stepEnded(
  draft: Draft,
  key: string,
  seq: number,
  at: number,
  data: EventData<'step.completed'> | EventData<'step.paused'> | EventData<'step.failed'>,
  changes: Partial<Entry>,
): void {
  const startedAt = at - (data.durationMs ?? 0)
  const entry = ensure(draft, key, seq, startedAt, { type: 'step', kind: data.kind }, data.name)
  const open = entry.attempts.findLast((one) => one.endedAt === null) ?? entry.attempts.findLast((one) => one.isInterrupted && one.attempt === data.attempt)
  const ended: Attempt = {
    attempt: data.attempt,
    startedAt: open?.startedAt ?? startedAt,
    endedAt: at,
    failure: 'failure' in data ? data.failure : null,
    retryInMs: 'retryInMs' in data ? data.retryInMs : null,
    isInterrupted: false,
  }
  change(draft, key, seq, { ...changes, live: null, attempts: [...entry.attempts.filter((one) => one !== open), ended] })
}

function runEnded(draft: Draft, key: string, seq: number, at: number, event: 'run.completed' | 'run.failed' | 'run.cancelled', name = ''): void {
  draft.facts.endedAt = at
  endOpen(draft, at, 'abandoned', () => true)
  mark(draft, key, seq, at, event, name)
}

function mark(draft: Draft, key: string, seq: number, at: number, event: Extract<Subject, { type: 'mark' }>['event'], name: string): void {
  ensure(draft, key, seq, at, { type: 'mark', event }, name)
  change(draft, key, seq, { state: 'completed', endedAt: at })
}

function applyLive(draft: Draft, frame: LiveFrame): void {
  const entry = draft.entries.get(frame.op)
  // Frames of a step whose end is already recorded were overtaken by it.
  if (!entry || (entry.state !== 'running' && entry.state !== 'interrupted')) return
  const field = frame.type === 'text-delta' ? 'text' : frame.stream
  const live = entry.live ?? { text: '', stdout: '', stderr: '' }
  draft.entries.set(frame.op, { ...entry, state: 'running', endedAt: null, live: { ...live, [field]: (live[field] + frame.text).slice(-liveCharsMax) } })
}

/** Ends everything open that `is` picks. Interrupted work stays open: it is on its way back. */
function endOpen(draft: Draft, at: number, state: EntryState, is: (entry: Entry) => boolean): void {
  for (const [key, entry] of draft.entries) {
    if (entry.endedAt !== null || entry.subject.type === 'branch' || !is(entry)) continue
    const attempts = entry.attempts.map((one) => (one.endedAt === null ? { ...one, endedAt: at, isInterrupted: true } : one))
    draft.entries.set(key, { ...entry, state, attempts, live: null, endedAt: state === 'interrupted' ? null : at })
  }
}

function change(draft: Draft, key: string, seq: number, changes: Partial<Entry>): void {
  const entry = draft.entries.get(key)
  if (entry) draft.entries.set(key, { ...entry, ...changes, events: [...entry.events, seq] })
}

/** The entry under `key`, made together with the branches above it when it is new. */
function ensure(draft: Draft, key: string, seq: number, at: number, subject: Subject, name: string): Entry {
  const existing = draft.entries.get(key)
  if (existing && existing.subject.type !== 'branch') return existing
  const entry: Entry = existing
    ? { ...existing, subject, name } // What looked like a mere branch has turned out to be a step.
    : {
        key,
        parent: parentOf(key),
        children: [],
        subject,
        name,
        state: 'running',
        startedAt: at,
        endedAt: null,
        attempts: [],
        input: undefined,
        output: undefined,
        failure: null,
        wait: null,
        live: null,
        events: [],
      }
  draft.entries.set(key, entry)
  if (existing) return entry
  if (entry.parent === null) draft.roots.push(key)
  else {
    const parent = ensureBranch(draft, entry.parent, seq, at)
    draft.entries.set(parent.key, { ...parent, children: [...parent.children, key].sort(byPlace) })
  }
  return entry
}

const ensureBranch = (draft: Draft, key: string, seq: number, at: number): Entry =>
  draft.entries.get(key) ?? ensure(draft, key, seq, at, { type: 'branch' }, '')

/** Work done side by side is told in the order in which the code names it, not in the order in which its events happened to come. */
const byPlace = (a: string, b: string): number => placeOf(a) - placeOf(b)
const placeOf = (key: string): number => Number(key.slice(key.lastIndexOf('.') + 1))

function parentOf(key: string): string | null {
  const dot = key.lastIndexOf('.')
  return dot < 0 ? null : key.slice(0, dot)
}
