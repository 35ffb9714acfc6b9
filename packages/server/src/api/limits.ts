import { deleteLimit, listLimits, setLimit } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Caller } from '../identity/index.ts'
import { type Implementation, implement } from './implement.ts'

type Limit = z.output<(typeof setLimit)['output']>

export type LimitService = {
  set(caller: Caller, input: z.output<(typeof setLimit)['input']>): Promise<Limit>
  list(tenantId: string, input: z.output<(typeof listLimits)['input']>): Promise<z.output<(typeof listLimits)['output']>>
  /** Throws `not_found`. */
  delete(tenantId: string, limitId: string): Promise<Limit>
}

export const limitImplementations = (limits: LimitService): Implementation[] => [
  implement(setLimit, (caller, input) => limits.set(caller, input)),
  implement(listLimits, ({ tenantId }, input) => limits.list(tenantId, input)),
  implement(deleteLimit, ({ tenantId }, { limitId }) => limits.delete(tenantId, limitId)),
]
