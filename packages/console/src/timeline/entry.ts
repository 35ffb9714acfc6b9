import type { EventData, Failure, Json, StepKind, Wait, WaitKind } from '@longhaul/protocol'

/** What a line of the timeline is about. */
export type Subject =
  | { type: 'step'; kind: StepKind }
  | { type: 'wait'; kind: WaitKind }
  /** A branch of side-by-side work. No event tells of it: it follows from the paths of what is inside. */
  | { type: 'branch' }
  /** Something that happened to the run as a whole, at one instant. */
  | { type: 'mark'; event: 'run.started' | 'run.interrupted' | 'run.resumed' | 'run.completed' | 'run.failed' | 'run.cancelled' | 'signal.received' }

/**
 * `interrupted`: its worker was lost, it will be taken up again. `abandoned`: the run ended without it.
 */
export type EntryState = 'running' | 'retrying' | 'waiting' | 'interrupted' | 'completed' | 'failed' | 'abandoned'

/** One try. `endedAt` is null while it goes on. */
export type Attempt = { attempt: number; startedAt: number; endedAt: number | null; failure: Failure | null; retryInMs: number | null; isInterrupted: boolean }

/** What has streamed in of a step that is not recorded yet. */
export type Live = { text: string; stdout: string; stderr: string }

export type Entry = {
  /** The operation's path, or `e<seq>` for what has none. Part of the page's address, so it never changes. */
  key: string
  parent: string | null
  children: readonly string[]
  subject: Subject
  name: string
  state: EntryState
  /** Instants in milliseconds of the epoch, by the server's clock. */
  startedAt: number
  endedAt: number | null
  attempts: readonly Attempt[]
  input: Json | undefined
  output: Json | undefined
  failure: Failure | null
  wait: (Wait & Partial<Pick<EventData<'wait.created'>, 'rule' | 'ruleFrom'>>) | null
  live: Live | null
  /** Numbers of the events that it was made from. */
  events: readonly number[]
}

/** A run's history as a tree. Never changed in place: `advance` makes the next one. */
export type Timeline = {
  entries: ReadonlyMap<string, Entry>
  roots: readonly string[]
  lastSeq: number
  startedAt: number | null
  endedAt: number | null
  /** Step attempts that failed and were tried again, and times that the worker was lost. */
  retryCount: number
  interruptionCount: number
}

export const emptyTimeline: Timeline = { entries: new Map(), roots: [], lastSeq: -1, startedAt: null, endedAt: null, retryCount: 0, interruptionCount: 0 }

export const isOpen = (entry: Entry): boolean => entry.endedAt === null
