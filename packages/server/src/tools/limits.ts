/** Limits of tools: who set them, and the gate that a call passes. */
import { type ToolLimits, limitsFor } from '@longhaul/protocol'
import type { Db } from '../db/index.ts'
import { monotonicMs } from '../kernel/index.ts'
import { failed } from './failures.ts'
import { listLimits, takeCall } from './limit-store.ts'

export type CallOf = { tenantId: string; agent: string; tool: string }

/** How long another server's change may go unnoticed. */
const rememberMs = 1_000
const rememberedMax = 10_000

/** What holds for a tool: the folder's limits, and over them, field by field, the operator's. */
export function rememberLimits(db: Db) {
  const known = new Map<string, { until: number; limits: Promise<Record<string, ToolLimits>> }>()
  const operators = (tenantId: string, agent: string): Promise<Record<string, ToolLimits>> => {
    const key = `${tenantId}/${agent}`
    const found = known.get(key)
    if (found && found.until > monotonicMs()) return found.limits
    const limits = listLimits(db, tenantId, agent)
    if (known.size >= rememberedMax) known.clear()
    known.set(key, { until: monotonicMs() + rememberMs, limits })
    limits.catch(() => known.get(key)?.limits === limits && known.delete(key))
    return limits
  }
  const limitsOf = async ({ tenantId, agent, tool }: CallOf, ofFolder: Readonly<Record<string, ToolLimits>>): Promise<ToolLimits> => ({
    ...limitsFor(ofFolder, tool),
    ...limitsFor(await operators(tenantId, agent), tool),
  })
  return Object.assign(limitsOf, { forget: (tenantId: string, agent: string) => void known.delete(`${tenantId}/${agent}`) })
}

/** Whether a call has to pass the gate. */
export const isGated = ({ perMinute, concurrent, isOff }: ToolLimits): boolean => perMinute !== undefined || concurrent !== undefined || isOff === true

/** Lets a call in, or throws why not. Call the result when it is over. */
export function openGate(db: Db): (call: CallOf, limits: ToolLimits) => Promise<() => void> {
  const running = new Map<string, number>()
  return async ({ tenantId, agent, tool }, { perMinute, concurrent, isOff }) => {
    if (isOff) throw failed('off', `The tool ${tool} is switched off.`)
    const key = `${tenantId}/${agent}/${tool}`
    const count = running.get(key) ?? 0
    if (concurrent !== undefined && count >= concurrent)
      throw failed('over_limit', `The tool ${tool} is in use ${count} times, which is its limit.`, true, undefined, 1_000)
    running.set(key, count + 1)
    const leave = () => {
      const left = (running.get(key) ?? 1) - 1
      if (left === 0) running.delete(key)
      else running.set(key, left)
    }
    try {
      const waitMs = perMinute === undefined ? undefined : await takeCall(db, tenantId, agent, tool, perMinute)
      if (waitMs !== undefined) throw failed('over_limit', `The tool ${tool} may be called ${perMinute} times a minute.`, true, undefined, waitMs)
    } catch (error) {
      leave()
      throw error
    }
    return leave
  }
}
