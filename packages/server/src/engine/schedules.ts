/**
 * Runs by the calendar. Every node looks for schedules that are due by the database's clock. A schedule fires under the lock of its row,
 * which moves on in the transaction that inserts the run: so a fire is one run, whichever nodes notice it and whatever their clocks say.
 */
import type { Asker, Calendar, Fire, Json, Priority, Schedule } from '@longhaul/protocol'
import type { Audience, Db, Tx } from '../db/index.ts'
import { AppError, type Log, type Service, loop, newId, random } from '../kernel/index.ts'
import { eventRow } from './run/event-row.ts'
import type { FoundVersion, WhyNotStart } from './run/ports.ts'
import { checkedCalendar, dueFires, firesFrom, nextFire } from './calendar.ts'
import { laneKeyAt, ranks } from './lanes.ts'
import { insertDueRun, sendMessage } from './run-store.ts'
import {
  type DueSchedule,
  type FireRow,
  type Overlap,
  type ScheduleRow,
  deleteSchedule,
  findSchedule,
  listDue,
  listFires,
  listSchedules,
  lockDue,
  moveOn,
  nextFireMs,
  pauseSchedule,
  readNowMs,
  recordFires,
  upsertSchedule,
} from './schedule-store.ts'

export type ScheduleSetting = {
  name: string
  agent: string
  input: Json
  calendar: Calendar
  overlap: Overlap
  catchUp: 'skip' | 'one' | 'all'
  jitterMs: number
  laneKey?: string | undefined
  priority: Priority
}

export type Schedules = {
  set(audience: Audience, asker: Asker, setting: ScheduleSetting): Promise<Schedule>
  list(audience: Audience, page: { limit: number; after?: string | undefined }): Promise<Schedule[]>
  /** Throw `not_found`. */
  get(audience: Audience, name: string): Promise<Schedule>
  pause(audience: Audience, name: string): Promise<Schedule>
  resume(audience: Audience, name: string): Promise<Schedule>
  delete(audience: Audience, name: string): Promise<Schedule>
  fire(audience: Audience, name: string): Promise<Fire>
  fires(audience: Audience, name: string, page: { limit: number; before?: number | undefined }): Promise<Fire[]>
}

export type SchedulesOptions = {
  db: Db
  log: Log
  pollMs: number
  /** The version that a new run of the agent gets, or why there is none. */
  findVersion(tenantId: string, agent: string, askerId?: string): Promise<FoundVersion>
  whyNotStart: WhyNotStart
  /** Runs were put up. */
  onFired(): void
}

const namespace = 'default'
const dueMax = 50

export function openSchedules({ db, log, pollMs, findVersion, whyNotStart, onFired }: SchedulesOptions): Schedules & { service: Service } {
  const versionOf = async (tenantId: string, agent: string, askerId: string): Promise<Extract<FoundVersion, { version: string }> | undefined> => {
    const found = await findVersion(tenantId, agent, askerId)
    return 'version' in found ? found : undefined
  }
  /** Policies are asked about whoever set it, at each fire anew. */
  const whyNot = ({ tenantId, namespace: space, agent, input, asker, name }: ScheduleRow) =>
    whyNotStart({ tenantId, namespace: space, agent, input, asker, startedBy: { type: 'schedule', name } })
  const service = loop({
    everyMs: pollMs,
    onError: (error) => log.warn('schedules could not be looked at; it is tried again', { error }),
    async work() {
      const due = await listDue(db, dueMax)
      let firedCount = 0
      for (const schedule of due) {
        const { id, tenantId, agent } = schedule
        try {
          const version = await versionOf(tenantId, agent, schedule.asker.id)
          const why = await whyNot(schedule)
          firedCount += await db.transaction(async (tx) => fireDue(tx, id, version, why))
        } catch (error) {
          log.error('a schedule could not fire; it is tried again', { error, scheduleId: schedule.id }) // It must not keep the others from it.
        }
      }
      if (firedCount > 0) onFired()
      if (due.length === dueMax) return 0
      const nextMs = await nextFireMs(db)
      return nextMs === null ? pollMs : Math.max(firedCount > 0 || due.length === 0 ? 1 : pollMs, Math.min(pollMs, Math.ceil(nextMs)))
    },
  })

  const found = <Row>(row: Row | undefined, name: string): Row => {
    if (!row) throw new AppError('not_found', `No schedule ${name}.`)
    return row
  }

  async function setPaused(audience: Audience, name: string, isPaused: boolean): Promise<Schedule> {
    const row = await db.transaction(async (tx) => {
      const { id, calendar, isPaused: was, nextMs, isWithdrawn, fromVersion } = found(await findSchedule(tx, audience, namespace, name, true), name)
      if (isWithdrawn && !isPaused)
        throw new AppError(
          'conflict',
          `${name} was declared by version ${fromVersion}, and is not by the live one. It comes back with a version that declares it.`,
        )
      return pauseSchedule(tx, id, isPaused, was === isPaused ? nextMs : isPaused ? null : nextFire(calendar, await readNowMs(tx)))
    })
    service.wake()
    return toSchedule(found(row, name))
  }

  return {
    service,
    async set(audience, asker, { priority, laneKey = '', calendar, ...setting }) {
      const row = await db.transaction(async (tx) => {
        const checked = checkedCalendar(calendar, await readNowMs(tx))
        return upsertSchedule(tx, audience, {
          ...setting,
          ...checked,
          id: newId(),
          tenantId: audience.tenantId,
          namespace,
          laneKey,
          asker,
          rank: ranks[priority],
          setBy: asker.name,
        })
      })
      if (!row) throw new AppError('conflict', `The name ${setting.name} belongs to a schedule that this key may not see. Take another.`)
      service.wake()
      return toSchedule(row)
    },
    list: async (audience, page) => (await listSchedules(db, audience, page)).map(toSchedule),
    get: async (audience, name) => toSchedule(found(await findSchedule(db, audience, namespace, name), name)),
    pause: (audience, name) => setPaused(audience, name, true),
    resume: (audience, name) => setPaused(audience, name, false),
    async delete(audience, name) {
      const row = await db.transaction(async (tx) => {
        const { fromVersion, isWithdrawn, agent } = found(await findSchedule(tx, audience, namespace, name, true), name)
        if (fromVersion !== null && !isWithdrawn)
          throw new AppError(
            'conflict',
            `${name} comes from the folder of ${agent}, version ${fromVersion}. Pause it, or take it out of schedules/ and deploy the agent.`,
          )
        return deleteSchedule(tx, audience, namespace, name)
      })
      return toSchedule(found(row, name))
    },
    async fire(audience, name) {
      const known = found(await findSchedule(db, audience, namespace, name), name)
      const { agent } = known
      const version = await versionOf(audience.tenantId, agent, known.asker.id)
      if (version === undefined) throw new AppError('conflict', `No run of ${agent} can be started: it is not deployed, or its code does not load.`)
      const why = await whyNot(known)
      if (why !== undefined) throw new AppError('forbidden', why)
      const fire = await db.transaction(async (tx) => {
        const schedule = found(await findSchedule(tx, audience, namespace, name, true), name)
        const nowMs = Math.floor(await readNowMs(tx))
        const runId = await startAt(tx, schedule, version, nowMs, nowMs)
        const row: FireRow = { fireMs: nowMs, outcome: 'started', reason: null, runId }
        await recordFires(tx, schedule, [row])
        await moveOn(tx, schedule.id, { ...schedule, lastRunId: runId })
        return row
      })
      onFired()
      const at = new Date(fire.fireMs).toISOString()
      return { fireAt: at, noticedAt: at, outcome: fire.outcome, reason: fire.reason, runId: fire.runId }
    },
    async fires(audience, name, page) {
      const { id } = found(await findSchedule(db, audience, namespace, name), name)
      return (await listFires(db, id, page)).map(({ fireAt, noticedAt, ...fire }) => ({
        ...fire,
        fireAt: fireAt.toISOString(),
        noticedAt: noticedAt.toISOString(),
      }))
    },
  }
}

/** Makes what is due of a schedule, if it is this node's to make. How many runs were put up. */
async function fireDue(tx: Tx, id: string, version: Extract<FoundVersion, { version: string }> | undefined, whyNot: string | undefined): Promise<number> {
  const schedule = await lockDue(tx, id)
  if (!schedule) return 0
  const { calendar, nextMs, nowMs, catchUp } = schedule
  const due = nextMs === null ? { fires: [], missed: null, nextMs: null } : dueFires(calendar, { nextMs, nowMs, catchUp })
  const refusal = version === undefined ? 'no_version' : schedule.isStopped ? 'stopped' : whyNot?.slice(0, 500)
  const plan = planFires(schedule, due.fires, refusal)
  const rows: FireRow[] = [...plan.rows]
  let { lastRunId } = schedule
  if (version !== undefined)
    for (const fireMs of plan.starts)
      rows.push({ fireMs, outcome: 'started', reason: null, runId: (lastRunId = await startAt(tx, schedule, version, fireMs, nowMs)) })
  if (due.missed !== null) rows.push({ fireMs: due.missed, outcome: 'skipped', reason: 'missed', runId: null })
  if (plan.cancels && schedule.lastRunId !== null)
    await sendMessage(tx, {
      id: newId(),
      tenantId: schedule.tenantId,
      runId: schedule.lastRunId,
      kind: 'cancel',
      name: 'cancel',
      payload: { reason: `The schedule ${schedule.name} fired again.` },
      sentBy: `schedule ${schedule.name}`,
      idempotencyKey: `schedule ${schedule.name} ${nowMs}`,
    })
  await recordFires(tx, schedule, rows)
  await moveOn(tx, id, { nextMs: due.nextMs, queuedMs: plan.queuedMs, lastRunId })
  return plan.starts.length
}

export type Plan = { starts: number[]; queuedMs: number | null; cancels: boolean; rows: FireRow[] }

/** What becomes of each fire, given what is under way. Pure. `refusal`: why nothing can be started at all. */
export function planFires(
  { overlap, queuedMs, isUnderWay }: Pick<DueSchedule, 'overlap' | 'queuedMs' | 'isUnderWay'>,
  fires: readonly number[],
  refusal: string | undefined,
): Plan {
  const plan: Plan = { starts: [], queuedMs, cancels: false, rows: [] }
  const skip = (fireMs: number, reason: string) => void plan.rows.push({ fireMs, outcome: 'skipped', reason, runId: null })
  const queue = (fireMs: number) => {
    plan.queuedMs = fireMs
    plan.rows.push({ fireMs, outcome: 'queued', reason: null, runId: null })
  }
  const isBusy = () => isUnderWay || plan.starts.length > 0
  if (plan.queuedMs !== null && !isUnderWay && refusal === undefined) {
    plan.starts.push(plan.queuedMs)
    plan.queuedMs = null
  }
  for (const fireMs of fires) {
    if (refusal !== undefined) skip(fireMs, refusal)
    else if (overlap === 'allow' || !isBusy()) plan.starts.push(fireMs)
    else if (overlap === 'skip') skip(fireMs, 'overlap')
    else if (overlap === 'queue') {
      if (plan.queuedMs === null) queue(fireMs)
      else skip(fireMs, 'overlap')
    } else {
      if (plan.queuedMs !== null) skip(plan.queuedMs, 'replaced')
      plan.cancels = isUnderWay
      queue(fireMs)
    }
  }
  // Of one that was queued and replaced in the same look only the last word counts.
  plan.rows = [...new Map(plan.rows.map((row) => [row.fireMs, row])).values()]
  return plan
}

async function startAt(
  tx: Tx,
  schedule: ScheduleRow,
  { version, laneKeyFrom }: Extract<FoundVersion, { version: string }>,
  fireMs: number,
  nowMs: number,
): Promise<string> {
  const { tenantId, agent, rank, input, asker, jitterMs, id, name } = schedule
  const runId = newId()
  const { hash } = eventRow({ runId, tenantId, epoch: 0, seq: 0, previousHash: '' }, { type: 'run.started', data: { input } })
  const run = {
    id: runId,
    tenantId,
    namespace: schedule.namespace,
    agent,
    laneKey: schedule.laneKey || laneKeyAt(input, laneKeyFrom),
    rank,
    version,
    sessionId: null,
    input,
    asker,
    requestHash: `schedule ${name}`,
    destinations: null,
  }
  const isNew = await insertDueRun(
    tx,
    { ...run, idempotencyKey: `schedule ${id} ${new Date(fireMs).toISOString()}` },
    { data: JSON.stringify({ input }), hash: `\\x${hash}` },
    Math.max(fireMs + Math.floor(random() * jitterMs), nowMs),
  )
  if (!isNew) throw new Error(`The fire of schedule ${name} at ${fireMs} has a run already.`)
  return runId
}

const toSchedule = (row: ScheduleRow): Schedule => ({
  id: row.id,
  name: row.name,
  agent: row.agent,
  input: row.input,
  asker: row.asker,
  calendar: row.calendar,
  overlap: row.overlap,
  catchUp: row.catchUp,
  jitterMs: row.jitterMs,
  laneKey: row.laneKey === '' ? null : row.laneKey,
  priority: row.rank === ranks.low ? 'low' : row.rank === ranks.high ? 'high' : 'normal',
  isPaused: row.isPaused,
  fromVersion: row.fromVersion,
  nextFires: row.isPaused ? [] : firesFrom(row.calendar, row.nextMs, 5).map((at) => new Date(at).toISOString()),
  queuedAt: row.queuedMs === null ? null : new Date(row.queuedMs).toISOString(),
  lastRunId: row.lastRunId,
  setBy: row.setBy,
  setAt: row.setAt.toISOString(),
})
