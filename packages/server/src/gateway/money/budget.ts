/** Which budgets apply to a call. Pure. */
import type { Budget } from '@longhaul/protocol'
import type { Call } from './call.ts'

/** A budget with the window that is open now, by the database's clock. `limit` is in nanodollars, tokens or requests. */
export type OpenBudget = Pick<Budget, 'id' | 'name' | 'scope' | 'subject' | 'per' | 'unit'> & {
  limit: number
  startsAt: Date
  /** Null: the window has no end. */
  endsAt: Date | null
}

/** The counter of one subject of a budget in one window. */
export type CounterKey = { budget: OpenBudget; subject: string; runId: string | null }

/** The counters that a call counts on. A budget for a scope that the call does not have, such as a run's for a call outside of runs, does not apply. */
export function countersOf(call: Call, budgets: readonly OpenBudget[]): CounterKey[] {
  const subjects: Record<Budget['scope'], string | undefined> = {
    tenant: '*',
    namespace: call.namespace ?? 'default',
    agent: call.agent,
    key: call.keyId,
    user: call.user,
    session: call.session,
    run: call.runId,
  }
  return budgets.flatMap((budget): CounterKey[] => {
    const subject = subjects[budget.scope]
    if (subject === undefined || (budget.subject !== '*' && budget.subject !== subject)) return []
    if (budget.per !== 'run') return [{ budget, subject, runId: null }]
    return call.runId === undefined ? [] : [{ budget, subject, runId: call.runId }]
  })
}

export const nameOfCounter = ({ budget, subject, runId }: CounterKey): string => `${budget.id} ${budget.startsAt.getTime()} ${runId ?? ''} ${subject}`
