import type { Approval, ApprovalRule } from '@longhaul/protocol'
import { duration } from './values.ts'

type Rule = { rule?: ApprovalRule | null | undefined; ruleFrom?: Approval['ruleFrom']; escalatesAt?: Approval['escalatesAt'] }

/** Who has to say yes and by whose wish, in words for a list. `escalatesAt`: from when on everybody may; absent, it is told after how long. */
export function whoDecides({ rule, ruleFrom, escalatesAt }: Rule): string {
  const { approversMin = 1, excludesAsker = false, roles, escalateAfterMs } = rule ?? {}
  const who = approversMin === 1 ? 'one' : `${approversMin} people or keys`
  const later = escalatesAt ? `from ${escalatesAt} on` : escalateAfterMs === undefined ? undefined : `after ${duration(escalateAfterMs)}`
  return [
    `${who} ${roles ? `of the roles ${roles.join(', ')}` : 'of those who may decide'}`,
    ...(excludesAsker ? ['not the asker'] : []),
    ...(later === undefined ? [] : [`${later} any who may decide`]),
    ...(ruleFrom ? [asks(ruleFrom)] : []),
  ].join(', ')
}

const asks = ({ policies, isOfCode }: NonNullable<Approval['ruleFrom']>): string => {
  const who = [
    ...(policies.length > 0 ? [`${policies.length === 1 ? 'policy' : 'policies'} ${policies.join(', ')}`] : []),
    ...(isOfCode || policies.length === 0 ? ["the agent's code"] : []),
  ]
  return `as ${who.join(' and ')} ${who.length === 1 && policies.length < 2 ? 'asks' : 'ask'}`
}
