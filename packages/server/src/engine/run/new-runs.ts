/** Runs that a run starts: its children, and the one that it goes on as. Each is written in the entry of the run that starts it. */
import { ChildRequest, type Json, whyNotJson } from '@longhaul/protocol'
import { after, newId } from '../../kernel/index.ts'
import type { NewEvent } from '../history.ts'
import { laneKeyAt } from '../lanes.ts'
import type { ActiveRun } from './active-run.ts'
import { eventRow } from './event-row.ts'
import type { RunFrame, RunPorts } from './ports.ts'

const depthMax = 20
const childInputBytesMax = 1_000_000

/** The columns of `flush-store.ts` for a run that another one starts. */
type NewRunOf = {
  agent: string
  lane: string
  version: string
  input: Json
  session: string | null
  parent: string | null
  parent_op: string | null
  detached: boolean
  depth: number
  lineage?: string
  destinations?: Json
  part?: string
  cost?: number
  labels: Json
  signals: readonly { name: string; payload: Json }[]
}

/** Starts a child: its row and its first event are written together with this run's event about it. */
export function startChild(run: ActiveRun, { op, name, input }: Extract<RunFrame, { type: 'op' }>): void {
  const kind = 'run'
  const refuse = (code: string, message: string) => run.stepFailed(op, kind, name, 1, { message, code, retryable: false }, null)
  const request = ChildRequest.safeParse(input)
  if (!request.success) return refuse('invalid', `A child run needs an agent and an input: ${request.error.issues[0]?.message}.`)
  const { agent, isDetached, session, part, costUsdMax: cost } = request.data
  const problem = whyNotJson(request.data.input) ?? whyNotJson(session ?? null)
  if (problem) return refuse('not_json', `The input of the child run cannot be stored: ${problem}.`)
  if (run.row.depth >= depthMax) return refuse('too_deep', `Runs may start one another ${depthMax} deep, and this one is there already.`)
  const bytes = Buffer.byteLength(JSON.stringify(request.data.input))
  if (bytes > childInputBytesMax) return refuse('too_large', `The input of the child run is ${bytes} bytes; at most ${childInputBytesMax} are taken.`)
  if (part !== undefined && agent !== run.row.agent) return refuse('invalid', 'A part is one of the agent that the run is of.')
  run.executing.set(op, new AbortController())
  const start = (found: Awaited<ReturnType<RunPorts['findVersion']>>) => {
    if (run.isLeaving || !run.executing.delete(op)) return
    if ('problem' in found) return refuse('not_found', found.problem)
    const child = newRun(run, {
      agent,
      lane: laneKeyAt(request.data.input, found.laneKeyFrom),
      version: found.version,
      input: request.data.input,
      session: run.row.withholdsWrites ? null : (session ?? null), // Nothing that is withheld gets into a conversation.
      parent: run.id,
      parent_op: op,
      detached: isDetached,
      depth: run.row.depth + 1,
      ...(part !== undefined && { part }),
      ...(cost !== undefined && { cost }),
      labels: run.labels,
      signals: [],
    })
    const output: Json = { runId: child.id }
    run.append([{ type: 'step.completed', op, data: { kind, name, attempt: 1, output } }], {
      frames: [{ type: 'op.completed', run: run.id, op, output }],
      ...child.rows,
      then: () => run.ports.onStarted(),
    })
    run.checkBounds()
  }
  mayStart(run, agent, request.data.input, (why) => {
    if (why !== undefined) {
      if (!run.isLeaving && run.executing.delete(op)) refuse('forbidden', why)
      // A part goes with the version that it is a part of.
    } else if (part === undefined) findVersion(run, agent, start)
    else start({ version: run.row.version })
  })
}

/** Ends, and goes on as another run in the same flush. What was signalled and not yet asked for goes with it. */
export function continued(run: ActiveRun, input: Json): void {
  const problem = whyNotJson(input)
  if (problem) return run.fail({ message: `The input to continue with cannot be stored: ${problem}.`, code: 'not_json', retryable: false })
  run.stopEverything()
  run.isLeaving = true // Nothing of the worker counts any more while the version is looked up.
  findVersion(run, run.row.agent, (found) => {
    run.isLeaving = false
    if ('problem' in found) return run.fail({ message: found.problem, code: 'not_found', retryable: false })
    const { id, row } = run
    const next = newRun(run, {
      agent: row.agent,
      lane: row.laneKey,
      version: found.version,
      input,
      session: row.sessionId,
      parent: row.parentId,
      parent_op: row.parentOp,
      detached: row.isDetached,
      depth: row.depth,
      lineage: row.lineageId ?? id,
      ...(row.destinations && { destinations: row.destinations as Json }),
      ...(row.part !== null && { part: row.part }),
      ...(row.costUsdMax !== null && { cost: row.costUsdMax }),
      labels: run.labels,
      signals: run.history.signals,
    })
    run.append([{ type: 'run.completed', data: { output: null, continuedAs: next.id } }], {
      change: { state: 'completed', output: null, continuedAs: next.id },
      ...next.rows,
      then: () => run.ports.onStarted(),
    })
    run.leave('ended')
  })
}

/** Asks until the policies answer. */
function mayStart(run: ActiveRun, agent: string, input: Json, then: (why: string | undefined) => void): void {
  const { tenantId, namespace, asker } = run.row
  run.ports.whyNotStart({ tenantId, namespace, agent, input, asker, startedBy: { type: 'run', name: run.row.agent } }).then(
    (why) => run.isSuperseded || then(why),
    (error: unknown) => {
      if (run.isSuperseded) return
      run.ports.log.warn('whether a run may start another one could not be decided; it is asked again', { error, runId: run.id })
      after(500, () => run.isSuperseded || mayStart(run, agent, input, then))
    },
  )
}

/** Asks until the database answers. */
function findVersion(run: ActiveRun, agent: string, then: (found: Awaited<ReturnType<RunPorts['findVersion']>>) => void): void {
  const known = run.versions.get(agent)
  const asked = known ?? run.ports.findVersion(run.row.tenantId, agent, run.row.asker.id)
  if (!known) {
    run.versions.set(agent, asked)
    const forget = () => void run.versions.delete(agent)
    asked.then(forget, forget)
  }
  asked.then(
    (found) => run.isSuperseded || then(found),
    (error: unknown) => {
      if (run.isSuperseded) return
      run.ports.log.warn('the version of an agent could not be looked up; it is tried again', { error, runId: run.id })
      after(500, () => run.isSuperseded || findVersion(run, agent, then))
    },
  )
}

function newRun(run: ActiveRun, { signals, input, session, ...more }: NewRunOf): { id: string; rows: { children: string[]; childEvents: string[] } } {
  const id = newId()
  const { tenantId, asker } = run.row
  const events: NewEvent[] = [
    { type: 'run.started', data: { input } },
    ...signals.map(({ name, payload }): NewEvent => ({ type: 'signal.received', data: { name, payload, by: `run ${run.id}` } })),
  ]
  let previousHash = ''
  const childEvents = events.map((event, seq) => {
    const row = eventRow({ runId: id, tenantId, epoch: 0, seq, previousHash }, event, true)
    previousHash = row.hash
    return row.text
  })
  const isQueued = session !== null && more.parent === run.id // It waits for its turn in the session. One that continues has it.
  const start = JSON.stringify({
    id,
    tenant: tenantId,
    namespace: run.row.namespace,
    state: 'pending',
    input,
    session,
    asker,
    ...more,
    ...(run.row.withholdsWrites && { withholds: true }),
    ...(isQueued && { queued: true }),
  })
  return { id, rows: { children: [start], childEvents } }
}
