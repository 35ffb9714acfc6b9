import { z } from 'zod'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'
import { Etag, Name } from './values.ts'

/** Runs of an agent with the same lane key wait in a lane of their own: a customer, a repository, an account. */
export const LaneKey = z.string().min(1).max(128)

/** A head start in its lane: each level is worth a minute of waiting, so a low one is delayed and never starved. */
export const Priority = z.enum(['low', 'normal', 'high'])
export type Priority = z.infer<typeof Priority>

/** How much may run at once and begin in a time. A scope that is null is all of them; the lane key `*` is each one by itself. */
export const Limit = z.object({
  id: z.uuid(),
  namespace: z.string().nullable(),
  agent: z.string().nullable(),
  laneKey: z.string().nullable(),
  runningMax: z.number().int().nullable(),
  startsPerSecond: z.number().nullable(),
  startsPerMinute: z.number().nullable(),
  /** Who says so: an operator, over the API, or the agent's own code. Where both do, the stricter one decides. */
  source: z.enum(['operator', 'agent']),
  setBy: z.string(),
  setAt: z.iso.datetime(),
  etag: Etag.optional(),
})
export type Limit = z.infer<typeof Limit>

/** Where in the input of a run its lane key is: the names of properties, joined by dots. */
export const InputPath = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^.\s]+(\.[^.\s]+)*$/, 'must be names joined by dots')

const amounts = {
  runningMax: z.number().int().min(1).max(1_000_000).optional(),
  startsPerSecond: z.number().positive().max(1_000_000).optional(),
  startsPerMinute: z.number().positive().max(1_000_000).optional(),
}
const hasAmount = (given: { runningMax?: number | undefined; startsPerSecond?: number | undefined; startsPerMinute?: number | undefined }) =>
  given.runningMax !== undefined || given.startsPerSecond !== undefined || given.startsPerMinute !== undefined

/** What an agent's own code declares of its runs: how many at once and how many starts, in all and for each lane key. */
export const RunLimits = z
  .strictObject({
    ...amounts,
    /** The lane key of a run that is started without one. */
    laneKey: InputPath.optional(),
    perLaneKey: z.strictObject(amounts).refine(hasAmount, 'needs runningMax, startsPerSecond or startsPerMinute').optional(),
  })
  .refine((given) => hasAmount(given) || given.perLaneKey !== undefined || given.laneKey !== undefined, 'limits nothing')
export type RunLimits = z.infer<typeof RunLimits>

const starts = z.number().positive().max(1_000_000)

export const setLimit = operation({
  id: 'limits.set',
  summary: 'Set the limit of a scope, or change the one it has. It holds at every node when the answer comes.',
  http: ['POST', '/v1/limits'],
  permission: 'limits:manage',
  input: z.strictObject({
    namespace: Name.optional(),
    agent: Name.optional(),
    laneKey: LaneKey.optional(),
    runningMax: z.number().int().min(0).max(1_000_000).optional(),
    startsPerSecond: starts.optional(),
    startsPerMinute: starts.optional(),
  }),
  output: Limit,
})
export const listLimits = operation({
  id: 'limits.list',
  summary: 'All limits, by their scopes.',
  http: ['GET', '/v1/limits'],
  permission: 'runs:read',
  input: z.strictObject(PageInput),
  output: pageOf(Limit),
})
export const deleteLimit = operation({
  id: 'limits.delete',
  summary: 'Take a limit away.',
  http: ['DELETE', '/v1/limits/{limitId}'],
  permission: 'limits:manage',
  input: z.strictObject({ limitId: z.uuid() }),
  output: Limit,
})

export const limitOperations = [setLimit, listLimits, deleteLimit]
