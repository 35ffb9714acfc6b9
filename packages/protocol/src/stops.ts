import { z } from 'zod'
import { OpPath } from './events.ts'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'
import { Name } from './values.ts'

/** Holds a run, an agent, a namespace or, where all three are null, the whole tenant, until it is lifted. */
export const Stop = z.object({
  id: z.uuid(),
  namespace: z.string().nullable(),
  agent: z.string().nullable(),
  runId: z.uuid().nullable(),
  reason: z.string().nullable(),
  stoppedBy: z.string(),
  stoppedAt: z.iso.datetime(),
  liftedBy: z.string().nullable(),
  liftedAt: z.iso.datetime().nullable(),
})
export type Stop = z.infer<typeof Stop>

export const StopStep = z.object({
  seq: z.number().int(),
  type: z.string(),
  op: OpPath,
  kind: z.string(),
  name: z.string(),
  attempt: z.number().int(),
  at: z.iso.datetime(),
})
export type StopStep = z.infer<typeof StopStep>

export const Stopped = z.object({
  stop: Stop,
  /** False when the same was stopped already. */
  isNew: z.boolean(),
  /** Runs that were executing, at most 200 of `cutCount`. `open`: steps that had been admitted before and have no result; their effects may have taken place. */
  cut: z.array(z.object({ runId: z.uuid(), agent: z.string(), lastStep: StopStep.nullable(), open: z.array(StopStep) })),
  cutCount: z.number().int(),
  /** The last step that got through, of all that were cut. */
  lastStep: StopStep.extend({ runId: z.uuid() }).nullable(),
  /** Runs that are held, now or when their timers end, at most 100,000. */
  heldCount: z.number().int(),
  /** Nodes that did not confirm in time that what they were executing has ended. Nothing of it is recorded, and nothing more admitted. */
  nodesUnheard: z.array(z.string()),
})
export type Stopped = z.infer<typeof Stopped>

export const createStop = operation({
  id: 'stops.create',
  summary: 'Stop a run, an agent, a namespace, or, with `tenant`, everything: one commit after which nothing of it takes effect.',
  http: ['POST', '/v1/stops'],
  permission: 'runs:stop',
  input: z
    .strictObject({
      runId: z.uuid().optional(),
      agent: Name.optional(),
      namespace: Name.optional(),
      tenant: z.literal(true).optional(),
      reason: z.string().max(500).optional(),
    })
    .refine(({ runId, agent, namespace, tenant }) => [runId, agent ?? namespace, tenant].filter((given) => given !== undefined).length === 1, {
      error: 'give one of runId, agent (with or without namespace), namespace, or tenant: true',
    }),
  output: Stopped,
})
export const listStops = operation({
  id: 'stops.list',
  summary: 'Stops, newest first; with `all` also those that were lifted.',
  http: ['GET', '/v1/stops'],
  permission: 'runs:read',
  input: z.strictObject({ ...PageInput, all: z.enum(['true', 'false']).default('false') }),
  output: pageOf(Stop),
})
export const liftStop = operation({
  id: 'stops.lift',
  summary: 'Lift a stop: what it held goes on from its journal.',
  http: ['POST', '/v1/stops/{stopId}/lift'],
  permission: 'runs:stop',
  input: z.strictObject({ stopId: z.uuid() }),
  output: Stop,
})

export const stopOperations = [createStop, listStops, liftStop]
