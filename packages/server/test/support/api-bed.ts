/** The API with everything behind it but workers: real keys, engine, files and sandboxes on a real database. Runs execute as the test says. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Agent, type DataAccess, type HistoryEntry, type Json, type Run, type RunEvent, type ServerFrame, permissions } from '@longhaul/protocol'
import { type Files, makeExecutors, openAgents, openDeployments, openFiles, runServices, toMessages } from '../../src/agents/index.ts'
import { httpApi, implementAll, mcpEndpoint } from '../../src/api/index.ts'
import { type Assignment, type RunFrame, openEngine } from '../../src/engine/index.ts'
import type { Gateway } from '../../src/gateway/index.ts'
import { openKeys } from '../../src/identity/index.ts'
import { AppError, silentLog, sleep } from '../../src/kernel/index.ts'
import { openSandboxes } from '../../src/sandbox/index.ts'
import { openTools } from '../../src/tools/index.ts'
import { makeDatabase } from './postgres.ts'

export type RunStart = Extract<ServerFrame, { type: 'run.start' }>
/** What a worker of the agent says first, or again after it is lost, until the operation `0` has a result. Then the run completes with that. */
export type Opening = (start: RunStart) => RunFrame[]
export type Bed = Awaited<ReturnType<typeof openBed>>

const gateway: Gateway = {
  defaultModel: 'none',
  isOffline: true,
  available: [],
  generate: () => Promise.reject(new AppError('unavailable', 'No model here.')),
}

export async function openBed(openings: Record<string, Opening>, wrapFiles: (files: Files) => Files = (files) => files) {
  const database = await makeDatabase()
  const { db } = database
  const dataDir = await mkdtemp(join(tmpdir(), 'bed-'))
  await mkdir(join(dataDir, 'agent', 'sandbox', 'workspace'), { recursive: true }) // Of every agent's code: what a sandbox begins with.
  const sandboxes = await openSandboxes({ driver: 'virtual', root: join(dataDir, 'sandboxes'), log: silentLog })
  const files = openFiles({ db, folder: join(dataDir, 'blobs') })
  const tools = openTools({
    db,
    log: silentLog,
    version: 'test',
    privateHosts: [],
    manifestOf: async () => undefined,
    liveVersionOf: async () => undefined,
    folderOf: () => dataDir,
  })
  const starts: RunStart[] = []
  const assignments = new Map<string, Assignment>()
  const engine = openEngine({
    db,
    log: silentLog,
    leaseMs: 60_000,
    pollMs: 50,
    toMessages,
    executors: makeExecutors({ gateway, sandboxes, files: wrapFiles(files), tools, folderOf: () => dataDir }),
    execute(assignment) {
      assignments.set(assignment.id, assignment)
      const opening = openings[assignment.agent]
      if (opening) work(assignment, opening, starts)
    },
    onReleased: (runId) => void assignments.delete(runId),
  })
  await engine.start()
  const keys = openKeys({ db, log: silentLog })
  const find = async (_: string, name: string): Promise<Agent | undefined> =>
    name in openings ? { name, version: 'v1', status: 'ready', problem: null, manifest: null, deployedAt: '2026-01-02T03:04:05.678Z' } : undefined
  const list = async () => Promise.all(Object.keys(openings).map((name) => find('', name))).then((found) => found.flatMap((agent) => agent ?? []))
  const ofRuns = runServices({ db, engine, agents: { find, list, canaryFor: async () => undefined } })
  const mcp = mcpEndpoint({ ...ofRuns, agents: { find, list }, log: silentLog, version: 'test', bodyBytesMax: 1_000_000, patienceMs: 20_000 })
  const app = httpApi({
    implementations: implementAll({
      ...ofRuns,
      agents: { find, list },
      deployments: openDeployments({ db, log: silentLog, agents: openAgents({ db, log: silentLog, dataDir, agentsDir: dataDir }), warm: () => {} }),
      tools,
      keys,
      stopping: new AbortController().signal,
      log: silentLog,
      system: { describe: () => Promise.reject(new AppError('unavailable', 'Not asked for here.')) },
    }),
    authenticate: keys.authenticate,
    findFile: files.find,
    mcp,
    health: () => engine.assertHealthy(),
    consoleFolder: dataDir,
    host: '127.0.0.1',
    bodyBytesMax: 1_000_000,
    log: silentLog,
  })
  return {
    app,
    keys,
    db,
    /** The runs as they came to workers, in order. */
    starts,
    /** Somebody who may do everything, with what `access` lets them see. */
    async caller(name: string, access: DataAccess) {
      const { id, secret } = await keys.createFirst('acme', { name, permissions: [...permissions], access })
      const ask = async (method: string, path: string, body?: Json, headers: Record<string, string> = {}): Promise<Response> =>
        app.request(path, { method, headers: { authorization: `Bearer ${secret}`, ...headers }, ...(body !== undefined && { body: JSON.stringify(body) }) })
      const read = async <Body>(path: string): Promise<Body> => {
        const response = await ask('GET', path)
        if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`)
        return (await response.json()) as Body
      }
      return {
        secret,
        id,
        name,
        ask,
        read,
        /** Starts a run and waits until it ends or waits. */
        async start(agent: string, more: { input?: Json; session?: string; idempotencyKey?: string } = {}): Promise<Run> {
          const response = await ask('POST', '/v1/runs', { agent, input: {}, ...more })
          if (response.status !== 200) throw new Error(await response.text())
          const { id: runId } = (await response.json()) as Run
          return until(
            () => read<Run>(`/v1/runs/${runId}`),
            ({ state }) => state !== 'pending' && state !== 'running',
          )
        },
        events: async (runId: string) => (await read<{ items: RunEvent[] }>(`/v1/runs/${runId}/events`)).items,
      }
    },
    loseWorkerOf: (runId: string) => assignments.get(runId)?.interrupt('worker_lost', 'The worker process is gone.', true),
    async [Symbol.asyncDispose]() {
      await engine.stop()
      await tools.stop()
      await keys.stop()
      await sandboxes.stop()
      await database[Symbol.asyncDispose]()
      await rm(dataDir, { recursive: true })
    },
  }
}

export type BedCaller = Awaited<ReturnType<Bed['caller']>>

/** A worker of a few words. Its frames go in turns of their own, as over a socket. */
function work(assignment: Assignment, opening: Opening, starts: RunStart[]): void {
  const say = (...frames: RunFrame[]) => setImmediate(() => frames.forEach((frame) => assignment.receive(frame)))
  let start: RunStart | undefined
  const finish = (output: Json) => say({ type: 'run.completed', run: assignment.id, output })
  const begin = (history: HistoryEntry[]) => {
    const done = history.find((entry) => entry.type === 'completed' && entry.op === '0')
    if (done?.type === 'completed') finish(done.output)
    else if (start) say(...opening(start))
  }
  assignment.attach((frame) => {
    if (frame.type === 'run.start') {
      starts.push((start = frame))
      if (frame.historyLength === 0) begin([])
    }
    if (frame.type === 'run.history') begin(frame.entries)
    if (frame.type === 'op.completed') finish(frame.output ?? null)
    if (frame.type === 'op.failed') say({ type: 'run.failed', run: assignment.id, failure: frame.failure })
  })
}

/** Reads until it is as wanted; throws with what was read last. */
export async function until<Fact>(read: () => Promise<Fact>, isDone: (found: Fact) => boolean, limitMs = 15_000): Promise<Fact> {
  const end = performance.now() + limitMs
  for (;;) {
    const found = await read()
    if (isDone(found)) return found
    if (performance.now() > end) throw new Error(`After ${limitMs} ms it is still ${JSON.stringify(found)}`)
    await sleep(10)
  }
}
