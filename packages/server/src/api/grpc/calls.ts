/** Operations as gRPC calls: who calls, what is asked for, and failures in gRPC's codes. */
import type { DescMethod, Message } from '@bufbuild/protobuf'
import { type Code, ConnectError, type ContextKey, type HandlerContext, createContextKey } from '@connectrpc/connect'
import { type Operation, errorCodes, whyNotJson } from '@longhaul/protocol'
import { AppError, type Log, monotonicMs, newId, toAppError } from '../../kernel/index.ts'
import { type Admission, whileAdmitted } from '../admission.ts'
import { type Asks, openExchange } from '../exchange.ts'
import type { AddressCheck } from '../guard.ts'
import { parseInput } from '../input.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Converter } from './convert.ts'
import { errorDetail } from './well-known.ts'

/** Facts of a call that are known before its message is read. */
type Opened = { requestId: string; from: number; admission?: Admission | undefined }

/** What the framework leaves out of the headers. */
export const placeKey: ContextKey<{ peer?: string | undefined; host?: string | undefined }> = createContextKey({})
const openedKey: ContextKey<Opened> = createContextKey<Opened>({ requestId: '', from: 0 })

export type CallOptions = { pipeline: Pipeline; converter: Converter; checkAddress: AddressCheck; stopping: AbortSignal; log: Log }
/** Absent where it is none of ours: reflection and health. */
type OperationOf = (method: DescMethod) => Operation | undefined

export function openCalls({ pipeline, converter, checkAddress, stopping, log }: CallOptions) {
  const asksOf = ({ requestHeader, values }: HandlerContext): Asks => ({
    header: (name) => requestHeader.get(name) ?? (name === 'host' ? values.get(placeKey).host : undefined),
    peer: values.get(placeKey).peer,
  })

  function failed(error: unknown, { requestId }: Opened): ConnectError {
    if (error instanceof ConnectError) return error
    const { code, message, cause, retryAfterS } = toAppError(error)
    if (code === 'internal') log.error('request failed', { requestId, error: cause })
    const detail = { code, requestId, retryAfterS: retryAfterS ?? 0 }
    return new ConnectError(message, errorCodes[code].grpc as Code, { 'x-request-id': requestId }, [{ desc: errorDetail, value: detail as never }]) // gRPC's codes are Connect's.
  }

  const tell = (context: HandlerContext, operation: Operation | undefined, { requestId, from, admission }: Opened, code?: string) =>
    log.info('request', {
      ...{ requestId, method: 'gRPC', path: `/${context.service.typeName}/${context.method.name}` },
      ms: Math.round((monotonicMs() - from) * 10) / 10,
      ...(operation && { operation: operation.id }),
      ...(admission && { tenantId: admission.caller.tenantId, keyId: admission.caller.keyId }),
      ...(code !== undefined && { code }),
    })

  /** Before anything of the message is read. */
  const gate = (operationOf: OperationOf) => async (context: HandlerContext) => {
    const given = context.requestHeader.get('x-request-id')
    const opened: Opened = { requestId: given && /^[\w-]{1,64}$/.test(given) ? given : newId(), from: monotonicMs() }
    const operation = operationOf(context.method)
    try {
      const asks = asksOf(context)
      checkAddress(asks.header('host'), asks.header('origin'))
      context.responseHeader.set('x-request-id', opened.requestId)
      if (!operation || operation.permission === 'anybody') pipeline.admitUnknown(asks)
      else {
        // A cookie is a browser's, and no browser speaks this.
        const onlyKey: Asks = { ...asks, header: (name) => (name === 'cookie' ? undefined : asks.header(name)) }
        const { headers, ...admission } = await pipeline.admit(onlyKey, opened.requestId, true)
        for (const [name, value] of Object.entries(headers)) context.responseHeader.set(name, value)
        opened.admission = admission
      }
      context.values.set(openedKey, opened)
    } catch (error) {
      tell(context, operation, opened, toAppError(error).code)
      throw failed(error, opened)
    }
  }

  function askedOf(operation: Operation, { requestId }: Opened, { caller }: Admission, input: Record<string, unknown>) {
    const read = async () => parseInput(operation.input, storable(input))
    return { operation, caller, requestId, named: input, read }
  }

  async function answer(operation: Operation, message: Message, context: HandlerContext): Promise<unknown> {
    const opened = context.values.get(openedKey)
    const input = converter.toInput(context.method.input, message)
    const exchange = openExchange(asksOf(context), pipeline.publicUrl, (name, value) =>
      name === 'set-cookie' ? context.responseHeader.append(name, value) : context.responseHeader.set(name, value),
    )
    return opened.admission
      ? pipeline.call(askedOf(operation, opened, opened.admission, input), exchange)
      : pipeline.callAsAnybody(operation, parseInput(operation.input, storable(input)), exchange)
  }

  return {
    gate,
    /** One answer. A deadline that passes, or a client that has gone, ends the waiting; what was begun is not undone by it. */
    unary: (operation: Operation) => async (message: Message, context: HandlerContext) => {
      const opened = context.values.get(openedKey)
      try {
        const output = await Promise.race([answer(operation, message, context), aborted(context.signal)])
        const made = converter.toMessage(context.method.output, output)
        tell(context, operation, opened)
        return made
      } catch (error) {
        tell(context, operation, opened, error instanceof ConnectError ? 'cancelled' : toAppError(error).code)
        throw failed(error, opened)
      }
    },
    stream: (operation: Operation) =>
      async function* (message: Message, context: HandlerContext) {
        const opened = context.values.get(openedKey)
        const end = AbortSignal.any([context.signal, stopping])
        let code: string | undefined
        try {
          const { admission } = opened
          if (!admission) throw new AppError('unauthenticated', 'A key is needed.') // The gate has seen to it.
          const { input = {}, after } = converter.toInput(context.method.input, message) as { input?: Record<string, unknown>; after?: string } // As its descriptor says.
          const asked = askedOf(operation, opened, admission, input)
          const frames = await whileAdmitted(admission, end, (until) => pipeline.follow(asked, { after, end: until }))
          for await (const batch of frames) for (const frame of batch) yield converter.toMessage(context.method.output, frame)
          if (stopping.aborted) throw new AppError('unavailable', 'The server is stopping. Come back with the last cursor.')
        } catch (error) {
          code = toAppError(error).code
          throw failed(error, opened)
        } finally {
          tell(context, operation, opened, code)
        }
      },
  }
}

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const cut = () => reject(signal.reason)
    if (signal.aborted) cut()
    else signal.addEventListener('abort', cut, { once: true })
  })

function storable(input: Record<string, unknown>): Record<string, unknown> {
  const why = whyNotJson(input)
  if (why) throw new AppError('invalid', `The request holds what cannot be stored: ${why}.`)
  return input
}
