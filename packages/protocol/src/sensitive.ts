/**
 * For which operations a person gives a second factor, at most a short while before, and why. Keys have none: `LONGHAUL_STEP_UP_KEYS` says
 * what they may. What depends on more than the operation, as an amount does, a policy asks for by `context.isSteppedUp`.
 */
const reasons = {
  'hands out rights': [
    'keys.create',
    'keys.rotate',
    'people.invite',
    'people.update',
    'people.link',
    'people.delete',
    'policies.put',
    'policies.delete',
    'sso.set',
    'sso.delete',
    'tenants.create',
    'tenants.update',
  ],
  'weakens how the caller signs in': ['me.recovery', 'me.unenroll', 'passkeys.delete'],
  'changes what agents do for everybody': [
    'deployments.create',
    'tools.approve',
    'marketplace.review',
    'marketplace.revoke',
    'guardrails.set',
    'guardrails.delete',
  ],
  'changes what may be spent': ['budgets.set', 'budgets.delete', 'models.apply', 'models.rollback'],
  'gives agents what opens other systems': ['secrets.set', 'secrets.delete', 'connections.authorize', 'providers.set', 'providers.delete'],
  'takes data out': ['audit.export', 'runs.export'],
  'shows what is masked': ['calls.reveal'],
  'decides what is kept of prompts': ['callPrivacy.set'],
  'destroys data': ['memory.eraseAll', 'retention.set'],
} as const
export type SensitiveReason = keyof typeof reasons

export const sensitiveOperations: ReadonlyMap<string, SensitiveReason> = new Map(
  Object.entries(reasons).flatMap(([reason, ids]) => ids.map((id) => [id, reason as SensitiveReason] as const)), // The keys of the table.
)
