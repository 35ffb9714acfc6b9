/** Starting a run: checked, made durable under its idempotency key, and begun here at once where it passes nobody. */
import { createHash } from 'node:crypto'
import { type Asker, type ChannelReply, type Destination, type Json, type Priority, type Run, type WhenBusy, whyNotJson } from '@longhaul/protocol'
import { type Audience, type Db, audienceOf } from '../db/index.ts'
import { AppError, newId, withTimeout } from '../kernel/index.ts'
import type { Journal } from './journal.ts'
import { type Scope, laneKeyAt, ranks } from './lanes.ts'
import type { Node } from './node.ts'
import type { OwnedRuns } from './owned-runs.ts'
import { stopOver } from './policies.ts'
import { type NewRun, findByIdempotencyKey, findRun, loadRun } from './run-store.ts'
import type { ActiveRun } from './run/active-run.ts'
import { eventRow } from './run/event-row.ts'
import { saySomething } from './session-store.ts'
import { assertStorable } from './storable.ts'
import type { StopInForce } from './stop-store.ts'

export type Start = {
  tenantId: string
  namespace?: string | undefined
  agent: string
  version: string
  /** The part of the version that it executes. Absent: the agent itself. It has no session. */
  part?: string | undefined
  /** What the request says of the version, if anything: another wish under the same idempotency key is another request. */
  picked?: { preview?: string | undefined; version?: string | undefined } | undefined
  input: Json
  asker: Asker
  session?: string | undefined
  /** What to do when a run of the session is under way. */
  whenBusy?: WhenBusy | undefined
  idempotencyKey?: string | undefined
  /** Runs of an agent with the same lane key wait in a lane of their own. */
  laneKey?: string | undefined
  /** Where the input has the lane key of a run that is given none: what its agent's code says. */
  laneKeyFrom?: string | undefined
  priority?: Priority | undefined
  /** Not before this instant of the database's clock. */
  startAt?: Date | undefined
  /** Not before so long from now. */
  delayMs?: number | undefined
  /** Where its end is told. */
  destinations?: (Destination | ChannelReply)[] | undefined
  /** Whose words the input holds, where those are not the asker's. */
  labels?: string[] | undefined
}

/** A message is in the database, so it arrives. This is only to have it arrive at once. */
type Deliver = (runId: string, nodeId: string | null) => void

export type StartsOptions = {
  db: Db
  node: Node
  journal: Journal
  active: ReadonlyMap<string, ActiveRun>
  owned: OwnedRuns
  isStopping(): boolean
  deliver: Deliver
}

const inputBytesMax = 1_000_000
const startTimeoutMs = 15_000

export function makeStartRun({ db, node, journal, active, owned, isStopping, deliver }: StartsOptions): (start: Start) => Promise<Run> {
  async function sameRequest(audience: Audience, agent: string, key: string, requestHash: string): Promise<Run> {
    const found = await findByIdempotencyKey(db.forTenant(audience.tenantId), audience.tenantId, agent, key)
    if (!found) throw new AppError('unavailable', 'The run of this idempotency key is being started. Try again.')
    if (found.requestHash === requestHash) return found.run
    const owner = (await findRun(db.forTenant(audience.tenantId), audience, found.run.id))
      ? `run ${found.run.id}, which was started with another input or by another key`
      : 'another request'
    throw new AppError('conflict', `The idempotency key ${JSON.stringify(key)} belongs to ${owner}. Use a new one for a new request.`)
  }

  /** Which run it is only those may know who may see it. */
  async function busyError(audience: Audience, session: string, runId: string): Promise<AppError> {
    const isSeen = (await findRun(db.forTenant(audience.tenantId), audience, runId)) !== undefined
    return new AppError(
      'conflict',
      `${isSeen ? `Run ${runId}` : 'Another run'} of the session ${JSON.stringify(session)} is under way. Try again when it has ended, or send whenBusy as queue.`,
    )
  }

  return async function startRun({ tenantId, agent, version, input, asker, session, idempotencyKey, ...more }) {
    const {
      namespace = 'default',
      laneKey = '',
      laneKeyFrom,
      priority,
      startAt,
      delayMs,
      whenBusy = 'queue',
      destinations: wanted = [],
      picked,
      labels = [],
      part,
    } = more
    if (isStopping()) throw new AppError('unavailable', 'The server is stopping. Try again in a moment.')
    if (journal.isFull()) throw new AppError('unavailable', 'The database takes runs more slowly than they come. Nothing was started; try again in a moment.')
    assertStorable({ session, idempotencyKey, laneKey })
    const isDelayed = startAt !== undefined || delayMs !== undefined
    if (startAt !== undefined && delayMs !== undefined) throw new AppError('invalid', 'startAt and delayMs: give one of them.')
    if (isDelayed && session !== undefined)
      throw new AppError('invalid', 'A run of a session starts when the one before it has ended; it takes no startAt or delayMs.')
    if (whenBusy !== 'queue' && session === undefined) throw new AppError('invalid', 'whenBusy is about the runs of a session: give session as well.')
    const scope: Scope = { tenantId, namespace, agent, laneKey: laneKey || laneKeyAt(input, laneKeyFrom) }
    assertNotStopped(node, scope)
    const problem = whyNotJson(input, 'input')
    if (problem) throw new AppError('invalid', `The input cannot be stored: ${problem}.`)
    const inputText = JSON.stringify(input)
    if (inputText.length > inputBytesMax) throw new AppError('too_large', `The input is ${inputText.length} bytes; at most ${inputBytesMax} are taken.`)
    const destinations = wanted.length > 0 ? wanted : null
    const id = newId()
    const audience: Audience = { ...audienceOf(tenantId, asker), namespaces: [namespace] }
    // Another key's request is never the same one: its run, and so its answer, may hold what this asker may not see.
    const requestHash = createHash('sha256')
      .update(
        JSON.stringify([
          agent,
          session ?? null,
          asker.id,
          input,
          ...(destinations ? [destinations] : []),
          ...(picked ? [picked] : []),
          ...(part === undefined ? [] : [{ part }]),
          ...(whenBusy === 'queue' ? [] : [{ whenBusy }]),
          ...(isPlain({ namespace, laneKey, priority, startAt, delayMs }) ? [] : [namespace, laneKey, priority, startAt, delayMs]),
        ]),
      )
      .digest('hex')
    const dueMs = startAt?.getTime() ?? (delayMs === undefined ? undefined : Math.ceil(node.clock.latestMs() + delayMs))
    const until = dueMs !== undefined && dueMs > node.clock.nowMs() ? new Date(dueMs).toISOString() : undefined
    const wait = until === undefined ? null : { kind: 'timer' as const, name: 'start', until }
    let isHere = session === undefined && wait === null && owned.mayBegin(scope)
    const startedData = { input, ...(labels.length > 0 && { labels }) }
    const startedEvent = (isBegun: boolean) =>
      eventRow({ runId: id, tenantId, epoch: isBegun ? 1 : 0, seq: 0, previousHash: '' }, { type: 'run.started', data: startedData }, true)
    const rank = ranks[priority ?? 'normal']
    if (session !== undefined) {
      const run: NewRun = {
        ...scope,
        id,
        rank,
        version,
        sessionId: session,
        input,
        asker,
        idempotencyKey: idempotencyKey ?? null,
        requestHash,
        destinations,
        labels,
      }
      const event = { epoch: 0, data: JSON.stringify(startedData), hash: `\\x${startedEvent(false).hash}` }
      const { said, told } = await saySomething(db.forTenant(tenantId), run, event, whenBusy)
      for (const { runId, nodeId } of told) deliver(runId, nodeId)
      if (said.outcome === 'known') return sameRequest(audience, agent, idempotencyKey ?? '', requestHash)
      if (said.outcome === 'steered') return loadRun(db, audience, said.runId)
      if (said.outcome === 'busy') throw await busyError(audience, session, said.runId)
      owned.expect()
      return loadRun(db, audience, id)
    }
    const write = (isHere: boolean) => {
      const first = startedEvent(isHere)
      const state = isHere ? 'running' : 'pending'
      const { namespace: name, laneKey: lane } = scope
      const key = idempotencyKey ?? null
      const start = JSON.stringify({
        id,
        tenant: tenantId,
        namespace: name,
        agent,
        lane,
        rank,
        version,
        state,
        wait,
        input,
        asker,
        key,
        hash: requestHash,
        due: dueMs,
        ...(destinations && { destinations }),
        ...(labels.length > 0 && { labels }),
        ...(part !== undefined && { part }),
      })
      if (isHere) owned.slots.take(scope)
      const settled = () => {
        if (isHere) owned.slots.give(scope)
      }
      return new Promise<'new' | 'known' | 'not-free'>((resolve, reject) =>
        journal.append({
          runId: id,
          epoch: 1,
          start,
          begins: isHere ? scope : undefined,
          events: [first.text],
          bytes: start.length + first.text.length,
          onDurable(isNew, nodeId) {
            settled()
            resolve(isNew ? 'new' : 'known')
            // Under another name of this node than it was written with the run is not ours: whoever buries that node takes it up.
            if (!isNew || !isHere || isStopping() || node.current() !== nodeId || active.has(id)) return
            const createdAt = new Date(node.clock.nowMs())
            const apart = {
              parentId: null,
              parentOp: null,
              depth: 0,
              lineageId: null,
              isDetached: false,
              destinations,
              part: part ?? null,
              costUsdMax: null,
              labels: labels.length > 0 ? labels : null,
              fork: null,
              withholdsWrites: false,
            }
            const run = owned.take({ ...scope, ...apart, id, epoch: 1, version, sessionId: null, input, asker, inboxCount: 0, createdAt }, nodeId)
            run.begin(first.hash)
            void owned.dispatch(run)
          },
          onRefused(why, error) {
            settled()
            if (why === 'not-free') resolve(why)
            else if (why === 'invalid') reject(new AppError('invalid', 'The run could not be stored.', error))
            else reject(new AppError('unavailable', 'The server is stopping. Try again in a moment.'))
          },
        }),
      )
    }
    const answer = (written: ReturnType<typeof write>) =>
      withTimeout(
        startTimeoutMs,
        written,
        () =>
          new AppError(
            'unavailable',
            `${journal.trouble() ?? 'The database does not answer.'} The run may have been started: with an idempotency key the same request can be sent again safely.`,
          ),
      )
    let outcome = await answer(write(isHere))
    if (outcome === 'not-free') {
      assertNotStopped(node, scope)
      isHere = false // A limit was set a moment ago: it waits for its turn.
      outcome = await answer(write(isHere))
    }
    if (outcome === 'known') return sameRequest(audience, agent, idempotencyKey ?? '', requestHash)
    if (!isHere) owned.expect(dueMs)
    const at = new Date(node.clock.nowMs()).toISOString()
    return {
      id,
      namespace,
      agent,
      version,
      state: isHere ? 'running' : 'pending',
      input,
      output: null,
      failure: null,
      wait,
      session: null,
      parent: null,
      continuedAs: null,
      asker,
      usage: { input: 0, cachedInput: 0, output: 0, costUsd: 0 },
      compute: { cpuMs: 0, memoryMbS: 0 },
      eventCount: 1,
      createdAt: at,
      startedAt: isHere ? at : null,
      endedAt: null,
    }
  }
}

/** Throws when the scope is stopped. */
export function assertNotStopped(node: Node, scope: Scope): void {
  const stop = stopOver(node.policies(), scope)
  if (stop) throw stoppedError(stop)
}

const stoppedError = ({ id, runId, agent, namespace, stoppedBy, reason }: StopInForce): AppError =>
  new AppError(
    'conflict',
    `${runId ? `Run ${runId}` : agent ? `Agent ${agent}` : namespace ? `Namespace ${namespace}` : 'The tenant'} was stopped by ${stoppedBy}${reason ? ` (${reason})` : ''}. Lift the stop first: longhaul resume ${id}`,
  )

const isPlain = (options: Record<string, unknown> & { namespace: string; laneKey: string }): boolean =>
  options.namespace === 'default' && options.laneKey === '' && Object.values(options).filter((value) => value !== undefined).length === 2
