/** Agents and their live versions, and runs as the API knows them. */
import { join } from 'node:path'
import type { Agent, Destination, Json, Run, RunEvent } from '@longhaul/protocol'
import type { Audience, Db } from '../db/index.ts'
import { type Engine, type StepDecision, findRun, listApprovals, listJournal, listRuns, listStepEvents } from '../engine/index.ts'
import type { Caller } from '../identity/index.ts'
import { AppError, type Log } from '../kernel/index.ts'
import { copyVersion, findAgentFolders } from './deploy.ts'
import { promptOf } from './executors.ts'
import { type VersionRow, findLive, listLive, makeLive, recordLoaded } from './version-store.ts'

export type Agents = ReturnType<typeof openAgents>

export type Place = { tenantId: string; agent: string; version: string; folder: string; dataDir: string }

export function openAgents({ db, log, dataDir, agentsDir }: { db: Db; log: Log; dataDir: string; agentsDir: string }) {
  const versionsDir = join(dataDir, 'versions')
  const folderOf = (agent: string, version: string) => join(versionsDir, agent, version)
  const place = (tenantId: string, agent: string, version: string): Place => ({
    tenantId,
    agent,
    version,
    folder: folderOf(agent, version),
    dataDir: join(dataDir, 'data', agent),
  })

  return {
    folderOf,
    place,
    /** Makes what lies in the agents' folder live. One folder that cannot be deployed does not keep the others from it. */
    async deployAll(tenantId: string): Promise<Place[]> {
      const places: Place[] = []
      for (const folder of await findAgentFolders(agentsDir)) {
        try {
          const { agent, version } = await copyVersion(folder, versionsDir)
          await makeLive(db, tenantId, agent, version)
          places.push(place(tenantId, agent, version))
        } catch (error) {
          if (!(error instanceof AppError)) throw error
          log.error('an agent was not deployed', { folder, reason: error.message })
        }
      }
      return places
    },
    recordLoaded: (at: Place, loaded: Parameters<typeof recordLoaded>[4]) => recordLoaded(db, at.tenantId, at.agent, at.version, loaded),
    /** The version that new runs of an agent get, or why there is none. */
    async findVersion(tenantId: string, name: string): Promise<{ version: string } | { problem: string; code: 'not_found' | 'conflict' }> {
      const row = await findLive(db, tenantId, name)
      if (!row) {
        const names = (await listLive(db, tenantId)).map(({ agent }) => agent)
        return { code: 'not_found', problem: `No agent ${name}. ${names.length > 0 ? `There are: ${names.join(', ')}.` : 'None is deployed.'}` }
      }
      if (row.problem !== null)
        return { code: 'conflict', problem: `The code of ${name} does not load, so no run can be started: ${row.problem.slice(0, 2_000)}` }
      return { version: row.version }
    },
    async list(tenantId: string): Promise<Agent[]> {
      return (await listLive(db, tenantId)).map(toAgent)
    },
    async find(tenantId: string, name: string): Promise<Agent | undefined> {
      const row = await findLive(db, tenantId, name)
      return row && toAgent(row)
    },
  }
}

const toAgent = ({ agent, version, manifest, problem, deployedAt }: VersionRow): Agent => ({
  name: agent,
  version,
  manifest,
  problem,
  status: problem !== null ? 'broken' : manifest ? 'ready' : 'starting',
  deployedAt: deployedAt.toISOString(),
})

/** What the API asks for about runs and approvals, over the engine. */
export type RunServicesOptions = {
  db: Db
  engine: Engine
  agents: Pick<Agents, 'findVersion'>
  /** Throws for destinations that could never be told. */
  assertDestinations?(destinations: Destination[]): void
}

export function runServices({ db, engine, agents, assertDestinations = () => {} }: RunServicesOptions) {
  return {
    runs: {
      async start(
        caller: Caller,
        {
          agent: name,
          ...start
        }: { agent: string; input: Json; session?: string | undefined; idempotencyKey?: string | undefined; destinations?: Destination[] | undefined },
      ): Promise<Run> {
        assertDestinations(start.destinations ?? [])
        const found = await agents.findVersion(caller.tenantId, name)
        if ('problem' in found) throw new AppError(found.code, found.problem)
        const asker = { id: caller.keyId, name: caller.name, access: caller.access }
        return engine.startRun({ ...start, tenantId: caller.tenantId, agent: name, version: found.version, asker })
      },
      find: (audience: Audience, runId: string) => findRun(db, audience, runId),
      async list(
        audience: Audience,
        {
          limit,
          cursor,
          ...filter
        }: {
          limit: number
          cursor?: string | undefined
          agent?: string | undefined
          state?: Run['state'] | undefined
          session?: string | undefined
          parent?: string | undefined
        },
      ) {
        return pageBy(limit, cursor, (before, count) => listRuns(db, audience, { ...filter, limit: count, before }))
      },
      async journal(audience: Audience, { runId, after, limit }: { runId: string; after: number; limit: number }) {
        if (!(await findRun(db, audience, runId))) throw new AppError('not_found', `No run ${runId}.`)
        const items = await listJournal(db, audience.tenantId, runId, after, limit)
        return { items, next: items.length < limit ? null : (items.at(-1)?.seq ?? null) }
      },
      findStep: (audience: Audience, runId: string, op: string) => findStep(db, audience, runId, op),
      cancel: (caller: Caller, { runId, reason }: { runId: string; reason?: string | undefined }) => engine.cancel(caller, runId, caller.name, reason),
      decide: (caller: Caller, input: StepDecision) => engine.decideStep(caller, caller.name, input),
      retry: (caller: Caller, runId: string) => engine.retry(caller, runId, caller.name),
      signal: (caller: Caller, { runId, name, payload, idempotencyKey }: { runId: string; name: string; payload: Json; idempotencyKey?: string | undefined }) =>
        engine.signal(caller, runId, caller.name, name, payload, idempotencyKey),
    },
    stream: {
      read: engine.readEvents,
      subscribe: (runId: string, onWake: () => void, onLive: Parameters<Engine['watch']>[1]['onLive']) => engine.watch(runId, { onWake, onLive }),
    },
    approvals: {
      list: (
        audience: Audience,
        { limit, cursor, state }: { limit: number; cursor?: string | undefined; state?: Parameters<typeof listApprovals>[2]['state'] },
      ) => pageBy(limit, cursor, (before, count) => listApprovals(db, audience, { limit: count, before, state })),
      decide: (caller: Caller, { approvalId, approved, comment }: { approvalId: string; approved: boolean; comment?: string | undefined }) =>
        engine.decide(caller, caller.name, approvalId, approved, comment),
    },
  }
}

/** A page and where the next one begins. The cursor is the id of the page's last item: ids sort by their making. */
async function pageBy<Item extends { id: string }>(
  limit: number,
  cursor: string | undefined,
  read: (before: string | undefined, count: number) => Promise<Item[]>,
) {
  if (cursor !== undefined && !/^[0-9a-f-]{36}$/.test(cursor)) throw new AppError('invalid', 'cursor: must be what the page before gave as `next`.')
  const found = await read(cursor, limit + 1)
  const items = found.slice(0, limit)
  return { items, next: found.length > limit ? (items.at(-1)?.id ?? null) : null }
}

type StepEvent = Extract<RunEvent, { type: 'step.started' | 'step.completed' | 'step.failed' }>
const isStepEvent = (event: RunEvent): event is StepEvent => event.type === 'step.started' || event.type === 'step.completed' || event.type === 'step.failed'

/** A step from its events: the last attempt, and for a model call the prompt as the model saw it. */
async function findStep(db: Db, audience: Audience, runId: string, op: string) {
  const run = await findRun(db, audience, runId)
  if (!run) return undefined
  const { tenantId } = audience
  const events = (await listStepEvents(db, tenantId, runId, op)).filter(isStepEvent)
  const first = events[0]
  const last = events.at(-1)
  if (!first || !last) return undefined
  const started = events.findLast((event) => event.type === 'step.started')
  const ended = last.type === 'step.started' ? undefined : last
  const input = started?.type === 'step.started' ? (started.data.input ?? null) : null
  return {
    op,
    kind: first.data.kind,
    name: first.data.name,
    attempt: last.data.attempt,
    input: first.data.kind === 'model' ? await fullPrompt(db, tenantId, runId, op, input) : input,
    output: ended?.type === 'step.completed' ? ended.data.output : null,
    failure: ended?.type === 'step.failed' ? ended.data.failure : null,
    startedAt: started?.at ?? null,
    endedAt: ended?.at ?? null,
    durationMs: ended?.data.durationMs ?? null,
  }
}

/** Reads the chain of model steps that the prompt was built on. */
async function fullPrompt(db: Db, tenantId: string, runId: string, op: string, input: Json): Promise<Json> {
  const steps = new Map<string, { input: Json; output: Json | undefined }>()
  for (let at: string | undefined = op; at !== undefined && !steps.has(at);) {
    const events: RunEvent[] = await listStepEvents(db, tenantId, runId, at)
    const started = events.findLast((event) => event.type === 'step.started')
    const completed = events.findLast((event) => event.type === 'step.completed')
    const request: Json = at === op ? input : started?.type === 'step.started' ? (started.data.input ?? null) : null
    steps.set(at, { input: request, output: completed?.type === 'step.completed' ? completed.data.output : undefined })
    const prefix: Json | undefined = request !== null && typeof request === 'object' && !Array.isArray(request) ? request['prefix'] : undefined
    at = typeof prefix === 'string' ? prefix : undefined
  }
  return JSON.parse(JSON.stringify(promptOf(op, (path) => steps.get(path)))) as Json
}
