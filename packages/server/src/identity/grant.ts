/** What may be passed on: nobody makes a key or a person who may do, see or last more than they do themselves. Pure. */
import type { DataAccess, Permission } from '@longhaul/protocol'

/** Where a key or a person may do what it may. Absent: everywhere in its tenant. */
export type Scope = { readonly namespaces?: readonly string[] | null | undefined; readonly agents?: readonly string[] | null | undefined }

export type Grant = Scope & { readonly permissions: readonly Permission[]; readonly access: DataAccess; readonly expiresAt?: string | undefined }

/** What `key` would allow that `caller` itself may not. Undefined when there is nothing. */
export function whyNotGrant(caller: Grant, key: Grant): string | undefined {
  const excess = key.permissions.filter((permission) => !caller.permissions.includes(permission))
  if (excess.length > 0) return `Nobody passes on what they lack themselves: ${excess.join(', ')}.`
  const regions = caller.access.regions
  if (regions && !key.access.regions?.every((region) => regions.includes(region)))
    return `Nobody lets others see more than they see, which is limited to these regions: ${regions.join(', ')}.`
  if (!caller.access.personalData && key.access.personalData) return 'Nobody lets others see more than they see, which is without personal data.'
  if (!isPartOf(key.namespaces, caller.namespaces))
    return `Nobody lets others reach further than they do, who are limited to these namespaces: ${caller.namespaces?.join(', ')}.`
  if (!isPartOf(key.agents, caller.agents))
    return `Nobody lets others reach further than they do, who are limited to these agents: ${caller.agents?.join(', ')}.`
  if (caller.expiresAt !== undefined && (key.expiresAt === undefined || Date.parse(key.expiresAt) > Date.parse(caller.expiresAt)))
    return `What a key makes cannot outlive it: it expires at ${caller.expiresAt}. Give an earlier end.`
  return undefined
}

/** Whether all that `inner` reaches is within what `outer` reaches. Whoever is limited to a namespace does not see keys of others. */
export const isWithin = (outer: Scope, inner: Scope): boolean => isPartOf(inner.namespaces, outer.namespaces) && isPartOf(inner.agents, outer.agents)

const isPartOf = (inner: readonly string[] | null | undefined, outer: readonly string[] | null | undefined): boolean =>
  !outer || (!!inner && inner.every((name) => outer.includes(name)))
