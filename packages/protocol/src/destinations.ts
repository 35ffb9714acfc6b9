import { z } from 'zod'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'
import { DeclaredName, Name } from './values.ts'

const on = z
  .array(z.enum(['completed', 'failed', 'cancelled']))
  .min(1)
  .max(3)
  .default(['completed', 'failed'])

/** `approval`: that the run, or one that it has started, waits for a yes or no. */
const onOrAsked = z
  .array(z.enum(['completed', 'failed', 'cancelled', 'approval']))
  .min(1)
  .max(4)
  .default(['completed', 'failed'])

/** Where somebody listens for signed requests. */
export const WebhookUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http:// or https:// address' })
  .max(2_000)
  .refine(
    (text) => URL.canParse(text) && new URL(text).username === '' && new URL(text).password === '',
    'must hold no user and no password: requests are signed instead',
  )

/**
 * Where a run's end is told, and to a webhook what it asks as well. `webhook`: a signed POST (Standard Webhooks). `run`: a run of another agent, with the notice as its input. `signal`: a
 * signal to another run, with the notice as its payload. `queue`: a message for whoever fetches it (`queues.receive`). Each is told at least once, with an id that stays the same.
 */
export const Destination = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('webhook'), url: WebhookUrl, on: onOrAsked }),
  z.strictObject({ type: z.literal('run'), agent: Name, on }),
  z.strictObject({ type: z.literal('queue'), queue: Name, on }),
  z.strictObject({ type: z.literal('signal'), runId: z.uuid(), name: z.string().min(1).max(128), on }),
])
export type Destination = z.infer<typeof Destination>

/** The place in a channel of an agent's folder to which an answer goes. Nobody can ask for it but the channel through which the message came. */
export const ChannelReply = z.strictObject({
  type: z.literal('channel'),
  /** `<agent>.<channel>`. */
  channel: DeclaredName,
  /** A conversation of Slack's, and the thread in it. A direct message has none. */
  conversation: z.string().min(1).max(128),
  thread: z.string().min(1).max(64).optional(),
  on: onOrAsked,
})
export type ChannelReply = z.infer<typeof ChannelReply>

export const deliveryStates = ['pending', 'delivered', 'failed', 'dismissed'] as const

/** One telling of a run's end. `attempt` counts those made; `failure` is what the last of them came to. */
export const Delivery = z.object({
  id: z.uuid(),
  runId: z.uuid(),
  agent: z.string(),
  destination: z.discriminatedUnion('type', [...Destination.options, ChannelReply]),
  state: z.enum(deliveryStates),
  attempt: z.number().int(),
  failure: z.string().nullable(),
  /** When it is tried next. */
  dueAt: z.iso.datetime().nullable(),
  createdAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
})
export type Delivery = z.infer<typeof Delivery>

export const listDeliveries = operation({
  id: 'deliveries.list',
  summary: 'Tellings of the ends of runs, newest first.',
  http: ['GET', '/v1/deliveries'],
  permission: 'runs:read',
  input: z.strictObject({ ...PageInput, run: z.uuid().optional(), state: z.enum(deliveryStates).optional() }),
  output: pageOf(Delivery),
})
