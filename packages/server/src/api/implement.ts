import type { Operation } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Caller, PersonCaller } from '../identity/index.ts'
import { AppError } from '../kernel/index.ts'
import type { Exchange } from './exchange.ts'
import type { Following, Frames } from './server-sent-events.ts'

/** What an operation does. Its input has been parsed; its output will be, which drops every field that the contract does not name. */
export type Implementation = {
  operation: Operation
  /** `caller` is nobody where the operation is for anybody. */
  handle(caller: Caller | undefined, input: unknown, exchange: Exchange): Promise<unknown>
  /** The same as it changes, for whoever follows it. Rejects, before anything is told, where `handle` would. */
  stream?: (caller: Caller, input: unknown, following: Following) => Promise<Frames>
  /** What else policies may want to know of what is asked. */
  about?(caller: Caller, input: unknown): Promise<Record<string, unknown>>
  /** It notes what it did for the audit log in the transaction in which it did it. Otherwise the pipeline does so afterwards. */
  isAudited?: boolean
}

export const audited = (implementation: Implementation): Implementation => ({ ...implementation, isAudited: true })

type Behaviour<Input, Output, Who = Caller> = (caller: Who, input: Input, exchange: Exchange) => Promise<Output>
type Streaming<Input> = (caller: Caller, input: Input, following: Following) => Promise<Frames>

export function implement<Input extends z.ZodType, Output extends z.ZodType>(
  operation: Operation<Input, Output>,
  handle: Behaviour<z.output<Input>, z.input<Output>>,
  stream?: Streaming<z.output<Input>>,
): Implementation {
  // The pipeline calls both with what `operation.input` parsed and nothing else, so the input is of that type.
  // Nobody is handed over only where the operation is for anybody.
  return { operation, handle: handle as Implementation['handle'], ...(stream && { stream: stream as Streaming<unknown> }) }
}

/** For whoever is signed in, about themselves. */
export function implementOwn<Input extends z.ZodType, Output extends z.ZodType>(
  operation: Operation<Input, Output>,
  handle: Behaviour<z.output<Input>, z.input<Output>, PersonCaller>,
): Implementation {
  return implement(operation, async (caller, input, exchange) => {
    const { login } = caller
    if (!login) throw new AppError('forbidden', 'This is for people who are signed in. A key has no password, no second factor and no logins.')
    return handle({ ...caller, login }, input, exchange)
  })
}

/** For anybody: nobody is known yet. It notes for the audit log what it does. */
export function implementOpen<Input extends z.ZodType, Output extends z.ZodType>(
  operation: Operation<Input, Output>,
  handle: (input: z.output<Input>, exchange: Exchange) => Promise<z.input<Output>>,
): Implementation {
  return audited(implement(operation, (_, input, exchange) => handle(input, exchange)))
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
  const streams = implementations
    .filter(({ operation, stream }) => (operation.frame === undefined) !== (stream === undefined))
    .map(({ operation, stream }) => `${operation.id} ${stream ? 'has a stream and does not say so' : 'has no stream'}`)
  problems.push(...streams)
  if (problems.length + unknown.length > 0) throw new Error(`The API is incomplete: ${[...problems, ...unknown].join('; ')}.`)
}
