/** What live versions declare in their folders is made to hold: schedules fire, channels are open. Whatever a version brought goes when another takes its place. */
import type { AgentManifest, Asker, Permission } from '@longhaul/protocol'
import type { Db } from '../db/index.ts'
import { syncSchedules, whyNoCalendar } from '../engine/index.ts'
import { syncChannels } from '../hooks/index.ts'
import type { Log } from '../kernel/index.ts'
import { findUndeclared, listUndeclared, recordDeclared } from './declared-store.ts'
import { deciding } from './deployment-store.ts'

/** Looked at once for each deployment that has become live, by whichever server comes first. How many rows it has made, changed or deleted. */
export async function applyDeclared(db: Db, log: Log): Promise<number> {
  let changedCount = 0
  for (const { tenantId, agent } of await listUndeclared(db)) {
    try {
      const count = await applyTo(db, log, tenantId, agent)
      if (count > 0) log.info('what the live version declares holds now', { tenantId, agent, count })
      changedCount += count
    } catch (error) {
      log.error('what a version declares could not be made to hold; it is tried again', { error, tenantId, agent }) // It must not keep the others from it.
    }
  }
  return changedCount
}

async function applyTo(db: Db, log: Log, tenantId: string, agent: string): Promise<number> {
  return deciding(db.forTenant(tenantId), tenantId, agent, async (tx) => {
    const live = await findUndeclared(tx, tenantId, agent)
    if (!live) return 0 // Another server was faster, or another version is live by now.
    const { id, version, asker, schedules, channels } = live
    if (!asker && schedules.length + channels.length > 0)
      log.warn('what a version declares does not hold: nobody is known whose access it would have; deploy it again', { tenantId, agent, version })
    const of = asker ? { schedules, channels } : { schedules: [], channels: [] }
    const place = { tenantId, agent, version, asker: asker ?? nobody }
    const changed = (await syncSchedules(tx, { ...place, schedules: of.schedules })) + (await syncChannels(tx, { ...place, channels: of.channels }))
    await recordDeclared(tx, tenantId, id)
    return changed
  })
}

const nobody: Asker = { id: 'nobody', name: 'nobody', access: { regions: [], personalData: false } }

/** Why whoever deploys it may not: what it declares takes rights of its own. Undefined when they may. */
export function whyNotDeclare(
  { schedules = [], channels = [] }: Pick<AgentManifest, 'schedules' | 'channels'>,
  may: readonly Permission[],
): string | undefined {
  return whyLacking(schedules.length > 0, channels.length > 0, may)
}
export const whyNotDeclareAny = (may: readonly Permission[]): string | undefined => whyLacking(true, true, may)

function whyLacking(hasSchedules: boolean, hasChannels: boolean, may: readonly Permission[]): string | undefined {
  const needs = [
    ...(hasSchedules && !may.includes('schedules:manage') ? ['schedules, which takes the permission schedules:manage'] : []),
    ...(hasChannels && !may.includes('hooks:manage') ? ['channels, which takes the permission hooks:manage'] : []),
  ]
  return needs.length > 0 ? `The version declares ${needs.join(', and ')}.` : undefined
}

/** What only the server can find wrong with what a folder declares, with its file. Undefined when nothing is. */
export function whyNotHeld({ schedules = [] }: Pick<AgentManifest, 'schedules'>, nowMs: number): string | undefined {
  const problems = schedules.flatMap(({ name, schedule }) => {
    const why = schedule.calendar.kind === 'once' ? undefined : whyNoCalendar(schedule, nowMs)
    return why === undefined ? [] : `agent/schedules/${name}: ${why}`
  })
  return problems.length > 0 ? problems.join('\n') : undefined
}
