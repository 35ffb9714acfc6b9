import { createTenant, deleteNamespace, getTenant, listNamespaces, listTenants, putNamespace, updateTenant } from '@longhaul/protocol'
import type { Tenants } from '../identity/index.ts'
import { AppError } from '../kernel/index.ts'
import type { Images } from '../sandbox/index.ts'
import { type Implementation, audited, implement } from './implement.ts'

export const tenantImplementations = (tenants: Tenants, images: Pick<Images, 'used'>): Implementation[] => [
  audited(implement(createTenant, (caller, input) => tenants.create(caller, input))),
  implement(listTenants, async (_, { limit, cursor }) => {
    const found = await tenants.list(limit + 1, cursor ?? '')
    const items = found.slice(0, limit)
    return { items, next: found.length > limit ? (items.at(-1)?.id ?? null) : null }
  }),
  implement(getTenant, async (_, { id }) => {
    const tenant = await tenants.find(id)
    if (!tenant) throw new AppError('not_found', `No tenant ${id}.`)
    const { count, bytes } = await images.used(id)
    return { ...tenant, consumption: { ...tenant.consumption, images: count, imageBytes: bytes } }
  }),
  audited(implement(updateTenant, (caller, { id, ...change }) => tenants.update(caller, id, change))),
  audited(implement(putNamespace, (caller, { name, ...change }) => tenants.putNamespace(caller, name, change))),
  implement(listNamespaces, async (caller) => ({ items: await tenants.listNamespaces(caller) })),
  audited(implement(deleteNamespace, (caller, { name }) => tenants.deleteNamespace(caller, name))),
]
