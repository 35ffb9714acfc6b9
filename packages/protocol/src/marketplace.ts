/** The tenant's own marketplace of tool connections: published with what was pinned, reviewed, installed into namespaces, revoked. */
import { z } from 'zod'
import { ConnectionName } from './connections.ts'
import { operation } from './operation.ts'
import { Name } from './values.ts'

const Hash = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in hexadecimal')
const Version = z.coerce.number().int().min(1).max(1_000_000)
const Text = z.string().max(2_000)

/** `published` ones wait for a review. What is `revoked` is offered to nobody, wherever it is installed. */
export const marketplaceStates = ['published', 'approved', 'rejected', 'revoked'] as const

export const MarketplaceVersion = z.object({
  entry: ConnectionName,
  version: z.number().int(),
  description: z.string(),
  kind: z.enum(['mcp', 'openapi']),
  /** Where its calls go. Null: where the OpenAPI document says. */
  url: z.string().nullable(),
  tools: z.array(z.object({ name: z.string(), description: z.string(), hash: z.string() })),
  /** Of declaration, document and all pinned definitions. */
  hash: z.string(),
  state: z.enum(marketplaceStates),
  publishedBy: z.string(),
  publishedAt: z.iso.datetime(),
  /** Who approved, rejected or revoked it last, and what they said. */
  decidedBy: z.string().nullable(),
  decidedAt: z.iso.datetime().nullable(),
  reason: z.string().nullable(),
  /** Namespaces in which it is installed, of those that the caller may see. */
  namespaces: z.array(z.string()),
})
export type MarketplaceVersion = z.infer<typeof MarketplaceVersion>

const MarketplaceInstall = z.object({ entry: ConnectionName, namespace: Name, version: z.number().int(), hash: z.string() })

export const listMarketplace = operation({
  id: 'marketplace.list',
  summary: 'What is published in the tenant’s marketplace: the newest 200 versions of tool connections, with their reviews and installations.',
  http: ['GET', '/v1/marketplace'],
  permission: 'agents:read',
  input: z.strictObject({ entry: ConnectionName.optional() }),
  output: z.object({ items: z.array(MarketplaceVersion) }),
})
export const publishConnection = operation({
  id: 'marketplace.publish',
  summary: 'Publish a connection of an agent’s live version, with its approved definitions, as the next version of an entry. It waits for a review.',
  http: ['POST', '/v1/marketplace'],
  permission: 'agents:deploy',
  input: z.strictObject({ entry: ConnectionName, agent: Name, connection: ConnectionName, description: Text.min(1) }),
  output: MarketplaceVersion,
})
export const reviewConnection = operation({
  id: 'marketplace.review',
  summary: 'Approve or reject a version that was published. `hash` is that of what you have seen: another one is `conflict`.',
  http: ['POST', '/v1/marketplace/{entry}/versions/{version}/review'],
  permission: 'tools:review',
  input: z.strictObject({ entry: ConnectionName, version: Version, hash: Hash, decision: z.enum(['approve', 'reject']), reason: Text.optional() }),
  output: MarketplaceVersion,
})
export const revokeConnection = operation({
  id: 'marketplace.revoke',
  summary: 'Revoke a version for good: runs are not offered its tools any more from their next call on, and are told the reason.',
  http: ['POST', '/v1/marketplace/{entry}/versions/{version}/revoke'],
  permission: 'tools:review',
  input: z.strictObject({ entry: ConnectionName, version: Version, reason: Text.min(1) }),
  output: MarketplaceVersion,
})
export const installConnection = operation({
  id: 'marketplace.install',
  summary: 'Install an approved version into a namespace, in place of another of the same entry. `hash` is that of what was reviewed.',
  http: ['POST', '/v1/marketplace/{entry}/versions/{version}/install'],
  permission: 'agents:deploy',
  input: z.strictObject({ entry: ConnectionName, version: Version, hash: Hash, namespace: Name }),
  output: MarketplaceInstall,
})
export const uninstallConnection = operation({
  id: 'marketplace.uninstall',
  summary: 'Take an entry out of a namespace.',
  http: ['DELETE', '/v1/marketplace/{entry}/namespaces/{namespace}'],
  permission: 'agents:deploy',
  input: z.strictObject({ entry: ConnectionName, namespace: Name }),
  output: MarketplaceInstall,
})

export const marketplaceOperations = [listMarketplace, publishConnection, reviewConnection, revokeConnection, installConnection, uninstallConnection]
