/** Clients of MCP servers: made when needed, shared by the runs of a version, closed when idle. They speak 2026-07-28, and 2025-11-25 and older to servers that do not. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { Client, type Transport } from '@modelcontextprotocol/client'
import type { CommandConnection, McpConnection } from '@longhaul/protocol'
import { type Log, after } from '../../kernel/index.ts'
import type { OpenHosted } from '../../sandbox/index.ts'
import { failed } from '../failures.ts'
import type { Egress } from '../egress/egress.ts'
import type { SecretsUser, ToolSecrets } from '../secrets.ts'
import type { Authorizations } from './authorizations.ts'
import { type ProgramTransport, ProgramEnded, openPrograms } from './command.ts'
import { httpTransport, readHeaders, withCredentials } from './transports.ts'

export type ToolServerConnection = McpConnection | CommandConnection
export type McpTarget = SecretsUser & {
  version: string
  connection: string
  declared: ToolServerConnection
  /** The folder of its declaration in this version's code. */
  folder: string
}
export type McpClients = {
  /** `work` with a connected client. After `SessionGone` from `work` it is called once more with a new one. */
  use<Result>(target: McpTarget, signal: AbortSignal, work: (client: Client) => Promise<Result>): Promise<Result>
  stop(): Promise<void>
}

/** Thrown by `work`: the server has forgotten the session, and did nothing. */
export class SessionGone extends Error {
  override readonly name = 'SessionGone'
}

type Open = { client: Client; transport: Transport }
type Entry = { open: Promise<Open>; cancelIdle: () => void; useCount: number }

const idleMsDefault = 300_000
const connectMsMax = 15_000
const clientsMax = 500

export type McpOptions = {
  egress: Egress
  secrets: ToolSecrets
  authorizations: Authorizations
  /** Where programs run. */
  hosted: OpenHosted
  log: Log
  version: string
  /** Unused for so long, a client is closed, and its program ended. */
  idleMs?: number | undefined
}

export function openMcpClients({ egress, secrets, authorizations, hosted, log, version, idleMs = idleMsDefault }: McpOptions): McpClients {
  const programs = openPrograms({ hosted, log })
  const entries = new Map<string, Entry>()

  async function use<Result>(target: McpTarget, signal: AbortSignal, work: (client: Client) => Promise<Result>, mayRepeat = true): Promise<Result> {
    const { key, dial } = await wayTo(target)
    const entry = enter(key, (onGone) => connect(target.connection, dial, onGone, signal))
    try {
      const { client, transport } = await entry.open
      try {
        return await work(client)
      } catch (error) {
        const why = whyEnded(transport)
        throw why === undefined ? error : new ProgramEnded(why, { cause: error })
      }
    } catch (error) {
      if (!(error instanceof SessionGone)) throw error
      drop(key, entry)
      if (!mayRepeat) throw error
      return await use(target, signal, work, false)
    } finally {
      leave(key, entry)
    }
  }

  /** With another secret, address or command it is another client: what was opened with the old one is not used again. */
  async function wayTo(target: McpTarget): Promise<{ key: string; dial(): Promise<Transport> }> {
    const { tenantId, agent, version, connection, declared, folder } = target
    if (declared.kind === 'command') {
      const egress = await withCredentials(target, declared.egress, secrets)
      const key = digest([tenantId, agent, version, connection, declared, egress])
      const seed = declared.files === undefined ? undefined : join(folder, declared.files)
      return { key, dial: () => programs.start(key, { tenantId, connection, declared, egress, seed }) }
    }
    const headers = await readHeaders(target, declared.headers, new URL(declared.url).hostname, secrets)
    const key = digest([tenantId, agent, connection, declared, headers])
    return { key, dial: () => httpTransport(target, declared, headers, { egress, secrets, authorizations }) }
  }

  function enter(key: string, open: (onGone: () => void) => Promise<Open>): Entry {
    let entry = entries.get(key)
    if (!entry) {
      const made: Entry = { open: open(() => drop(key, made)), cancelIdle: () => {}, useCount: 0 }
      entry = made
      entries.set(key, made)
      made.open.catch(() => drop(key, made))
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
    void entry.open.then(({ client }) => client.close()).catch(() => {}) // It is given up either way.
  }

  async function connect(connection: string, dial: () => Promise<Transport>, onGone: () => void, signal: AbortSignal): Promise<Open> {
    const transport = await dial()
    const client = new Client({ name: 'longhaul', version }, { versionNegotiation: { mode: 'auto' }, listMaxPages: 16, inputRequired: { autoFulfill: false } })
    /* oxlint-disable unicorn/prefer-add-event-listener -- It is no event target: this is the library's only way. */
    client.onerror = (error) => log.debug('an MCP connection reports', { connection, reason: error.message.slice(0, 500) })
    client.onclose = onGone
    /* oxlint-enable unicorn/prefer-add-event-listener */
    try {
      await client.connect(transport, { timeout: connectMsMax, signal })
      return { client, transport }
    } catch (error) {
      await transport.close().catch(() => {}) // What went wrong is told.
      const why = whyEnded(transport)
      throw why === undefined ? error : failed('away', `The program of ${connection} does not stay. ${why}`, true, error)
    }
  }

  return {
    use,
    async stop() {
      const left = [...entries]
      for (const [key, entry] of left) drop(key, entry)
      await Promise.all(left.map(([, { open }]) => open.then(({ client }) => client.close()).catch(() => {}))) // Nothing is expected of it any more.
      await programs.stop()
    },
  }
}

const digest = (parts: unknown[]): string => createHash('sha256').update(JSON.stringify(parts)).digest('base64')

/** Why a program that spoke over this has ended; undefined while it runs, and where there is none. */
const whyEnded = (transport: Transport): string | undefined => ('whyEnded' in transport ? (transport as ProgramTransport).whyEnded : undefined)
