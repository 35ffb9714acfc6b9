/** What the connections of a version have: asked of tool servers, held against the pins, remembered for a minute. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import {
  type Api,
  type ApiOperation,
  type Connection,
  type Json,
  type MarketplaceConnection,
  McpConnection,
  OpenApiConnection,
  type ToolDefinition,
  connectionToolsMax,
  shorten,
} from '@longhaul/protocol'
import type { z } from 'zod'
import type { Db } from '../db/index.ts'
import { monotonicMs } from '../kernel/index.ts'
import type { McpClients, McpTarget, ToolServerConnection } from './mcp/clients.ts'
import { type Definition, hashOf, toToolDefinition, visibleName } from './mcp/definition.ts'
import { type Listing, listMcpTools } from './mcp/mcp.ts'
import { type ResourceTool, resourceDefinition, resourceTools } from './mcp/resources.ts'
import { type Installed, findInstalled } from './marketplace/marketplace-store.ts'
import type { Target } from './oauth/authorizations.ts'
import { loadApi, parseApi } from './openapi/call.ts'
import { type Pin, type PinScope, listPins } from './pin-store.ts'
import { reconcile, stateOf } from './pins.ts'

/** `namespace`: of the run that asks. What is installed there is what a connection to the marketplace means. */
export type VersionOf = { tenantId: string; agent: string; version: string; namespace?: string | undefined }
export type Named = { name: string; connection: Connection }

/** A tool that may be called, and how. */
export type Offered = { name: string; definition: ToolDefinition } & (
  | { kind: 'mcp'; target: McpTarget; mcp: Definition }
  | { kind: 'resource'; target: McpTarget; tool: ResourceTool }
  | { kind: 'openapi'; connection: string; declared: z.output<typeof OpenApiConnection>; api: Api; operation: ApiOperation }
)
export type Withheld = { tool: string | null; why: string }
export type Offers = { offered: Offered[]; withheld: Withheld[] }

const rememberMs = 60_000
const rememberedMax = 2_000

export type Connections = ReturnType<typeof openConnections>

export function openConnections({
  db,
  clients,
  folderOf,
}: {
  db: Db
  clients: McpClients
  folderOf(tenantId: string, agent: string, version: string): string
}) {
  const listings = new Map<string, { until: number; listing: Promise<Listing> }>()
  const apis = new Map<string, Promise<Api>>()

  /** One question at a time to each server, whoever wants to know. */
  function list(target: McpTarget, isFresh: boolean): Promise<Listing> {
    const key = JSON.stringify([target.tenantId, target.agent, target.connection, target.declared, target.declared.kind === 'command' && target.version])
    const known = listings.get(key)
    if (known && !isFresh && known.until > monotonicMs()) return known.listing
    // Not the asker's signal: another may wait for the same answer. It is bounded by its own time-out.
    const listing = listMcpTools(clients, target, new AbortController().signal)
    remember(listings, key, { until: monotonicMs() + rememberMs, listing })
    listing.catch(() => listings.get(key)?.listing === listing && listings.delete(key))
    return listing
  }

  function installedApi({ hash, document }: Installed, declared: z.output<typeof OpenApiConnection>): Promise<Api> {
    const api = apis.get(hash) ?? Promise.resolve().then(() => parseApi(declared.document, document ?? ''))
    remember(apis, hash, api) // Its content is what the hash is of.
    api.catch(() => apis.delete(hash))
    return api
  }

  function apiOf({ tenantId, agent, version }: VersionOf, declared: z.output<typeof OpenApiConnection>): Promise<Api> {
    const key = `${tenantId}/${agent}/${version}/${declared.document}`
    let api = apis.get(key)
    if (!api) {
      api = loadApi(folderOf(tenantId, agent, version), declared)
      remember(apis, key, api)
      api.catch(() => apis.delete(key))
    }
    return api
  }

  function targetOf({ tenantId, agent, version }: VersionOf, connection: string, declared: ToolServerConnection): McpTarget {
    return { tenantId, agent, version, connection, declared, folder: join(folderOf(tenantId, agent, version), 'agent', 'connections') }
  }

  async function mcpOffers(of: VersionOf, name: string, declared: ToolServerConnection, isFresh: boolean): Promise<Offers> {
    const target = targetOf(of, name, declared)
    const { definitions, refused, hasResources } = await list(target, isFresh)
    const pins = new Map((await reconcile(db, scopeOf(of, name, declared), of.version, definitions)).map((pin) => [pin.tool, pin]))
    const withheld: Withheld[] = refused.map(({ tool, why }) => ({ tool, why: `It is not offered: ${why}.` }))
    const offered = definitions.flatMap((mcp): Offered[] => {
      const pin = pins.get(mcp.name)
      const state = pin ? stateOf(pin) : 'added'
      const visible = visibleName(name, mcp.name)
      if (state === 'ready') return [{ kind: 'mcp', name: visible, definition: toToolDefinition(name, visible, mcp), target, mcp }]
      withheld.push({ tool: visible, why: whyWithheld(state, of.agent, visible) })
      return []
    })
    if (hasResources) offered.push(...resourcesOf(target, new Set([...definitions.map(({ name: tool }) => tool), ...pins.keys()])))
    return once({ offered, withheld })
  }

  /** Looked up each time: what was revoked a moment ago is not offered now. */
  async function marketplaceOffers(of: VersionOf, name: string, { entry, tools, timeoutMs }: MarketplaceConnection, isFresh: boolean): Promise<Offers> {
    const namespace = of.namespace ?? 'default'
    const installed = await findInstalled(db.forTenant(of.tenantId), namespace, entry)
    const why = whyNotInstalled(installed, entry, namespace)
    if (!installed || why !== undefined) return { offered: [], withheld: [{ tool: null, why: why ?? '' }] }
    const declared = { ...(installed.connection as { kind: string; tools?: string[] }), timeoutMs, ...(tools && { tools }) } // As it was published.
    if (declared.kind === 'openapi') {
      const openapi = OpenApiConnection.parse(declared)
      return apiOffers(name, openapi, await installedApi(installed, openapi))
    }
    const target: McpTarget = { ...of, connection: name, declared: McpConnection.parse(declared), folder: '' }
    const { definitions } = await list(target, isFresh)
    const hashes = new Map(installed.tools.map((tool) => [tool.name, tool.hash]))
    const withheld: Withheld[] = []
    const offered = definitions.flatMap((mcp): Offered[] => {
      const visible = visibleName(name, mcp.name)
      if (hashes.get(mcp.name) === hashOf(mcp)) return [{ kind: 'mcp', name: visible, definition: toToolDefinition(name, visible, mcp), target, mcp }]
      const what = hashes.has(mcp.name) ? 'has changed its definition since' : 'did not have it when'
      withheld.push({
        tool: visible,
        why: `Its tool server ${what} version ${installed.version} of ${entry} was published. Publish it anew, have it reviewed, and install that.`,
      })
      return []
    })
    return once({ offered, withheld })
  }

  function apiOffers(name: string, declared: z.output<typeof OpenApiConnection>, api: Api): Offers {
    const offered = api.operations
      .filter(({ id }) => !declared.tools || declared.tools.includes(id))
      .map((operation): Offered => {
        const visible = visibleName(name, operation.id)
        const definition = { name: visible, description: shorten(`[${name}] ${operation.description}`, 2_000), inputSchema: operation.inputSchema as Json }
        return { kind: 'openapi', name: visible, definition, connection: name, declared, api, operation }
      })
    return once({ offered, withheld: api.refused.map(({ tool, why }) => ({ tool: shorten(tool, 200), why: `It is not offered: ${why}.` })) })
  }

  return {
    targetOf,
    /** Throws a `StepFailure`, retryable while the tool server is away. `isFresh`: asks it now, whatever is remembered. */
    async offers(of: VersionOf, { name, connection }: Named, isFresh = false): Promise<Offers> {
      if (connection.kind === 'marketplace') return marketplaceOffers(of, name, connection, isFresh)
      return connection.kind === 'openapi' ? apiOffers(name, connection, await apiOf(of, connection)) : mcpOffers(of, name, connection, isFresh)
    },
    pins: ({ tenantId, agent }: VersionOf, { name, connection }: Named): Promise<Pin[]> =>
      connection.kind === 'openapi' || connection.kind === 'marketplace' ? Promise.resolve([]) : listPins(db, scopeOf({ tenantId, agent }, name, connection)),
  }
}

/** What a person has to authorize of a connection; undefined where nobody has to. */
export function toAuthorize(agent: string, { name, connection }: Named): Target | undefined {
  if (connection.kind !== 'mcp' && connection.kind !== 'openapi') return undefined
  const { kind, url } = connection
  const of = { agent, connection: name, address: url ?? '' } // An API with `oauth` has one.
  if (kind === 'mcp') return connection.oauth && 'flow' in connection.oauth ? { kind, ...of, oauth: connection.oauth } : undefined
  return connection.oauth?.flow === 'authorization-code' ? { kind, ...of, oauth: connection.oauth } : undefined
}

/** Ours, where the connection does not leave them out. A name that the server has for a tool of its own, approved or not, stays the server's. */
const resourcesOf = (target: McpTarget, taken: ReadonlySet<string>): Offered[] =>
  resourceTools
    .filter((tool) => !taken.has(tool) && (target.declared.tools?.includes(tool) ?? true))
    .map((tool) => {
      const definition = resourceDefinition(target.connection, tool)
      return { kind: 'resource', name: definition.name, definition, target, tool }
    })

/** Pins belong to an agent, not to one version of it: a new version must not be a way round an approval. */
export const scopeOf = ({ tenantId, agent }: { tenantId: string; agent: string }, connection: string, declared: ToolServerConnection): PinScope => ({
  tenantId,
  agent,
  connection,
  target: createHash('sha256')
    .update(declared.kind === 'mcp' ? declared.url : JSON.stringify([declared.command, declared.args]))
    .digest('hex')
    .slice(0, 16),
})

function whyNotInstalled(installed: Installed | undefined, entry: string, namespace: string): string | undefined {
  if (!installed) return `${entry} of the marketplace is not installed in the namespace ${namespace}.`
  if (installed.state !== 'approved')
    return `Version ${installed.version} of ${entry} was ${installed.state}${installed.reason ? `: ${installed.reason}` : '.'}`
  return undefined
}

const whyWithheld = (state: 'changed' | 'added' | 'gone', agent: string, tool: string): string =>
  `Its tool server ${state === 'added' ? 'has it since later than the others' : 'has changed its definition'}. Look at it with \`longhaul tools get ${agent} ${tool}\`, and approve it there if it is right.`

/** Each name once, and no more than a model can be given. */
function once({ offered, withheld }: Offers): Offers {
  const names = new Set<string>()
  const twice = offered.filter(({ name }) => names.has(name) || !names.add(name))
  const kept = offered.filter((one) => !twice.includes(one))
  return {
    offered: kept.slice(0, connectionToolsMax),
    withheld: [
      ...withheld,
      ...twice.map(({ name }) => ({ tool: name, why: 'There is another tool of this name.' })),
      ...kept
        .slice(connectionToolsMax)
        .map(({ name }) => ({ tool: name, why: `A connection gives at most ${connectionToolsMax} tools. Name those that are needed in its \`tools\`.` })),
    ],
  }
}

function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > rememberedMax) for (const oldest of map.keys().take(1)) map.delete(oldest)
}
