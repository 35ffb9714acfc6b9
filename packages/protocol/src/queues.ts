import { z } from 'zod'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'
import { JsonValue, Name } from './values.ts'

/**
 * Queues of messages about the ends of runs, for programs that fetch them when they like. A queue is there as soon as a destination names it.
 * A message is given out until somebody acknowledges it, so perhaps more than once, always under the same id.
 */
export const QueueMessage = z.object({
  /** The same each time that it is given out: by this a receiver recognises what it has done already. */
  id: z.uuid(),
  /** What a webhook would have been sent. */
  body: JsonValue,
  runId: z.uuid(),
  agent: z.string(),
  sentAt: z.iso.datetime(),
  /** How often it was given out, this time included. */
  receiveCount: z.number().int(),
  /** For acknowledging it. Void once it has been given to another. */
  receipt: z.uuid(),
  visibleAt: z.iso.datetime(),
})
export type QueueMessage = z.infer<typeof QueueMessage>

export const Queue = z.object({
  name: z.string(),
  /** Messages that can be had now. */
  readyCount: z.number().int(),
  /** Messages that somebody has taken and not acknowledged yet. */
  takenCount: z.number().int(),
  /** When the oldest of them was sent. */
  oldestAt: z.iso.datetime(),
})
export type Queue = z.infer<typeof Queue>

const visibilityMs = z
  .number()
  .int()
  .max(12 * 3_600_000)
const Receipts = z.array(z.uuid()).min(1).max(100)
const Settled = z.object({
  done: z.array(z.object({ id: z.uuid(), receipt: z.uuid() })),
  /** Receipts that are void: the time was up and the message was given to another, or it has been acknowledged. */
  left: z.array(z.uuid()),
})

export const listQueues = operation({
  id: 'queues.list',
  summary: 'Queues with messages, by name.',
  http: ['GET', '/v1/queues'],
  permission: 'runs:read',
  input: z.strictObject(PageInput),
  output: pageOf(Queue),
})
export const receiveMessages = operation({
  id: 'queues.receive',
  summary:
    'Take messages from a queue, oldest first. What is not acknowledged in time is given out again. With `waitMs` the answer waits for a message to come.',
  http: ['POST', '/v1/queues/{queue}/receive'],
  permission: 'runs:write',
  input: z.strictObject({
    queue: Name,
    max: z.number().int().min(1).max(100).default(10),
    visibilityMs: visibilityMs.min(1_000).default(30_000),
    waitMs: z.number().int().min(0).max(20_000).default(0),
  }),
  output: z.object({ items: z.array(QueueMessage) }),
})
export const acknowledgeMessages = operation({
  id: 'queues.acknowledge',
  summary: 'Messages were dealt with: they are gone for good.',
  http: ['POST', '/v1/queues/{queue}/acknowledge'],
  permission: 'runs:write',
  input: z.strictObject({ queue: Name, receipts: Receipts }),
  output: Settled,
})
export const extendMessages = operation({
  id: 'queues.extend',
  summary: 'Have more time for messages, from now on; none gives them back at once.',
  http: ['POST', '/v1/queues/{queue}/extend'],
  permission: 'runs:write',
  input: z.strictObject({ queue: Name, receipts: Receipts, visibilityMs: visibilityMs.min(0) }),
  output: Settled,
})

export const queueOperations = [listQueues, receiveMessages, acknowledgeMessages, extendMessages]
