/** Schedules that an agent's folder declares: their rows are made, changed and deleted as versions go live. */
import type { Asker, DeclaredSchedule } from '@longhaul/protocol'
import { isDeepStrictEqual } from 'node:util'
import { type Tx, audienceOf } from '../db/index.ts'
import { newId } from '../kernel/index.ts'
import { checkedCalendar } from './calendar.ts'
import { ranks } from './lanes.ts'
import { deleteSchedule, listDeclared, moveDeclared, pauseSchedule, readNowMs, upsertSchedule, withdrawSchedule } from './schedule-store.ts'

export type DeclaredSchedules = {
  tenantId: string
  agent: string
  version: string
  /** Whose access their runs have. */
  asker: Asker
  schedules: readonly { name: string; schedule: DeclaredSchedule }[]
}

const namespace = 'default'

/**
 * Makes what is declared hold. What is the same as before goes on firing when it would have. What is declared no longer is deleted, but for what somebody has
 * paused: it stays so, also when a rollback brings its declaration back. How many rows were made or deleted.
 */
export async function syncSchedules(tx: Tx, { tenantId, agent, version, asker, schedules }: DeclaredSchedules): Promise<number> {
  const everybody = { ...audienceOf(tenantId, asker), askerId: undefined }
  const rows = await listDeclared(tx, tenantId, agent)
  let changedCount = 0
  for (const { name, schedule } of schedules) {
    const known = rows.find((row) => row.name === `${agent}.${name}`)
    if (known && isDeepStrictEqual(known.declared, schedule)) {
      if (known.fromVersion !== version || !isDeepStrictEqual(known.asker, asker)) await moveDeclared(tx, known.id, { fromVersion: version, asker })
      continue
    }
    const { laneKey = '', priority, calendar, ...setting } = schedule
    if (whyNoCalendar(schedule, await readNowMs(tx)) !== undefined) continue // Once, at an instant that has passed.
    const made = await upsertSchedule(tx, everybody, {
      ...setting,
      ...checkedCalendar(calendar, await readNowMs(tx)),
      id: known?.id ?? newId(),
      name: `${agent}.${name}`,
      agent,
      tenantId,
      namespace,
      laneKey,
      rank: ranks[priority],
      asker,
      setBy: asker.name,
      fromVersion: version,
      declared: schedule,
    })
    if (known?.isPaused && made) await pauseSchedule(tx, made.id, true, null)
    changedCount++
  }
  for (const { id, name, isPaused, declared } of rows) {
    if (declared === null || schedules.some((one) => `${agent}.${one.name}` === name)) continue
    if (isPaused) await withdrawSchedule(tx, id)
    else await deleteSchedule(tx, everybody, namespace, name)
    changedCount++
  }
  return changedCount
}

/** Why a calendar cannot be followed; undefined when it can. */
export function whyNoCalendar({ calendar }: DeclaredSchedule, nowMs: number): string | undefined {
  try {
    checkedCalendar(calendar, nowMs)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
