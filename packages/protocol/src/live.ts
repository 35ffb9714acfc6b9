/**
 * Live events over one WebSocket at `livePath`: any number of subscriptions, each to an operation that can be followed. Each message is one of these
 * objects as JSON text. docs/reference/live.md says who says what when.
 */
import { z } from 'zod'
import { ErrorCode } from './errors.ts'
import { JsonValue } from './values.ts'

const id = z.string().regex(/^[\w-]{1,64}$/, 'must be 1 to 64 letters, digits, _ or -')

/** What a client says. */
export const LiveRequest = z.discriminatedUnion('type', [
  /** First, unless the request for the connection brought a key or a login. */
  z.strictObject({ type: z.literal('hello'), key: z.string().max(500) }),
  /** `id` names the subscription on this connection. `input` is the operation’s own. `after`: the last cursor that the client has of it. */
  z.strictObject({
    type: z.literal('subscribe'),
    id,
    operation: z.string().max(64),
    input: z.record(z.string().max(64), JsonValue).default({}),
    after: z.string().max(200).optional(),
  }),
  z.strictObject({ type: z.literal('unsubscribe'), id }),
])
export type LiveRequest = z.infer<typeof LiveRequest>

/** What the server says. */
export const LiveMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('welcome'), name: z.string() }),
  /** `data` is a frame of the operation, and `cursor` where one can go on after it. */
  z.object({ type: z.literal('event'), id, event: z.string(), data: JsonValue, cursor: z.string().optional() }),
  /** Nothing more comes of this subscription: it has ended, was ended by the client, or broke off. */
  z.object({ type: z.literal('closed'), id }),
  /** The subscription is not to be had. */
  z.object({ type: z.literal('refused'), id, error: z.object({ code: ErrorCode, message: z.string(), retryAfterS: z.number().optional() }) }),
  /** There was nothing to tell for a while. */
  z.object({ type: z.literal('here') }),
])
export type LiveMessage = z.infer<typeof LiveMessage>
