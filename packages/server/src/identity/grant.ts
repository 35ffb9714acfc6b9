/** What may be passed on: nobody makes a key that may do, see or last more than they do themselves. Pure. */
import type { DataAccess, Permission } from '@longhaul/protocol'

/** Where a key may do what it may. Absent: everywhere in its tenant. */
export type Scope = { readonly namespaces?: readonly string[] | null | undefined; readonly agents?: readonly string[] | null | undefined }

export type Grant = Scope & { readonly permissions: readonly Permission[]; readonly access: DataAccess; readonly expiresAt?: string | undefined }

/** What `key` would allow that `caller` itself may not. Undefined when there is nothing. */
export function whyNotGrant(caller: Grant, key: Grant): string | undefined {
  const excess = key.permissions.filter((permission) => !caller.permissions.includes(permission))
  if (excess.length > 0) return `A key cannot be given what its maker lacks: ${excess.join(', ')}.`
  const regions = caller.access.regions
  if (regions && !key.access.regions?.every((region) => regions.includes(region)))
    return `A key cannot see more than its maker, who is limited to these regions: ${regions.join(', ')}.`
  if (!caller.access.personalData && key.access.personalData) return 'A key cannot see more than its maker, who is kept from personal data.'
  if (!isPartOf(key.namespaces, caller.namespaces))
    return `A key cannot reach further than its maker, who is limited to these namespaces: ${caller.namespaces?.join(', ')}.`
  if (!isPartOf(key.agents, caller.agents)) return `A key cannot reach further than its maker, who is limited to these agents: ${caller.agents?.join(', ')}.`
  if (caller.expiresAt !== undefined && (key.expiresAt === undefined || Date.parse(key.expiresAt) > Date.parse(caller.expiresAt)))
    return `A key cannot outlive its maker, who expires at ${caller.expiresAt}. Give it an earlier end.`
  return undefined
}

/** Whether all that `inner` reaches is within what `outer` reaches. Whoever is limited to a namespace does not see keys of others. */
export const isWithin = (outer: Scope, inner: Scope): boolean => isPartOf(inner.namespaces, outer.namespaces) && isPartOf(inner.agents, outer.agents)

const isPartOf = (inner: readonly string[] | null | undefined, outer: readonly string[] | null | undefined): boolean =>
  !outer || (!!inner && inner.every((name) => outer.includes(name)))
