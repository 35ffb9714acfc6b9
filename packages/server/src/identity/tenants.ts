/** Tenants, their namespaces, and the quotas of both. */
import type { ApiKey, Consumption, Namespace, Quotas, SandboxPolicy, Tenant } from '@longhaul/protocol'
import { type Db, noteAudit } from '../db/index.ts'
import { AppError, monotonicMs } from '../kernel/index.ts'
import { type Caller, type Keys, whoIs } from './keys.ts'
import * as store from './tenant-store.ts'

type Change<Of> = { [Field in keyof Of]?: Of[Field] | undefined }

export type Tenants = {
  create(caller: Caller, tenant: Pick<Tenant, 'id' | 'description' | 'quotas' | 'sandboxPolicy'>): Promise<Tenant & { key: ApiKey & { secret: string } }>
  list(limit: number, after: string): Promise<Tenant[]>
  find(tenantId: string): Promise<(Tenant & { consumption: Consumption }) | undefined>
  update(
    caller: Caller,
    tenantId: string,
    change: Change<Pick<Tenant, 'description' | 'isSuspended' | 'quotas' | 'sandboxPolicy' | 'approvalMails'>>,
  ): Promise<Tenant>
  putNamespace(caller: Caller, name: string, change: Change<Pick<Namespace, 'description' | 'quotas' | 'sandboxPolicy'>>): Promise<Namespace>
  listNamespaces(caller: Caller): Promise<(Namespace & { consumption: Consumption })[]>
  deleteNamespace(caller: Caller, name: string): Promise<Namespace>
  /**
   * Has `start` start a run, unless that is more than the quotas of namespace or tenant allow: `over_limit`. On one node the count is exact, also for
   * starts at the same time; of several nodes each may go over by what the others start in that instant. A namespace that is not there is `not_found`.
   */
  startWithin<Result>(tenantId: string, namespace: string, start: () => Promise<Result>): Promise<Result>
  /** Where sandboxes may run, as the operator says and as the tenant says of its namespace. */
  sandboxPolicies(tenantId: string, namespace?: string): Promise<{ tenant: SandboxPolicy; namespace: SandboxPolicy }>
  /** Throws `over_limit` when a file of `bytes` more is too many. */
  assertStorage(tenantId: string, bytes: number): Promise<void>
  /** What both may have of something. Undefined: as much as they like. */
  quotasOf(tenantId: string, namespace?: string): Promise<{ tenant: Quotas; namespace: Quotas }>
}

const namespacesMax = 1_000
const none: Consumption = { runsInFlight: 0, startsInLastMinute: 0, storageBytes: 0, sandboxes: 0 }
/** How long another node's change of a quota may go unnoticed. */
const cacheMs = 1_000
const cachedMax = 10_000

type Policies = { tenant: SandboxPolicy; namespace: SandboxPolicy }
type Limits = { tenant: Quotas; namespace: Quotas | undefined; sandboxes: Policies }

/** `onChange`: for whoever remembers something of a tenant's people. */
export function openTenants({ db, keys, onChange = () => {} }: { db: Db; keys: Keys; onChange?: (tenantId: string) => void }): Tenants {
  /** What is being read counts too: whoever asks meanwhile waits for the same answer. */
  const limits = new Map<string, { found: Promise<Limits>; until: number }>()
  /** Of tenants with quotas: the end of the line of those who count and start. */
  const lines = new Map<string, Promise<unknown>>()

  async function limitsOf(tenantId: string, namespace: string): Promise<Limits> {
    const name = `${tenantId}/${namespace}`
    const cached = limits.get(name)
    if (cached && cached.until > monotonicMs()) return cached.found
    const fresh = { found: readLimits(tenantId, namespace), until: monotonicMs() + cacheMs }
    if (limits.size >= cachedMax) limits.clear()
    limits.set(name, fresh)
    return fresh.found.catch((error: unknown) => {
      if (limits.get(name) === fresh) limits.delete(name)
      throw error
    })
  }

  async function readLimits(tenantId: string, namespace: string): Promise<Limits> {
    const scoped = db.forTenant(tenantId)
    const found = await scoped.transaction(async (tx) => ({ tenant: await store.findTenant(tx), namespace: await store.findNamespace(tx, namespace) }))
    return {
      tenant: found.tenant?.quotas ?? {},
      namespace: found.namespace?.quotas ?? (namespace === 'default' ? {} : undefined),
      sandboxes: { tenant: found.tenant?.sandboxPolicy ?? {}, namespace: found.namespace?.sandboxPolicy ?? {} },
    }
  }

  function forget(tenantId: string): void {
    for (const name of limits.keys()) if (name.startsWith(`${tenantId}/`)) limits.delete(name)
  }

  async function assertStarts(tenantId: string, namespace: string, quotas: Limits): Promise<void> {
    for (const [what, limit, of] of [
      [`namespace ${namespace}`, quotas.namespace ?? {}, namespace],
      [`tenant ${tenantId}`, quotas.tenant, undefined],
    ] as const) {
      if (limit.runsInFlightMax === undefined && limit.startsPerMinuteMax === undefined) continue
      const { runsInFlight, startsInLastMinute } = await store.readConsumption(db.forTenant(tenantId), of)
      if (limit.runsInFlightMax !== undefined && runsInFlight >= limit.runsInFlightMax)
        throw new AppError(
          'over_limit',
          `The ${what} has ${runsInFlight} runs in flight, and ${limit.runsInFlightMax} are allowed. Wait for one to end, or have the quota raised.`,
        )
      if (limit.startsPerMinuteMax !== undefined && startsInLastMinute >= limit.startsPerMinuteMax)
        throw new AppError(
          'over_limit',
          `The ${what} has started ${startsInLastMinute} runs within a minute, and ${limit.startsPerMinuteMax} are allowed. Try again in a minute.`,
        )
    }
  }

  /** In the log of whoever did it, too. Should this one be lost, that of the tenant which it was done to has it still. */
  const noteOwn = async (caller: Caller, action: string, tenantId: string): Promise<void> => {
    if (tenantId !== caller.tenantId) await db.forTenant(caller.tenantId).transaction((tx) => noteAudit(tx, { who: whoIs(caller), action, target: tenantId }))
  }

  return {
    async create(caller, { id, description, quotas, sandboxPolicy }) {
      const made = await db.forTenant(id).transaction(async (tx) => {
        const tenant = await store.insertTenant(tx, { description, quotas, sandboxPolicy })
        if (!tenant) throw new AppError('conflict', `There is a tenant ${id} already.`)
        const who = { id: caller.keyId, name: `${caller.tenantId}/${caller.name}` }
        await noteAudit(tx, { who, action: 'tenants.create', target: id, detail: { quotas, sandboxPolicy } })
        const key = await keys.insertFirst(tx, { name: 'administrator', role: 'administrator', access: { personalData: true } }, who)
        return { ...tenant, key }
      })
      await noteOwn(caller, 'tenants.create', id)
      return made
    },
    list: (limit, after) => store.listTenants(db, limit, after),
    async find(tenantId) {
      const tenant = await store.findTenant(db.forTenant(tenantId))
      return tenant && { ...tenant, consumption: await store.readConsumption(db.forTenant(tenantId)) }
    },
    async update(caller, tenantId, change) {
      if (tenantId === caller.tenantId && change.isSuspended)
        throw new AppError('conflict', 'A tenant cannot suspend itself: nobody would be left to take it back.')
      const updated = await db.forTenant(tenantId).transaction(async (tx) => {
        const tenant = await store.updateTenant(tx, change)
        if (!tenant) throw new AppError('not_found', `No tenant ${tenantId}.`)
        const who = { id: caller.keyId, name: `${caller.tenantId}/${caller.name}` }
        await noteAudit(tx, {
          who,
          action: 'tenants.update',
          target: tenantId,
          detail: { isSuspended: tenant.isSuspended, quotas: tenant.quotas, sandboxPolicy: tenant.sandboxPolicy, approvalMails: tenant.approvalMails },
        })
        return tenant
      })
      forget(tenantId)
      keys.forgetTenant(tenantId)
      onChange(tenantId)
      await noteOwn(caller, 'tenants.update', tenantId)
      return updated
    },
    async putNamespace(caller, name, change) {
      assertInScope(caller, name)
      const put = await db.forTenant(caller.tenantId).transaction(async (tx) => {
        const namespace = await store.putNamespace(tx, name, change)
        if ((await store.listNamespaces(tx, namespacesMax + 1)).length > namespacesMax)
          throw new AppError('over_limit', `A tenant has at most ${namespacesMax} namespaces.`)
        await noteAudit(tx, {
          who: whoIs(caller),
          action: 'namespaces.put',
          target: name,
          detail: { quotas: namespace.quotas, sandboxPolicy: namespace.sandboxPolicy },
        })
        return namespace
      })
      forget(caller.tenantId)
      return put
    },
    async listNamespaces(caller) {
      return db.forTenant(caller.tenantId).transaction(async (tx) => {
        const made = await store.listNamespaces(tx, namespacesMax)
        const tenant = await store.findTenant(tx)
        const implicit = { name: 'default', description: '', quotas: {}, sandboxPolicy: {}, createdAt: tenant?.createdAt ?? new Date(0).toISOString() }
        const all = made.some(({ name }) => name === 'default') ? made : [implicit, ...made]
        const seen = all.filter(({ name }) => !caller.namespaces || caller.namespaces.includes(name))
        const consumptions = await store.readConsumptions(tx)
        return seen.map((namespace) => ({ ...namespace, consumption: consumptions.get(namespace.name) ?? none }))
      })
    },
    async deleteNamespace(caller, name) {
      assertInScope(caller, name)
      const deleted = await db.forTenant(caller.tenantId).transaction(async (tx) => {
        const namespace = await store.deleteNamespace(tx, name)
        if (!namespace) throw new AppError('not_found', `No namespace ${name}.`)
        const { runsInFlight } = await store.readConsumption(tx, name)
        if (runsInFlight > 0) throw new AppError('conflict', `The namespace ${name} has ${runsInFlight} runs in flight. Wait for their end, or cancel them.`)
        await noteAudit(tx, { who: whoIs(caller), action: 'namespaces.delete', target: name })
        return namespace
      })
      forget(caller.tenantId)
      return deleted
    },
    async startWithin(tenantId, namespace, start) {
      const quotas = await limitsOf(tenantId, namespace)
      if (!quotas.namespace) throw new AppError('not_found', `No namespace ${namespace}. Make it with namespaces.put.`)
      const isLimited = [quotas.tenant, quotas.namespace].some((limit) => limit.runsInFlightMax !== undefined || limit.startsPerMinuteMax !== undefined)
      if (!isLimited) return start()
      // One after the other: each counts what the one before has made durable.
      const before = lines.get(tenantId)
      const turn = (async () => {
        await before?.catch(() => {}) // Its caller heard of it.
        await assertStarts(tenantId, namespace, quotas)
        return start()
      })()
      lines.set(tenantId, turn)
      try {
        return await turn
      } finally {
        if (lines.get(tenantId) === turn) lines.delete(tenantId)
      }
    },
    async sandboxPolicies(tenantId, namespace = 'default') {
      return (await limitsOf(tenantId, namespace)).sandboxes
    },
    async quotasOf(tenantId, namespace = 'default') {
      const found = await limitsOf(tenantId, namespace)
      return { tenant: found.tenant, namespace: found.namespace ?? {} }
    },
    async assertStorage(tenantId, bytes) {
      const { tenant } = await limitsOf(tenantId, 'default')
      if (tenant.storageBytesMax === undefined) return
      const { storageBytes } = await store.readConsumption(db.forTenant(tenantId))
      if (storageBytes + bytes > tenant.storageBytesMax)
        throw new AppError('over_limit', `The tenant ${tenantId} keeps ${storageBytes} bytes of files, and ${tenant.storageBytesMax} are allowed.`)
    },
  }
}

type OfBoth = { tenant?: number | undefined; namespace?: number | undefined }
type Owner = { tenantId: string; namespace?: string | undefined }

export const sandboxQuotasOf =
  ({ quotasOf }: Pick<Tenants, 'quotasOf'>) =>
  async ({ tenantId, namespace: name }: Owner): Promise<OfBoth> => {
    const { tenant, namespace } = await quotasOf(tenantId, name)
    return { tenant: tenant.sandboxesMax, namespace: namespace.sandboxesMax }
  }

/** How many images a tenant may have at a server, and of how many bytes. */
export const imageQuotaOf =
  ({ quotasOf }: Pick<Tenants, 'quotasOf'>) =>
  async (tenantId: string): Promise<{ countMax: number | undefined; bytesMax: number | undefined }> => {
    const { tenant } = await quotasOf(tenantId)
    return { countMax: tenant.imagesMax, bytesMax: tenant.imageBytesMax }
  }

export const requestQuotasOf =
  ({ quotasOf }: Pick<Tenants, 'quotasOf'>) =>
  async ({ tenantId, namespace: name }: Owner): Promise<OfBoth> => {
    const { tenant, namespace } = await quotasOf(tenantId, name)
    return { tenant: tenant.requestsPerMinuteMax, namespace: namespace.requestsPerMinuteMax }
  }

/** To whoever is limited to some namespaces the others do not exist. */
function assertInScope(caller: Caller, namespace: string): void {
  if (caller.namespaces && !caller.namespaces.includes(namespace)) throw new AppError('not_found', `No namespace ${namespace}.`)
}
