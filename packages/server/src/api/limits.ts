import { deleteLimit, listLimits, setLimit } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Caller } from '../identity/index.ts'
import { type Implementation, implement } from './implement.ts'
import { findInPages, isReached, reached } from './reach.ts'

type Limit = z.output<(typeof setLimit)['output']>

export type LimitService = {
  set(caller: Caller, input: z.output<(typeof setLimit)['input']>): Promise<Limit>
  list(tenantId: string, input: z.output<(typeof listLimits)['input']>): Promise<z.output<(typeof listLimits)['output']>>
  /** Throws `not_found`. */
  delete(tenantId: string, limitId: string): Promise<Limit>
}

export const limitImplementations = (limits: LimitService): Implementation[] => [
  implement(setLimit, (caller, input) => limits.set(caller, input)),
  implement(listLimits, async (caller, input) => {
    const page = await limits.list(caller.tenantId, input)
    return { ...page, items: page.items.filter((limit) => isReached(caller, limit)) }
  }),
  implement(deleteLimit, async (caller, { limitId }) => {
    const { tenantId, agents, namespaces } = caller
    if (agents || namespaces) reached(caller, await findInPages(limitId, (cursor) => limits.list(tenantId, { limit: 200, cursor })), `limit ${limitId}`)
    return limits.delete(tenantId, limitId)
  }),
]
