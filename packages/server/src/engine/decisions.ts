/** What is decided over every node's head: limits, and stops. Each is one transaction that raises the fence of all nodes. */
import type { Json, Limit as LimitOfApi, RunLimits, Stop as StopOfApi, Stopped, StopStep } from '@longhaul/protocol'
import type { Db, Tx } from '../db/index.ts'
import { AppError, monotonicMs, newId, sleep } from '../kernel/index.ts'
import { type LimitRow, deleteLimit, isAgentLimit, listLimits, readAgentLimits, replaceAgentLimits, upsertLimit } from './limit-store.ts'
import type { Limit } from './limits.ts'
import {
  type StepEvent,
  type StopRow,
  type StopScope,
  countHeld,
  familyOf,
  findStopInForce,
  insertStop,
  lastSteps,
  liftStop,
  listStops,
  raiseAllFences,
  recordFamily,
  takeRuns,
  unheard,
} from './stop-store.ts'

export type LimitSetting = {
  namespace?: string | undefined
  agent?: string | undefined
  laneKey?: string | undefined
  runningMax?: number | undefined
  startsPerSecond?: number | undefined
  startsPerMinute?: number | undefined
}

/** What the live version of an agent says of its runs. */
export type DeclaredLimits = { tenantId: string; agent: string; version: string; limits: RunLimits }

export type StopRequest = {
  tenantId: string
  namespace?: string | undefined
  agent?: string | undefined
  runId?: string | undefined
  reason?: string | undefined
}

export type Decisions = {
  /** Sets the limit of a scope, or changes the one it has. It holds at every node when this returns. */
  setLimit(tenantId: string, by: string, setting: LimitSetting): Promise<LimitOfApi>
  listLimits(tenantId: string, page: { limit: number; after?: string | undefined }): Promise<LimitOfApi[]>
  deleteLimit(tenantId: string, limitId: string): Promise<LimitOfApi>
  /** Makes the limits that agents' code declares hold, and those that it does not declare any more not. Returns the agents whose limits changed. */
  setAgentLimits(declared: DeclaredLimits[]): Promise<string[]>
  /**
   * One commit after which nothing in the scope is admitted, claimed or recorded, whoever executes it. Returns what was cut, once every
   * node that answers has ended what it was executing, or has been waited for.
   */
  stopRuns(request: StopRequest, by: string): Promise<Stopped>
  listStops(tenantId: string, page: { limit: number; before?: string | undefined; isInForce: boolean }): Promise<StopOfApi[]>
  /** Lets the runs go on from their journals. */
  liftStop(tenantId: string, stopId: string, by: string): Promise<StopOfApi>
}

/** Longer than `licenceMs`: what a node that does not answer had let its workers begin has run out by then. */
const heardMsMax = 3_000
const shownMax = 200
const stepsPerRun = 50
const heldMax = 100_000

/** `onDecided`: this node reads at once what was decided, instead of at its next look. */
export function makeDecisions({ db, onDecided }: { db: Db; onDecided(): Promise<void> }): Decisions {
  /** A transaction over all nodes. Rows that are decided about come before the nodes, as in a claim. */
  async function decide<Result>(work: (tx: Tx) => Promise<Result>, after?: (tx: Tx, result: Result) => Promise<void>) {
    const decided = await db.transaction(async (tx) => {
      const result = await work(tx)
      const raised = await raiseAllFences(tx)
      await after?.(tx, result)
      return { result, raised }
    })
    await onDecided()
    return decided
  }

  /** The nodes that have not acted on it after a while: cut off, paused, or without time. */
  async function unheardAfterAWhile(raised: { nodeId: string; fence: number }[]): Promise<string[]> {
    for (const from = monotonicMs(); ; await sleep(20)) {
      const left = await unheard(db, raised)
      if (left.length === 0 || monotonicMs() - from > heardMsMax) return left
    }
  }

  return {
    async setLimit(tenantId, by, { namespace = '', agent = '', laneKey = '', runningMax = null, startsPerSecond = null, startsPerMinute = null }) {
      if (runningMax === null && startsPerSecond === null && startsPerMinute === null)
        throw new AppError('invalid', 'A limit needs at least one of runningMax, startsPerSecond and startsPerMinute.')
      const limit = { id: newId(), tenantId, namespace, agent, laneKey, runningMax, startsPerSecond, startsPerMinute }
      return toLimit((await decide((tx) => upsertLimit(tx, limit, by))).result)
    },
    listLimits: async (tenantId, page) => (await listLimits(db, tenantId, page)).map(toLimit),
    async deleteLimit(tenantId, limitId) {
      const { result } = await decide((tx) => deleteLimit(tx, tenantId, limitId))
      if (!result) {
        if (await isAgentLimit(db, tenantId, limitId))
          throw new AppError(
            'conflict',
            `Limit ${limitId} is declared by the agent's code (runLimits in agent.ts). Deploy a version that does not, or set a stricter one beside it.`,
          )
        throw new AppError('not_found', `No limit ${limitId}.`)
      }
      return toLimit(result)
    },

    async setAgentLimits(declared) {
      const wanted = new Map(declared.map((each) => [`${each.tenantId}/${each.agent}`, each]))
      const known = Map.groupBy(await readAgentLimits(db), ({ tenantId, agent }) => `${tenantId}/${agent}`)
      const changed: string[] = []
      for (const name of new Set([...wanted.keys(), ...known.keys()])) {
        const now = wanted.get(name)
        const before = known.get(name) ?? []
        const limits = now ? limitsOf(now) : []
        if (JSON.stringify(limits.map(amountOf)) === JSON.stringify(before.map(amountOf))) continue
        const [tenantId, agent] = [now?.tenantId ?? before[0]?.tenantId ?? '', now?.agent ?? before[0]?.agent ?? '']
        await decide((tx) => replaceAgentLimits(tx, tenantId, agent, limits, `version ${now?.version}`))
        changed.push(name)
      }
      return changed
    },

    async stopRuns({ tenantId, namespace = '', agent = '', runId, reason: given }, by) {
      const scope: StopScope = { tenantId, namespace, agent, runId: runId ?? null }
      const reason = given ?? null
      const id = newId()
      const detail: Json = { stop: id, by, reason }
      let taken: { runId: string; agent: string; nodeId: string }[] = []
      const { result: made, raised } = await decide(
        (tx) => insertStop(tx, { ...scope, id, reason, by }),
        async (tx, stop) => {
          if (!stop) return
          const runIds = runId === undefined ? null : await familyOf(tx, tenantId, runId)
          if (runIds) await recordFamily(tx, id, runIds)
          taken = await takeRuns(tx, scope, runIds, detail)
        },
      )
      const stop = await findStopInForce(db, scope)
      if (!stop) throw new AppError('conflict', 'This was stopped and lifted at the same moment. Stop it again.')
      const [cut, heldCount] = await Promise.all([cutOf(db, taken), countHeld(db, scope, runId === undefined ? null : stop.runIds, heldMax)])
      return { stop: toStop(stop), isNew: made !== undefined, ...cut, heldCount, nodesUnheard: await unheardAfterAWhile(raised) }
    },
    listStops: async (tenantId, page) => (await listStops(db, tenantId, page)).map(toStop),
    async liftStop(tenantId, stopId, by) {
      const { result } = await decide((tx) => liftStop(tx, tenantId, stopId, by))
      if (!result) throw new AppError('not_found', `No stop ${stopId} is in force.`)
      return toStop(result)
    },
  }
}

/** What was taken away, with the last step that was recorded of it and those that had been admitted and have no result. */
async function cutOf(db: Db, taken: { runId: string; agent: string }[]): Promise<Pick<Stopped, 'cut' | 'cutCount' | 'lastStep'>> {
  const steps = Map.groupBy(
    await lastSteps(
      db,
      taken.map(({ runId }) => runId),
      stepsPerRun,
    ),
    ({ runId }) => runId,
  )
  const all = [...steps.values()].flat()
  const last = all.reduce<StepEvent | undefined>((best, step) => (best && best.at >= step.at ? best : step), undefined)
  return {
    cutCount: taken.length,
    cut: taken.slice(0, shownMax).map(({ runId, agent }) => {
      const ofRun = steps.get(runId) ?? []
      return { runId, agent, lastStep: ofRun[0] ? toStep(ofRun[0]) : null, open: ofRun.filter((step, at) => isOpen(step, ofRun.slice(0, at))).map(toStep) }
    }),
    lastStep: last ? { ...toStep(last), runId: last.runId } : null,
  }
}

/** Admitted, and nothing later says what came of it. */
const isOpen = (step: StepEvent, later: StepEvent[]): boolean => step.type === 'step.started' && !later.some(({ op }) => op === step.op)

const toStep = ({ seq, type, op, kind, name, attempt, at }: StepEvent): StopStep => ({ seq, type, op, kind, name, attempt, at: at.toISOString() })

/** By lane key, as they are read. */
const limitsOf = ({ tenantId, agent, limits: { perLaneKey, ...all } }: DeclaredLimits): Limit[] =>
  [{ laneKey: '', ...all }, ...(perLaneKey ? [{ ...perLaneKey, laneKey: '*' }] : [])].flatMap(
    ({ laneKey, runningMax = null, startsPerSecond = null, startsPerMinute = null }) =>
      runningMax === null && startsPerSecond === null && startsPerMinute === null
        ? []
        : [{ id: newId(), tenantId, namespace: '', agent, laneKey: laneKey === '*' ? '*' : '', runningMax, startsPerSecond, startsPerMinute }],
  )

const amountOf = ({ laneKey, runningMax, startsPerSecond, startsPerMinute }: Limit) => [laneKey, runningMax, startsPerSecond, startsPerMinute]

const orNull = (text: string): string | null => (text === '' ? null : text)

const toLimit = ({ id, namespace, agent, laneKey, runningMax, startsPerSecond, startsPerMinute, source, setBy, setAt }: LimitRow): LimitOfApi => ({
  id,
  namespace: orNull(namespace),
  agent: orNull(agent),
  laneKey: orNull(laneKey),
  runningMax,
  startsPerSecond,
  startsPerMinute,
  source,
  setBy,
  setAt: setAt.toISOString(),
})

const toStop = ({ id, namespace, agent, runId, reason, stoppedBy, stoppedAt, liftedBy, liftedAt }: StopRow): StopOfApi => ({
  id,
  namespace: orNull(namespace),
  agent: orNull(agent),
  runId,
  reason,
  stoppedBy,
  stoppedAt: stoppedAt.toISOString(),
  liftedBy,
  liftedAt: liftedAt?.toISOString() ?? null,
})
