import type { Operation } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Caller } from '../identity/index.ts'

/** What an operation does. Its input has been parsed; its output will be, which drops every field that the contract does not name. */
export type Implementation = {
  operation: Operation
  handle(caller: Caller, input: unknown): Promise<unknown>
  /** The same as a stream of server-sent events, for whoever accepts that instead. */
  stream?: (caller: Caller, input: unknown, request: Request) => Promise<Response>
  /** It notes what it did for the audit log in the transaction in which it did it. Otherwise the pipeline does so afterwards. */
  isAudited?: boolean
}

export const audited = (implementation: Implementation): Implementation => ({ ...implementation, isAudited: true })

type Behaviour<Input, Output> = (caller: Caller, input: Input) => Promise<Output>
type Streaming<Input> = (caller: Caller, input: Input, request: Request) => Promise<Response>

export function implement<Input extends z.ZodType, Output extends z.ZodType>(
  operation: Operation<Input, Output>,
  handle: Behaviour<z.output<Input>, z.input<Output>>,
  stream?: Streaming<z.output<Input>>,
): Implementation {
  // The pipeline calls both with what `operation.input` parsed and nothing else, so the input is of that type.
  return { operation, handle: handle as Behaviour<unknown, unknown>, ...(stream && { stream: stream as Streaming<unknown> }) }
}

/** Throws, at start, when an operation has no implementation or two. */
export function assertComplete(operations: readonly Operation[], implementations: readonly Implementation[]): void {
  const problems = operations.flatMap(({ id }) => {
    const { length } = implementations.filter((implementation) => implementation.operation.id === id)
    return length === 1 ? [] : [`${id} has ${length} implementations`]
  })
  const unknown = implementations
    .filter(({ operation }) => !operations.includes(operation))
    .map(({ operation }) => `${operation.id} is not in the list of operations`)
  if (problems.length + unknown.length > 0) throw new Error(`The API is incomplete: ${[...problems, ...unknown].join('; ')}.`)
}
