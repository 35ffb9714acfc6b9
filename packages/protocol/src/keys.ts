import { z } from 'zod'
import { operation, permissions } from './operation.ts'
import { DataAccess, Name } from './values.ts'

/** An API key without its secret, which is shown once, when it is made. */
export const ApiKey = z.object({
  id: z.uuid(),
  name: z.string(),
  permissions: z.array(z.enum(permissions)),
  access: DataAccess,
  createdAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime().nullable(),
})
export type ApiKey = z.infer<typeof ApiKey>

export const createKey = operation({
  id: 'keys.create',
  summary: 'Make a key. Its secret is in the answer and nowhere else.',
  http: ['POST', '/v1/keys'],
  permission: 'keys:manage',
  input: z.strictObject({
    name: Name,
    permissions: z.array(z.enum(permissions)).min(1).max(permissions.length).default(['runs:read', 'runs:write', 'agents:read', 'files:read', 'system:read']),
    access: DataAccess.default({ personalData: true }),
  }),
  output: ApiKey.extend({ secret: z.string() }),
})
export const listKeys = operation({
  id: 'keys.list',
  summary: 'All keys.',
  http: ['GET', '/v1/keys'],
  permission: 'keys:manage',
  input: z.strictObject({}),
  output: z.object({ items: z.array(ApiKey) }),
})
export const deleteKey = operation({
  id: 'keys.delete',
  summary: 'Revoke a key at once.',
  http: ['DELETE', '/v1/keys/{keyId}'],
  permission: 'keys:manage',
  input: z.strictObject({ keyId: z.uuid() }),
  output: ApiKey,
})

export const keyOperations = [createKey, listKeys, deleteKey]
