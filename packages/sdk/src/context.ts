/** The context that durable code is given: each method numbers, names and checks an operation and asks the execution for it. */
import {
  type ApprovalRule,
  type CallResult,
  type ChildStarted,
  type ConnectResult,
  type ExecResult,
  type FilePart,
  type FilesResult,
  type InvokeRequest,
  type Json,
  type ModelReply,
  type StepKind,
  type ToolResult,
  attachmentPath,
  attachmentsOf,
  effects,
  formKey,
} from '@longhaul/protocol/agent'
import { type Child, type ChildEnd, type Context, type StepOptions, StepFailed, TerminalFailure, type Tool } from './agent.ts'
import { callAnswered } from './answering.ts'
import { type Decision, approvalAsked } from './approval-asked.ts'
import { createBranches, nested } from './branches.ts'
import { type Execution, never } from './execution.ts'
import { encode, failure } from './failure.ts'
import { type WaitAsked, askFrame, waitFrame } from './frames.ts'
import type { Scope } from './operation.ts'
import { currentStep } from './surroundings.ts'
import { idempotencyKeyOf, startStep, startTool, startWrite, toRetryPolicy } from './work.ts'

/** Executes a tool as an operation. For the agent loop; durable code calls functions instead. */
export const runTool = Symbol('runTool')
/** Asks what tools the connections have. */
export const connectTools = Symbol('connectTools')
/** Starts a run of another agent, or of a part of this one, with a share of what this run may spend. */
export const startDelegate = Symbol('startDelegate')
/** Asks a custom agent's program. */
export const invoke = Symbol('invoke')
export type LoopContext = Context & {
  [invoke](request: InvokeRequest): Promise<Json>
  [runTool](call: { name: string; tool: Tool; input: Json; parsed: unknown }): Promise<ToolResult>
  [connectTools](connections: readonly string[]): Promise<ConnectResult>
  [startDelegate](delegate: { agent: string } | { part: string }, input: Json, costUsdMax: number | undefined): Promise<Child>
}

type ContextOptions = { execution: Execution; dataDir: string; scope?: Scope; signal?: () => AbortSignal }

const nameLengthMax = 128
const waitMsMax = 10 * 366 * 86_400_000

export function createContext({
  execution,
  dataDir,
  scope = { prefix: '', next: 0, tool: undefined, isClosed: () => false },
  signal = () => execution.signal,
}: ContextOptions): LoopContext {
  const { head } = execution
  const toolPath = scope.tool?.path

  /** An operation that the server executes. Its result has the shape that the protocol gives its kind. */
  const askServer = <Result>(kind: StepKind, name: string, input: unknown): Promise<Result> => {
    const path = execution.takePath(scope)
    const text = encode(input, `The input of ${kind} ${JSON.stringify(name)}`)
    const start = () => execution.send(askFrame({ run: execution.id, op: path, name }, kind, text))
    return execution.ask(path, { kind, name, scope, isWait: false, start }) as Promise<Result> // The server is trusted to keep the protocol.
  }
  const askWait = (
    kind: WaitAsked,
    name: string,
    timeoutMs: number | null,
    { detail, target, rule }: { detail?: Json | undefined; target?: string; rule?: ApprovalRule | undefined } = {},
  ): Promise<Json> => {
    checkName(name, kind)
    checkDuration(timeoutMs, `${kind} ${JSON.stringify(name)}`)
    const path = execution.takePath(scope)
    const text = detail === undefined ? undefined : encode(detail, `The detail of ${kind} ${JSON.stringify(name)}`)
    return execution.ask(path, {
      kind,
      name,
      scope,
      isWait: true,
      start: () => execution.send(waitFrame({ run: execution.id, op: path, name }, kind, timeoutMs, { detail: text, target, rule })),
    })
  }

  const branches = createBranches({
    execution,
    scope,
    makeContext: (inner) => createContext({ execution, dataDir, signal, scope: inner }),
  })
  const context: Omit<LoopContext, 'signal'> = {
    run: { id: head.run, agent: head.agent, version: head.version, session: head.session, createdAt: new Date(head.createdAt) },
    asker: head.asker,
    dataDir,
    idempotencyKey: toolPath === undefined ? head.run : idempotencyKeyOf(head.run, toolPath),
    attachments: attachmentsOf(head.input).map((file) => ({ ...file, path: attachmentPath(file) })),
    sandbox: {
      exec: async (command) =>
        askServer<ExecResult>('exec', 'script' in command ? firstLine(command.script) : firstLine([command.cmd, ...(command.args ?? [])].join(' ')), command),
      writeFiles: async (files) => {
        if (files.length === 0) return
        const input = { action: 'write', files: files.map(({ path, content }) => ({ path, base64: Buffer.from(content).toString('base64') })) }
        await askServer<FilesResult>('files', firstLine(`write ${files.map((file) => file.path).join(' ')}`), input)
      },
      readFile: async (path, bytesMax) => {
        const found = await askServer<Extract<FilesResult, { action: 'read' }>>('files', firstLine(`read ${path}`), { action: 'read', path, bytesMax })
        if (found.isTruncated && bytesMax === undefined)
          throw new StepFailed(failure('too_large', `${path} is longer than the ${found.bytes} bytes that are read by default. Give bytesMax.`))
        return Buffer.from(found.base64, 'base64')
      },
      list: async (path) => (await askServer<Extract<FilesResult, { action: 'list' }>>('files', firstLine(`list ${path}`), { action: 'list', path })).entries,
    },

    step: <Result extends Json | void>(
      name: string,
      work: (attempt: number, about: { idempotencyKey: string }) => Promise<Result> | Result,
      { retry: policy, effect, check }: StepOptions<Result> = {},
    ): Promise<Result> => {
      let retry
      try {
        checkName(name, 'step')
        checkEffect(effect, check, `step ${JSON.stringify(name)}`)
        retry = toRetryPolicy(policy, effect === 'write' ? 1 : undefined)
      } catch (error) {
        return Promise.reject(error)
      }
      const step = { work, retry }
      // What comes back is what `work` returned, by way of JSON.
      return execution.ask(execution.takePath(scope), {
        kind: 'step',
        name,
        scope,
        isWait: false,
        start: (op) =>
          effect === 'write' || (head.withholdsWrites && effect !== 'none')
            ? startWrite(execution, op, step, effect, check)
            : execution.whenAdmitted(() => startStep(execution, op, step)),
      }) as Promise<Result>
    },
    sleep: async (name, ms) => void (await askWait('timer', name, ms)),
    waitForSignal: async (name, options) => askWait('signal', name, options?.timeoutMs ?? null),
    approval: async (title, options = {}) => {
      const { answers, ...decision } = (await askWait('approval', title, options.timeoutMs ?? null, approvalAsked(title, options))) as Decision // The protocol's shape.
      return { ...decision, ...(options.fields && decision.approved && { answers: answers?.[formKey] ?? {} }) }
    },
    model: async ({ model = 'default', after, instructions, tools, append, outputTokensMax, cacheSeconds, mayBeSteered }) => {
      const op = `${scope.prefix}${scope.next}`
      const request = { model, prefix: after?.op, instructions, tools, append, outputTokensMax, cacheSeconds, mayBeSteered }
      const reply = await askServer<ModelReply>('model', model, request)
      return { ...reply, op }
    },
    tool: (name, input) =>
      callAnswered(
        (answered) => askServer<CallResult>('call', firstLine(name), { tool: name, input, answered }),
        (asks) => askWait('approval', 'A tool server asks', null, { detail: { tool: name, input: input ?? null, ...asks } }),
      ),
    artifact: async ({ name, mediaType, title, content }) =>
      askServer<FilePart>('artifact', firstLine(name), { name, mediaType, title, base64: Buffer.from(content).toString('base64') }),

    start: async (agent, input = null, { session, isDetached = false } = {}) => {
      const { runId } = await askServer<ChildStarted>('run', agent, { agent, input, isDetached, ...(session !== undefined && { session }) })
      return { runId, agent }
    },
    waitForRun: async (child, options) => (await askWait('run', child.agent, options?.timeoutMs ?? null, { target: child.runId })) as ChildEnd, // The protocol's shape.
    call: async (agent, input, { timeoutMs, ...options } = {}) => {
      const child = await context.start(agent, input, options)
      return context.waitForRun(child, timeoutMs === undefined ? {} : { timeoutMs })
    },
    continueAs: async (input = null) => {
      const step = currentStep(execution.id)
      if (step !== undefined) throw new TerminalFailure(`continueAs() was called inside the step ${JSON.stringify(step)}. Return from it first.`)
      if (!scope.isClosed() && !scope.tool?.isClosed) execution.continueAs(encode(input, 'The input to continue with'))
      return never()
    },

    // The types of the results follow from those of the branches.
    all: branches.all as Context['all'],
    allSettled: branches.allSettled as Context['allSettled'],
    any: branches.anyOf as Context['any'],
    map: branches.map,

    [connectTools]: async (connections) => askServer<ConnectResult>('connect', firstLine(connections.join(' ')), { connections }),

    [invoke]: async (request) => askServer<Json>('invoke', 'invocations', request),

    [startDelegate]: async (delegate, input, costUsdMax) => {
      const { agent = head.agent, part } = 'part' in delegate ? { part: delegate.part } : { agent: delegate.agent, part: undefined }
      const more = { ...(part !== undefined && { part }), ...(costUsdMax !== undefined && { costUsdMax }) }
      const { runId } = await askServer<ChildStarted>('run', part ?? agent, { agent, input, isDetached: false, ...more })
      return { runId, agent: part ?? agent }
    },

    [runTool]: async ({ name, tool, input, parsed }) => {
      const text = encode(input, `The input of tool ${JSON.stringify(name)}`)
      const makeContext = (inner: Scope, innerSignal: () => AbortSignal) =>
        createContext({ execution, dataDir, scope: { ...inner, prefix: nested(inner.prefix) }, signal: innerSignal })
      const start = (op: Parameters<typeof startTool>[1]) => startTool(execution, op, { tool, input: text, parsed, makeContext })
      return execution.ask(execution.takePath(scope), { kind: 'tool', name, scope, isWait: false, start }) as Promise<unknown> as Promise<ToolResult> // Made so by `startTool`.
    },
  }
  // Not a getter in the literal: V8 keeps those where only its slow collection looks, and with them all of a run that has ended.
  return Object.defineProperty(context, 'signal', { get: signal, enumerable: true }) as LoopContext // It has all of it now.
}

/** Code that types do not hold back, or that was written without them. */
function checkEffect(effect: unknown, check: unknown, what: string): void {
  if (effect !== undefined && !effects.some((known) => known === effect))
    throw new TerminalFailure(`The effect of ${what} is one of ${effects.join(', ')}, not ${JSON.stringify(effect)}.`)
  if (check !== undefined && effect !== 'write') throw new TerminalFailure(`Only a write has a check: give ${what} the effect "write", or leave the check out.`)
}

function checkName(name: unknown, kind: string): void {
  if (typeof name !== 'string' || name.length === 0) throw new TerminalFailure(`A ${kind} needs a name.`)
  if (name.length <= nameLengthMax) return
  const remedy = kind === 'approval' ? ' Put the rest into `detail`.' : ''
  throw new TerminalFailure(
    `The name of a ${kind} has at most ${nameLengthMax} characters, not ${name.length}: ${JSON.stringify(name.slice(0, 60))}….${remedy}`,
  )
}

function checkDuration(ms: number | null, what: string): void {
  if (ms === null || (typeof ms === 'number' && ms >= 0 && ms <= waitMsMax)) return
  throw new TerminalFailure(`The duration of ${what} must be from 0 to ${waitMsMax} ms (ten years), not ${ms}.`)
}

/** A name for what has none: its first line that says something, made short. */
function firstLine(text: unknown): string {
  const line =
    String(text)
      .toWellFormed()
      .replaceAll('\u0000', '')
      .split('\n')
      .find((candidate) => candidate.trim() !== '')
      ?.trim() ?? '(empty)'
  return line.length > 100 ? `${line.slice(0, 99)}…`.toWellFormed() : line
}
