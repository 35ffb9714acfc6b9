/** Failures as data, and values as text: what crosses between the author's code and the journal is checked here. */
import { type Failure, type Json, storableText, whyNotJson } from '@longhaul/protocol/agent'
import { InDoubt, StepFailed, TerminalFailure, TimedOut } from './agent.ts'

/** The largest value that an operation may take or give, as UTF-8 bytes of JSON. */
export const valueBytesMax = 8 * 1024 * 1024

const messageLengthMax = 10_000
const stackLengthMax = 4_000

export const failure = (code: string, message: string, retryable = false): Failure => ({
  message: cut(storableText(message), messageLengthMax),
  code,
  retryable,
})

/** What to record for whatever the author's code threw. Unknown errors may be retried. */
export function toFailure(error: unknown): Failure {
  if (isStepFailed(error)) return error.failure
  if (!(error instanceof Error)) return { message: cut(storableText(describe(error)), messageLengthMax), retryable: true }
  const code = isNamed(error, TimedOut) ? 'timed_out' : 'code' in error && typeof error.code === 'string' ? cut(storableText(error.code), 64) : undefined
  return {
    message: cut(storableText(error.message || error.name), messageLengthMax),
    ...(code ? { code } : {}),
    retryable: !isNamed(error, TerminalFailure),
    ...(typeof error.stack === 'string' ? { stack: cut(storableText(error.stack), stackLengthMax) } : {}),
  }
}

/** What the author's code is given for a recorded failure. A wait whose time ran out has an error of its own. */
export const toError = (failure: Failure, isWait: boolean): Error =>
  isWait && failure.code === 'timed_out' ? new TimedOut(failure.message) : new StepFailed(failure)

/** JSON text of a value that is about to be recorded. `undefined` is recorded as null. Throws `StepFailed` naming the culprit. */
export function encode(value: unknown, what: string): string {
  if (value === undefined || value === null) return 'null'
  const why = whyNotJson(value)
  if (why) throw new StepFailed(failure('not_json', `${what} cannot be recorded: ${why}.`))
  const text = JSON.stringify(value)
  // A UTF-16 unit is at most three bytes, so short texts need no measuring.
  if (text.length * 3 > valueBytesMax && Buffer.byteLength(text) > valueBytesMax) {
    const bytes = Buffer.byteLength(text)
    throw new StepFailed(
      failure('too_large', `${what} is ${bytes} bytes of JSON; at most ${valueBytesMax} can be recorded. Keep large data in a file or an artifact.`),
    )
  }
  return text
}

/** The value as a replay would give it: a fresh copy without `undefined` properties, that nobody else can change. */
export const decode = (text: string): Json => JSON.parse(text)

export const isStepFailed = (error: unknown): error is StepFailed => error instanceof Error && error.name === 'StepFailed' && 'failure' in error

export const isInDoubt = (error: unknown): error is InDoubt => error instanceof Error && isNamed(error, InDoubt)

function describe(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown
  try {
    return `Threw ${JSON.stringify(thrown) ?? String(thrown)}`
  } catch {
    return `Threw a ${typeof thrown} that cannot be shown` // Cycles and objects whose toJSON throws.
  }
}

/** By name as well as by class, since an agent may bring its own copy of this package. */
const isNamed = (error: Error, kind: typeof TerminalFailure | typeof TimedOut | typeof InDoubt): boolean => error instanceof kind || error.name === kind.name
const cut = (text: string, lengthMax: number) => (text.length > lengthMax ? `${text.slice(0, lengthMax - 1)}…`.toWellFormed() : text)
