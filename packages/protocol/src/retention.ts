import { z } from 'zod'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'
import { Etag, Name } from './values.ts'

/** How long runs that have ended are kept. A namespace that is null: all namespaces that have no rule of their own. */
export const Retention = z.object({
  namespace: z.string().nullable(),
  /** Null: for ever. */
  days: z.number().int().nullable(),
  setBy: z.string(),
  setAt: z.iso.datetime(),
  etag: Etag.optional(),
})
export type Retention = z.infer<typeof Retention>

export const listRetention = operation({
  id: 'retention.list',
  summary: 'How long runs are kept, by namespace. Where nothing is said they are kept for ever.',
  http: ['GET', '/v1/retention'],
  permission: 'namespaces:read',
  input: z.strictObject(PageInput),
  output: pageOf(Retention),
})
export const setRetention = operation({
  id: 'retention.set',
  summary: 'Say how long runs are kept after their end. Those that have ended longer ago are deleted from then on, for good.',
  http: ['POST', '/v1/retention'],
  permission: 'namespaces:manage',
  input: z.strictObject({ namespace: Name.optional(), days: z.number().int().min(1).max(36_500).nullable() }),
  output: Retention,
})

export const retentionOperations = [listRetention, setRetention]
