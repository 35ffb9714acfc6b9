/** Clients of MCP servers: made when needed, shared by the runs of a version, closed when idle. They speak 2026-07-28, and 2025-11-25 and older to servers that do not. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { Client, type ElicitRequestParams, type ElicitResult, type Transport } from '@modelcontextprotocol/client'
import type { CommandConnection, McpConnection } from '@longhaul/protocol'
import { type Log, after } from '../../kernel/index.ts'
import type { OpenHosted } from '../../sandbox/index.ts'
import { failed } from '../failures.ts'
import type { Egress } from '../egress/egress.ts'
import type { Authorizations } from '../oauth/authorizations.ts'
import type { SecretsUser, ToolSecrets } from '../secrets.ts'
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
/** Whose words it says: the host, or the connection of a program. */
export const originOf = ({ declared, connection }: McpTarget): string => (declared.kind === 'mcp' ? new URL(declared.url).host : connection)

export type McpClients = {
  /** `work` with a connected client. After `SessionGone` from `work` it is called once more with a new one. `answer` is asked what the server asks because of `work`, while it lasts. */
  use<Result>(target: McpTarget, signal: AbortSignal, work: (client: Client) => Promise<Result>, answer?: Answer): Promise<Result>
  stop(): Promise<void>
}

/** Thrown by `work`: the server has forgotten the session, and did nothing. */
export class SessionGone extends Error {
  override readonly name = 'SessionGone'
}

export type Answer = (params: ElicitRequestParams) => ElicitResult

type Open = { client: Client; transport: Transport }
/** `answers`: of the calls that are under way. */
type Entry = { open: Promise<Open>; cancelIdle: () => void; useCount: number; answers: Set<Answer> }

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
  /** What is read of the response to a request over HTTP is read on its behalf. */
  const onBehalf = new AsyncLocalStorage<Answer>()

  async function use<Result>(
    target: McpTarget,
    signal: AbortSignal,
    work: (client: Client) => Promise<Result>,
    answer?: Answer,
    mayRepeat = true,
  ): Promise<Result> {
    const { key, dial } = await wayTo(target)
    const entry = enter(key, (answers, onGone) => connect(target.connection, dial, answers, onGone, signal))
    try {
      const { client, transport } = await entry.open
      if (answer) entry.answers.add(answer)
      try {
        return await (answer ? onBehalf.run(answer, () => work(client)) : work(client))
      } catch (error) {
        const why = whyEnded(transport)
        throw why === undefined ? error : new ProgramEnded(why, { cause: error })
      } finally {
        if (answer) entry.answers.delete(answer)
      }
    } catch (error) {
      if (!(error instanceof SessionGone)) throw error
      drop(key, entry)
      if (!mayRepeat) throw error
      return await use(target, signal, work, answer, false)
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

  function enter(key: string, open: (answers: ReadonlySet<Answer>, onGone: () => void) => Promise<Open>): Entry {
    let entry = entries.get(key)
    if (!entry) {
      const answers = new Set<Answer>()
      const made: Entry = { open: open(answers, () => drop(key, made)), cancelIdle: () => {}, useCount: 0, answers }
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

  async function connect(
    connection: string,
    dial: () => Promise<Transport>,
    answers: ReadonlySet<Answer>,
    onGone: () => void,
    signal: AbortSignal,
  ): Promise<Open> {
    const transport = await dial()
    const client = new Client(
      { name: 'longhaul', version },
      {
        capabilities: { elicitation: { form: {}, url: {} } },
        versionNegotiation: { mode: 'auto' },
        listMaxPages: 16,
        inputRequired: { maxRounds: 0 }, // What is required is told as an error, with all of it: it is a person who answers.
      },
    )
    // A question outside of a response belongs to the one call that is under way. With several nobody knows whose it is.
    const answering = () => onBehalf.getStore() ?? (answers.size === 1 ? [...answers][0] : undefined)
    client.setRequestHandler('elicitation/create', ({ params }): ElicitResult => answering()?.(params) ?? { action: 'cancel' })
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
