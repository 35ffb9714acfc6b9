/** Connections to MCP servers over streamable HTTP: made when needed, shared by the runs of a version, closed when idle. Speaks 2026-07-28, and 2025-11-25 and older to servers that do not. */
import { createHash } from 'node:crypto'
import { Client, ClientCredentialsProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { McpConnection } from '@longhaul/protocol'
import type { z } from 'zod'
import { type Log, after } from '../../kernel/index.ts'
import type { Egress } from '../egress/egress.ts'
import type { SecretsUser, ToolSecrets } from '../secrets.ts'

export type McpTarget = SecretsUser & { connection: string; declared: z.infer<typeof McpConnection> }
export type McpClients = {
  /** `work` with a connected client. After `SessionGone` from `work` it is called once more with a new one. */
  use<Result>(target: McpTarget, signal: AbortSignal, work: (client: Client) => Promise<Result>): Promise<Result>
  stop(): Promise<void>
}

/** Thrown by `work`: the server has forgotten the session, and did nothing. */
export class SessionGone extends Error {
  override readonly name = 'SessionGone'
}

type Entry = { client: Promise<Client>; cancelIdle: () => void; useCount: number }

const idleMs = 300_000
const connectMsMax = 15_000
const clientsMax = 500
/** Of one response, a whole event stream included: a server that floods is cut off here. */
export const responseBytesMax = 8_000_000

export function openMcpClients({ egress, secrets, log, version }: { egress: Egress; secrets: ToolSecrets; log: Log; version: string }): McpClients {
  const entries = new Map<string, Entry>()

  async function use<Result>(target: McpTarget, signal: AbortSignal, work: (client: Client) => Promise<Result>, mayRepeat = true): Promise<Result> {
    const url = new URL(target.declared.url)
    const headers = await readHeaders(target, target.declared.headers, url.hostname, secrets)
    // Another secret or address is another connection: what was opened with the old one is not used again.
    const key = digest([target.tenantId, target.agent, target.connection, target.declared, headers])
    const entry = enter(key, () => connect(target, url, headers, signal))
    try {
      return await work(await entry.client)
    } catch (error) {
      if (!(error instanceof SessionGone)) throw error
      drop(key, entry)
      if (!mayRepeat) throw error
      return await use(target, signal, work, false)
    } finally {
      leave(key, entry)
    }
  }

  function enter(key: string, open: () => Promise<Client>): Entry {
    let entry = entries.get(key)
    if (!entry) {
      entry = { client: open(), cancelIdle: () => {}, useCount: 0 }
      entries.set(key, entry)
      const made = entry
      made.client.catch(() => drop(key, made))
      for (const [oldest, idle] of entries) {
        if (entries.size <= clientsMax) break
        if (idle.useCount === 0) drop(oldest, idle)
      }
    }
    entry.cancelIdle()
    entry.useCount++
    return entry
  }

  function leave(key: string, entry: Entry): void {
    if (--entry.useCount === 0) entry.cancelIdle = after(idleMs, () => drop(key, entry), false)
  }

  function drop(key: string, entry: Entry): void {
    entry.cancelIdle()
    if (entries.get(key) === entry) entries.delete(key)
    void entry.client.then((client) => client.close()).catch(() => {}) // It is given up either way.
  }

  async function connect(target: McpTarget, url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<Client> {
    const { connection } = target
    const { oauth } = target.declared
    const tokenHosts = oauth ? await secrets.hostsOf(oauth.clientSecret.secret, target) : []
    /** Where a request may go. Only the hosts of the OAuth secret get what is posted elsewhere than to the server: whom the server names as its authority proves nothing. */
    const hostsFor = (href: string, method: string | undefined) =>
      href === url.href ? [url.hostname] : method === 'POST' ? tokenHosts : [url.hostname, ...tokenHosts]
    const client = new Client({ name: 'longhaul', version }, { versionNegotiation: { mode: 'auto' }, listMaxPages: 16, inputRequired: { autoFulfill: false } })
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- It is no event target: this is the library's only way.
    client.onerror = (error) => log.debug('an MCP connection reports', { connection, reason: error.message.slice(0, 500) })
    const transport = new StreamableHTTPClientTransport(url, {
      requestInit: { headers },
      reconnectionOptions: { maxRetries: 0, initialReconnectionDelay: 1_000, maxReconnectionDelay: 1_000, reconnectionDelayGrowFactor: 1 },
      // A stream of its own, on which a server could send what nobody asked for, is not opened.
      fetch: async (input, init = {}) =>
        init.method === 'GET' && String(input) === url.href
          ? new Response(null, { status: 405 })
          : egress.fetch(input, init, { hosts: hostsFor(String(input), init.method), bytesMax: responseBytesMax }),
      ...(oauth && {
        authProvider: new ClientCredentialsProvider({
          clientId: oauth.clientId,
          expectedIssuer: oauth.issuer,
          clientSecret: await secrets.read({ ...oauth.clientSecret, prefix: '' }, { ...target, host: new URL(oauth.issuer).hostname }),
          ...(oauth.scope !== undefined && { scope: oauth.scope }),
        }),
      }),
    })
    await client.connect(transport, { timeout: connectMsMax, signal })
    return client
  }

  return {
    use,
    async stop() {
      const open = [...entries]
      for (const [key, entry] of open) drop(key, entry)
      await Promise.all(open.map(([, { client }]) => client.then((one) => one.close()).catch(() => {}))) // Nothing is expected of it any more.
    },
  }
}

/** The declared headers with their secrets. */
export async function readHeaders(
  user: SecretsUser,
  headers: McpTarget['declared']['headers'],
  host: string,
  secrets: ToolSecrets,
): Promise<Record<string, string>> {
  const read = async ([name, held]: [string, McpTarget['declared']['headers'][string]]): Promise<[string, string]> => [
    name,
    typeof held === 'string' ? held : await secrets.read(held, { ...user, host }),
  ]
  return Object.fromEntries(await Promise.all(Object.entries(headers).map(read)))
}

const digest = (parts: unknown[]): string => createHash('sha256').update(JSON.stringify(parts)).digest('base64')
