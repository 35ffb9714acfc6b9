/** What a deployment means for runs that are under way: the server counts them, and the new code is tried on what they have recorded. */
import type { CodeFile, DeployPlan } from '@longhaul/protocol'
import type { Client } from '@longhaul/sdk/client'
import type { LoadedAgent } from '@longhaul/sdk/testing'
import { stage } from '../code/stage.ts'
import { shortId } from '../ids.ts'
import type { Invocation } from '../invocation.ts'
import { counted } from '../show/values.ts'
import { fetchRun, replayIn } from './history.ts'

/** Of so many runs under way, the newest, is tried whether the new code still does what they did. */
const triedRunsMax = 20
const triedMsMax = 5_000

/** A run that would not go on with the new code, and where. */
export type Diverging = { runId: string; at: string; why: string }
/** `notTried`: why the code was not tried on the runs under way, where it should have been. */
export type Plan = DeployPlan & { triedCount: number; diverging: Diverging[]; notTried?: string }

/** Absent `code`: it is not tried on runs. It is loaded into this process, and nothing of it is executed that acts. */
export async function planDeployment(invocation: Invocation, agent: string, version: string, code?: readonly CodeFile[]): Promise<Plan> {
  const client = await invocation.client()
  const plan: Plan = { ...(await client.deployments.plan({ agent, version })), triedCount: 0, diverging: [] }
  const runIds = plan.runIds.slice(0, triedRunsMax)
  if (code === undefined || runIds.length === 0) return plan
  await using staged = await stage(code)
  const { loadAgent } = await import('@longhaul/sdk/testing')
  try {
    const loaded = await loadAgent(staged.folder)
    for (const runId of runIds) {
      invocation.world.interrupted.throwIfAborted()
      invocation.terminal.status(() => `trying the code on runs under way: ${plan.triedCount} of ${runIds.length}`)
      const found = await tryRun(invocation, client, runId, loaded)
      plan.triedCount++
      if (found) plan.diverging.push({ runId, ...found })
    }
  } catch (error) {
    invocation.world.interrupted.throwIfAborted()
    // The plan informs; that it could not be had in full keeps nobody from deploying.
    plan.notTried = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
  } finally {
    invocation.terminal.status(undefined)
  }
  return plan
}

async function tryRun(invocation: Invocation, client: Client, runId: string, loaded: LoadedAgent): Promise<Omit<Diverging, 'runId'> | undefined> {
  const replayed = await replayIn(invocation, await fetchRun(client, runId), loaded, triedMsMax)
  switch (replayed.outcome) {
    case 'same':
      return undefined
    case 'diverged':
      return { at: replayed.op, why: `recorded ${replayed.recorded}, asked for ${replayed.asked}` }
    case 'different':
      return { at: 'its end', why: 'it would end otherwise' }
    case 'stuck':
      return { at: 'its end', why: `it asked for nothing more within ${triedMsMax / 1_000} s` }
  }
}

/** The plan in lines for a person. */
export function planLines({ pinned, sessionCount, triedCount, diverging, notTried }: Plan): string[] {
  const stays = pinned.map(({ version, runningCount, waitingCount }) => {
    const parts = [runningCount > 0 ? `${runningCount} under way` : '', waitingCount > 0 ? `${waitingCount} waiting` : ''].filter(Boolean).join(', ')
    return `${counted(runningCount + waitingCount, 'run')} ${runningCount + waitingCount === 1 ? 'stays' : 'stay'} on ${version} (${parts})`
  })
  return [
    ...(stays.length > 0 ? stays : ['no run is under way on another version']),
    ...(sessionCount > 0
      ? [`${counted(sessionCount, 'session')} of the last 7 days ${sessionCount === 1 ? 'moves' : 'move'} with the next message, once it is live`]
      : []),
    ...(triedCount > 0 && diverging.length === 0 ? [`tried on ${counted(triedCount, 'run')} under way: the code does what they did`] : []),
    ...(notTried === undefined ? [] : [`the code was not tried on runs under way: ${notTried}`]),
    ...diverging.map(({ runId, at, why }) => `run ${shortId(runId)} would diverge at ${at} (${why}); it is not moved`),
  ]
}
