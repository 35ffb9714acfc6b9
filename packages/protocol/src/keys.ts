import { z } from 'zod'
import { operation, permissions } from './operation.ts'
import { roleNames } from './roles.ts'
import { DataAccess, Name } from './values.ts'

/** An API key without its secret, which is shown once, when it is made. */
export const ApiKey = z.object({
  id: z.uuid(),
  name: z.string(),
  permissions: z.array(z.enum(permissions)),
  /** Its permissions are those of the role and the ones listed. */
  role: z.enum(roleNames).nullable(),
  /** Where it may do what it may. Null: in all namespaces, with all agents. */
  namespaces: z.array(Name).nullable(),
  agents: z.array(Name).nullable(),
  access: DataAccess,
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().nullable(),
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
    /** Absent as well as `role`: what it takes to ask agents and to look after one's own runs. */
    permissions: z.array(z.enum(permissions)).max(permissions.length).optional(),
    role: z.enum(roleNames).optional(),
    namespaces: z.array(Name).min(1).max(100).optional(),
    agents: z.array(Name).min(1).max(100).optional(),
    expiresAt: z.iso.datetime().optional(),
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

export const rotateKey = operation({
  id: 'keys.rotate',
  summary: 'Make a key that may do the same, and let the old one expire after an overlap.',
  http: ['POST', '/v1/keys/{keyId}/rotate'],
  permission: 'keys:manage',
  input: z.strictObject({
    keyId: z.uuid(),
    overlapMs: z
      .number()
      .int()
      .min(0)
      .max(90 * 86_400_000)
      .default(86_400_000),
  }),
  output: ApiKey.extend({ secret: z.string() }),
})

/** What a key may do of which nothing else was said. */
export const usualPermissions = ['runs:read', 'runs:write', 'runs:operate', 'agents:read', 'files:read', 'namespaces:read', 'system:read'] as const

export const keyOperations = [createKey, listKeys, rotateKey, deleteKey]
