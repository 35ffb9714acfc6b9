import { z } from 'zod'
import { HostPattern, SecretName } from './connections.ts'
import { operation } from './operation.ts'
import { Etag, Name } from './values.ts'

export const secretBytesMax = 65_536

/** A stored secret without its value, which no operation ever answers with. */
export const Secret = z.object({
  name: SecretName,
  description: z.string(),
  /** Where tools may send it: nowhere else, whatever a declaration says. */
  hosts: z.array(z.string()),
  /** Whose tools may. Null: those of every agent. */
  agents: z.array(z.string()).nullable(),
  /** Counts up with every new value. */
  version: z.number().int(),
  createdAt: z.iso.datetime(),
  createdBy: z.string(),
  lastUsedAt: z.iso.datetime().nullable(),
  useCount: z.number().int(),
  etag: Etag.optional(),
})
export type Secret = z.infer<typeof Secret>

export const setSecret = operation({
  id: 'secrets.set',
  summary: 'Store a value under a name, as its next version. Values are encrypted and never shown again. What is not said of it stays as it was.',
  http: ['POST', '/v1/secrets/{name}'],
  permission: 'secrets:manage',
  input: z.strictObject({
    name: SecretName,
    value: z.string().min(1).max(secretBytesMax),
    description: z.string().max(500).optional(),
    hosts: z.array(HostPattern).max(100).optional(),
    agents: z.array(Name).max(1_000).nullable().optional(),
  }),
  output: Secret,
})
export const listSecrets = operation({
  id: 'secrets.list',
  summary: 'All secrets by name, without their values.',
  http: ['GET', '/v1/secrets'],
  permission: 'secrets:manage',
  input: z.strictObject({}),
  output: z.object({ items: z.array(Secret) }),
})
export const getSecret = operation({
  id: 'secrets.get',
  summary: 'All versions of a secret, newest first, without their values.',
  http: ['GET', '/v1/secrets/{name}'],
  permission: 'secrets:manage',
  input: z.strictObject({ name: SecretName }),
  output: z.object({ items: z.array(Secret) }),
})
export const deleteSecret = operation({
  id: 'secrets.delete',
  summary: 'Destroy all versions of a secret.',
  http: ['DELETE', '/v1/secrets/{name}'],
  permission: 'secrets:manage',
  input: z.strictObject({ name: SecretName }),
  output: Secret,
})
export const secretOperations = [setSecret, listSecrets, getSecret, deleteSecret]
