import { type Consumption, type Quotas, SandboxDriverName, type SandboxPolicy, type TenantConsumption, sandboxDrivers } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printFields, printList } from '../show/records.ts'
import { ago } from '../show/values.ts'

export type QuotaOptions = { runs?: number; starts?: number; storage?: number; sandboxes?: number; requests?: number; images?: number; imageBytes?: number }
export type PolicyOptions = { sandboxDrivers?: string; sandboxDriver?: string; sharedKernel?: string; sandboxDefaults?: boolean }

/** Undefined when none was given: then nothing is changed. */
export function quotasFrom({ runs, starts, storage, sandboxes, requests, images, imageBytes }: QuotaOptions): Quotas | undefined {
  if ([runs, starts, storage, sandboxes, requests, images, imageBytes].every((given) => given === undefined)) return undefined
  return {
    ...(runs === undefined ? {} : { runsInFlightMax: runs }),
    ...(starts === undefined ? {} : { startsPerMinuteMax: starts }),
    ...(storage === undefined ? {} : { storageBytesMax: storage }),
    ...(sandboxes === undefined ? {} : { sandboxesMax: sandboxes }),
    ...(requests === undefined ? {} : { requestsPerMinuteMax: requests }),
    ...(images === undefined ? {} : { imagesMax: images }),
    ...(imageBytes === undefined ? {} : { imageBytesMax: imageBytes }),
  }
}

/** Undefined when nothing was said of it: then nothing is changed. */
export function policyFrom({ sandboxDrivers: drivers, sandboxDriver: driver, sharedKernel, sandboxDefaults }: PolicyOptions): SandboxPolicy | undefined {
  if (drivers === undefined && driver === undefined && sharedKernel === undefined) return sandboxDefaults ? {} : undefined
  if (sandboxDefaults) throw new Problem('invalid', 'Sandboxes run as the server has it, or as these options say.', 'Leave one of them out.')
  if (sharedKernel !== undefined && sharedKernel !== 'allow' && sharedKernel !== 'deny')
    throw new Problem('invalid', `--shared-kernel is allow or deny, not "${sharedKernel}".`, 'npx longhaul tenants update --help')
  return {
    ...(drivers === undefined ? {} : { drivers: drivers.split(',').map(driverOf) }),
    ...(driver === undefined ? {} : { driver: driverOf(driver) }),
    ...(sharedKernel === undefined ? {} : { sharedKernel: sharedKernel === 'allow' }),
  }
}

function driverOf(name: string) {
  const known = SandboxDriverName.safeParse(name.trim())
  if (!known.success) throw new Problem('invalid', `There is no driver "${name}".`, `There are: ${sandboxDrivers.join(', ')}`)
  return known.data
}

const policyText = ({ drivers, driver, sharedKernel }: SandboxPolicy): string =>
  [
    ...(drivers === undefined ? [] : [`only in ${drivers.join(', ')}`]),
    ...(driver === undefined ? [] : [`in ${driver}`]),
    ...(sharedKernel === undefined ? [] : [sharedKernel ? 'may share the host’s kernel' : 'never share the host’s kernel']),
  ].join(' · ') || 'as the server has it'
const quotasText = ({ runsInFlightMax, startsPerMinuteMax, storageBytesMax, sandboxesMax, requestsPerMinuteMax, imagesMax, imageBytesMax }: Quotas): string =>
  [
    ...(runsInFlightMax === undefined ? [] : [`${runsInFlightMax} runs in flight`]),
    ...(startsPerMinuteMax === undefined ? [] : [`${startsPerMinuteMax} starts a minute`]),
    ...(storageBytesMax === undefined ? [] : [`${storageBytesMax} bytes`]),
    ...(sandboxesMax === undefined ? [] : [`${sandboxesMax} sandboxes`]),
    ...(requestsPerMinuteMax === undefined ? [] : [`${requestsPerMinuteMax} requests a minute`]),
    ...(imagesMax === undefined ? [] : [`${imagesMax} images`]),
    ...(imageBytesMax === undefined ? [] : [`${imageBytesMax} bytes of images`]),
  ].join(' · ') || 'no limits'
const usedText = ({ runsInFlight, startsInLastMinute, storageBytes, sandboxes }: Consumption): string =>
  `${runsInFlight} in flight · ${startsInLastMinute} started in the last minute · ${storageBytes} bytes · ${sandboxes} sandboxes`
const allUsedText = ({ images, imageBytes, ...rest }: TenantConsumption): string => `${usedText(rest)} · ${images} images of ${imageBytes} bytes at this server`

export async function createTenant(invocation: Invocation, id: string, options: QuotaOptions & PolicyOptions & { description?: string }): Promise<number> {
  const quotas = quotasFrom(options)
  const sandboxPolicy = policyFrom(options)
  const client = await invocation.client()
  const tenant = await client.tenants.create({
    id,
    ...(options.description === undefined ? {} : { description: options.description }),
    ...(quotas ? { quotas } : {}),
    ...(sandboxPolicy ? { sandboxPolicy } : {}),
  })
  if (invocation.isJson) invocation.printJson(tenant)
  else {
    printFields(invocation, [
      ['tenant', tenant.id],
      ['quotas', quotasText(tenant.quotas)],
      ['sandboxes', policyText(tenant.sandboxPolicy)],
      ['administrator', tenant.key.id],
      ['secret', tenant.key.secret],
    ])
    invocation.terminal.print('  The secret of its administrator’s key is shown this once.', '')
  }
  return exitCodes.done
}

export async function listTenants(invocation: Invocation, { limit, cursor }: { limit: number; cursor?: string }): Promise<number> {
  const page = await (await invocation.client()).tenants.list({ limit, ...(cursor === undefined ? {} : { cursor }) })
  if (invocation.isJson) invocation.printJson(page)
  else {
    const rows = page.items.map((tenant) => [
      tenant.id,
      tenant.isSuspended ? 'suspended' : 'open',
      quotasText(tenant.quotas),
      ago(tenant.createdAt),
      tenant.description,
    ])
    printList(invocation, [{ name: 'tenant', isWhole: true }, { name: 'is' }, { name: 'quotas' }, { name: 'made' }, { name: 'description' }], rows, [
      'No tenants.',
    ])
    if (page.next !== null) invocation.terminal.print(`  More: npx longhaul tenants list --cursor ${page.next}`, '')
  }
  return exitCodes.done
}

export async function getTenant(invocation: Invocation, id: string): Promise<number> {
  const tenant = await (await invocation.client()).tenants.get({ id })
  if (invocation.isJson) invocation.printJson(tenant)
  else
    printFields(invocation, [
      ['tenant', tenant.id],
      ['is', tenant.isSuspended ? 'suspended' : 'open'],
      ['description', tenant.description],
      ['quotas', quotasText(tenant.quotas)],
      ['sandboxes', policyText(tenant.sandboxPolicy)],
      ['uses', allUsedText(tenant.consumption)],
      ['mails', tenant.approvalMails ? 'about approvals, to those who may decide them' : 'none about approvals'],
      ['made', ago(tenant.createdAt)],
    ])
  return exitCodes.done
}

type UpdateOptions = QuotaOptions & PolicyOptions & { description?: string; unlimited?: boolean; approvalMails?: 'on' | 'off' }

export async function updateTenant(invocation: Invocation, id: string, options: UpdateOptions & { isSuspended?: boolean }): Promise<number> {
  const quotas = options.unlimited ? {} : quotasFrom(options)
  const sandboxPolicy = policyFrom(options)
  const tenant = await (
    await invocation.client()
  ).tenants.update({
    id,
    ...(options.description === undefined ? {} : { description: options.description }),
    ...(options.isSuspended === undefined ? {} : { isSuspended: options.isSuspended }),
    ...(options.approvalMails === undefined ? {} : { approvalMails: options.approvalMails === 'on' }),
    ...(quotas ? { quotas } : {}),
    ...(sandboxPolicy ? { sandboxPolicy } : {}),
  })
  if (invocation.isJson) invocation.printJson(tenant)
  else
    invocation.terminal.print(
      `  Tenant ${tenant.id}: ${tenant.isSuspended ? 'suspended' : 'open'}, ${quotasText(tenant.quotas)}, sandboxes ${policyText(tenant.sandboxPolicy)}.`,
    )
  return exitCodes.done
}

export async function putNamespace(invocation: Invocation, name: string, options: UpdateOptions): Promise<number> {
  const quotas = options.unlimited ? {} : quotasFrom(options)
  const sandboxPolicy = policyFrom(options)
  const client = await invocation.client()
  const namespace = await client.namespaces.put({
    name,
    ...(options.description === undefined ? {} : { description: options.description }),
    ...(quotas ? { quotas } : {}),
    ...(sandboxPolicy ? { sandboxPolicy } : {}),
  })
  if (invocation.isJson) invocation.printJson(namespace)
  else invocation.terminal.print(`  Namespace ${namespace.name}: ${quotasText(namespace.quotas)}, sandboxes ${policyText(namespace.sandboxPolicy)}.`)
  return exitCodes.done
}

export async function listNamespaces(invocation: Invocation): Promise<number> {
  const list = await (await invocation.client()).namespaces.list()
  if (invocation.isJson) invocation.printJson(list)
  else {
    const rows = list.items.map((namespace) => [namespace.name, quotasText(namespace.quotas), usedText(namespace.consumption), namespace.description])
    printList(invocation, [{ name: 'namespace', isWhole: true }, { name: 'quotas' }, { name: 'uses' }, { name: 'description' }], rows, ['No namespaces.'])
  }
  return exitCodes.done
}

export async function deleteNamespace(invocation: Invocation, name: string): Promise<number> {
  const namespace = await (await invocation.client()).namespaces.delete({ name })
  if (invocation.isJson) invocation.printJson(namespace)
  else invocation.terminal.print(`  Namespace ${namespace.name} is removed.`)
  return exitCodes.done
}
