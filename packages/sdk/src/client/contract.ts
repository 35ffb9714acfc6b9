import {
  approveTool,
  cancelRun,
  createKey,
  decideApproval,
  deleteKey,
  getAgent,
  getRun,
  getStep,
  getSystem,
  limitTool,
  listAgents,
  listApprovals,
  listKeys,
  listRunEvents,
  listRuns,
  listTools,
  refreshTools,
  retryRun,
  signalRun,
  startRun,
} from '@longhaul/protocol'
import type { Operation } from '@longhaul/protocol'
import type { z } from 'zod'

/** Every operation under its own id, `noun.verb`. A test compares this with the protocol's list, so none can be missing or misnamed. */
export const contract = {
  runs: { start: startRun, get: getRun, list: listRuns, events: listRunEvents, step: getStep, cancel: cancelRun, retry: retryRun, signal: signalRun },
  approvals: { list: listApprovals, decide: decideApproval },
  agents: { list: listAgents, get: getAgent },
  tools: { list: listTools, refresh: refreshTools, approve: approveTool, limit: limitTool },
  keys: { create: createKey, list: listKeys, delete: deleteKey },
  system: { get: getSystem },
} as const satisfies Record<string, Record<string, Operation>>

type Contract = typeof contract
type Parsed<Op extends Operation> = z.output<Op['input']>
type Sent<Op extends Operation> = z.input<Op['input']>

/** What a caller gives: fields with a default may be left out; a field that the schema coerces is typed as what it becomes. */
export type InputOf<Op extends Operation> = {
  [Field in keyof Sent<Op>]: unknown extends Sent<Op>[Field] ? (Field extends keyof Parsed<Op> ? Parsed<Op>[Field] : never) : Sent<Op>[Field]
}
export type OutputOf<Op extends Operation> = z.output<Op['output']>
export type CallOptions = { signal?: AbortSignal; timeoutMs?: number }

export type Call<Op extends Operation> =
  {} extends InputOf<Op>
    ? (input?: InputOf<Op>, options?: CallOptions) => Promise<OutputOf<Op>>
    : (input: InputOf<Op>, options?: CallOptions) => Promise<OutputOf<Op>>

export type Calls = {
  readonly [Noun in keyof Contract]: { readonly [Verb in keyof Contract[Noun]]: Contract[Noun][Verb] extends Operation ? Call<Contract[Noun][Verb]> : never }
}
