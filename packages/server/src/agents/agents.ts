/** Agents and their live versions, and runs as the API knows them. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Agent,
  type AgentManifest,
  type Asker,
  type ChannelReply,
  type Deployment,
  type Destination,
  type Json,
  ModelRequest,
  type PromptChoice,
  type Run,
  type RunEvent,
  type StepNotes,
  type compareRuns,
  type forkRun,
  type importRun,
  type startRun,
  type startToolCall,
  toolPart,
} from '@longhaul/protocol'
import type { z } from 'zod'
import type { Audience, Db } from '../db/index.ts'
import {
  type ApprovalDecision,
  type Engine,
  type FoundVersion,
  type StepDecision,
  type WhyNotStart,
  countRuns,
  findApproval,
  findApprovalWithSources,
  findRun,
  listApprovals,
  listJournal,
  listRuns,
  listStepEvents,
  searchRuns,
} from '../engine/index.ts'
import { type Caller, type Tenants, askerOf } from '../identity/index.ts'
import { AppError, type Log, assertIsCursor, newId, pageBy, shareReads, wallClock } from '../kernel/index.ts'
import type { Images, RunSandboxes } from '../sandbox/index.ts'
import type { Tools } from '../tools/index.ts'
import type { Attachments } from './attachments/attachments.ts'
import { type Code, agentNameOf, findAgentFolders, layOut, linkPackages, modulesAbove, pack, readCode, unpack } from './code.ts'
import { compare } from './compare.ts'
import { controlServices } from './control.ts'
import { whyNotHeld } from './declared.ts'
import { currentDeployments, deciding, insertDeployment, lastFrom } from './deployment-store.ts'
import { promptOf } from './executors.ts'
import { findPreview, isPreviewed } from './preview-store.ts'
import { type LiveRow, findBundle, findLive, findManifest, insertVersion, listLive, listVersions, recordLoaded } from './version-store.ts'

export type Agents = ReturnType<typeof openAgents>

export type Place = { tenantId: string; agent: string; version: string; folder: string; dataDir: string }
/** One of the two. */
type PickedVersion = { preview?: string | undefined; version?: string | undefined }
type Loaded = Parameters<typeof recordLoaded>[4]

/** Who deployed, where it was the agents' folder. */
const fromFolder = 'agents folder'
/** Whoever has the agents' folder has the machine. */
const operator: Asker = { id: 'agents-folder', name: fromFolder, access: { personalData: true } }

export type AgentsOptions = {
  db: Db
  log: Log
  dataDir: string
  agentsDir: string
  /** Looks into the images of versions when they are loaded. Absent: their first instance does. */
  images?: Pick<Images, 'open'>
}

export function openAgents({ db, log, dataDir, agentsDir, images }: AgentsOptions) {
  const place = (tenantId: string, agent: string, version: string): Place => ({
    tenantId,
    agent,
    version,
    folder: join(dataDir, 'versions', tenantId, agent, version),
    dataDir: join(dataDir, 'data', tenantId, agent),
  })
  const waiting = new Map<string, (() => void)[]>()
  const ownModules = () => modulesAbove(import.meta.dirname)

  /** Keeps the code in the database, and on this machine for workers. */
  async function keep(tenantId: string, agent: string, code: Code, modules?: string[]): Promise<Place> {
    const at = place(tenantId, agent, code.version)
    await insertVersion(db.forTenant(tenantId), tenantId, agent, code.version, await pack(code))
    await layOut(code, at.folder, modules ?? (await ownModules()))
    return at
  }

  /** Gives a version from the agents' folder to all runs, unless that was done before and somebody has decided otherwise since. */
  async function deployFromFolder({ tenantId, agent, version }: Place): Promise<void> {
    await deciding(db.forTenant(tenantId), tenantId, agent, async (tx) => {
      const { live } = await currentDeployments(tx, tenantId, agent)
      if (live && (await lastFrom(tx, tenantId, agent, fromFolder)) === version) return
      await insertDeployment(tx, { id: newId(), tenantId, agent, version, share: 100, guard: null, reason: null, madeBy: fromFolder, asker: operator })
    })
  }

  /** Which version is live, and which is tried beside it: asked for at every start. */
  const deployed = shareReads(async (agentOfTenant) => {
    const [tenantId, name] = JSON.parse(agentOfTenant) as [string, string]
    return db.forTenant(tenantId).transaction(async (tx) => {
      const [live, { canary }] = await Promise.all([findLive(tx, tenantId, name), currentDeployments(tx, tenantId, name)])
      return { live, canary }
    })
  })

  /** The canary for whom it names and for its share of other subjects, always the same ones, as long as it loads. Undefined for everybody else. */
  async function canaryFor(tenantId: string, name: string, subject: string, askerId?: string): Promise<string | undefined> {
    const { canary } = await deployed(JSON.stringify([tenantId, name]))
    return pickCanary(tenantId, canary, { subject, askerId })
  }

  async function pickCanary(
    tenantId: string,
    canary: Deployment | undefined,
    { subject, askerId }: { subject: string; askerId: string | undefined },
  ): Promise<string | undefined> {
    if (!canary) return undefined
    const isNamed = (names: string[] | undefined) => names?.some((name) => name === subject || name === askerId) ?? false
    if (isNamed(canary.canarySubjects?.never)) return undefined
    if (!isNamed(canary.canarySubjects?.always) && percentileOf(`${canary.id} ${subject}`) >= canary.share) return undefined
    const [version] = await listVersions(db.forTenant(tenantId), tenantId, canary.agent, { limit: 1, version: canary.version })
    return version && version.status !== 'broken' ? canary.version : undefined
  }

  /** Why the image that a version names is not taken, with the file; undefined when it is, when there is none, and when that cannot be said now. */
  async function whyNoImage({ tenantId, agent, folder }: Place, manifest: AgentManifest): Promise<string | undefined> {
    const image = imageOf(manifest)
    if (image === undefined || !images) return undefined
    try {
      await images.open(tenantId, { folder, image })
      return undefined
    } catch (error) {
      if (error instanceof AppError && ['invalid', 'too_large'].includes(error.code))
        return `${manifest.custom ? 'agent/agent.json: image' : 'agent/agent.ts: sandbox.image'}: ${error.message}`
      log.warn('the image of a version cannot be had now; its first instance tries again', { tenantId, agent, error })
      return undefined
    }
  }

  return {
    folderOf: (tenantId: string, agent: string, version: string) => place(tenantId, agent, version).folder,
    place,
    keep,
    /** Puts the packages into a folder that every uploaded version has. */
    linkPackages: async (folder: string): Promise<void> => linkPackages(await ownModules(), join(folder, 'node_modules')),
    /** Where the version's code lies on this machine, unpacked if it does not yet. Undefined when nobody has it. */
    async open(tenantId: string, agent: string, version: string): Promise<Place | undefined> {
      const at = place(tenantId, agent, version)
      if (existsSync(at.folder)) return at
      const bundle = await findBundle(db.forTenant(tenantId), tenantId, agent, version)
      if (!bundle) return undefined
      await layOut(await unpack(bundle), at.folder, await ownModules())
      return at
    },
    /** Makes what lies in the agents' folder live. One folder that cannot be deployed does not keep the others from it. */
    async deployAll(tenantId: string): Promise<Place[]> {
      const places: Place[] = []
      for (const folder of await findAgentFolders(agentsDir)) {
        try {
          const at = await keep(tenantId, agentNameOf(folder), await readCode(folder), await modulesAbove(folder))
          await deployFromFolder(at)
          places.push(at)
        } catch (error) {
          if (!(error instanceof AppError)) throw error
          log.error('an agent was not deployed', { folder, reason: error.message })
        }
      }
      return places
    },
    async recordLoaded(at: Place, given: Loaded): Promise<void> {
      const problem = given.manifest && (whyNotHeld(given.manifest, wallClock().getTime()) ?? (await whyNoImage(at, given.manifest)))
      const loaded = problem ? { manifest: null, problem } : given
      await recordLoaded(db.forTenant(at.tenantId), at.tenantId, at.agent, at.version, loaded)
      for (const tell of waiting.get(at.folder) ?? []) tell()
      waiting.delete(at.folder)
    },
    /** Throws `over_limit` when the version has an image for which its tenant has no room here. Whatever else is wrong with it is told elsewhere. */
    async assertImageRoom({ tenantId, agent, version, folder }: Place): Promise<void> {
      const manifest = await findManifest(db.forTenant(tenantId), tenantId, agent, version)
      const image = manifest && imageOf(manifest)
      if (image === undefined) return
      await images?.open(tenantId, { folder, image }).catch((error: unknown) => {
        if (error instanceof AppError && error.code === 'over_limit') throw error
      })
    },
    /** Resolves when a worker has said how loading the version went, and that is recorded. */
    whenLoaded: (at: Place) => new Promise<void>((resolve) => waiting.set(at.folder, [...(waiting.get(at.folder) ?? []), resolve])),
    canaryFor,
    /** The version that new runs of an agent get, or why there is none. `subject`: whatever stays with a canary or without it; `askerId`: who a canary may name. */
    async findVersion(
      tenantId: string,
      name: string,
      askerId?: string,
      subject = newId(),
    ): Promise<Extract<FoundVersion, { version: string }> | { problem: string; code: 'not_found' | 'conflict' }> {
      const { live: row, canary: tried } = await deployed(JSON.stringify([tenantId, name]))
      if (!row) {
        const names = (await listLive(db.forTenant(tenantId), tenantId)).map(({ agent }) => agent)
        return { code: 'not_found', problem: `No agent ${name}. ${names.length > 0 ? `There are: ${names.join(', ')}.` : 'None is deployed.'}` }
      }
      const canary = await pickCanary(tenantId, tried, { subject, askerId })
      const laneKeyFrom = row.manifest?.runLimits?.laneKey
      if (canary) return { version: canary, laneKeyFrom }
      if (row.problem !== null)
        return { code: 'conflict', problem: `The code of ${name} does not load, so no run can be started: ${row.problem.slice(0, 2_000)}` }
      return { version: row.version, laneKeyFrom }
    },
    /** A version that somebody asks for by name or number, however it is deployed. Undeployed ones take `mayAny`. */
    async findPicked(
      tenantId: string,
      name: string,
      { preview, version: asked }: PickedVersion,
      mayAny: boolean,
    ): Promise<Extract<FoundVersion, { version: string }>> {
      const scope = db.forTenant(tenantId)
      const version = preview === undefined ? asked : (await findPreview(scope, tenantId, name, preview))?.version
      const [found] = version === undefined ? [] : await listVersions(scope, tenantId, name, { limit: 1, version })
      if (!found)
        throw new AppError('not_found', preview === undefined ? `${name} has no version ${asked}.` : `${name} has no preview ${preview}. It may have ended.`)
      if (preview === undefined && !mayAny && found.deployment === null && !(await isPreviewed(scope, tenantId, name, found.version)))
        throw new AppError('forbidden', `Version ${found.version} of ${name} is neither deployed nor a preview; to run it takes the permission agents:deploy.`)
      if (found.problem !== null) throw new AppError('conflict', `The code of version ${found.version} does not load: ${found.problem.slice(0, 2_000)}`)
      const manifest = await findManifest(scope, tenantId, name, found.version)
      return { version: found.version, laneKeyFrom: manifest?.runLimits?.laneKey }
    },
    /** What the version's code says of itself, once a worker has loaded it. */
    manifestOf: ({ tenantId, agent, version }: Pick<Place, 'tenantId' | 'agent' | 'version'>) => findManifest(db.forTenant(tenantId), tenantId, agent, version),
    async list(tenantId: string): Promise<Agent[]> {
      return (await listLive(db.forTenant(tenantId), tenantId)).map(toAgent)
    },
    async find(tenantId: string, name: string): Promise<Agent | undefined> {
      const row = await findLive(db.forTenant(tenantId), tenantId, name)
      return row && toAgent(row)
    },
  }
}

/** 0 to 99, evenly spread over texts. */
const percentileOf = (text: string): number => createHash('sha256').update(text).digest().readUInt32BE() % 100

const toAgent = ({ agent, version, manifest, problem, deployedAt }: LiveRow): Agent => ({
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
  agents: Pick<Agents, 'find' | 'findVersion' | 'findPicked'>
  tenants: Pick<Tenants, 'startWithin'>
  sandboxes: Pick<RunSandboxes, 'connections'>
  attachments: Pick<Attachments, 'withAttachments'>
  tools: Pick<Tools, 'prompt'>
  /** Throws for destinations that could never be told. */
  assertDestinations?(destinations: (Destination | ChannelReply)[]): void
  /** Asked before a run is forked: what policies say about starting its agent. */
  whyNotStart?: WhyNotStart
}

export function runServices({ db, engine, agents, tenants, sandboxes, attachments, tools, assertDestinations = () => {}, whyNotStart }: RunServicesOptions) {
  /** A tool server's words, and after them the person's. */
  async function beginWith(
    of: { tenantId: string; agent: string; version: string },
    prompt: PromptChoice,
    given: Json,
  ): Promise<{ input: Json; label: string }> {
    if (given !== null && typeof given !== 'string') throw new AppError('invalid', 'With a prompt the input is a text, or absent.')
    const { text, label } = await tools.prompt(of, prompt)
    const { connection, name } = prompt
    return { input: { message: given === null || given.trim() === '' ? text : `${text}\n\n${given}`, prompt: { connection, name } }, label }
  }

  /** With somebody's access, also while they do not ask themselves. */
  async function startAs(
    tenantId: string,
    asker: Asker,
    {
      agent: name,
      startAt,
      preview,
      version,
      input: given,
      attachments: files,
      prompt,
      ...start
    }: Omit<z.output<typeof startRun.input>, 'namespace' | 'destinations'> & {
      namespace: string
      destinations: (Destination | ChannelReply)[]
      labels?: string[]
      part?: string
    },
    mayAnyVersion = false,
  ): Promise<Run> {
    assertDestinations(start.destinations)
    if (preview !== undefined && version !== undefined) throw new AppError('invalid', 'preview and version: give one of them.')
    const picked = preview === undefined && version === undefined ? undefined : { preview, version }
    const found = picked
      ? await agents.findPicked(tenantId, name, picked, mayAnyVersion)
      : await agents.findVersion(tenantId, name, asker.id, start.session ?? start.idempotencyKey)
    if ('problem' in found) throw new AppError(found.code, found.problem)
    const { namespace, session } = start
    const begun = prompt && (await beginWith({ tenantId, agent: name, version: found.version }, prompt, given))
    const said = begun ? begun.input : given
    const input = files ? await attachments.withAttachments({ tenantId, asker, namespace, agent: name, session }, said, files) : said
    const labels = [...(start.labels ?? []), ...(begun ? [begun.label] : [])]
    return tenants.startWithin(tenantId, namespace, () =>
      engine.startRun({
        ...start,
        labels,
        input,
        tenantId,
        agent: name,
        ...found,
        picked,
        asker,
        startAt: startAt === undefined ? undefined : new Date(startAt),
      }),
    )
  }

  return {
    ...controlServices({ db, engine, agents }),
    startAs,
    runs: {
      start: (caller: Caller, { namespace = caller.namespaces?.[0] ?? 'default', ...start }: z.output<typeof startRun.input>): Promise<Run> =>
        startAs(caller.tenantId, askerOf(caller), { ...start, namespace }, caller.permissions.includes('agents:deploy')),
      async callTool(
        caller: Caller,
        { agent, tool, input: given, namespace = caller.namespaces?.[0] ?? 'default', idempotencyKey }: z.output<typeof startToolCall.input>,
      ): Promise<Run> {
        const asker = askerOf(caller)
        const input = { tool, input: given }
        // Whom a policy forbids to start the agent is forbidden this as well.
        const why = await whyNotStart?.({ tenantId: caller.tenantId, namespace, agent, input, asker, startedBy: { type: 'tool', name: tool } })
        if (why !== undefined) throw new AppError('forbidden', why)
        return startAs(caller.tenantId, asker, { agent, namespace, input, part: toolPart, destinations: [], idempotencyKey })
      },
      find: (audience: Audience, runId: string) => findRun(db.forTenant(audience.tenantId), audience, runId),
      async connections(audience: Audience, { runId, ...page }: { runId: string; limit: number; cursor?: string | undefined }) {
        const run = await findRun(db.forTenant(audience.tenantId), audience, runId)
        if (!run) throw new AppError('not_found', `No run ${runId}.`)
        return sandboxes.connections({ tenantId: audience.tenantId, runId: run.id }, page)
      },
      async list(
        audience: Audience,
        {
          limit,
          cursor,
          search,
          ...filter
        }: {
          limit: number
          cursor?: string | undefined
          search?: string | undefined
          namespace?: string | undefined
          agent?: string | undefined
          state?: Run['state'] | undefined
          session?: string | undefined
          parent?: string | undefined
        },
      ) {
        if (search !== undefined) {
          assertIsCursor(cursor)
          return searchRuns(db.forTenant(audience.tenantId), audience, { ...filter, limit, before: cursor, search })
        }
        return pageBy(limit, cursor, (before, count) => listRuns(db.forTenant(audience.tenantId), audience, { ...filter, limit: count, before }))
      },
      count: (audience: Audience, { since, ...filter }: { since: string; namespace?: string | undefined; agent?: string | undefined }) =>
        countRuns(db.forTenant(audience.tenantId), audience, { ...filter, since: new Date(since) }),
      async journal(audience: Audience, { runId, after, limit }: { runId: string; after: number; limit: number }) {
        if (!(await findRun(db.forTenant(audience.tenantId), audience, runId))) throw new AppError('not_found', `No run ${runId}.`)
        const items = await listJournal(db.forTenant(audience.tenantId), audience.tenantId, runId, after, limit)
        return { items, next: items.length < limit ? null : (items.at(-1)?.seq ?? null) }
      },
      findStep: (audience: Audience, runId: string, op: string) => findStep(db, audience, runId, op),
      async import(caller: Caller, { namespace = caller.namespaces?.[0] ?? 'default', ...run }: z.output<typeof importRun.input>): Promise<Run> {
        return tenants.startWithin(caller.tenantId, namespace, () => engine.importRun({ ...run, tenantId: caller.tenantId, namespace, asker: askerOf(caller) }))
      },
      async fork(
        caller: Caller,
        { runId, op, changes, isLive, idempotencyKey }: z.output<typeof forkRun.input> & { idempotencyKey?: string | undefined },
      ): Promise<Run> {
        if (isLive && !caller.permissions.includes('runs:operate'))
          throw new AppError('forbidden', 'A fork whose writes take effect needs the permission runs:operate. Without isLive they are withheld.')
        const original = await findRun(db.forTenant(caller.tenantId), caller, runId)
        if (!original) throw new AppError('not_found', `No run ${runId}.`)
        const version = changes.version ?? original.version
        const [found] = await listVersions(db.forTenant(caller.tenantId), caller.tenantId, original.agent, { limit: 1, version })
        if (!found) throw new AppError('not_found', `No version ${version} of ${original.agent} is here. Give changes.version as one that is.`)
        if (found.problem !== null) throw new AppError('conflict', `The code of version ${version} does not load: ${found.problem.slice(0, 2_000)}`)
        const asker = askerOf(caller)
        const { namespace, agent } = original
        const input = changes.input === undefined ? original.input : changes.input
        const why = await whyNotStart?.({ tenantId: caller.tenantId, namespace, agent, input, asker, startedBy: { type: 'fork', name: runId } })
        if (why !== undefined) throw new AppError('forbidden', why)
        const mayApprove = caller.permissions.includes('approvals:decide')
        return tenants.startWithin(caller.tenantId, namespace, () =>
          engine.forkRun({ audience: caller, runId, op, changes, isLive, mayApprove, idempotencyKey, asker }),
        )
      },
      compare: (audience: Audience, { runId, with: other }: z.output<typeof compareRuns.input>) => compare(db, audience, runId, other),
      cancel: (caller: Caller, { runId, reason }: { runId: string; reason?: string | undefined }) => engine.cancel(caller, runId, caller.name, reason),
      decide: (caller: Caller, input: StepDecision) => engine.decideStep(caller, caller.name, input),
      retry: (caller: Caller, runId: string) => engine.retry(caller, runId, caller.name),
      signal: (caller: Caller, { runId, name, payload, idempotencyKey }: { runId: string; name: string; payload: Json; idempotencyKey?: string | undefined }) =>
        engine.signal(caller, runId, caller.name, name, payload, idempotencyKey),
    },
    lists: engine.lists,
    stream: {
      read: engine.readEvents,
      subscribe: (runId: string, onWake: () => void, onLive: Parameters<Engine['watch']>[1]['onLive']) => engine.watch(runId, { onWake, onLive }),
    },
    approvals: {
      list: (
        audience: Audience,
        { limit, cursor, ...filter }: { limit: number; cursor?: string | undefined } & Pick<Parameters<typeof listApprovals>[2], 'state' | 'runId'>,
      ) => pageBy(limit, cursor, (before, count) => listApprovals(db.forTenant(audience.tenantId), audience, { ...filter, limit: count, before })),
      async get(audience: Audience, approvalId: string) {
        const found = await findApprovalWithSources(db.forTenant(audience.tenantId), audience, approvalId)
        if (!found) throw new AppError('not_found', `No approval ${approvalId}.`)
        return found
      },
      find: (audience: Audience, approvalId: string) => findApproval(db.forTenant(audience.tenantId), audience, approvalId),
      decide: (caller: Caller, decision: ApprovalDecision) => engine.decide(caller, caller.name, decision),
    },
  }
}

type StepEvent = Extract<RunEvent, { type: 'step.started' | 'step.completed' | 'step.failed' }>
const isStepEvent = (event: RunEvent): event is StepEvent => event.type === 'step.started' || event.type === 'step.completed' || event.type === 'step.failed'

/** A step from its events: the last attempt, and for a model call the prompt as the model saw it. */
async function findStep(db: Db, audience: Audience, runId: string, op: string) {
  const run = await findRun(db.forTenant(audience.tenantId), audience, runId)
  if (!run) return undefined
  const { tenantId } = audience
  const events = (await listStepEvents(db.forTenant(tenantId), tenantId, runId, op)).filter(isStepEvent)
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
    ...notesOf(events),
  }
}

/** What a version names as the root of its program's sandbox, or of its runs'. */
const imageOf = ({ custom, sandbox }: AgentManifest): string | undefined => custom?.image ?? sandbox?.image

/** What was decided last, and every try that failed in any attempt. */
function notesOf(events: readonly StepEvent[]): StepNotes {
  const policy = events.findLast(({ data }) => data.policy)?.data.policy
  const routes = events.flatMap((event) => (event.type === 'step.started' ? [] : (event.data.route ?? [])))
  const route = routes.at(-1)
  const last = events.at(-1)
  const folders = last?.type === 'step.started' ? undefined : last?.data.folders
  return { ...(policy && { policy }), ...(folders && { folders }), ...(route && { route: { ...route, tries: routes.flatMap(({ tries }) => tries) } }) }
}

/** Reads the chain of model steps that the prompt was built on. */
async function fullPrompt(db: Db, tenantId: string, runId: string, op: string, input: Json): Promise<Json> {
  const steps = new Map<string, { input: Json; output: Json | undefined }>()
  for (let at: string | undefined = op; at !== undefined && !steps.has(at);) {
    const events: RunEvent[] = await listStepEvents(db.forTenant(tenantId), tenantId, runId, at)
    const started = events.findLast((event) => event.type === 'step.started')
    const completed = events.findLast((event) => event.type === 'step.completed')
    const request: Json = at === op ? input : started?.type === 'step.started' ? (started.data.input ?? null) : null
    steps.set(at, { input: request, output: completed?.type === 'step.completed' ? completed.data.output : undefined })
    const prefix: Json | undefined = request !== null && typeof request === 'object' && !Array.isArray(request) ? request['prefix'] : undefined
    at = typeof prefix === 'string' ? prefix : undefined
  }
  if (!ModelRequest.safeParse(input).success) return input // A program's own call, in the words of its own client.
  return JSON.parse(JSON.stringify(promptOf(op, (path) => steps.get(path)))) as Json
}
