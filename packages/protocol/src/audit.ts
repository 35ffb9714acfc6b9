import { z } from 'zod'
import { operation } from './operation.ts'
import { auditOutcomes } from './states.ts'
import { JsonValue } from './values.ts'

/** Who did what to what, and how it went. Numbered without gaps; `hash` covers the entry and the hash of the one before. */
export const AuditEntry = z.object({
  seq: z.number().int().min(1),
  at: z.iso.datetime(),
  /** `id` is the key's; null for the server itself. */
  who: z.object({ id: z.string().nullable(), name: z.string() }),
  /** An operation's id, or what the server did: `secrets.use`, `tools.call`. */
  action: z.string(),
  target: z.string().nullable(),
  outcome: z.enum(auditOutcomes),
  detail: JsonValue,
  requestId: z.string().nullable(),
  hash: z.string(),
})
export type AuditEntry = z.infer<typeof AuditEntry>

/** Where a tenant's chain stood, signed with the installation's Ed25519 key. Kept elsewhere, it shows whether the chain was cut or written anew. */
export const AuditHead = z.strictObject({
  tenantId: z.string().max(63),
  seq: z.number().int().min(0),
  hash: z.string().max(64),
  at: z.iso.datetime(),
  /** SPKI in base64. Compare it with the one that you know before you trust the signature. */
  publicKey: z.string().max(200),
  signature: z.string().max(200),
})
export type AuditHead = z.infer<typeof AuditHead>

/** How the heads stand at the place that they are shipped to: `behind` is how many entries the last one that arrived does not cover. */
export const HeadShipping = z.object({
  target: z.string(),
  lastAt: z.iso.datetime().nullable(),
  behind: z.number().int().min(0),
  problem: z.string().nullable(),
})
export type HeadShipping = z.infer<typeof HeadShipping>

const number = z.coerce.number().int()

export const listAudit = operation({
  id: 'audit.list',
  summary: 'The audit log, newest first. Entries appear about a quarter of a second after their effect.',
  http: ['GET', '/v1/audit'],
  permission: 'audit:read',
  input: z.strictObject({
    limit: number.min(1).max(200).default(50),
    cursor: z.string().max(16).optional(),
    action: z.string().max(100).optional(),
    outcome: z.enum(auditOutcomes).optional(),
    /** The id of a key. */
    who: z.string().max(64).optional(),
    /** From this instant on. */
    from: z.iso.datetime({ offset: true }).optional(),
    /** Up to this instant, without it. */
    to: z.iso.datetime({ offset: true }).optional(),
  }),
  output: z.object({ items: z.array(AuditEntry), next: z.string().nullable() }),
})
export const exportAudit = operation({
  id: 'audit.export',
  summary: 'The audit log from a number on, oldest first: everything that `longhaul audit verify` needs.',
  http: ['GET', '/v1/audit/export'],
  permission: 'audit:read',
  input: z.strictObject({ after: number.min(0).default(0), limit: number.min(1).max(1_000).default(1_000) }),
  output: z.object({ tenantId: z.string(), items: z.array(AuditEntry), next: z.number().int().nullable() }),
})
export const getAuditHead = operation({
  id: 'audit.head',
  summary: 'Where the chain stands now, signed. Keep it elsewhere.',
  http: ['GET', '/v1/audit/head'],
  permission: 'audit:read',
  input: z.strictObject({}),
  /** `shipping` is this server's own, and not signed. Null: heads are shipped nowhere. */
  output: AuditHead.extend({ shipping: HeadShipping.nullable() }),
})
export const verifyAudit = operation({
  id: 'audit.verify',
  summary: 'Check the whole chain, and that it goes on from a head that was kept.',
  http: ['POST', '/v1/audit/verify'],
  permission: 'audit:read',
  input: z.strictObject({ head: AuditHead.optional() }),
  output: z.object({
    isIntact: z.boolean(),
    entryCount: z.number().int(),
    /** Entries that are recorded and not in the chain yet. */
    pendingCount: z.number().int(),
    /** What is wrong, and at which number. Null when nothing is. */
    problem: z.string().nullable(),
    head: AuditHead,
  }),
})
export const auditOperations = [listAudit, exportAudit, getAuditHead, verifyAudit]
