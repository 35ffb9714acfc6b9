/**
 * What was decided over every node's head: limits and stops. A node knows them as of the fence that it holds. Whoever changes them
 * raises all fences in the same transaction, so a node that knows less can write nothing until it has read them again.
 */
import type { Connection, Db } from '../db/index.ts'
import type { Scope } from './lanes.ts'
import { readLimits } from './limit-store.ts'
import { type Limit, covers } from './limits.ts'
import { type StopInForce, readStops } from './stop-store.ts'

export type Policies = { limits: readonly Limit[]; stops: readonly StopInForce[] }

export const noPolicies: Policies = { limits: [], stops: [] }

/** Read the fence before, never after: these may then be newer than it, which the next flush finds out, and never older. */
export async function readPolicies(connection: Connection | Db): Promise<Policies> {
  return { limits: await readLimits(connection), stops: await readStops(connection) }
}

export const stopOver = ({ stops }: Policies, scope: Scope, runId?: string): StopInForce | undefined =>
  stops.find((stop) => (stop.runId === null ? covers({ ...stop, laneKey: '' }, scope) : stop.runIds.some((id) => id === runId)))

/** A run may begin on the node that takes its start only where no limit has to be counted, and nothing is stopped. */
export const isFreeLane = (policies: Policies, scope: Scope): boolean =>
  !policies.limits.some((limit) => covers(limit, scope)) && stopOver(policies, scope) === undefined
