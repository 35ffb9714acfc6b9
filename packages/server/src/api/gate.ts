/** What stands between a caller and an operation besides the permission: policies, the rate, and the log of who was let in and who was not. */
import { type Operation, sensitiveOperations } from '@longhaul/protocol'
import { type Audit, type Caller, type Policies, type PolicyRequest, stepUpNeeded, whoIs } from '../identity/index.ts'
import { AppError, type Log, type RateLimit } from '../kernel/index.ts'
import type { Implementation } from './implement.ts'
import { assertReach } from './reach.ts'

export type GateOptions = { policies: Pick<Policies, 'whyNot'>; audit: Pick<Audit, 'note'>; stepUp: StepUp; log: Log }
/** For how long a second factor counts as just given, 0 when nobody is asked for one; and what keys, who have none, may do of what is sensitive. */
export type StepUp = { ms: number; keys: 'allow' | 'refuse' }
export type Asked = { operation: Operation; caller: Caller; input: Record<string, unknown>; requestId: string }

/** Throws `forbidden` when a policy says so, and `step_up_required` when it would not after a second factor. `about`: what else a policy may want to know. */
export async function assertPolicies(
  { policies, stepUp }: GateOptions,
  { operation, caller, input }: Asked,
  about: Record<string, unknown> = {},
): Promise<void> {
  // Who may write policies may always take one back. Otherwise one that forbids everything would be for ever.
  if (operation.permission === 'policies:manage') return
  const whyNot = (isSteppedUp: boolean) =>
    policies.whyNot(caller.tenantId, {
      principal: principalOf(caller),
      action: operation.id,
      resource: { type: resourceType(operation.id), id: targetOf(operation, input) ?? '' },
      context: { ...about, namespace: input['namespace'] ?? caller.namespaces?.[0] ?? 'default', isSteppedUp, input: withoutSecrets(operation, input) },
    })
  const isSteppedUp = hasSteppedUp(caller, stepUp)
  const why = await whyNot(isSteppedUp)
  if (!why) return
  if (!isSteppedUp && caller.login && !(await whyNot(true))) throw stepUpNeeded(stepUp.ms)
  throw new AppError('forbidden', why)
}

/** Throws when the operation is sensitive and no second factor was given lately. */
export function assertSteppedUp({ stepUp }: GateOptions, { operation, caller }: Asked): void {
  if (!sensitiveOperations.has(operation.id) || hasSteppedUp(caller, stepUp)) return
  if (caller.login) throw stepUpNeeded(stepUp.ms)
  throw new AppError(
    'forbidden',
    `${operation.id} is for people with a second factor here, not for keys (LONGHAUL_STEP_UP_KEYS). Sign in, in the console or with: longhaul login`,
  )
}

const hasSteppedUp = ({ login }: Caller, { ms, keys }: StepUp): boolean => ms === 0 || (login ? login.steppedUpUntil !== undefined : keys === 'allow')

export const principalOf = ({ keyId, name, roles, login }: Caller): PolicyRequest['principal'] => ({
  type: login ? 'Person' : 'Key',
  id: keyId,
  name,
  roles,
})

/** The same for what comes another way than by an operation's address. */
export const allowedBy =
  (options: GateOptions) =>
  async (caller: Caller, operation: Operation, input: Record<string, unknown>): Promise<void> => {
    assertReach(caller, operation, input)
    const asked = { operation, caller, input, requestId: '' }
    assertSteppedUp(options, asked)
    await assertPolicies(options, asked)
  }

/** `runs.cancel` is about a Run, `tools.call` about a Tool, `exec.call` about a Step. What starts a run is about its agent. */
export const resourceType = (action: string): string => {
  if (action.endsWith('.call') && action !== 'tools.call') return 'Step'
  if (action === 'runs.start') return 'Agent'
  const noun = action.split('.')[0] ?? ''
  const singular = noun.endsWith('ies') ? `${noun.slice(0, -3)}y` : noun.endsWith('s') ? noun.slice(0, -1) : noun
  return singular.slice(0, 1).toUpperCase() + singular.slice(1)
}

/** What the input calls a thing whose operation has it not in its path; others call it `name`. */
const namedBy: Partial<Record<string, string>> = {
  'runs.start': 'agent',
  'models.set': 'model',
  'models.unset': 'model',
  'marketplace.publish': 'entry',
  'retention.set': 'namespace',
}

/** Which thing it is about: the first parameter of its path, or what its input names. */
function targetOf({ id, http: [, path] }: Operation, input: Record<string, unknown>): string | undefined {
  const target = input[/\{(\w+)\}/.exec(path)?.[1] ?? namedBy[id] ?? 'name']
  return typeof target === 'string' ? target : undefined
}

/** A policy has no business with a secret's value, a password or a code, and its errors could repeat it. */
const withoutSecrets = ({ id, permission }: Operation, input: Record<string, unknown>): Record<string, unknown> => {
  if (permission === 'oneself') return {}
  const hidden = { 'secrets.set': 'value', 'sso.set': 'clientSecret' }[id]
  return Object.fromEntries(Object.entries(input).filter(([name]) => name !== hidden))
}

/** A refusal is noted whatever was asked; what was done only where the doing did not note it itself. A note that fails is no reason to say that nothing was done. */
export async function noteOutcome({ audit, log }: GateOptions, { isAudited }: Implementation, asked: Asked, error?: unknown): Promise<void> {
  const { operation, caller, input, requestId } = asked
  const code = error === undefined ? undefined : error instanceof AppError ? error.code : 'internal'
  const isRefusal = code === 'forbidden' || code === 'not_offered' || code === 'step_up_required' || code === 'over_limit'
  const isEffect = operation.http[0] !== 'GET' && !isAudited && (code === undefined || code === 'internal')
  if (!isRefusal && !isEffect) return
  const outcome = isRefusal ? 'refused' : code === undefined ? 'done' : 'failed'
  const detail = error instanceof AppError ? { code, message: error.message.slice(0, 500) } : {}
  await audit
    .note(caller.tenantId, { who: whoIs(caller), action: operation.id, target: targetOf(operation, input), outcome, detail, requestId })
    .catch((failed: unknown) => log.error('an audit note was not taken', { error: failed, operation: operation.id, requestId, keyId: caller.keyId, outcome }))
}

/** Throws `over_limit`. The first refusal of a key in a minute is noted: all of them would be a way to fill the log. */
export async function assertRate({ audit, log }: GateOptions, rate: RateLimit, caller: Caller, requestId: string): Promise<Record<string, string>> {
  const { isAllowed, isFirstRefusal, headers, retryAfterS } = rate.take(caller.keyId)
  if (isAllowed) return headers
  const error = new AppError(
    'over_limit',
    `${caller.name} makes more than ${rate.perMinute} requests a minute. Try again in ${retryAfterS} s.`,
    undefined,
    retryAfterS,
  )
  if (isFirstRefusal)
    await audit
      .note(caller.tenantId, { who: whoIs(caller), action: 'requests.limit', outcome: 'refused', detail: { perMinute: rate.perMinute }, requestId })
      .catch((failed: unknown) => log.error('an audit note was not taken', { error: failed, requestId, keyId: caller.keyId }))
  throw error
}
