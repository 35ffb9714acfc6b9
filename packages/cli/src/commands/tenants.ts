import type { Consumption, Quotas } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { printFields, printList } from '../show/records.ts'
import { ago } from '../show/values.ts'

export type QuotaOptions = { runs?: number; starts?: number; storage?: number }

/** Undefined when none was given: then nothing is changed. */
export function quotasFrom({ runs, starts, storage }: QuotaOptions): Quotas | undefined {
  if (runs === undefined && starts === undefined && storage === undefined) return undefined
  return {
    ...(runs === undefined ? {} : { runsInFlightMax: runs }),
    ...(starts === undefined ? {} : { startsPerMinuteMax: starts }),
    ...(storage === undefined ? {} : { storageBytesMax: storage }),
  }
}

const quotasText = ({ runsInFlightMax, startsPerMinuteMax, storageBytesMax }: Quotas): string =>
  [
    ...(runsInFlightMax === undefined ? [] : [`${runsInFlightMax} runs in flight`]),
    ...(startsPerMinuteMax === undefined ? [] : [`${startsPerMinuteMax} starts a minute`]),
    ...(storageBytesMax === undefined ? [] : [`${storageBytesMax} bytes`]),
  ].join(' · ') || 'no limits'
const usedText = ({ runsInFlight, startsInLastMinute, storageBytes }: Consumption): string =>
  `${runsInFlight} in flight · ${startsInLastMinute} started in the last minute · ${storageBytes} bytes`

export async function createTenant(invocation: Invocation, id: string, options: QuotaOptions & { description?: string }): Promise<number> {
  const quotas = quotasFrom(options)
  const client = await invocation.client()
  const tenant = await client.tenants.create({
    id,
    ...(options.description === undefined ? {} : { description: options.description }),
    ...(quotas ? { quotas } : {}),
  })
  if (invocation.isJson) invocation.printJson(tenant)
  else {
    printFields(invocation, [
      ['tenant', tenant.id],
      ['quotas', quotasText(tenant.quotas)],
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
      ['uses', usedText(tenant.consumption)],
      ['made', ago(tenant.createdAt)],
    ])
  return exitCodes.done
}

type UpdateOptions = QuotaOptions & { description?: string; unlimited?: boolean }

export async function updateTenant(invocation: Invocation, id: string, options: UpdateOptions & { isSuspended?: boolean }): Promise<number> {
  const quotas = options.unlimited ? {} : quotasFrom(options)
  const tenant = await (
    await invocation.client()
  ).tenants.update({
    id,
    ...(options.description === undefined ? {} : { description: options.description }),
    ...(options.isSuspended === undefined ? {} : { isSuspended: options.isSuspended }),
    ...(quotas ? { quotas } : {}),
  })
  if (invocation.isJson) invocation.printJson(tenant)
  else invocation.terminal.print(`  Tenant ${tenant.id}: ${tenant.isSuspended ? 'suspended' : 'open'}, ${quotasText(tenant.quotas)}.`)
  return exitCodes.done
}

export async function putNamespace(invocation: Invocation, name: string, options: UpdateOptions): Promise<number> {
  const quotas = options.unlimited ? {} : quotasFrom(options)
  const client = await invocation.client()
  const namespace = await client.namespaces.put({
    name,
    ...(options.description === undefined ? {} : { description: options.description }),
    ...(quotas ? { quotas } : {}),
  })
  if (invocation.isJson) invocation.printJson(namespace)
  else invocation.terminal.print(`  Namespace ${namespace.name}: ${quotasText(namespace.quotas)}.`)
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
