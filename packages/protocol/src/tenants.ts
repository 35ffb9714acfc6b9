import { z } from 'zod'
import { ApiKey } from './keys.ts'
import { operation } from './operation.ts'
import { SandboxPolicy } from './sandbox-policy.ts'
import { Etag, Name } from './values.ts'

const count = (max: number) => z.number().int().min(0).max(max).optional()

/** What a tenant or namespace may use. An absent one has no limit. A tenant's quotas hold for all its namespaces together. */
export const Quotas = z.strictObject({
  /** Runs that have not ended. */
  runsInFlightMax: count(10_000_000),
  startsPerMinuteMax: count(10_000_000),
  /** Bytes of files that answers keep. */
  storageBytesMax: count(2 ** 50),
  /** Sandboxes at once: those that callers have made and nobody has stopped, and those that runs are using. A namespace has those of its runs. */
  sandboxesMax: count(1_000_000),
  /** Requests to the API, at each server. A namespace has those that name it, and those of keys for it alone. */
  requestsPerMinuteMax: z.number().int().min(1).max(10_000_000).optional(),
  /** Of a tenant: images of its agents and sandboxes that are unpacked at each server, and their bytes together. One that nothing runs in, and nobody has asked for in nine hours, gives place to another. */
  imagesMax: count(1_000_000),
  imageBytesMax: count(2 ** 50),
})
export type Quotas = z.infer<typeof Quotas>

/** How much of the quotas is used. */
export const Consumption = z.object({
  runsInFlight: z.number().int(),
  startsInLastMinute: z.number().int(),
  storageBytes: z.number().int(),
  sandboxes: z.number().int(),
})
export type Consumption = z.infer<typeof Consumption>

/** Also what a tenant has at the server that is asked. */
export const TenantConsumption = Consumption.extend({ images: z.number().int(), imageBytes: z.number().int() })
export type TenantConsumption = z.infer<typeof TenantConsumption>

/** The boundary of security: nothing of one tenant is visible to another. */
export const Tenant = z.object({
  id: Name,
  description: z.string(),
  isSuspended: z.boolean(),
  quotas: Quotas,
  sandboxPolicy: SandboxPolicy,
  /** Whether those who may decide an approval are told by mail, where the server sends mail. */
  approvalMails: z.boolean(),
  createdAt: z.iso.datetime(),
  etag: Etag.optional(),
})
export type Tenant = z.infer<typeof Tenant>

const description = z.string().max(500)

export const createTenant = operation({
  id: 'tenants.create',
  summary: 'Make a tenant, with a key of its administrator. The key’s secret is in the answer and nowhere else.',
  http: ['POST', '/v1/tenants'],
  permission: 'tenants:manage',
  input: z.strictObject({ id: Name, description: description.default(''), quotas: Quotas.default({}), sandboxPolicy: SandboxPolicy.default({}) }),
  output: Tenant.extend({ key: ApiKey.extend({ secret: z.string() }) }),
})
export const listTenants = operation({
  id: 'tenants.list',
  summary: 'All tenants, by name.',
  http: ['GET', '/v1/tenants'],
  permission: 'tenants:manage',
  input: z.strictObject({ limit: z.coerce.number().int().min(1).max(200).default(50), cursor: z.string().max(63).optional() }),
  output: z.object({ items: z.array(Tenant), next: z.string().nullable() }),
})
export const getTenant = operation({
  id: 'tenants.get',
  summary: 'One tenant, and what it uses.',
  http: ['GET', '/v1/tenants/{id}'],
  permission: 'tenants:manage',
  input: z.strictObject({ id: Name }),
  output: Tenant.extend({ consumption: TenantConsumption }),
})
export const updateTenant = operation({
  id: 'tenants.update',
  summary: 'Change a tenant. A suspended one’s keys are refused; its runs go on. Quotas and the sandbox policy are replaced as a whole, each.',
  http: ['POST', '/v1/tenants/{id}'],
  permission: 'tenants:manage',
  input: z.strictObject({
    id: Name,
    description: description.optional(),
    isSuspended: z.boolean().optional(),
    quotas: Quotas.optional(),
    sandboxPolicy: SandboxPolicy.optional(),
    approvalMails: z.boolean().optional(),
  }),
  output: Tenant,
})

/** A scope of names inside a tenant, such as `prod`, with quotas of its own. Every tenant has `default`. */
export const Namespace = z.object({
  name: Name,
  description: z.string(),
  quotas: Quotas,
  sandboxPolicy: SandboxPolicy,
  createdAt: z.iso.datetime(),
  etag: Etag.optional(),
})
export type Namespace = z.infer<typeof Namespace>

export const putNamespace = operation({
  id: 'namespaces.put',
  summary: 'Make a namespace, or change one. What is left out stays as it is.',
  http: ['POST', '/v1/namespaces/{name}'],
  permission: 'namespaces:manage',
  input: z.strictObject({ name: Name, description: description.optional(), quotas: Quotas.optional(), sandboxPolicy: SandboxPolicy.optional() }),
  output: Namespace,
})
export const listNamespaces = operation({
  id: 'namespaces.list',
  summary: 'The namespaces that the caller may use, by name, and what they use.',
  http: ['GET', '/v1/namespaces'],
  permission: 'namespaces:read',
  input: z.strictObject({}),
  output: z.object({ items: z.array(Namespace.extend({ consumption: Consumption })) }),
})
export const deleteNamespace = operation({
  id: 'namespaces.delete',
  summary: 'Remove a namespace in which no run is in flight. Ended runs stay readable.',
  http: ['DELETE', '/v1/namespaces/{name}'],
  permission: 'namespaces:manage',
  input: z.strictObject({ name: Name }),
  output: Namespace,
})

export const tenantOperations = [createTenant, listTenants, getTenant, updateTenant, putNamespace, listNamespaces, deleteNamespace]
