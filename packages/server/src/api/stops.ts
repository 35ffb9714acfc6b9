import { type Stop, createStop, liftStop, listStops } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Caller } from '../identity/index.ts'
import { AppError } from '../kernel/index.ts'
import { type Implementation, implement } from './implement.ts'
import { findInPages, isReached } from './reach.ts'
import type { RunService } from './runs.ts'

export type StopService = {
  /** Throws `not_found` when it names a run or an agent that this caller does not see. */
  create(caller: Caller, input: z.output<(typeof createStop)['input']>): Promise<z.output<(typeof createStop)['output']>>
  list(tenantId: string, input: z.output<(typeof listStops)['input']>): Promise<z.output<(typeof listStops)['output']>>
  /** Throws `not_found`, also for one that was lifted already. */
  lift(caller: Caller, stopId: string): Promise<z.output<(typeof liftStop)['output']>>
}

export function stopImplementations(stops: StopService, runs: Pick<RunService, 'find'>): Implementation[] {
  const isWithin = async (caller: Caller, stop: Stop): Promise<boolean> =>
    (!caller.agents && !caller.namespaces) || (stop.runId === null ? isReached(caller, stop) : (await runs.find(caller, stop.runId)) !== undefined)
  return [
    implement(createStop, (caller, input) => stops.create(caller, input)),
    implement(listStops, async (caller, input) => {
      const page = await stops.list(caller.tenantId, input)
      const seen = await Promise.all(page.items.map((stop) => isWithin(caller, stop)))
      return { ...page, items: page.items.filter((_, i) => seen[i]) }
    }),
    implement(liftStop, async (caller, { stopId }) => {
      const { tenantId, agents, namespaces } = caller
      if (agents || namespaces) {
        const stop = await findInPages(stopId, (cursor) => stops.list(tenantId, { limit: 200, cursor, all: 'false' }))
        if (!stop || !(await isWithin(caller, stop))) throw new AppError('not_found', `No stop ${stopId}.`)
      }
      return stops.lift(caller, stopId)
    }),
  ]
}
