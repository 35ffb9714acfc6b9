/** How often a tenant and a namespace may ask, at this server: what `Quotas` says of requests. */
import { type Caller, whoIs } from '../identity/index.ts'
import { AppError, openRateLimit } from '../kernel/index.ts'
import type { GateOptions } from './gate.ts'

export type RequestQuotasOf = (owner: {
  tenantId: string
  namespace?: string | undefined
}) => Promise<{ tenant?: number | undefined; namespace?: number | undefined }>
export type RequestQuotas = {
  /** One request of the tenant’s. Resolves with what the answer's headers say of it; throws `over_limit`. */
  ofTenant(caller: Caller, requestId: string): Promise<Record<string, string>>
  /** The same of the namespace that the input names, or of the only one that the caller may use. */
  ofNamespace(caller: Caller, input: Record<string, unknown>, requestId: string): Promise<Record<string, string>>
}

/** A bucket holds what fills in a minute: no more than twice the quota is let in within any minute. */
const holdsS = 60

export function openRequestQuotas({ audit, log }: Pick<GateOptions, 'audit' | 'log'>, quotasOf: RequestQuotasOf): RequestQuotas {
  const rate = openRateLimit(1, undefined, holdsS)

  async function take(caller: Caller, what: string, name: string, perMinute: number | undefined, requestId: string): Promise<Record<string, string>> {
    if (perMinute === undefined) return {}
    const { isAllowed, isFirstRefusal, headers, retryAfterS } = rate.take(name, perMinute)
    if (isAllowed) return headers
    if (isFirstRefusal)
      await audit
        .note(caller.tenantId, { who: whoIs(caller), action: 'requests.limit', target: what, outcome: 'refused', detail: { perMinute }, requestId })
        .catch((failed: unknown) => log.error('an audit note was not taken', { error: failed, requestId, keyId: caller.keyId }))
    throw new AppError(
      'over_limit',
      `The ${what} has used up its quota of ${perMinute} requests a minute at this server. It may make the next one in ${retryAfterS} s, and all of them again in ${headers['ratelimit-reset']} s. Whoever set the quota can raise it.`,
      undefined,
      retryAfterS,
    )
  }

  return {
    async ofTenant(caller, requestId) {
      const { tenantId } = caller
      return take(caller, `tenant ${tenantId}`, tenantId, (await quotasOf({ tenantId })).tenant, requestId)
    },
    async ofNamespace(caller, input, requestId) {
      const { tenantId, namespaces } = caller
      const namespace = typeof input['namespace'] === 'string' ? input['namespace'] : namespaces?.length === 1 ? namespaces[0] : undefined
      if (namespace === undefined) return {}
      return take(caller, `namespace ${namespace}`, `${tenantId}/${namespace}`, (await quotasOf({ tenantId, namespace })).namespace, requestId)
    },
  }
}

/** Of two limits the one that is nearer. */
export function nearer(one: Record<string, string>, other: Record<string, string>): Record<string, string> {
  const left = (headers: Record<string, string>) => Number(headers['ratelimit-remaining'] ?? Infinity)
  return left(other) < left(one) ? other : one
}
