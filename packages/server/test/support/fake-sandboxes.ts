/** Sandboxes of callers that are not there, to test the API alone. What they return has fields that no caller may ever see. */
import { Readable } from 'node:stream'
import type { EgressConnection, SandboxInfo, SandboxProcess, Snapshot, Template } from '@longhaul/protocol'
import type { SandboxService, TemplateService } from '../../src/sandbox/index.ts'

export const sandboxId = '0195e0d6-5c1e-7000-8000-000000000005'
export const processId = '0195e0d6-5c1e-7000-8000-000000000006'
const at = '2026-01-02T03:04:05.678Z'

type Called = <Result>(name: string, result: Result) => (...given: unknown[]) => Promise<Result>

export function fakeSandboxes(called: Called, hidden: Record<string, string>): SandboxService {
  const sandbox: SandboxInfo = {
    id: sandboxId,
    name: 'work',
    state: 'active',
    driver: 'bwrap',
    kernel: 'shared',
    notEnforced: [],
    image: null,
    limits: { memoryBytesMax: 1, processCountMax: 1, diskBytesMax: 1, fileCountMax: 1, ...hidden },
    // A credential's value would be such a field.
    egress: { rules: [{ host: 'example.com', credential: { header: 'authorization', isKnown: true, ...hidden } }], bytesMax: 1, requestsMax: 1, ...hidden },
    env: {},
    madeFrom: {},
    diskBytes: 0,
    ttlMs: 60_000,
    createdAt: at,
    usedAt: at,
    expiresAt: at,
    ...hidden,
  }
  const process: SandboxProcess = {
    id: processId,
    sandboxId,
    command: 'true',
    state: 'exited',
    exitCode: 0,
    signal: null,
    isTimedOut: false,
    isTruncated: false,
    message: null,
    startedAt: at,
    endedAt: at,
    ...hidden,
  }
  const snapshot: Snapshot = { id: sandboxId, name: null, sandboxId, image: null, bytes: 1, digest: '00', createdAt: at, ...hidden }
  const connection: EgressConnection = {
    id: sandboxId,
    host: 'example.com',
    port: 443,
    method: null,
    path: null,
    verdict: 'allowed',
    reason: null,
    status: null,
    bytesOut: 1,
    bytesIn: 1,
    startedAt: at,
    durationMs: 1,
    ...hidden,
  }
  const result = {
    exitCode: 0,
    signal: null,
    stdout: '',
    stderr: '',
    isTruncated: false,
    isTimedOut: false,
    durationMs: 1,
    driver: 'bwrap',
    kernel: 'shared',
    notEnforced: [],
    ...hidden,
  }
  const page = <Item>(item: Item) => ({ items: [item], next: null })
  const files = {
    write: { action: 'write' as const, count: 1, ...hidden },
    read: { action: 'read' as const, base64: '', bytes: 0, isTruncated: false, ...hidden },
    list: { action: 'list' as const, entries: [{ name: 'a', type: 'file' as const, bytes: 1, ...hidden }], ...hidden },
  }
  const stats = { isRunning: true, memoryBytes: null, cpuMs: 1, processCount: 1, diskBytes: 1, fileCount: 1, egressBytes: 0, egressRequests: 0, ...hidden }
  return {
    create: called('sandboxes.create', sandbox),
    list: called('sandboxes.list', page(sandbox)),
    get: called('sandboxes.get', sandbox),
    exec: called('sandboxes.exec', result),
    start: called('sandboxes.start', process),
    processes: called('sandboxes.processes', [process]),
    readOutput: called('sandboxes.output', { process, items: [{ seq: 0, stream: 'stdout', text: 'x', ...hidden }], droppedCount: 0, ...hidden }),
    waitForOutput: called('sandboxes.wait', undefined),
    watch: async (caller, sandbox, path) => void (await called('sandboxes.watch', undefined)(caller, sandbox, path)),
    giveInput: called('sandboxes.input', process),
    connect: () => Promise.reject(new Error('No sandbox is there.')),
    kill: called('sandboxes.kill', process),
    files: (caller, id, request) => called(`sandboxes.${request.action}`, files[request.action])(caller, id, request),
    packTree: async (...given) => called('sandboxes.tree', { stream: Readable.from([Buffer.from('tar')]), done: Promise.resolve(), cancel() {} })(...given),
    unpackTree: called('sandboxes.tree', undefined),
    snapshot: called('sandboxes.snapshot', snapshot),
    fork: called('sandboxes.fork', sandbox),
    setEgress: called('sandboxes.egress', sandbox),
    connections: called('sandboxes.connections', page(connection)),
    stats: called('sandboxes.stats', stats),
    release: called('sandboxes.release', sandbox),
    stop: called('sandboxes.stop', sandbox),
    listSnapshots: called('snapshots.list', page(snapshot)),
    deleteSnapshot: called('snapshots.delete', snapshot),
  }
}

export function fakeTemplates(called: Called, hidden: Record<string, string>): TemplateService {
  const template: Template = {
    id: sandboxId,
    name: 'data',
    version: 1,
    state: 'ready',
    problem: null,
    stepsDone: 1,
    stepCount: 1,
    image: null,
    step: null,
    bytes: 1,
    createdAt: at,
    preparedAt: at,
    usedAt: at,
    useCount: 0,
    ...hidden,
  }
  return {
    create: called('templates.create', template),
    list: called('templates.list', { items: [template], next: null }),
    get: called('templates.get', { ...template, log: '', isLogCut: false }),
    delete: called('templates.delete', template),
  }
}
