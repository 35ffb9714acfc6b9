/** Which driver a tenant's sandboxes run in: what the operator allows it, of what this server offers. */
import type { SandboxPolicy } from '@longhaul/protocol'
import { AppError } from '../kernel/index.ts'
import type { Capabilities } from './driver.ts'

export type SandboxOwner = { tenantId: string; namespace?: string | undefined }

/** What operators have said. Both must allow a driver; the namespace's word on which one to take comes first. */
export type OwnerPolicies = {
  tenant: SandboxPolicy
  namespace: SandboxPolicy
  /** Where nobody has said so, whether this tenant may share the host's kernel. */
  sharesKernel: boolean
}
export type PoliciesOf = (owner: SandboxOwner) => Promise<OwnerPolicies>
export type Offer = Pick<Capabilities, 'driver' | 'kernel'>

export type Wish = {
  /** This one or none. */
  wanted?: string | undefined
  /** This one if it is allowed: what the sandbox was made with. */
  preferred?: string | undefined
}

/** The driver to take, of `offers`, the server's default first. Throws `not_offered`, with the remedy, where there is none or the wanted one is not allowed. */
export function chooseDriverFor({ tenantId, namespace }: SandboxOwner, offers: readonly Offer[], policies: OwnerPolicies, { wanted, preferred }: Wish): string {
  const whyNot = (offer: Offer): string | undefined => whyNotAllowed(offer, policies)
  const named = policies.namespace.driver ?? policies.tenant.driver
  const who = `Sandboxes of the tenant ${tenantId}${namespace === undefined ? '' : ` in ${namespace}`}`
  const take = (name: string): string => {
    const offer = offers.find(({ driver }) => driver === name)
    if (!offer)
      throw new AppError(
        'not_offered',
        `${who} cannot run in ${name}: this server does not offer it. Name it in LONGHAUL_SANDBOX_DRIVERS, or choose among ${offers.map(({ driver }) => driver).join(', ')}.`,
      )
    const why = whyNot(offer)
    if (why !== undefined)
      throw new AppError('not_offered', `${who} may not run in ${name}: ${why}. longhaul tenants update ${tenantId} changes what is allowed.`)
    return name
  }
  if (wanted !== undefined) return take(wanted)
  const allowed = offers.filter((offer) => whyNot(offer) === undefined)
  if (preferred !== undefined && allowed.some(({ driver }) => driver === preferred)) return preferred
  if (named !== undefined) return take(named)
  const [chosen] = allowed
  if (chosen) return chosen.driver
  const reasons = offers.map((offer) => `${offer.driver}: ${whyNot(offer)}`).join('; ')
  throw new AppError(
    'not_offered',
    `${who} cannot run on this server (${reasons}). Offer a driver with a kernel of its own (LONGHAUL_SANDBOX_DRIVERS=gvisor; apt-get install runsc), or let the tenant share the host’s: longhaul tenants update ${tenantId} --shared-kernel allow.`,
  )
}

/** Undefined: it may. */
export function whyNotAllowed({ driver, kernel }: Offer, { tenant, namespace, sharesKernel }: OwnerPolicies): string | undefined {
  for (const [{ drivers }, of] of [
    [tenant, 'tenant'],
    [namespace, 'namespace'],
  ] as const)
    if (drivers && !drivers.some((name) => name === driver)) return `the operator allows this ${of} ${drivers.join(', ')}`
  // A namespace is in its tenant's own hands, so it can forbid and never allow.
  const mayShare = (tenant.sharedKernel ?? sharesKernel) && namespace.sharedKernel !== false
  return kernel === 'shared' && !mayShare ? 'it shares the host’s kernel, which nobody has allowed them' : undefined
}
