import type { UsageGroup } from '@longhaul/protocol'
import type { Tone } from '../../ui/State.tsx'

/** How a model has been answering, by the calls that were made of it. */
export type Health = { calls: number; failed: number; tone: Tone }

/** A model that a tenth of calls failed at is one to look at; of half and more one turns away. */
const warnShare = 0.1
const badShare = 0.5

export function healthOf(groups: readonly UsageGroup[] | undefined, model: string): Health {
  const group = groups?.find(({ by }) => by['model'] === model || `${by['provider']}/${by['model']}` === model)
  const calls = group?.calls ?? 0
  const failed = group?.failedCalls ?? 0
  const share = calls === 0 ? 0 : failed / calls
  return { calls, failed, tone: calls === 0 ? 'idle' : share >= badShare ? 'bad' : share >= warnShare ? 'warn' : 'good' }
}
