import { z } from 'zod'
import { SecretName } from './connections.ts'
import { operation } from './operation.ts'

const providerKeysMax = 20

/** Where a tenant's model calls go with keys of its own, instead of the server's. */
export const ModelProvider = z.object({
  name: z.string(),
  /** Names of the secrets that hold its keys. Calls go round among them. */
  secrets: z.array(z.string()),
  /** Null: the vendor's own address, or what the server is set to. */
  baseUrl: z.string().nullable(),
  awsRegion: z.string().nullable(),
  /** Why it cannot be used now; null when it can. */
  problem: z.string().nullable(),
  setBy: z.string(),
  setAt: z.iso.datetime(),
})
export type ModelProvider = z.infer<typeof ModelProvider>

const name = z.string().min(1).max(63)

export const listProviders = operation({
  id: 'providers.list',
  summary: 'Providers of models that the tenant has keys of its own at. Others are the server’s.',
  http: ['GET', '/v1/providers'],
  permission: 'models:call',
  input: z.strictObject({}),
  output: z.object({ items: z.array(ModelProvider) }),
})
export const setProvider = operation({
  id: 'providers.set',
  summary: 'Call a provider with keys of the tenant’s own. A new version of a secret counts within seconds, on every server.',
  http: ['POST', '/v1/providers'],
  permission: 'secrets:manage',
  input: z.strictObject({
    name,
    /** More than one share the load; one that is limited rests while the others go on. */
    secrets: z.array(SecretName).min(1).max(providerKeysMax),
    /** An address of this vendor; Azure needs one. */
    baseUrl: z
      .url({ protocol: /^https$/ })
      .max(500)
      .optional(),
    /** Of Bedrock. */
    awsRegion: z
      .string()
      .max(40)
      .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must look like eu-central-1')
      .optional(),
  }),
  output: ModelProvider,
})
export const deleteProvider = operation({
  id: 'providers.delete',
  summary: 'Go back to the server’s own keys at a provider, if it has any. The secrets stay.',
  http: ['DELETE', '/v1/providers/{name}'],
  permission: 'secrets:manage',
  input: z.strictObject({ name }),
  output: ModelProvider,
})

export const providerOperations = [listProviders, setProvider, deleteProvider]
