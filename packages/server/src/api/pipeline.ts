/** What every operation goes through, whatever the way it was asked for: the rate, permission, input, reach, policies, the note of its outcome, the cut to its contract. */
import { type Operation, operations } from '@longhaul/protocol'
import type { z } from 'zod'
import { type EditsOptions, openEdits } from './edits.ts'
import type { Caller } from '../identity/index.ts'
import { AppError, openRateLimit } from '../kernel/index.ts'
import { type Admission, type Identify, identify, identifyKey } from './admission.ts'
import { deprecationHeaders } from './deprecation.ts'
import { type Asks, type Exchange, addressOf, openExchange } from './exchange.ts'
import { type GateOptions, assertPolicies, assertRate, assertSteppedUp, noteOutcome } from './gate.ts'
import { type Implementation, assertComplete } from './implement.ts'
import { assertReach } from './reach.ts'
import { type RequestQuotasOf, nearer, openRequestQuotas } from './request-quotas.ts'
import type { Following, Frames } from './server-sent-events.ts'

export type PipelineOptions = GateOptions &
  Identify & {
    implementations: readonly Implementation[]
    /** Absent: all of the protocol’s. */
    operations?: readonly Operation[]
    /** Requests that one key may make. */
    requestsPerMinute: number
    /** Requests that a tenant and a namespace may make a minute. Absent: as many as they like. */
    requestQuotasOf?: RequestQuotasOf
    /** Runs `work` while nobody else, at any server, runs one under the same name. */
    during: EditsOptions['during']
  }
export type Pipeline = ReturnType<typeof openPipeline>

/** One request: what is asked for, by whom, and how its input is come by once it is known that they may ask. */
export type Asked = {
  operation: Operation
  caller: Caller
  requestId: string
  /** What of the input is known before it is read, for the note of a refusal. */
  named: Record<string, unknown>
  read(): Promise<unknown>
}

/** Of what nobody asked for from outside. */
const silentExchange = openExchange({ header: () => undefined, peer: undefined }, undefined, () => {})

/** Requests from one address that come without a key or a login: signing in, and nothing else. */
const unknownPerMinute = 300

export function openPipeline(options: PipelineOptions) {
  const { implementations, publicUrl } = options
  assertComplete(options.operations ?? operations, implementations)
  const byId = new Map(implementations.map((implementation) => [implementation.operation.id, implementation]))
  const rate = openRateLimit(options.requestsPerMinute)
  const quotas = openRequestQuotas(options, options.requestQuotasOf ?? (async () => ({})))
  const rateOfUnknown = openRateLimit(unknownPerMinute)

  const edits = openEdits({
    during: options.during,
    operationOf: (id) => implementationOf({ id }).operation,
    async read(id, caller, input) {
      const { operation, handle } = implementationOf({ id })
      return checkOutput(operation, await handle(caller, operation.input.parse(input), silentExchange))
    },
  })

  function implementationOf({ id }: Pick<Operation, 'id'>): Implementation {
    const found = byId.get(id)
    if (!found) throw new Error(`${id} has no implementation.`) // `assertComplete` has seen to it.
    return found
  }

  async function perform<Result>(
    { operation, caller, requestId, named, read }: Asked,
    work: (input: unknown, implementation: Implementation, headers: Record<string, string>) => Promise<Result>,
  ): Promise<Result> {
    const implementation = implementationOf(operation)
    let input = named
    const asked = () => ({ operation, caller, input, requestId })
    try {
      assertPermitted(caller, operation.permission)
      input = (await read()) as Record<string, unknown> // Every operation's input is an object.
      assertReach(caller, operation, input)
      const headers = await quotas.ofNamespace(caller, input, requestId)
      assertSteppedUp(options, asked())
      await assertPolicies(options, asked(), await implementation.about?.(caller, input))
      const result = await work(input, implementation, headers)
      await noteOutcome(options, implementation, asked())
      return result
    } catch (error) {
      await noteOutcome(options, implementation, asked(), error)
      throw error
    }
  }

  async function admitted(admission: Admission, requestId: string): Promise<Admission & { headers: Record<string, string> }> {
    return { ...admission, headers: await countRequest(admission.caller, requestId) }
  }

  async function countRequest(caller: Caller, requestId: string): Promise<Record<string, string>> {
    const headers = await assertRate(options, rate, caller, requestId)
    return nearer(headers, await quotas.ofTenant(caller, requestId))
  }

  return {
    implementations,
    publicUrl,
    perform,
    find: (operationId: string) => byId.get(operationId),

    /** Who is calling, once it is known that they may call now. */
    admit: async (asks: Asks, requestId: string, isChange: boolean) => admitted(await identify(options, asks, { isChange }), requestId),
    admitKey: async (secret: string, requestId: string) => admitted(await identifyKey(options, secret), requestId),
    /** One more request of somebody who was admitted before. */
    countRequest,
    /** For what is for anybody: by the address that it comes from. */
    admitUnknown: (asks: Asks): void => takeFrom(rateOfUnknown, asks, publicUrl),

    call(asked: Asked, exchange: Exchange): Promise<unknown> {
      for (const [name, value] of deprecationHeaders(asked.operation)) exchange.addHeader(name, value)
      return perform(asked, async (input, { operation, handle }, headers) => {
        for (const [name, value] of Object.entries(headers)) exchange.addHeader(name, value)
        const work = async () => checkOutput(operation, await handle(asked.caller, input, exchange))
        return edits.stamp(operation, await edits.around(operation, asked.caller, input as Record<string, unknown>, exchange, work), exchange) // Every operation's input is an object.
      })
    },

    /** Throws `invalid` where the operation has no stream. */
    follow: (asked: Asked, following: Following): Promise<Frames> =>
      perform(asked, async (input, { operation, stream }) => {
        if (!stream) throw new AppError('invalid', `${operation.id} cannot be followed. These can: ${followed(implementations).join(', ')}.`)
        return stream(asked.caller, input, following)
      }),

    async callAsAnybody(operation: Operation, input: unknown, exchange: Exchange): Promise<unknown> {
      for (const [name, value] of deprecationHeaders(operation)) exchange.addHeader(name, value)
      return checkOutput(operation, await implementationOf(operation).handle(undefined, input, exchange))
    },
  }
}

export function takeFrom(rate: ReturnType<typeof openRateLimit>, asks: Asks, publicUrl: string | undefined): void {
  const { isAllowed, retryAfterS } = rate.take(addressOf(asks, publicUrl))
  if (!isAllowed) throw new AppError('over_limit', `Too many requests from here. Try again in ${retryAfterS} s.`, undefined, retryAfterS)
}

export function assertPermitted(caller: Caller, permission: Operation['permission']): void {
  if (permission === 'anybody' || permission === 'oneself') return // What is for oneself asks for a login by itself.
  if (!caller.permissions.includes(permission)) throw new AppError('forbidden', `This needs the permission ${permission}, which ${caller.name} lacks.`)
}

const followed = (implementations: readonly Implementation[]): string[] => implementations.flatMap(({ operation, stream }) => (stream ? operation.id : []))

function checkOutput<Output extends z.ZodType>({ output }: Operation<z.ZodType, Output>, result: unknown): z.output<Output> {
  const checked = output.safeParse(result)
  if (!checked.success) throw new AppError('internal', 'Internal error.', checked.error) // Ours, not the caller's: the contract is broken.
  return checked.data
}
