/** What the API asks for to steer runs from above: limits, schedules and stops, over the engine. */
import {
  type createStop,
  isTerminal,
  type listFires,
  type listLimits,
  type listSchedules,
  type listStops,
  type setLimit,
  type setSchedule,
} from '@longhaul/protocol'
import type { z } from 'zod'
import type { Db } from '../db/index.ts'
import { type Engine, findRun } from '../engine/index.ts'
import { type Caller, askerOf } from '../identity/index.ts'
import { AppError, pageBy } from '../kernel/index.ts'
import type { Agents } from './agents.ts'

type Input<Of extends { input: z.ZodType }> = z.output<Of['input']>

export function controlServices({ db, engine, agents }: { db: Db; engine: Engine; agents: Pick<Agents, 'find'> }) {
  return {
    limits: {
      set: (caller: Caller, input: Input<typeof setLimit>) => engine.setLimit(caller.tenantId, caller.name, input),
      list: (tenantId: string, { limit, cursor }: Input<typeof listLimits>) =>
        pageBy(limit, cursor, (after, count) => engine.listLimits(tenantId, { limit: count, after })),
      delete: (tenantId: string, limitId: string) => engine.deleteLimit(tenantId, limitId),
    },
    schedules: {
      async set(caller: Caller, setting: Input<typeof setSchedule>) {
        if (!(await agents.find(caller.tenantId, setting.agent))) throw new AppError('not_found', `No agent ${setting.agent}.`)
        return engine.schedules.set(caller, askerOf(caller), setting)
      },
      list: (caller: Caller, { limit, cursor }: Input<typeof listSchedules>) =>
        pageBy(limit, cursor, (after, count) => engine.schedules.list(caller, { limit: count, after })),
      get: (caller: Caller, name: string) => engine.schedules.get(caller, name),
      pause: (caller: Caller, name: string) => engine.schedules.pause(caller, name),
      resume: (caller: Caller, name: string) => engine.schedules.resume(caller, name),
      delete: (caller: Caller, name: string) => engine.schedules.delete(caller, name),
      fire: (caller: Caller, name: string) => engine.schedules.fire(caller, name),
      async fires(caller: Caller, { name, limit, cursor }: Input<typeof listFires>) {
        const before = cursor === undefined ? undefined : Date.parse(cursor)
        if (Number.isNaN(before)) throw new AppError('invalid', 'cursor: must be what the page before gave as `next`.')
        const found = await engine.schedules.fires(caller, name, { limit: limit + 1, before })
        const items = found.slice(0, limit)
        return { items, next: found.length > limit ? (items.at(-1)?.fireAt ?? null) : null }
      },
    },
    stops: {
      async create(caller: Caller, { runId, agent, namespace, reason }: Input<typeof createStop>) {
        const { tenantId, name } = caller
        if (runId !== undefined) {
          const run = await findRun(db.forTenant(tenantId), caller, runId)
          if (!run) throw new AppError('not_found', `No run ${runId}.`)
          if (isTerminal(run.state)) throw new AppError('conflict', `Run ${runId} has ended (${run.state}); there is nothing to stop.`)
        }
        if (agent !== undefined && !(await agents.find(tenantId, agent))) throw new AppError('not_found', `No agent ${agent}.`)
        return engine.stopRuns({ tenantId, namespace, agent, runId, reason }, name)
      },
      list: (tenantId: string, { limit, cursor, all }: Input<typeof listStops>) =>
        pageBy(limit, cursor, (before, count) => engine.listStops(tenantId, { limit: count, before, isInForce: all === 'false' })),
      lift: (caller: Caller, stopId: string) => engine.liftStop(caller.tenantId, stopId, caller.name),
    },
  }
}
