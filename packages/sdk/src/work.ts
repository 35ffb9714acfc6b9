/** Steps and tools: the operations that execute in this process. */
import { type Failure, type Json, type RetryPolicy, ToolResult } from '@longhaul/protocol/agent'
import type { Checked, Context, Shown, StepOptions, Tool } from './agent.ts'
import { StepFailed, TerminalFailure } from './agent.ts'
import type { Execution } from './execution.ts'
import { encode, failure, isInDoubt, toFailure } from './failure.ts'
import { doneFrame, errorFrame } from './frames.ts'
import type { CallLimits, Op, Scope, ToolScope } from './operation.ts'
import { type Surroundings, inside } from './surroundings.ts'
import { type Intended, doubt, startIntended } from './write.ts'

export const stepRetryDefault: RetryPolicy = { attemptsMax: 5, delayMsMin: 200, delayMsMax: 30_000 }
/** A tool's failure goes to the model, which decides what to do about it. */
const toolRetry: RetryPolicy = { attemptsMax: 1, delayMsMin: 0, delayMsMax: 0 }

/** The same for every attempt at the operation, and no other's. */
export const idempotencyKeyOf = (run: string, path: string): string => `${run}/${path}`

export type StepWork = { work: (attempt: number, about: { idempotencyKey: string }) => unknown; retry: RetryPolicy }

/** A step that writes: executed once its intent is recorded. */
export function startWrite(
  execution: Execution,
  op: Op,
  step: StepWork,
  effect: StepOptions<Json | void>['effect'],
  check: StepOptions<Json | void>['check'],
): void {
  const idempotencyKey = idempotencyKeyOf(execution.id, op.path)
  const intended: Intended = {
    kind: 'step',
    input: 'null',
    effect,
    check: check && (async (attempt) => encodeChecked(await check({ idempotencyKey, attempt }), (result) => result, `step ${JSON.stringify(op.name)}`)),
    execute() {
      execution.stoppedExecuting() // The intent's part of it. The step counts for itself.
      startStep(execution, op, step, (error) => doubt(execution, op, intended, error))
    },
  }
  startIntended(execution, op, intended)
}

function encodeChecked<Found>(found: Checked<Found>, toValue: (result: Found) => unknown, what: string): Checked<string> {
  if (typeof found !== 'object' || found === null || typeof found.isDone !== 'boolean')
    throw new TerminalFailure(`The check of ${what} must return { isDone: true, result } or { isDone: false }.`)
  return found.isDone ? { isDone: true, result: encode(toValue(found.result), `What the check of ${what} found`) } : found
}

/** Executes a plain step. Nothing is sent before it is done. `onDoubt` takes what a write throws that does not know whether it took effect. */
export function startStep(execution: Execution, op: Op, { work, retry }: StepWork, onDoubt?: (error: unknown) => void): void {
  const of = { run: execution.id, op: op.path, name: op.name }
  const startedAt = performance.now()
  const settled = () => {
    surroundings.isOver = true
    execution.stoppedExecuting()
    return performance.now() - startedAt
  }
  const threw = (error: unknown) => {
    if (surroundings.isOver) return
    const ms = settled()
    if (execution.isOver) return
    if (onDoubt && isInDoubt(error)) return onDoubt(error)
    execution.send(errorFrame(of, 'step', op.attempt, toFailure(error), retry, ms))
  }
  const returned = (result: unknown) => {
    if (surroundings.isOver) return
    const ms = settled()
    if (execution.isOver) return
    try {
      op.output = encode(result, `The result of step ${JSON.stringify(op.name)}`)
    } catch (error) {
      return execution.send(errorFrame(of, 'step', op.attempt, toFailure(error), retry, ms))
    }
    execution.send(doneFrame(of, 'step', op.attempt, op.output, ms))
  }
  const surroundings: Surroundings = { run: execution.id, step: op.name, isOver: false, fail: threw }
  execution.startedExecuting()
  execution.codeBegan()
  let result: unknown
  try {
    result = inside(surroundings, () => work(op.attempt, { idempotencyKey: idempotencyKeyOf(execution.id, op.path) }))
  } catch (error) {
    execution.codeEnded()
    return threw(error)
  }
  // A step that needs no waiting costs no promise.
  if (isThenable(result))
    result.then(
      (value) => {
        execution.codeEnded()
        returned(value)
      },
      (error: unknown) => {
        execution.codeEnded()
        threw(error)
      },
    )
  else {
    execution.codeEnded()
    returned(result)
  }
}

/** `input` is JSON text for the journal, `parsed` what the tool's schema made of it. */
export type ToolCall = { tool: Tool; input: string; parsed: unknown; makeContext(scope: Scope, signal: () => AbortSignal): Context }

/** Records the intent to execute a tool, and executes it once that is recorded. */
export function startTool(execution: Execution, op: Op, call: ToolCall): void {
  const { tool, input, parsed, makeContext } = call
  const intended: Intended = {
    kind: 'tool',
    input,
    effect: tool.effect,
    check:
      tool.check &&
      (async (attempt) => {
        const { run, asker, dataDir } = makeContext({ prefix: `${op.path}.`, next: 0, tool: undefined, isClosed: op.scope.isClosed }, () => execution.signal)
        const idempotencyKey = idempotencyKeyOf(execution.id, op.path)
        return encodeChecked(
          (await tool.check?.(parsed, { run, asker, dataDir, idempotencyKey, attempt })) ?? { isDone: false },
          (found) => toToolResult(found, tool),
          `tool ${op.name}`,
        )
      }),
    execute: (limits) => void execute(execution, op, call, intended, limits),
  }
  startIntended(execution, op, intended)
}

async function execute(execution: Execution, op: Op, { tool, parsed, makeContext }: ToolCall, intended: Intended, limits: CallLimits): Promise<void> {
  const timeoutMs = Math.min(tool.timeoutMs, limits.timeoutMs ?? Infinity)
  const of = { run: execution.id, op: op.path, name: op.name }
  const startedAt = performance.now()
  const stop = new AbortController()
  const clock = stoppableClock(timeoutMs)
  const shared: ToolScope = { path: op.path, isClosed: false, waits: new Set(), onWaiting: (isWaiting) => (isWaiting ? clock.pause() : clock.resume()) }
  const onRelease = () => stop.abort()
  execution.signal.addEventListener('abort', onRelease)
  const { promise: stray, reject: fail } = Promise.withResolvers<never>()
  const surroundings: Surroundings = { run: execution.id, step: undefined, isOver: false, fail }
  let output: string | undefined
  let failed: Failure | undefined
  let doubted: Error | undefined
  try {
    const context = makeContext({ prefix: `${op.path}.`, next: 0, tool: shared, isClosed: op.scope.isClosed }, () => stop.signal)
    execution.scopeBegan(op.path)
    const ended = () => execution.scopeEnded(op.path) // Not when its time is up: its code may go on.
    const work = inside(surroundings, async () => tool.run(parsed, context))
    work.then(ended, ended)
    const result = await Promise.race([work, stray, clock.ranOut.then(() => Promise.reject(timeout(op.name, timeoutMs)))])
    output = encode(toToolResult(result, tool, limits.resultCharactersMax), `The result of tool ${JSON.stringify(op.name)}`)
  } catch (error) {
    failed = toFailure(error)
    if (tool.effect === 'write' && error instanceof Error && (isInDoubt(error) || failed.code === 'timeout')) doubted = error
  }
  surroundings.isOver = true
  clock.pause()
  execution.signal.removeEventListener('abort', onRelease)
  if (execution.isOver) return
  execution.closeTool(shared)
  execution.stoppedExecuting()
  clock.pause() // Closing ended the tool's waits, which set the clock going again.
  if (failed) stop.abort()
  if (doubted) return doubt(execution, op, intended, doubted)
  const ms = performance.now() - startedAt
  op.output = output
  execution.send(
    output === undefined
      ? errorFrame(of, 'tool', op.attempt, failed ?? failure('internal', 'No result.'), tool.retry ? toRetryPolicy(tool.retry) : toolRetry, ms)
      : doneFrame(of, 'tool', op.attempt, output, ms),
  )
}

/** A tool returns plain JSON, or what `shown` made: an object of exactly `output` and `parts`. */
function toToolResult(result: Json | Shown | void, { isOutside = false }: Tool, charactersMax = Infinity): ToolResult {
  const source = isOutside ? { source: 'tool_server' as const } : {}
  if (!isShown(result)) return { output: cut(result ?? null, charactersMax), parts: [], ...source }
  const parsed = ToolResult.safeParse(result)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new StepFailed(failure('bad_parts', `The tool returned parts that cannot be shown: ${issue?.path.join('.')}: ${issue?.message}.`))
  }
  return { ...parsed.data, output: cut(parsed.data.output, charactersMax), ...source }
}

/** Recorded so, that a replay has what the model was told. */
function cut(output: Json, max: number): Json {
  if (max === Infinity) return output
  const text = typeof output === 'string' ? output : (JSON.stringify(output) ?? 'null')
  if (text.length <= max) return output
  return `${text.slice(0, max).toWellFormed()}\n[${text.length - max} of ${text.length} characters are left out. Ask for less, or for a part.]`
}

function isShown(result: Json | Shown | void): result is Shown {
  if (typeof result !== 'object' || result === null || Array.isArray(result)) return false
  const keys = Object.keys(result)
  return keys.length === 2 && 'output' in result && 'parts' in result && Array.isArray(result.parts)
}

const timeout = (name: string, ms: number) => new StepFailed(failure('timeout', `The tool ${name} took longer than ${ms / 1_000} s.`))

/** A time-out that can stand still. `ranOut` resolves once the clock has run for `ms` in all. */
function stoppableClock(ms: number): { ranOut: Promise<void>; pause(): void; resume(): void } {
  let leftMs = ms
  let timer: NodeJS.Timeout | undefined
  let startedAt = 0
  const { promise: ranOut, resolve } = Promise.withResolvers<void>()
  const resume = () => {
    if (timer) return
    startedAt = performance.now()
    timer = setTimeout(resolve, leftMs)
  }
  const pause = () => {
    if (!timer) return
    clearTimeout(timer)
    timer = undefined
    leftMs = Math.max(0, leftMs - (performance.now() - startedAt))
  }
  resume()
  return { ranOut, pause, resume }
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'

/** Checks a policy that the author gave, once, where it was given. */
export function toRetryPolicy(given: Partial<RetryPolicy> | undefined, attemptsMax = stepRetryDefault.attemptsMax): RetryPolicy {
  if (!given && attemptsMax === stepRetryDefault.attemptsMax) return stepRetryDefault
  const policy = { ...stepRetryDefault, attemptsMax, ...given }
  const isSound =
    Number.isInteger(policy.attemptsMax) && policy.attemptsMax >= 1 && policy.attemptsMax <= 1_000 && isDelay(policy.delayMsMin) && isDelay(policy.delayMsMax)
  if (!isSound)
    throw new TerminalFailure(`A retry policy needs attemptsMax from 1 to 1000 and delays as whole milliseconds from 0 on, not ${JSON.stringify(given)}.`)
  return policy
}
const isDelay = (ms: number) => Number.isInteger(ms) && ms >= 0
