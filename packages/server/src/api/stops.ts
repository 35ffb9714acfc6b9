import { createStop, liftStop, listStops } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Caller } from '../identity/index.ts'
import { type Implementation, implement } from './implement.ts'

export type StopService = {
  /** Throws `not_found` when it names a run or an agent that this caller does not see. */
  create(caller: Caller, input: z.output<(typeof createStop)['input']>): Promise<z.output<(typeof createStop)['output']>>
  list(tenantId: string, input: z.output<(typeof listStops)['input']>): Promise<z.output<(typeof listStops)['output']>>
  /** Throws `not_found`, also for one that was lifted already. */
  lift(caller: Caller, stopId: string): Promise<z.output<(typeof liftStop)['output']>>
}

export const stopImplementations = (stops: StopService): Implementation[] => [
  implement(createStop, (caller, input) => stops.create(caller, input)),
  implement(listStops, ({ tenantId }, input) => stops.list(tenantId, input)),
  implement(liftStop, (caller, { stopId }) => stops.lift(caller, stopId)),
]
