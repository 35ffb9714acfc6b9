import type {
  AgentSandbox,
  AnswerPart,
  Asker,
  AttachmentRef,
  CallResult,
  CalendarFeed,
  Connection,
  Database,
  Effect,
  ExecResult,
  Failure,
  FilePart,
  Json,
  Message,
  ModelReply,
  RetryPolicy,
  ServerTool,
  ToolDefinition,
  RunLimits,
  ToolLimits,
} from '@longhaul/protocol'
import type { z } from 'zod'
import type { ApprovalOptions, Decided } from './approval-asked.ts'

/** A command for the run's sandbox: a shell line, or a program with its arguments. Paths are relative to `/workspace`. */
export type Command = ({ script: string } | { cmd: string; args?: string[] }) & {
  cwd?: string
  env?: Record<string, string>
  stdin?: string
  timeoutMs?: number
}

/** A file of the message: its name, its kind by its bytes, its size, its digest (SHA-256), and where it lies in the sandbox. */
export type GivenAttachment = AttachmentRef & { path: string }

export type SandboxHandle = {
  exec(command: Command): Promise<ExecResult>
  writeFiles(files: { path: string; content: string | Uint8Array }[]): Promise<void>
  readFile(path: string, bytesMax?: number): Promise<Uint8Array>
  list(path: string): Promise<{ name: string; type: 'file' | 'directory' | 'other'; bytes: number }[]>
}

/** What a check has found out about a write: it took effect and came to `result`, or it did not. */
export type Checked<Result> = { isDone: true; result: Result } | { isDone: false }

export type StepOptions<Result> = {
  /** Default: five attempts; one for a `write`, whose error does not say that nothing has happened. */
  retry?: Partial<RetryPolicy>
  /** Default `idempotent`: a step that was interrupted is executed again, under the same key. A `write` never is, on a guess. */
  effect?: Effect
  /** Of a `write`: finds out whether an attempt took effect whose end is not known. Must only read. Without it a person decides. */
  check?: (about: { idempotencyKey: string; attempt: number }) => Promise<Checked<Result>> | Checked<Result>
}

/** What every piece of durable code is given. All of its methods are recorded: after a crash they return what they returned before. */
export type Context = {
  readonly run: { id: string; agent: string; version: string; session: string | null; createdAt: Date }
  /** Who asked, and what they may see. Trust this, never what the model says about it. */
  readonly asker: Asker
  /** A folder of this agent on the worker's disk, for data that `prepare` made. The same for all of its runs. */
  readonly dataDir: string
  /** Aborted when the run is cancelled or taken away. Long work should watch it. */
  readonly signal: AbortSignal
  readonly sandbox: SandboxHandle
  /** The files that came along with the message. `sandbox.readFile(path)` reads one; what is read so is recorded like every result, so read of a large file what is needed, with a command. */
  readonly attachments: readonly GivenAttachment[]
  /** The same for every attempt at this tool call, and no other's: for callees that honour such keys. Outside of tools, the run's id. */
  readonly idempotencyKey: string
  /**
   * Runs `work` once and records its result. Tried again by the policy when it throws, except a `TerminalFailure`. What was interrupted before its
   * result was recorded is executed again, with the same `idempotencyKey`, unless `effect` is `write`.
   */
  step<Result extends Json | void>(
    name: string,
    work: (attempt: number, about: { idempotencyKey: string }) => Promise<Result> | Result,
    options?: StepOptions<Result>,
  ): Promise<Result>
  /** Sleeps durably: costs nothing meanwhile, survives everything. */
  sleep(name: string, ms: number): Promise<void>
  /** Waits for data sent by `POST /v1/runs/{id}/signals/{name}`. Throws `TimedOut` when none came in time. */
  waitForSignal(name: string, options?: { timeoutMs?: number }): Promise<Json>
  /**
   * Asks people: one of those who may decide approvals, unless it says how many (`approversMin`), of which `roles`, and whether the asker counts. One no is enough.
   * Throws `TimedOut` when it was not decided in time.
   */
  approval(title: string, options?: ApprovalOptions): Promise<Decided>
  /** One model call. `after` continues the conversation of an earlier call of this run. */
  model(request: {
    model?: string
    after?: ModelTurn
    instructions?: string
    tools?: ToolDefinition[]
    append: Message[]
    outputTokensMax?: number
    /** The same prompt, of any run, may get the answer that it got in the last so many seconds. It costs nothing and says `isKept`. */
    cacheSeconds?: number
    /** Messages that came into the session for this run meanwhile are added to the prompt. */
    mayBeSteered?: boolean
  }): Promise<ModelTurn>
  /**
   * Calls a tool that the server executes: a connection's (`crm__find_customer`) or a stock tool (`http_request`). What comes back from a
   * tool server or the web (`source`) is written by others. Throws `StepFailed`.
   */
  tool(name: string, input: Json): Promise<CallResult>
  /** Stores a file for the answer. At most 8 MB. */
  artifact(file: { name: string; mediaType: string; title?: string; content: string | Uint8Array }): Promise<FilePart>
  /**
   * Starts a run of another agent as this run's child. It is cancelled when this run ends, whatever the reason, unless it `isDetached`. A child of a
   * `session` waits for its turn there.
   */
  start(agent: string, input?: Json, options?: StartOptions): Promise<Child>
  /** Waits until a run that `start` gave has ended. Its failure is data, and throws nothing. Throws `TimedOut` when it has not ended in time. */
  waitForRun(child: Child, options?: { timeoutMs?: number }): Promise<ChildEnd>
  /** `start`, then `waitForRun`. */
  call(agent: string, input?: Json, options?: StartOptions & { timeoutMs?: number }): Promise<ChildEnd>
  /**
   * Ends this run and goes on as a new one of the same agent, at its live version, with this input, the same session and an empty history: for loops
   * without an end. Signals that were sent and not asked for go along. Never returns: `return ctx.continueAs(next)`.
   */
  continueAs(input?: Json): Promise<never>
  /** Runs branches side by side, each with a context of its own. Rejects with the first failure, after all have settled. */
  all<const Branches extends readonly ((ctx: Context) => Promise<unknown>)[]>(
    branches: Branches,
  ): Promise<{ -readonly [K in keyof Branches]: Awaited<ReturnType<Branches[K]>> }>
  /** As `all`, and tells of each branch what became of it. */
  allSettled<const Branches extends readonly ((ctx: Context) => Promise<unknown>)[]>(
    branches: Branches,
  ): Promise<{ -readonly [K in keyof Branches]: PromiseSettledResult<Awaited<ReturnType<Branches[K]>>> }>
  /** The first branch that succeeds. The others are left where they are: nothing that their code asks from then on is done. */
  any<const Branches extends readonly ((ctx: Context) => Promise<unknown>)[]>(branches: Branches): Promise<Awaited<ReturnType<Branches[number]>>>
  /** `work` for each item, as many at once as `concurrency` says (default 10). After a failure no other is begun; rejects with the first one by place. */
  map<Item, Result>(
    items: readonly Item[],
    work: (ctx: Context, item: Item, index: number) => Promise<Result>,
    options?: { concurrency?: number },
  ): Promise<Result[]>
}

/** A run that this run has started. Plain data: it may be kept in a step's result. */
export type Child = { runId: string; agent: string }
/** How a child ended: data, that may be returned and recorded. `runId` is the run that was started, also when it has gone on as others. */
export type ChildEnd =
  | { runId: string; state: 'completed'; output: Json }
  | { runId: string; state: 'failed'; failure: { message: string; code?: string; retryable: boolean } }
  | { runId: string; state: 'cancelled' }
export type StartOptions = { session?: string; isDetached?: boolean }

export type ModelTurn = ModelReply & { readonly op: string }

/** Returned by a tool that has something to show to the person besides what it tells the model. */
export type Shown = { output: Json; parts: AnswerPart[] }

export type Tool<Input extends z.ZodType = z.ZodType> = {
  readonly kind: 'tool'
  description: string
  input: Input
  /** Default 60 s, at most 1 h. A tool that takes longer fails with `timeout`; the model is told. */
  timeoutMs: number
  /**
   * What a call does outside. `none` and `idempotent` are executed again when they were interrupted; a `write` never is, on a guess.
   * A tool that declares nothing fails when it was interrupted: the model is told that it may have taken effect.
   */
  effect?: Effect
  /** How often a call that failed is tried again before the model is told. Default: never. Not for a `write`, nor for a tool that declares nothing. */
  retry?: Partial<RetryPolicy>
  /** Its results hold words of people and programs outside: what the run does afterwards may be held against policies that ask for this. */
  isOutside?: boolean
  /** Of a `write`: finds out whether a call took effect whose end is not known. Must only read. Without it a person decides. */
  check?(input: z.output<Input>, about: CheckContext): Promise<Checked<Json | Shown>> | Checked<Json | Shown>
  run(input: z.output<Input>, ctx: Context): Promise<Json | Shown> | Json | Shown
}

/** What a tool's check is given of the call's context. */
export type CheckContext = Pick<Context, 'run' | 'asker' | 'dataDir' | 'idempotencyKey'> & { attempt: number }

/** Defines a tool. In an agent's folder: the default export of `tools/<name>.ts`; the file's name is the tool's. */
export function tool<Input extends z.ZodType>(options: Omit<Tool<Input>, 'kind' | 'timeoutMs'> & { timeoutMs?: number }): Tool<Input> {
  return { kind: 'tool', timeoutMs: 60_000, ...options }
}

/** Marks what a tool returns as having parts for the person who asked. */
export const shown = (output: Json, ...parts: AnswerPart[]): Shown => ({ output, parts })

export type AgentDefinition = {
  readonly kind: 'agent'
  description: string
  /** Default: `default`, which the server resolves. */
  model: string
  /** Instructions, beside or instead of `instructions.md`. Called at the start of each run; must be deterministic. */
  instructions?: (about: { asker: Asker; createdAt: Date }) => string
  /** Names of stock tools to add: `bash`, `read_file`, `write_file`, `list_files`, `python`, `time`; and executed by the server: `calculator`, `http_request`, `fetch_page`, `web_search`, `sql`, `free_time`, `mail`, `remember`, `recall`. */
  stockTools: (StockTool | ServerTool)[]
  /** Hosts that `http_request` and `fetch_page` may reach: `api.example.com`, `*.example.com`, or `*` for all public ones. Default: none. */
  allowedHosts: string[]
  /** Whom the stock tool `mail` may write to: `ada@example.com`, `example.com` for everybody of this domain, or `*`. What the operator allows limits it further. Default: nobody. */
  mailRecipients: string[]
  /** PostgreSQL databases that the stock tool `sql` reads, by name. Each names the stored secret that is its address. */
  databases: Record<string, z.input<typeof Database>>
  /** Calendars that the stock tool `free_time` reads, by whose they are. Each names the stored secret that is its address. */
  calendars: Record<string, z.input<typeof CalendarFeed>>
  /** Limits of tools by name, or by the beginning of names: `{ 'crm__*': { perMinute: 30 } }`. For tools that the server executes. */
  toolLimits: Record<string, ToolLimits>
  /** What every sandbox of its runs begins with (`template`), what may leave it (`egress`: nothing unless said), its root in place of the server's programs (`image`: a file beside `agent/`, or a registry's by its digest), its limits, and which folders of the server's machine it is shown (`folders`), as far as the asker may see them. */
  sandbox?: z.input<typeof AgentSandbox>
  /** How many of its runs execute at once and start in a time, in all and for each lane key. What operators set applies as well; the stricter one decides. */
  runLimits?: RunLimits
  /** Model calls after which the run fails. Default 30. */
  turnsMax: number
  /** Models to ask from then on when one fails, in this order. */
  fallbackModels: string[]
  /** What the model calls of one run may cost, those of its subagents included; looked at before each. Default: no limit of its own. */
  costUsdMax?: number
  /** From this length on, in tokens as the model counts them, the conversation is summed up by a model call and begun anew. Default 150,000. */
  contextTokensMax: number
  /** The shape of the answer, a zod object: the answer's `output` has it. Absent: text. */
  output?: z.ZodType
  /** Agents of the same tenant as tools, by name, and what they are for: the model gets `ask_<name>`. */
  agents: Record<string, string>
  /** Agents of the same tenant to which it may hand over the conversation, by name, and when: the model gets `hand_off_to_<name>`. That agent answers then, also what is said next in the session. */
  handoffs: Record<string, string>
  /** Which of the folder's connections it gets the tools of. Default: all; for a subagent, none. */
  connections?: string[]
  examples: string[]
  /** Prepares data in `dataDir`, once per worker start, before the first run. Must be safe to repeat. */
  prepare?: (about: { dataDir: string; log(message: string): void }) => Promise<void>
}
export type StockTool = 'bash' | 'read_file' | 'write_file' | 'list_files' | 'python' | 'browser' | 'time'

/** Defines an LLM agent: the default export of `agent/agent.ts`. Instructions, tools and skills come from the files beside it. */
export function agent(options: Partial<Omit<AgentDefinition, 'kind'>> & { description: string }): AgentDefinition {
  return {
    kind: 'agent',
    model: 'default',
    stockTools: ['bash', 'read_file', 'write_file', 'python'],
    allowedHosts: [],
    mailRecipients: [],
    databases: {},
    calendars: {},
    toolLimits: {},
    turnsMax: 30,
    fallbackModels: [],
    contextTokensMax: 150_000,
    agents: {},
    handoffs: {},
    examples: [],
    ...options,
  }
}

/** Declares where tools come from: the default export of `connections/<name>.ts`. A `.json` file with the same content does as well. */
export const connection = (declared: z.input<typeof Connection>): z.input<typeof Connection> => declared

export type DurableFunction = {
  readonly kind: 'function'
  description: string
  examples: string[]
  allowedHosts: string[]
  mailRecipients: string[]
  toolLimits: Record<string, ToolLimits>
  sandbox?: AgentDefinition['sandbox']
  runLimits?: RunLimits
  prepare?: AgentDefinition['prepare']
  main: (ctx: Context, input: Json) => Promise<Json | void>
}

/** Defines a durable function: the default export of `agent/agent.ts` when the agent is plain code. */
export function durable(
  description: string,
  main: DurableFunction['main'],
  options: {
    examples?: string[]
    prepare?: NonNullable<AgentDefinition['prepare']>
    allowedHosts?: string[]
    mailRecipients?: string[]
    toolLimits?: Record<string, ToolLimits>
    sandbox?: NonNullable<AgentDefinition['sandbox']>
    runLimits?: RunLimits
  } = {},
): DurableFunction {
  return { kind: 'function', description, main, examples: [], allowedHosts: [], mailRecipients: [], toolLimits: {}, ...options }
}

/** Thrown by code or tools: retrying will not help. */
export class TerminalFailure extends Error {
  override readonly name = 'TerminalFailure'
}

/** Thrown by a `write` that does not know whether it took effect, because the answer to its request was lost, for example. */
export class InDoubt extends Error {
  override readonly name = 'InDoubt'
}

/** A wait whose time ran out. */
export class TimedOut extends Error {
  override readonly name = 'TimedOut'
}

/** A step that failed for good; `failure` is what was recorded. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed'
  readonly failure: Failure
  constructor(failure: Failure) {
    super(failure.message)
    this.failure = failure
  }
}
