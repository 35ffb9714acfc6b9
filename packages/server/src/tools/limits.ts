/** Limits of tools: who set them, and the gate that a call passes. */
import { type ToolLimits, limitsFor } from '@longhaul/protocol'
import type { Db } from '../db/index.ts'
import { failed } from './failures.ts'
import { listLimits, takeCall } from './limit-store.ts'

export type CallOf = { tenantId: string; agent: string; tool: string }

/** What holds: the folder's limits, and over them, field by field, the operator's. */
export async function limitsOf(db: Db, { tenantId, agent, tool }: CallOf, ofFolder: Readonly<Record<string, ToolLimits>>): Promise<ToolLimits> {
  return { ...limitsFor(ofFolder, tool), ...limitsFor(await listLimits(db, tenantId, agent), tool) }
}

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
