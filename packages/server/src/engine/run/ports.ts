/** What a run needs of the rest of the server, and what the rest gives it. */
import type {
  ApprovalRule,
  AskAnswers,
  Asker,
  Effect,
  Failure,
  ForkChanges,
  Json,
  PolicyDecision,
  StepKind,
  StepNotes,
  Usage,
  WorkerFrame,
} from '@longhaul/protocol'
import type { Log } from '../../kernel/index.ts'
import type { Journal } from '../journal.ts'
import type { DbClock } from '../node.ts'
import type { ActiveRun } from './active-run.ts'

/** What a server-side step may use while it executes. */
export type StepContext = {
  run: { id: string; tenantId: string; namespace: string; agent: string; version: string; sessionId: string | null; asker: Asker; withholdsWrites?: boolean }
  op: string
  attempt: number
  /** This attempt was begun before, here or at a node that is gone, and nobody recorded how it ended. */
  isRepeated: boolean
  signal: AbortSignal
  /** Passes on what happens meanwhile to whoever watches. Not recorded. */
  live(frame: { type: 'text-delta'; text: string } | { type: 'output-delta'; stream: 'stdout' | 'stderr'; text: string }): void
  /** A model step of this run: what it was asked, and its answer if there is one yet. */
  lookup(op: string): { input: Json; output: Json | undefined } | undefined
  /** Whose words the run has read. */
  labels: readonly string[]
  /** The rule by which people have allowed this very call; undefined when nobody has. */
  granted: ApprovalRule | undefined
  /** Takes what was said in the session for this run meanwhile, oldest first. It is taken for good in the transaction that records this step's success. */
  takeSaid(): Json[]
  /** Steps inside this one, of which no worker knows. */
  inside: InnerSteps
  /** Has a row for `EngineOptions.booking` written in the transaction that records how this attempt ended, well or not. Not when `signal` is aborted: nothing is recorded then. */
  book(row: string): void
  /** Recorded with how this attempt ends; a later note goes before an earlier one of its kind. */
  note(notes: StepNotes): void
}

/** What is done on behalf of a step while it executes. It is recorded below the step, and nobody replays it. */
export type InnerSteps = {
  /** Has the server execute it as if a worker had asked. Rejects with a `StepFailure`; never settles once the run has left. */
  ask(kind: StepKind, name: string, input: Json): Promise<Json>
  /** What people are asked for inside this step. */
  approvals: InnerApprovals
  /** Of all steps of the run so far. */
  usage(): Usage
  /** Records one that is executed elsewhere. Its end is told once. */
  begin(kind: StepKind, name: string, input: Json): InnerStep
  /** Resolves when all that was begun has been told how it ended, or after so long. */
  settled(msMax: number): Promise<void>
  /** The step is over: what was asked for inside it and has not ended has failed. */
  close(): void
}

/** Approvals like any other of the run, with the same rules, asked for by whatever this step is about and kept for its next attempt. */
export type InnerApprovals = {
  /** Of all attempts, oldest first. */
  list(): InnerApproval[]
  /** Resolves when it is durable. Rejects with a `StepFailure` when nobody could decide it, or too many are open. */
  ask(asked: { name: string; detail: Json; rule?: ApprovalRule | undefined; timeoutMs: number | null }): Promise<InnerApproval>
  /** As it is once it is not pending any more, or after so long. Never settles once the run has left. */
  decided(id: string, msMax: number): Promise<InnerApproval>
  /**
   * Makes the call that this approval allows, which must be for one. It is made once: whoever asks again, also in a later attempt, gets the result or the
   * failure that it came to. One that was interrupted has failed with `interrupted`, unless repeating it is harmless.
   */
  call(id: string): Promise<Json>
}
export type InnerApproval = {
  id: string
  name: string
  detail: Json
  state: 'pending' | 'approved' | 'denied' | 'expired'
  /** What whoever decided said. */
  decision: { by: string; comment: string | null; answers?: AskAnswers } | undefined
  /** When it ends by itself. Null: never; also once it has ended. */
  expiresAt: string | null
}
export type InnerStep = { op: string; completed(output: Json, usage?: Usage): void; failed(failure: Failure): void }

/** `isPaused`: the attempt is over without a result, and there is another once an approval that was asked for inside has been decided or has expired. */
export type Executed = { output: Json; usage?: Usage; isPaused?: undefined } | { output?: undefined; isPaused: true }

/** Executes one step that a worker may not. */
export type Executor = {
  /** Throw a `StepFailure` to say whether trying again may help. The input is the worker's, also after a crash: what was recorded of it is for reading. */
  execute(input: Json, context: StepContext): Promise<Executed>
  /** What of the input the journal keeps; all of it when absent. Takes whatever a worker sends. */
  record?(input: Json): Json
  /** Whether it may write anything outside of the run and its sandbox. A fork withholds it then. Absent: it does not. */
  mayWrite?(input: Json): boolean
  /** Whether one that may write may be executed again after an interruption all the same: what it does outside is in the transaction that records it. */
  mayRepeat?(input: Json): boolean
  /** What it does outside. A `write` that was interrupted is in doubt; absent: it may be executed again. What cannot be found out is a write. */
  effectOf?(input: Json, run: StepContext['run']): Effect | undefined | Promise<Effect | undefined>
  /** The input with what is different in a fork. Recorded so, and executed so. */
  change?(input: Json, changes: ForkChanges): Json
}
export type Executors = Partial<Record<StepKind, Executor>>

/** A tool that a worker is about to execute. `labels`: whose words the run has read. `granted`: as a step has it. */
export type ToolCall = { run: StepContext['run']; name: string; attempt: number; input: Json; labels: readonly string[]; granted: StepContext['granted'] }
/** Why it may not be, or what it is to keep to. `leave` is called once, when it is over. */
export type Admission = { /** What policies said, to be recorded with the call. */ policy?: PolicyDecision | undefined } & (
  | { failure: Failure }
  | { failure?: undefined; timeoutMs?: number | undefined; resultCharactersMax?: number | undefined; leave?: (() => void) | undefined }
)
/** The version that new runs of an agent get, and where in their input its code says that their lane key is; or why there is none. */
export type FoundVersion = { version: string; laneKeyFrom?: string | undefined } | { problem: string }

/** A run that nobody asks for at this moment, or asks for as something else: in whose name, and what starts it. */
export type UnaskedStart = {
  tenantId: string
  namespace: string
  agent: string
  input: Json
  asker: Asker
  startedBy: { type: 'schedule' | 'hook' | 'destination' | 'run' | 'retry' | 'fork' | 'tool'; name: string }
}
/** Why it may not be started; undefined when it may. Rejects while that cannot be decided. */
export type WhyNotStart = (start: UnaskedStart) => Promise<string | undefined>

export type RunPorts = {
  /** Asked before a run starts a child. */
  whyNotStart: WhyNotStart
  /** Asked before the intent of a tool call is recorded. The failure is recorded instead, and the tool not executed. Must not reject. */
  admitTool?: ((call: ToolCall) => Promise<Admission>) | undefined
  journal: Journal
  clock: DbClock
  executors: Executors
  /** The version that new runs of an agent get, or why there is none. */
  findVersion(tenantId: string, agent: string, askerId?: string): Promise<FoundVersion>
  bounds: Bounds
  log: Log
  /** The journal has grown, or a live frame came. */
  onEvents(runId: string): void
  onLive(runId: string, op: string, frame: Parameters<StepContext['live']>[0]): void
  /** Runs were started that anybody may claim. */
  onStarted(): void
  /** The run is not this node's any more. */
  onOver(run: ActiveRun, why: 'ended' | 'waiting' | 'superseded' | 'handed-back'): void
}

/** What one run's history may come to. */
export type Bounds = { eventsMax: number; bytesMax: number }

/** What a worker says about a run. Its log lines are the workers' folder's business. */
export type RunFrame = Exclude<Extract<WorkerFrame, { run: string }>, { type: 'run.yielded' }>
