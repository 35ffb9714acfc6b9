/**
 * The tenant's own marketplace. What is published is a connection as an agent uses it, with the definitions that were approved there; what is installed is that
 * and nothing else: a tool server that gives other words later is withheld until they were published and reviewed as well.
 */
import type {
  AgentManifest,
  Connection,
  Json,
  MarketplaceVersion,
  installConnection,
  publishConnection,
  reviewConnection,
  revokeConnection,
  uninstallConnection,
} from '@longhaul/protocol'
import type { z } from 'zod'
import type { Db, TenantTx } from '../../db/index.ts'
import type { Caller } from '../../identity/index.ts'
import { AppError, toFailure } from '../../kernel/index.ts'
import { type Connections, type Named, type VersionOf, toAuthorize } from '../connections.ts'
import { type Definition, digestOf, hashOf, toToolDefinition } from '../mcp/definition.ts'
import { readDocument } from '../openapi/call.ts'
import { stateOf } from '../pins.ts'
import * as store from './marketplace-store.ts'

export type Marketplace = {
  list(caller: Caller, about: { entry?: string | undefined }): Promise<MarketplaceVersion[]>
  publish(caller: Caller, request: z.output<typeof publishConnection.input>): Promise<MarketplaceVersion>
  review(caller: Caller, request: z.output<typeof reviewConnection.input>): Promise<MarketplaceVersion>
  revoke(caller: Caller, request: z.output<typeof revokeConnection.input>): Promise<MarketplaceVersion>
  install(caller: Caller, request: z.output<typeof installConnection.input>): Promise<z.input<typeof installConnection.output>>
  uninstall(caller: Caller, request: z.output<typeof uninstallConnection.input>): Promise<z.input<typeof uninstallConnection.output>>
}
type Options = {
  db: Db
  connections: Connections
  live(tenantId: string, agent: string): Promise<VersionOf & { manifest: AgentManifest }>
  folderOf(tenantId: string, agent: string, version: string): string
}

const listMax = 200

export function openMarketplace({ db, connections, live, folderOf }: Options): Marketplace {
  async function load(tx: TenantTx, caller: Caller, entry: string, version: number): Promise<MarketplaceVersion> {
    const row = await store.findVersion(tx, entry, version)
    if (!row) throw new AppError('not_found', `The marketplace has no version ${version} of ${entry}.`)
    return toVersion(caller, row)
  }

  /** The declaration, its document and what is approved of it. */
  async function contentOf(of: VersionOf, named: Named): Promise<{ connection: Connection; document: string | null; tools: store.PinnedTool[] }> {
    const { name, connection } = named
    if (connection.kind === 'marketplace') throw new AppError('invalid', `${name} is from the marketplace itself.`)
    if (connection.kind === 'command')
      throw new AppError(
        'invalid',
        `${name} is a program of the agent’s folder. What can be published is an MCP server at an address, or an OpenAPI connection.`,
      )
    if (toAuthorize(of.agent, named))
      throw new AppError('invalid', `${name} was authorized by a person for this agent alone. Publish one that uses a stored secret or client credentials.`)
    // What there is now, so that nothing is published that has changed since.
    const { offered } = await connections.offers(of, named, true).catch((error: unknown) => {
      throw new AppError('unavailable', `What ${name} of ${of.agent} has could not be read: ${toFailure(error).message}`)
    })
    if (connection.kind === 'openapi') {
      const document = await readDocument(folderOf(of.tenantId, of.agent, of.version), connection)
      return {
        connection,
        document,
        tools: offered.map(({ definition }) => ({ name: definition.name, description: definition.description, hash: digestOf(definition) })),
      }
    }
    const pins = await connections.pins(of, named)
    const waiting = pins.filter((pin) => stateOf(pin) === 'changed' || stateOf(pin) === 'added').map((pin) => pin.name)
    if (waiting.length > 0)
      throw new AppError('conflict', `${waiting.join(', ')} of ${of.agent} must be approved first: longhaul tools get ${of.agent} ${waiting[0]}`)
    const ready = pins.filter((pin) => stateOf(pin) === 'ready').map(({ definition }) => definition as Definition) // Made by `toDefinition`.
    return {
      connection,
      document: null,
      tools: ready.map((definition) => ({ name: definition.name, description: toToolDefinition(name, '', definition).description, hash: hashOf(definition) })),
    }
  }

  return {
    async list(caller, { entry }) {
      return (await store.listVersions(db.forTenant(caller.tenantId), entry, listMax)).map((row) => toVersion(caller, row))
    },
    async publish(caller, { entry, agent, connection: name, description }) {
      const of = await live(caller.tenantId, agent)
      const named = of.manifest.connections?.find((one) => one.name === name)
      if (!named) throw new AppError('not_found', `${agent} has no connection ${name}.`)
      const content = await contentOf(of, named)
      if (content.tools.length === 0) throw new AppError('conflict', `${name} of ${agent} has no tools that are approved.`)
      return db.forTenant(caller.tenantId).transaction(async (tx) => {
        const version = await store.insertVersion(tx, { entry, description, publishedBy: caller.name, ...content, hash: digestOf(content as unknown as Json) })
        return load(tx, caller, entry, version)
      })
    },
    async review(caller, { entry, version, hash, decision, reason }) {
      const tx = db.forTenant(caller.tenantId)
      const found = await load(tx, caller, entry, version)
      const state = decision === 'approve' ? 'approved' : 'rejected'
      const isDone = await store.decideVersion(tx, { entry, version, hash, from: ['published'], state, by: caller.name, reason: reason ?? null })
      if (!isDone)
        throw new AppError(
          'conflict',
          found.hash === hash
            ? `Version ${version} of ${entry} is ${found.state}.`
            : `Version ${version} of ${entry} has the hash ${found.hash}. Look at it again.`,
        )
      return load(tx, caller, entry, version)
    },
    async revoke(caller, { entry, version, reason }) {
      const tx = db.forTenant(caller.tenantId)
      const { state } = await load(tx, caller, entry, version)
      const isDone = await store.decideVersion(tx, { entry, version, from: ['published', 'approved'], state: 'revoked', by: caller.name, reason })
      if (!isDone) throw new AppError('conflict', `Version ${version} of ${entry} is ${state}.`)
      return load(tx, caller, entry, version)
    },
    async install(caller, { entry, version, hash, namespace }) {
      const tx = db.forTenant(caller.tenantId)
      const found = await load(tx, caller, entry, version)
      if (!(await store.install(tx, caller.name, { entry, version, hash, namespace })))
        throw new AppError(
          'conflict',
          found.state === 'approved'
            ? `Version ${version} of ${entry} has the hash ${found.hash}. Look at it again.`
            : `Version ${version} of ${entry} is ${found.state}, not approved.`,
        )
      return { entry, namespace, version, hash }
    },
    async uninstall({ tenantId }, { entry, namespace }) {
      const removed = await store.uninstall(db.forTenant(tenantId), entry, namespace)
      if (!removed) throw new AppError('not_found', `${entry} is not installed in ${namespace}.`)
      return { entry, namespace, ...removed }
    },
  }
}

const toVersion = (
  { namespaces: reach }: Pick<Caller, 'namespaces'>,
  { connection, namespaces, publishedAt, decidedAt, ...row }: store.VersionRow,
): MarketplaceVersion => ({
  ...row,
  kind: connection.kind,
  url: connection.url ?? null,
  publishedAt: publishedAt.toISOString(),
  decidedAt: decidedAt?.toISOString() ?? null,
  namespaces: namespaces.filter((name) => !reach || reach.includes(name)),
})
