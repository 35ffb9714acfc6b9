/**
 * A small server that speaks Longhaul's real HTTP: paths, bodies and errors come from the protocol's operations, every output is checked
 * against its schema, and streams are real bytes over real connections, which can be cut.
 */
import { createAttachment, errorCodes, isTerminal, operations } from '@longhaul/protocol'
import type {
  Agent,
  Approval,
  ArgumentSource,
  AttentionItem,
  ConnectionProblem,
  Delivery,
  ErrorCode,
  JournalEntry,
  LiveFrame,
  Run,
  RunEvent,
  RunState,
  System,
  Tool,
} from '@longhaul/protocol'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export type Script = (RunEvent | LiveFrame | { type: 'pause'; until: Promise<unknown> } | { type: 'cut' })[]
type NewEvent<E> = E extends RunEvent ? Omit<E, 'seq' | 'at'> & { at?: string } : E
type Key = { id: string; name: string; secret: string; permissions: string[]; access: { regions?: string[]; personalData: boolean } }
type StoredRun = { run: Run; script: Script; told: number }

export type FakeApi = Awaited<ReturnType<typeof startFakeApi>>
export type FakeOptions = {
  agents?: Agent[]
  script?: (run: Run, key: Key) => Script
  approvals?: Approval[]
  sources?: ArgumentSource[]
  system?: System
  attention?: AttentionItem[]
  deliveries?: Delivery[]
  journal?: JournalEntry[]
  tools?: Tool[]
  problems?: ConnectionProblem[]
  /** Of every answer. */ headers?: Record<string, string>
  /** By operation, for those that the fake keeps nothing of. */ answers?: Record<string, unknown>
}

const nobody: Key = { id: '', name: '', secret: '', permissions: [], access: { personalData: true } }

export const rootKey = 'lh_root'
const firstMoment = Date.parse('2026-11-21T03:00:00.000Z')

/** Numbers events and gives each a moment, so that scripts name only what matters. */
export function events(list: (NewEvent<RunEvent> | LiveFrame | { type: 'pause'; until: Promise<unknown> } | { type: 'cut' })[]): Script {
  let seq = 0
  return list.map((item) =>
    ['pause', 'cut', 'text-delta', 'output-delta'].includes(item.type) ? item : { at: new Date(firstMoment + seq * 250).toISOString(), ...item, seq: seq++ },
  ) as Script // Everything else is an event, which has just got its number.
}

class Refusal extends Error {
  readonly code: ErrorCode
  constructor(code: ErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

export async function startFakeApi(options: FakeOptions = {}) {
  const runs: StoredRun[] = []
  const keys: Key[] = [{ id: uuid(900), name: 'root', secret: rootKey, permissions: ['keys:manage'], access: { personalData: true } }]
  const starts = new Map<string, { body: string; run: Run }>()
  const sockets = new Set<Socket>()
  const requests: { method: string; path: string; headers: IncomingMessage['headers']; body: unknown }[] = []
  const files = new Map<string, Uint8Array>()
  const faults = { loseStartResponses: 0, unavailable: 0 }
  let port = 0

  const server = () =>
    createServer(
      (request, response) =>
        void handle(request, response).catch((error: unknown) => {
          const code = error instanceof Refusal ? error.code : 'internal'
          if (!response.headersSent) response.writeHead(errorCodes[code].http, { 'content-type': 'application/json' })
          response.end(
            JSON.stringify({ error: { code, message: error instanceof Error ? error.message : String(error), requestId: `req-${requests.length}` } }),
          )
        }),
    ).on('connection', (socket) => void sockets.add(socket.on('close', () => sockets.delete(socket))))
  let listening = server()

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://fake')
    if (request.method === 'POST' && request.headers['content-type'] === 'application/octet-stream') return takeFile(url, request, response)
    const text = await bodyOf(request)
    requests.push({ method: request.method ?? '', path: url.pathname + url.search, headers: request.headers, body: text ? JSON.parse(text) : undefined })
    if (faults.unavailable > 0) {
      faults.unavailable--
      throw new Refusal('unavailable', 'The database is not answering.')
    }
    const key = keys.find(({ secret }) => request.headers.authorization === `Bearer ${secret}`)
    const isOpen = url.pathname.startsWith('/v1/sign-in/')
    if (!key && !isOpen) throw new Refusal('unauthenticated', 'The key is unknown or expired.')
    const file = /^\/v1\/(?:files\/(.+)|attachments\/(.+)\/content)$/.exec(url.pathname)?.slice(1).find(Boolean)
    if (file) {
      const bytes = files.get(file)
      if (!bytes) throw new Refusal('not_found', `No file ${file}.`)
      return void response.end(bytes)
    }
    for (const operation of operations) {
      const [method, template] = operation.http
      const names = [...template.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
      const match = new RegExp(`^${template.replace(/\{\w+\}/g, '([^/]+)')}$`).exec(url.pathname)
      if (!match || method !== request.method) continue
      const given = {
        ...(text ? JSON.parse(text) : Object.fromEntries(url.searchParams)),
        ...Object.fromEntries(names.map((name, at) => [name, decodeURIComponent(match[at + 1] ?? '')])),
      }
      const input = operation.input.safeParse(given)
      if (!input.success) throw new Refusal('invalid', input.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '))
      if (operation.id === 'runs.events' && request.headers.accept?.includes('text/event-stream'))
        return stream(request, response, (input.data as { runId: string }).runId) // The operation's own schema, as below.
      const output = operation.output.parse(answer(operation.id, input.data as Record<string, never>, key ?? nobody))
      if (operation.id === 'runs.start' && faults.loseStartResponses > 0) {
        faults.loseStartResponses--
        return void request.socket.destroy() // The run exists; nobody will hear of it.
      }
      return void response.writeHead(200, { 'content-type': 'application/json', ...options.headers }).end(JSON.stringify(output))
    }
    throw new Refusal('not_found', `No address ${request.method} ${url.pathname}.`)
  }

  /** As they are, to be read back from `files`. */
  async function takeFile(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const content = Buffer.concat(chunks)
    requests.push({ method: 'POST', path: url.pathname + url.search, headers: request.headers, body: undefined })
    const name = url.searchParams.get('name') ?? ''
    if (name === 'large.bin') throw new Refusal('too_large', 'The file large.bin is too large.')
    const id = uuid(800 + files.size)
    files.set(id, content)
    const at = new Date(firstMoment).toISOString()
    const known = {
      id,
      name,
      mediaType: 'text/csv',
      bytes: content.length,
      digest: 'ab',
      namespace: 'default',
      uploadedBy: uuid(900),
      createdAt: at,
      expiresAt: at,
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(createAttachment.output.parse(known)))
  }

  const stored = (runId: string): StoredRun => {
    const found = runs.find(({ run }) => run.id === runId)
    if (!found) throw new Refusal('not_found', `No run ${runId}.`)
    return found
  }

  function answer(id: string, input: Record<string, never>, key: Key): unknown {
    switch (id) {
      case 'runs.start':
        return startRun(input, key)
      case 'runs.get':
        return stored(input['runId'] ?? '').run
      case 'runs.list':
        return {
          items: runs
            .map(({ run }) => run)
            .reverse()
            .slice(0, input['limit']),
          next: null,
        }
      case 'runs.events':
        return { items: recorded(stored(input['runId'] ?? '').script).filter(({ seq }) => seq > Number(input['after'])), next: null }
      case 'runs.export':
        return { items: (options.journal ?? []).filter(({ seq }) => seq > Number(input['after'])), next: null }
      case 'runs.step': {
        const [started, ended] = recorded(stored(input['runId'] ?? '').script).filter((event) => event.op === input['op'])
        if (started?.type !== 'step.started') throw new Refusal('not_found', `No step ${input['op']}.`)
        return {
          op: input['op'],
          kind: started.data.kind,
          name: started.data.name,
          attempt: started.data.attempt,
          input: started.data.input ?? null,
          output: ended?.type === 'step.completed' ? ended.data.output : null,
          failure: null,
          startedAt: started.at,
          endedAt: ended?.at ?? null,
          durationMs: 250,
        }
      }
      case 'runs.cancel': {
        const { run } = stored(input['runId'] ?? '')
        if (!isTerminal(run.state)) Object.assign(run, { state: 'cancelled' })
        return run
      }
      case 'runs.retry':
        if (stored(input['runId'] ?? '').run.state !== 'waiting') throw new Refusal('conflict', 'Only a run that waits for an operator can be retried.')
        return stored(input['runId'] ?? '').run
      case 'runs.decide': {
        const { run } = stored(input['runId'] ?? '')
        if (run.wait?.op !== input['op']) throw new Refusal('conflict', `Step ${input['op']} is not in doubt.`)
        return Object.assign(run, { state: 'running', wait: null })
      }
      case 'attention.list':
        return { items: options.attention ?? [], next: null }
      case 'attention.retry':
      case 'attention.fork':
      case 'attention.dismiss': {
        const ids = (input as unknown as { ids: string[] }).ids // As the operation's schema has it.
        const known = (options.attention ?? []).map((item) => item.id)
        const done = ids.filter((given) => known.includes(given)).map((given) => ({ id: given, runId: given }))
        return { done, left: ids.filter((given) => !known.includes(given)).map((given) => ({ id: given, problem: 'Nothing of this id needs attention.' })) }
      }
      case 'deliveries.list':
        return { items: options.deliveries ?? [], next: null }
      case 'runs.signal':
        return stored(input['runId'] ?? '').run
      case 'approvals.list':
        return { items: (options.approvals ?? []).filter(({ state }) => input['state'] === undefined || state === input['state']), next: null }
      case 'approvals.get': {
        const approval = options.approvals?.find((each) => each.id === input['approvalId'])
        if (!approval) throw new Refusal('not_found', `No approval ${input['approvalId']}.`)
        return { ...approval, sources: options.sources ?? [], isCut: false, labels: options.sources?.flatMap(({ labels }) => labels) ?? [] }
      }
      case 'approvals.decide': {
        const approval = options.approvals?.find((each) => each.id === input['approvalId'])
        if (!approval) throw new Refusal('not_found', `No approval ${input['approvalId']}.`)
        if (approval.state !== 'pending') throw new Refusal('conflict', `It was ${approval.state} before.`)
        return Object.assign(approval, { state: input['approved'] ? 'approved' : 'denied', comment: input['comment'] ?? null })
      }
      case 'agents.list':
        return { items: options.agents ?? [] }
      case 'agents.get': {
        const agent = options.agents?.find(({ name }) => name === input['name'])
        if (!agent) throw new Refusal('not_found', `No agent ${input['name']}.`)
        return agent
      }
      case 'keys.create': {
        if (!key.permissions.includes('keys:manage')) throw new Refusal('forbidden', 'This needs keys:manage.')
        const asked = input as unknown as Omit<Key, 'id' | 'secret'>
        const made: Key = { ...asked, permissions: asked.permissions ?? [], id: uuid(901 + keys.length), secret: `lh_${keys.length}` } // As the operation's schema has it.
        keys.push(made)
        return { ...publicKey(made), secret: made.secret }
      }
      case 'keys.list':
        return { items: keys.map(publicKey) }
      case 'keys.delete': {
        const at = keys.findIndex((each) => each.id === input['keyId'])
        const [deleted] = at < 0 ? [] : keys.splice(at, 1)
        if (!deleted) throw new Refusal('not_found', `No key ${input['keyId']}.`)
        return publicKey(deleted)
      }
      case 'tools.list':
        return { items: options.tools ?? [], problems: options.problems ?? [] }
      case 'tools.refresh':
        return { items: options.tools ?? [], problems: [{ connection: 'shop', message: 'The tool server shop cannot be reached (ECONNREFUSED).' }] }
      case 'tools.approve': {
        const tool = options.tools?.find(({ name }) => name === input['tool'])
        if (!tool?.pin || tool.pin.offeredHash !== input['hash']) throw new Refusal('conflict', 'It has another hash now.')
        return Object.assign(tool, { state: 'ready', pin: { ...tool.pin, hash: input['hash'], offeredHash: null, changes: [] } })
      }
      case 'tools.limit':
        return { agent: input['agent'], limits: { [String(input['pattern'])]: input['limits'] } }
      case 'system.get':
        return options.system
      default:
        if (options.answers && id in options.answers) return options.answers[id]
        throw new Refusal('internal', `The fake has no ${id}.`)
    }
  }

  function startRun(input: Record<string, never>, key: Key): Run {
    const {
      agent,
      input: question,
      session,
      idempotencyKey,
    } = input as unknown as { agent: string; input: Run['input']; session?: string; idempotencyKey?: string } // As the operation's schema has it.
    if (options.agents && !options.agents.some(({ name }) => name === agent)) throw new Refusal('not_found', `No agent ${agent}.`)
    const body = JSON.stringify([agent, question, session])
    const before = idempotencyKey === undefined ? undefined : starts.get(idempotencyKey)
    if (before) {
      if (before.body !== body) throw new Refusal('conflict', 'The same idempotency key came with another body.')
      return before.run
    }
    const run: Run = {
      id: uuid(runs.length),
      namespace: 'default',
      agent,
      version: 'v1',
      state: 'running',
      input: question,
      output: null,
      failure: null,
      wait: null,
      session: session ?? null,
      parent: null,
      continuedAs: null,
      asker: { id: key.id, name: key.name, access: key.access },
      usage: { input: 0, cachedInput: 0, output: 0, costUsd: 0 },
      compute: { cpuMs: 0, memoryMbS: 0 },
      eventCount: 0,
      createdAt: new Date(firstMoment).toISOString(),
      startedAt: new Date(firstMoment).toISOString(),
      endedAt: null,
    }
    const script = options.script?.(run, key) ?? []
    const last = recorded(script).at(-1)
    const ends: Record<string, RunState> = { 'run.completed': 'completed', 'run.failed': 'failed', 'run.cancelled': 'cancelled' }
    Object.assign(run, {
      state: ends[last?.type ?? ''] ?? 'running',
      eventCount: recorded(script).length,
      ...(last?.type === 'run.completed' ? { output: last.data.output } : {}),
      ...(last?.type === 'run.failed' ? { failure: last.data.failure } : {}),
    })
    runs.push({ run, script, told: -1 })
    if (idempotencyKey !== undefined) starts.set(idempotencyKey, { body, run })
    return run
  }

  /** Frames that passed a `cut` or were sent live once do not come again, as on the real server. */
  async function stream(request: IncomingMessage, response: ServerResponse, runId: string): Promise<void> {
    const { script } = stored(runId)
    const after = Number(request.headers['last-event-id'] ?? -1)
    const from = script.findIndex((item) => 'seq' in item && item.seq === after) + 1
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('retry: 500\n\n')
    for (const [at, item] of script.entries()) {
      if (at < from) continue
      if (item.type === 'pause') await item.until
      else if (item.type === 'cut') {
        script.splice(at, 1)
        await new Promise((resolve) => response.write('id: 77\ndata: {"seq":77,"ty', resolve))
        return void request.socket.destroy()
      } else response.write(`${'seq' in item ? `id: ${item.seq}\n` : ''}event: ${item.type}\ndata: ${JSON.stringify(item)}\n\n`)
    }
    response.end('event: end\ndata: {}\n\n')
  }

  const listen = (on: number) => new Promise<void>((resolve) => listening.listen(on, '127.0.0.1', resolve))
  const close = async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => listening.close(resolve))
  }
  await listen(0)
  port = (listening.address() as AddressInfo).port // It listens on TCP.
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    runs,
    keys,
    files,
    faults,
    stop: close,
    /** Comes back on the same port with the same data. */
    async restart() {
      listening = server()
      await listen(port)
    },
    [Symbol.asyncDispose]: close,
  }
}

const recorded = (script: Script): RunEvent[] => script.filter((item) => 'seq' in item)
const publicKey = ({ secret: _secret, ...key }: Key) => ({
  ...key,
  createdAt: new Date(firstMoment).toISOString(),
  role: null,
  namespaces: null,
  agents: null,
  expiresAt: null,
  lastUsedAt: null,
})
export const uuid = (n: number): string => `0198c1f2-8a3e-7d41-9c4e-${n.toString(16).padStart(12, '0')}`

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}
