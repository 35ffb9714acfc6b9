import {
  Run,
  cancelRun,
  compareRuns,
  countRuns,
  decideStep,
  exportRun,
  forkRun,
  getRun,
  getStep,
  importRun,
  listRunConnections,
  listRunEvents,
  listRuns,
  retryRun,
  signalRun,
  startRun,
  startToolCall,
} from '@longhaul/protocol'
import type { z } from 'zod'
import type { Audience } from '../db/index.ts'
import type { Caller } from '../identity/index.ts'
import { AppError, type Log } from '../kernel/index.ts'
import { numberOf } from './cursor.ts'
import type { Lists } from '../engine/index.ts'
import { type RunStream, streamRun } from './event-stream.ts'
import { streamList } from './follow-list.ts'
import { type Implementation, audited, implement } from './implement.ts'

type Input<Of extends { input: z.ZodType }> = z.output<Of['input']>
type Output<Of extends { output: z.ZodType }> = z.output<Of['output']>

/** What the API asks of whoever runs runs. A run of another tenant does not exist, nor for a limited key one that another asked for. What is not allowed in the run's state is `conflict`. */
export type RunService = {
  start(caller: Caller, input: Input<typeof startRun>): Promise<Run>
  /** Calls one tool of an agent's live version in place of the agent. */
  callTool(caller: Caller, input: Input<typeof startToolCall>): Promise<Run>
  find(audience: Audience, runId: string): Promise<Run | undefined>
  list(audience: Audience, input: Input<typeof listRuns>): Promise<Output<typeof listRuns>>
  count(audience: Audience, input: Input<typeof countRuns>): Promise<Output<typeof countRuns>>
  connections(audience: Audience, input: Input<typeof listRunConnections>): Promise<Output<typeof listRunConnections>>
  journal(audience: Audience, input: Input<typeof exportRun>): Promise<Output<typeof exportRun>>
  import(caller: Caller, input: Input<typeof importRun>): Promise<Run>
  fork(caller: Caller, input: Input<typeof forkRun>): Promise<Run>
  compare(audience: Audience, input: Input<typeof compareRuns>): Promise<Output<typeof compareRuns>>
  findStep(audience: Audience, runId: string, op: string): Promise<Output<typeof getStep> | undefined>
  cancel(caller: Caller, input: Input<typeof cancelRun>): Promise<Run>
  retry(caller: Caller, runId: string): Promise<Run>
  decide(caller: Caller, input: Input<typeof decideStep>): Promise<Run>
  signal(caller: Caller, input: Input<typeof signalRun>): Promise<Run>
}

export function runImplementations({ runs, stream, lists, log }: { runs: RunService; stream: RunStream; lists: Lists; log: Log }): Implementation[] {
  return [
    audited(implement(startRun, (caller, input) => runs.start(caller, input))),
    implement(startToolCall, (caller, input) => runs.callTool(caller, input)),
    // A run that is not for the caller is «not found», never «forbidden»: its existence is not ours to reveal.
    implement(getRun, async (caller, { runId }) => found(await runs.find(caller, runId), `No run ${runId}.`)),
    implement(
      listRuns,
      (caller, input) => runs.list(caller, input),
      async (caller, { cursor, search, namespace, agent, state, session, parent }, following) => {
        if (search !== undefined)
          throw new AppError('invalid', 'search: is for pages. What is followed can be narrowed by namespace, agent, state, session and parent.')
        return streamList({
          ...following,
          after: following.after ?? cursor,
          event: 'run',
          shape: Run,
          read: (page) => lists.changedRuns(caller, page, { namespace, agent, state, session, parent }),
          subscribe: (onWake) => lists.watchTenant(caller.tenantId, onWake),
          log,
        })
      },
    ),
    implement(countRuns, (caller, input) => runs.count(caller, input)),
    implement(
      listRunEvents,
      async (caller, { runId, after, limit }) => {
        const { events, isEnded } = await stream.read(caller, runId, after, limit)
        // Null only when nothing will ever follow: whoever asks on with `next` misses nothing.
        return { items: events, next: isEnded && events.length < limit ? null : (events.at(-1)?.seq ?? after) }
      },
      (caller, { runId, after: from }, { after, end }) => streamRun({ source: stream, audience: caller, runId, after: numberOf(after) ?? from, end, log }),
    ),
    implement(listRunConnections, (caller, input) => runs.connections(caller, input)),
    implement(exportRun, (caller, input) => runs.journal(caller, input)),
    audited(implement(importRun, (caller, input) => runs.import(caller, input))),
    audited(implement(forkRun, (caller, input) => runs.fork(caller, input))),
    implement(compareRuns, (caller, input) => runs.compare(caller, input)),
    implement(getStep, async (caller, { runId, op }) => found(await runs.findStep(caller, runId, op), `Run ${runId} has no step ${op}.`)),
    audited(implement(cancelRun, (caller, input) => runs.cancel(caller, input))),
    audited(implement(retryRun, (caller, { runId }) => runs.retry(caller, runId))),
    implement(decideStep, (caller, input) => runs.decide(caller, input)),
    audited(implement(signalRun, (caller, input) => runs.signal(caller, input))),
  ]
}

function found<Thing>(thing: Thing | undefined, message: string): Thing {
  if (thing === undefined) throw new AppError('not_found', message)
  return thing
}
