import { z } from 'zod'
import { listDeliveries } from './destinations.ts'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'
import { ForkChanges } from './runs.ts'
import { attentionReasons } from './states.ts'
import { Name } from './values.ts'

const Reason = z.enum(attentionReasons)

/** A run, or a delivery, that will not go on by itself. */
export const AttentionItem = z.object({
  /** Of the run, or of the delivery. */
  id: z.uuid(),
  kind: z.enum(['run', 'delivery']),
  runId: z.uuid(),
  agent: z.string(),
  reason: Reason,
  /** What is known of the cause. */
  message: z.string(),
  createdAt: z.iso.datetime(),
})
export type AttentionItem = z.infer<typeof AttentionItem>

const filter = { agent: Name.optional(), reason: Reason.optional() }
/** Those of `ids`, or without them up to 200 that the filter picks. */
const Picked = z.strictObject({ ids: z.array(z.uuid()).min(1).max(200).optional(), ...filter })
const Outcome = z.object({
  done: z.array(z.object({ id: z.uuid(), /** The run that goes on, or was started in its place. */ runId: z.uuid() })),
  left: z.array(z.object({ id: z.uuid(), problem: z.string() })),
})

export const listAttention = operation({
  id: 'attention.list',
  summary: 'Runs and deliveries that somebody must look at, newest first: failed, parked, in doubt, undelivered. As a stream: what comes to need somebody.',
  http: ['GET', '/v1/attention'],
  permission: 'runs:read',
  input: z.strictObject({ ...PageInput, ...filter }),
  output: pageOf(AttentionItem),
  frame: AttentionItem,
})

export const retryAttention = operation({
  id: 'attention.retry',
  summary:
    'Try again: a parked run is taken up, a failed one is started anew with its input, a delivery is made once more. What cannot be is left, with the reason.',
  http: ['POST', '/v1/attention/retry'],
  permission: 'runs:write',
  input: Picked,
  output: Outcome,
})

export const forkAttention = operation({
  id: 'attention.fork',
  summary:
    'Go on as new runs from the step at which each one stopped: the one that failed, in which its code diverged, that is in doubt. With another version, model or instructions, or as it was. What they would write is withheld unless they are live; the place of a failed run is taken by its live fork.',
  http: ['POST', '/v1/attention/fork'],
  permission: 'runs:write',
  input: z.strictObject({
    ...Picked.shape,
    changes: ForkChanges.omit({ input: true }).default({}),
    /** Their writes take effect. Needs the permission `runs:operate`. */
    isLive: z.boolean().default(false),
  }),
  output: Outcome,
})

export const dismissAttention = operation({
  id: 'attention.dismiss',
  summary: 'Take failed runs and deliveries off the list. Runs that still wait are left: retry, decide or cancel them.',
  http: ['POST', '/v1/attention/dismiss'],
  permission: 'runs:write',
  input: Picked,
  output: Outcome,
})

export const outcomeOperations = [listDeliveries, listAttention, retryAttention, forkAttention, dismissAttention]
