/**
 * Runs agents in memory, for their authors' tests: a scripted model, a small sandbox, time that passes at once, and crashes at
 * every point, without a server and without a network.
 */
import type { Decided } from './approval-asked.ts'
import {
  ArtifactRequest,
  type Asker,
  type ChildRequest,
  CallRequest,
  CallResult,
  ConnectRequest,
  ConnectResult,
  type ConnectedTool,
  ExecRequest,
  type ExecResult,
  type Failure,
  FilesRequest,
  type HistoryEntry,
  type Json,
  type Message,
  ModelReply,
  ModelRequest,
  type Prompt,
  formKey,
} from '@longhaul/protocol'
import { type DurableFunction, StepFailed } from './agent.ts'
import { failure, toFailure } from './failure.ts'
import { type LoadedAgent, functionProgram, loadAgent } from './folder.ts'
import {
  type Crash,
  type Crashes,
  type Decision,
  type Doubt,
  type EndOf,
  type ServedRun,
  type ServerOptions,
  createCrashes,
  serveRun,
} from './in-memory-server.ts'

export type { Decision, Doubt } from './in-memory-server.ts'
export { loadAgent } from './folder.ts'
export { replayRun } from './replay.ts'
export type { RecordedRun, Replayed } from './replay.ts'
export type { LoadedAgent } from './folder.ts'

/** A model's reply, or what makes one of the prompt. `turn` counts the model calls of the run from 0. */
export type ScriptedModel = readonly ModelReply[] | ((prompt: Prompt, turn: number) => ModelReply | Promise<ModelReply>)

/** What an agent does with its input: one that throws has failed, and one that gives undefined never ends. */
type Pretended = (input: Json, about: { costUsdMax: number | undefined }) => Json | undefined | Promise<Json | undefined>

export type TestOptions = {
  /** What the agent is called. Default: `test`. */
  name?: string
  input?: Json
  model?: ScriptedModel
  asker?: Asker
  session?: string
  /** The session's messages before this run. */
  messages?: Message[]
  /** The agent that has the conversation, as the run before in the session said. */
  handedTo?: string
  /** Payloads for each signal that is waited for, in order. One that is missing is waited for in vain. */
  signals?: Record<string, Json[]>
  /** Decides approvals; undefined leaves one open. Default: approves. */
  approve?: (title: string, detail: Json) => (Partial<Decided> & { approved: boolean }) | undefined
  /** The agents that children may be of, by their names: one that is run as well, with its own scripted model, or what it does with its input. */
  agents?: Record<string, Pretended | (TestOptions & { agent: string | LoadedAgent | DurableFunction })>
  /** How the runs of its subagents go, by their names: their scripted models above all. One that is not told of is what `agents` says. What they and `agents` leave out of handlers, asker and clock is as here. */
  subagents?: Record<string, TestOptions>
  /** Runs this subagent of the folder instead of the agent itself. */
  part?: string
  /** What the run may cost, as the run that started it would have it. */
  costUsdMax?: number
  /** What is said in the session while the run is under way: called before each turn of the model, from 0. */
  steer?: (turn: number) => string[]
  /** Limits that an operator has set for its own tools. */
  callLimits?: { timeoutMs?: number; resultCharactersMax?: number }
  /** What the operator decides about a write that was interrupted. Default: nothing, so that the run waits. */
  decide?: (doubt: Doubt) => Decision | undefined
  /** Executes commands. Default: every command fails and says so. Files are kept in memory, whoever executes. */
  exec?: (command: ExecRequest, files: Map<string, Uint8Array>) => Partial<ExecResult> | Promise<Partial<ExecResult>>
  files?: Record<string, string>
  /** What the agent's connections have. Default: nothing. */
  connected?: ConnectedTool[]
  /** Executes what the server would: tools of connections (`crm__find`), and stock tools such as `web_search`. Default: every call fails and says so. */
  call?: (tool: string, input: Json) => Json | Promise<Json>
  dataDir?: string
  createdAt?: Date
  /** Recorded history to begin with. */
  history?: HistoryEntry[]
  /** Whether the run gives its place back whenever it only waits, and starts again from its history. Default true. */
  releasesWhenIdle?: boolean
  /** Kills the worker around the fact of this number, from 1, counted over the run and all that it starts. */
  crash?: Crash
  /** Which of the operations that the server executes ends next, of so many. Default: the oldest. */
  pick?: (count: number) => number
  stuckMs?: { asking: number; silent: number }
}

export type TestRun = {
  /** `continued`: it went on as a new run, whose input is the output here. */
  state: 'completed' | 'failed' | 'diverged' | 'waiting' | 'continued'
  output: Json | undefined
  failure: Failure | undefined
  divergence: { op: string; recorded: string; asked: string } | undefined
  history: HistoryEntry[]
  /** Every prompt as the model saw it. */
  prompts: Prompt[]
  artifacts: { name: string; mediaType: string; bytes: Uint8Array }[]
  files: Map<string, Uint8Array>
  /** Writes that were put to an operator. */
  doubts: Doubt[]
  /** Virtual time that passed. */
  elapsedMs: number
  /** What was recorded, in number, by its children as well: the points at which `crash` can strike, and one more for the end. */
  factCount: number
  /** The runs that it started and that were run as well, in the order of their ends. */
  children: ChildRun[]
}
/** `name`: the subagent's or the agent's. */
export type ChildRun = Omit<TestRun, 'factCount'> & { name: string }

const defaultAsker: Asker = { id: 'tester', name: 'tester', access: { personalData: true } }

/** Runs an agent: the folder that contains `agent/`, a loaded folder, or a durable function. */
export async function runAgent(agent: string | LoadedAgent | DurableFunction, options: TestOptions = {}): Promise<TestRun> {
  return runLoaded(await prepared(agent, options), options, createCrashes(options.crash))
}

async function prepared(agent: string | LoadedAgent | DurableFunction, { dataDir }: TestOptions): Promise<LoadedAgent | DurableFunction> {
  const loaded = typeof agent === 'string' ? await loadAgent(agent) : agent
  if (loaded.prepare && dataDir !== undefined) await loaded.prepare({ dataDir, log: () => {} })
  return loaded
}

async function runLoaded(loaded: LoadedAgent | DurableFunction, options: TestOptions, crashes: Crashes, depth = 0): Promise<TestRun> {
  const world = createWorld(options)
  const children: ChildRun[] = []
  const served = await serveRun({
    head: {
      run: '00000000-0000-7000-8000-000000000001',
      agent: options.name ?? 'test',
      version: 'test',
      input: options.input ?? null,
      asker: options.asker ?? defaultAsker,
      session: options.session ?? null,
      messages: options.messages ?? [],
      ...(options.handedTo !== undefined && { handedTo: options.handedTo }),
      ...(options.part !== undefined && { part: options.part }),
      ...(options.costUsdMax !== undefined && { costUsdMax: options.costUsdMax }),
      createdAt: (options.createdAt ?? new Date('2026-01-15T12:00:00Z')).toISOString(),
    },
    program: 'program' in loaded ? loaded.program : functionProgram(loaded),
    dataDir: options.dataDir ?? '/nonexistent',
    serve: world.serve,
    answer: world.answer,
    ...(options.agents || options.subagents ? { endOf: endOfChild({ options, parent: loaded, crashes, depth, children }) } : {}),
    ...(options.decide ? { decide: options.decide } : {}),
    crashes,
    callLimits: options.callLimits,
    releasesWhenIdle: options.releasesWhenIdle ?? true,
    ...(options.pick ? { pick: options.pick } : {}),
    ...(options.history ? { history: options.history } : {}),
    ...(options.stuckMs ? { stuckMs: options.stuckMs } : {}),
  })
  return {
    ...describeEnd(served.end),
    history: served.history,
    prompts: world.prompts,
    artifacts: world.artifacts,
    files: world.files,
    doubts: served.doubts,
    elapsedMs: served.elapsedMs,
    factCount: served.factCount,
    children,
  }
}

/** A run that was killed around the recording of one fact, and how it ended after it had been taken up again. */
export type CrashedRun = TestRun & { crash: { fact: number; when: 'before' | 'after' } }

/**
 * Runs an agent once undisturbed, then once for every point at which it can crash: just before and just after each thing is
 * recorded, by it or by a run that it starts. Options are made anew for each run, since handlers may have a memory.
 */
export async function runWithCrashes(
  agent: string | LoadedAgent | DurableFunction,
  makeOptions: () => TestOptions = () => ({}),
): Promise<{ undisturbed: TestRun; crashed: CrashedRun[] }> {
  const loaded = typeof agent === 'string' ? await loadAgent(agent) : agent
  const undisturbed = await runAgent(loaded, makeOptions())
  const crashed: CrashedRun[] = []
  for (let fact = 1; fact <= undisturbed.factCount + 1; fact++) {
    for (const when of ['before', 'after'] as const) {
      const crash = { fact, when }
      crashed.push({ ...(await runAgent(loaded, { ...makeOptions(), crash })), crash })
    }
  }
  return { undisturbed, crashed }
}

type Parent = { options: TestOptions; parent: LoadedAgent | DurableFunction; crashes: Crashes; depth: number; children: ChildRun[] }

/** The server's. */
const depthMax = 20

const endOfChild =
  ({ options, parent, crashes, depth, children }: Parent) =>
  async ({ agent, part, input, costUsdMax }: ChildRequest): Promise<EndOf | undefined> => {
    const { agents = {}, subagents = {} } = options
    const name = part ?? agent
    if (depth >= depthMax) return { state: 'failed', failure: failure('too_deep', `Runs may start one another ${depthMax} deep.`) }
    const run = async (child: LoadedAgent | DurableFunction, own: TestOptions) => {
      const { factCount: _, ...ended } = await runLoaded(child, { ...own, input, ...(costUsdMax !== undefined && { costUsdMax }) }, crashes, depth + 1)
      children.push({ ...ended, name })
      return endOfRun(ended)
    }
    const script = part === undefined ? undefined : subagents[part]
    if (script && part !== undefined) return run(parent, { ...handedOn(options), ...(options.name !== undefined && { name: options.name }), ...script, part })
    const found = agents[name]
    if (!found) return { state: 'failed', failure: failure('script', `This test gives no agent ${JSON.stringify(name)}.`) }
    if (typeof found === 'object') {
      const own = { ...handedOn(options), name, ...found }
      return run(await prepared(found.agent, own), own)
    }
    try {
      const output = await found(input, { costUsdMax })
      return output === undefined ? undefined : { state: 'completed', output }
    } catch (error) {
      return { state: 'failed', failure: toFailure(error) }
    }
  }

/** What holds for a run holds for those that it starts, where the test says nothing else of them. */
const handedOn = (options: TestOptions): TestOptions =>
  Object.fromEntries(handedOnNames.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]]))) as TestOptions // Values under their own names.
const handedOnNames = [
  ...(['asker', 'approve', 'agents', 'subagents', 'callLimits', 'decide', 'exec', 'connected', 'call'] as const),
  ...(['dataDir', 'createdAt', 'releasesWhenIdle', 'pick', 'stuckMs'] as const),
] satisfies (keyof TestOptions)[]

function endOfRun({ state, output = null, failure: why }: Omit<ChildRun, 'name'>): EndOf | undefined {
  if (state === 'completed') return { state, output }
  return state === 'failed' && why ? { state, failure: why } : undefined
}

const usage = { input: 100, cachedInput: 0, output: 20, costUsd: 0.001 }

/** A scripted reply that answers. */
export const says = (text: string, more: Partial<ModelReply> = {}): ModelReply => ({
  model: 'scripted/model',
  content: text === '' ? [] : [{ type: 'text', text }],
  finishReason: 'stop',
  usage,
  ...more,
})

/** A scripted reply that calls tools: `calls(['query', { sql }], ['chart', { … }])`. */
export const calls = (...list: [tool: string, input: Json][]): ModelReply => ({
  model: 'scripted/model',
  content: list.map(([toolName, input], index) => ({ type: 'tool-call', toolCallId: `call-${index}`, toolName, input })),
  finishReason: 'tool-calls',
  usage,
})

function createWorld({
  model = [],
  steer = () => [],
  signals = {},
  approve = () => ({ approved: true }),
  exec,
  files: given = {},
  connected = [],
  call,
}: TestOptions) {
  const prompts: Prompt[] = []
  const turns = new Map<string, { number: number; prompt: Prompt; reply?: ModelReply }>()
  const files = new Map(Object.entries(given).map(([path, text]) => [path, new TextEncoder().encode(text) as Uint8Array]))
  const artifacts: TestRun['artifacts'] = []
  const signalsLeft = new Map(Object.entries(signals).map(([name, payloads]) => [name, [...payloads]]))
  const answered = new Map<string, Json>()

  const callModel = async (op: string, input: Json): Promise<Json> => {
    const request = ModelRequest.parse(input)
    const before = request.prefix === undefined ? undefined : turns.get(request.prefix)
    const messages = [...(before ? [...before.prompt.messages, { role: 'assistant' as const, content: before.reply?.content ?? [] }] : []), ...request.append]
    // A call that is made again after a crash is the same turn of the script, and finds the same messages.
    const number = turns.get(op)?.number ?? turns.size
    const steeredBy = (request.mayBeSteered ? steer(number) : []).map((text): Message => ({ role: 'user', content: [{ type: 'text', text }] }))
    messages.push(...steeredBy)
    const prompt: Prompt = {
      model: request.model,
      instructions: request.instructions ?? before?.prompt.instructions ?? '',
      tools: request.tools ?? before?.prompt.tools ?? [],
      messages,
    }
    const turn: { number: number; prompt: Prompt; reply?: ModelReply } = { number, prompt }
    turns.set(op, turn)
    prompts.push(prompt)
    const reply = typeof model === 'function' ? await model(prompt, turn.number) : model[turn.number]
    if (!reply) throw new StepFailed(failure('script', `The scripted model has no reply for turn ${turn.number}.`))
    turn.reply = ModelReply.parse({ ...reply, ...(steeredBy.length > 0 && { steeredBy }) })
    return toJson(turn.reply)
  }
  const callFiles = (input: Json): Json => {
    const request = FilesRequest.parse(input)
    if (request.action === 'write') {
      for (const { path, base64 } of request.files) files.set(path, Buffer.from(base64, 'base64'))
      return { action: 'write', count: request.files.length }
    }
    if (request.action === 'list') {
      const prefix = request.path === '.' || request.path === '' ? '' : `${request.path}/`
      const entries = [...files]
        .filter(([path]) => path.startsWith(prefix))
        .map(([path, bytes]) => ({ name: path.slice(prefix.length), type: 'file' as const, bytes: bytes.length }))
      return { action: 'list', entries }
    }
    const bytes = files.get(request.path)
    if (!bytes) throw new StepFailed(failure('not_found', `No file ${request.path}.`))
    const read = bytes.subarray(0, request.bytesMax)
    return { action: 'read', base64: Buffer.from(read).toString('base64'), bytes: read.length, isTruncated: bytes.length > read.length }
  }
  const callExec = async (input: Json): Promise<Json> => {
    const command = ExecRequest.parse(input)
    if (!exec) throw new StepFailed(failure('no_sandbox', 'This test gives no `exec`, so no command can be executed.'))
    return {
      exitCode: 0,
      signal: null,
      stdout: '',
      stderr: '',
      isTruncated: false,
      isTimedOut: false,
      durationMs: 1,
      driver: 'test',
      ...(await exec(command, files)),
    }
  }
  const keepArtifact = (input: Json): Json => {
    const { name, mediaType, title, base64 } = ArtifactRequest.parse(input)
    const bytes = Buffer.from(base64, 'base64')
    artifacts.push({ name, mediaType, bytes })
    return {
      type: 'file',
      fileId: `00000000-0000-7000-8000-${String(artifacts.length).padStart(12, '0')}`,
      name,
      mediaType,
      bytes: bytes.length,
      ...(title === undefined ? {} : { title }),
    }
  }

  const connect = (input: Json): Json => {
    const { connections } = ConnectRequest.parse(input)
    return toJson(ConnectResult.parse({ tools: connected.filter(({ connection }) => connections.includes(connection)), withheld: [] }))
  }
  const callTool = async (input: Json): Promise<Json> => {
    const { tool, input: given } = CallRequest.parse(input)
    if (!call) throw new StepFailed(failure('no_tools', `This test gives no \`call\`, so ${tool} cannot be called.`))
    return toJson(CallResult.parse({ output: await call(tool, given), parts: [], source: 'tool_server', origin: null }))
  }

  const serve: ServerOptions['serve'] = async ({ kind, op, input }) => {
    if (kind === 'model') return callModel(op, input)
    if (kind === 'files') return callFiles(input)
    if (kind === 'exec') return callExec(input)
    if (kind === 'artifact') return keepArtifact(input)
    if (kind === 'connect') return connect(input)
    if (kind === 'call') return callTool(input)
    throw new StepFailed(failure('unknown_kind', `The server does not execute ${kind}.`))
  }
  const answer: ServerOptions['answer'] = ({ op, kind, name, detail }) => {
    const before = answered.get(op)
    if (before !== undefined) return before
    const decision = kind === 'approval' ? approve(name, detail ?? null) : undefined
    const found =
      kind === 'signal'
        ? signalsLeft.get(name)?.shift()
        : decision && {
            ...{ approved: decision.approved, by: decision.by ?? 'tester', comment: decision.comment ?? null },
            ...(decision.answers && { answers: { [formKey]: decision.answers } }),
          }
    if (found !== undefined) answered.set(op, found)
    return found
  }
  return { prompts, files, artifacts, serve, answer }
}

function describeEnd(end: ServedRun['end']): Pick<TestRun, 'state' | 'output' | 'failure' | 'divergence'> {
  const none = { output: undefined, failure: undefined, divergence: undefined }
  switch (end.type) {
    case 'run.completed':
      return { ...none, state: 'completed', output: end.output }
    case 'run.continued':
      return { ...none, state: 'continued', output: end.input }
    case 'run.failed':
      return { ...none, state: 'failed', failure: end.failure }
    case 'run.diverged':
      return { ...none, state: 'diverged', divergence: { op: end.op, recorded: end.recorded, asked: end.asked } }
    case 'waiting':
      return { ...none, state: 'waiting' }
  }
}

/** Plain data, as it comes out of the journal. */
const toJson = (value: object): Json => JSON.parse(JSON.stringify(value)) as Json
