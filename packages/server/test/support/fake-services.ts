/** Services that hold a few things in memory, to test the API alone. What they return has fields that no caller may ever see. */
import { type Agent, type Approval, type LiveFrame, type Run, type RunEvent, type System, permissions } from '@longhaul/protocol'
import { type ApiOptions, type RunStream, type Services, httpApi, implementAll } from '../../src/api/index.ts'
import type { Caller, Keys } from '../../src/identity/index.ts'
import { AppError, silentLog } from '../../src/kernel/index.ts'

export const runId = '0195e0d6-5c1e-7000-8000-000000000001'
export const otherTenantsRunId = '0195e0d6-5c1e-7000-8000-000000000002'
export const approvalId = '0195e0d6-5c1e-7000-8000-000000000003'
export const keyId = '0195e0d6-5c1e-7000-8000-000000000004'
export const at = '2026-01-02T03:04:05.678Z'
/** In every field that is not in the contract. */
export const leak = 'INTERNAL-ONLY'

const hidden = { tenantId: leak, epoch: leak, secretHash: leak }

export const aRun: Run & Record<string, unknown> = {
  id: runId,
  agent: 'analyst',
  version: 'v1',
  state: 'running',
  input: { question: 'why' },
  output: null,
  failure: null,
  wait: null,
  session: null,
  asker: { id: keyId, name: 'administrator', access: { personalData: true } },
  usage: { input: 1, cachedInput: 0, output: 2, costUsd: null },
  eventCount: 1,
  createdAt: at,
  startedAt: at,
  endedAt: null,
  ...hidden,
}
export const anApproval: Approval & Record<string, unknown> = {
  id: approvalId,
  runId,
  agent: 'analyst',
  title: 'Send it?',
  detail: null,
  state: 'approved',
  decidedBy: 'administrator',
  comment: null,
  createdAt: at,
  expiresAt: null,
  decidedAt: at,
  ...hidden,
}
export const anAgent: Agent & Record<string, unknown> = {
  name: 'analyst',
  version: 'v1',
  status: 'ready',
  problem: null,
  manifest: null,
  deployedAt: at,
  ...hidden,
}
const aVersion = {
  agent: 'analyst',
  version: '0123456789ab',
  status: 'ready' as const,
  problem: null,
  deployment: 'live' as const,
  share: 100,
  activeRunCount: 0,
  createdAt: at,
  ...hidden,
}
const aDeployment = {
  id: keyId,
  agent: 'analyst',
  version: '0123456789ab',
  share: 100,
  state: 'live' as const,
  replaced: null,
  guard: null,
  evidence: null,
  reason: null,
  madeBy: 'administrator',
  createdAt: at,
  endedAt: null,
  ...hidden,
}
const aKey = { id: keyId, name: 'reader', permissions: ['runs:read' as const], access: { personalData: true }, createdAt: at, lastUsedAt: null, ...hidden }
const aStep = {
  op: '0',
  kind: 'model' as const,
  name: 'model',
  attempt: 1,
  input: null,
  output: null,
  failure: null,
  startedAt: at,
  endedAt: at,
  durationMs: 1,
  ...hidden,
}
const aTool = {
  agent: 'analyst',
  version: '0123456789ab',
  name: 'crm__find',
  kind: 'mcp' as const,
  connection: 'crm',
  state: 'ready' as const,
  description: 'Finds',
  inputSchema: {},
  limits: {},
  calls: { count: 0, errorCount: 0, durationMsP50: null, durationMsP95: null },
  pin: null,
  ...hidden,
}
const aSystem: Omit<System, 'caller'> = {
  version: '0.1.0',
  sandbox: { driver: 'virtual', enforced: [], missing: [], languages: [] },
  models: { default: 'offline/planner', offline: true, available: [] },
  database: { kind: 'embedded', version: '18' },
  startup: [],
  ...hidden,
}

/** Whoever asks for `lh_all` may do everything, `lh_<permission>` that alone, and `lh_but-<permission>` all but that. */
export async function authenticate(secret: string): Promise<Caller | undefined> {
  const word = secret.slice('lh_'.length)
  const granted =
    word === 'all'
      ? permissions
      : word.startsWith('but-')
        ? permissions.filter((permission) => permission !== word.slice(4))
        : permissions.filter((permission) => permission === word)
  if (!secret.startsWith('lh_') || granted.length === 0) return undefined
  return { keyId, tenantId: 'acme', askerId: undefined, name: 'administrator', permissions: granted, access: { personalData: true } }
}

export type FakeStream = RunStream & {
  events: RunEvent[]
  end(): void
  push(...events: RunEvent[]): void
  live(...frames: LiveFrame[]): void
  subscribers(): number
  reads: number
  /** What the next reads throw. */
  failures: Error[]
}

export const anEvent = (seq: number): RunEvent => ({ seq, type: 'signal.received', at, data: { name: 'news', payload: seq, by: 'someone' } })

export function makeStream(): FakeStream {
  const listeners = new Set<{ onWake(): void; onLive(frame: LiveFrame): void }>()
  let isEnded = false
  const wake = () => listeners.forEach(({ onWake }) => onWake())
  const stream: FakeStream = {
    events: [],
    failures: [],
    reads: 0,
    async read({ tenantId }, id, after, limit) {
      stream.reads++
      const failure = stream.failures.shift()
      if (failure) throw failure
      if (tenantId !== 'acme' || id !== runId) throw new AppError('not_found', `No run ${id}.`)
      return { events: stream.events.filter(({ seq }) => seq > after).slice(0, limit), isEnded }
    },
    subscribe(id, onWake, onLive) {
      const listener = { onWake, onLive }
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    push(...events) {
      stream.events.push(...events)
      wake()
    },
    end() {
      isEnded = true
      wake()
    },
    live: (...frames) => frames.forEach((frame) => listeners.forEach(({ onLive }) => onLive(frame))),
    subscribers: () => listeners.size,
  }
  return stream
}

export function makeApi(changes: Partial<ApiOptions> & { services?: Partial<Services> } = {}) {
  const calls: unknown[][] = []
  const called =
    <Result>(name: string, result: Result) =>
    async (...given: unknown[]): Promise<Result> => {
      calls.push([name, ...given])
      return result
    }
  const ofTenant =
    <Thing>(id: string, thing: Thing) =>
    async (reader: string | { tenantId: string }, asked: string) =>
      (typeof reader === 'string' ? reader : reader.tenantId) === 'acme' && asked === id ? thing : undefined
  const stream = makeStream()
  const keys: Keys = {
    authenticate,
    create: called('keys.create', { ...aKey, secret: 'lh_new' }),
    createFirst: called('keys.createFirst', { ...aKey, secret: 'lh_new' }),
    list: called('keys.list', [aKey]),
    delete: called('keys.delete', aKey),
    stop: async () => {},
  }
  const services: Services = {
    runs: {
      start: called('runs.start', aRun),
      find: ofTenant(runId, aRun),
      list: called('runs.list', { items: [aRun], next: null }),
      findStep: async (_, id, op) => (id === runId && op === '0' ? aStep : undefined),
      cancel: called('runs.cancel', aRun),
      retry: called('runs.retry', aRun),
      signal: called('runs.signal', aRun),
    },
    stream,
    approvals: { list: called('approvals.list', { items: [anApproval], next: null }), decide: called('approvals.decide', anApproval) },
    agents: { list: called('agents.list', [anAgent]), find: ofTenant('analyst', anAgent) },
    deployments: {
      createVersion: called('versions.create', aVersion),
      listVersions: called('versions.list', [aVersion]),
      deploy: called('deployments.create', aDeployment),
      rollBack: called('deployments.rollback', aDeployment),
      list: called('deployments.list', { items: [aDeployment], next: null }),
    },
    tools: {
      list: called('tools.list', [aTool]),
      refresh: called('tools.refresh', { items: [aTool], problems: [] }),
      approve: called('tools.approve', aTool),
      limit: called('tools.limit', { agent: 'analyst', limits: {} }),
    },
    keys,
    system: { describe: async () => aSystem },
    stopping: new AbortController().signal,
    log: silentLog,
    ...changes.services,
  }
  const app = httpApi({
    implementations: implementAll(services),
    authenticate,
    findFile: async () => undefined,
    mcp: { handle: async () => new Response('mcp') },
    health: async () => {},
    consoleFolder: '/nowhere',
    host: '127.0.0.1',
    bodyBytesMax: 1_000,
    log: silentLog,
    ...changes,
  })
  /** As a caller who may do everything, unless told otherwise. */
  const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    app.request(path, {
      method,
      headers: { authorization: 'Bearer lh_all', ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
  return { app, ask, calls, stream }
}
