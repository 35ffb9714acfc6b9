import { z } from 'zod'
import { operation } from './operation.ts'
import { Etag, Name } from './values.ts'

const ModelName = z
  .string()
  .max(200)
  .regex(/^[^/\s]+\/\S+$/, 'must look like provider/model, for example openai/gpt-5')

/** One model that a route may ask. */
export const RouteTarget = z.strictObject({
  model: ModelName,
  /** Its share among the targets that may be first, with `pick: 'weight'`. */
  weight: z.number().int().min(1).max(1_000).default(1),
  /** A condition in CEL over `request`, `caller` and `time`; absent: always. */
  when: z.string().min(1).max(500).optional(),
})
export type RouteTarget = z.infer<typeof RouteTarget>

/** Answers of a route that are given again to the same request, without asking a model. */
export const CacheRule = z.strictObject({
  ttlSeconds: z
    .number()
    .int()
    .min(1)
    .max(30 * 86_400)
    .default(3_600),
  /** Also requests that offer tools: their answers may be calls, and whoever gets one again does again what it says. */
  withTools: z.boolean().default(false),
  /** Also what was asked in other words, of which the vectors are at least so much alike. Off unless given; never for requests with tools. */
  similar: z.strictObject({ embedding: ModelName, threshold: z.number().min(0.5).max(1).default(0.95) }).optional(),
})
export type CacheRule = z.infer<typeof CacheRule>

/** How a route chooses by what became of calls like the one at hand. */
export const RouteLearning = z.strictObject({
  /** How much less likely success may be than with the best target, for a smaller one to be asked. */
  tolerance: z.number().min(0).max(0.5).default(0.05),
  /** The share of calls whose target is drawn, which is how anything is learned of who is not asked otherwise. */
  explore: z.number().min(0).max(0.5).default(0.05),
})
export type RouteLearning = z.infer<typeof RouteLearning>

const routeFields = {
  name: Name,
  description: z.string().max(500).default(''),
  /**
   * Who is asked first: the first in the list whose condition holds, one drawn by weight, or, with `learned`, the smallest that does requests like it about as well as the
   * best does, the list going from the small to the strong. The others are asked when it does not answer.
   */
  pick: z.enum(['order', 'weight', 'learned']).default('order'),
  /** Of `pick: 'learned'`. Absent: as each of its fields says. */
  learning: RouteLearning.optional(),
  /** Calls of one session, or of one run, are drawn the same target, so that the provider's cache of the prompt is of use. */
  sticky: z.boolean().default(true),
  /**
   * An answer that is not of the JSON Schema that was asked for, or calls a tool otherwise than it was offered, is asked of the next target. Of a streamed one its
   * beginning is looked at: whether it is JSON, which tool it calls. What has left stays.
   */
  escalate: z.boolean().default(false),
  /** With `escalate`: streamed answers whose shape was asked for are held until all of them was looked at, and come at once then. */
  holdStreams: z.boolean().optional(),
  /** Absent: nothing is kept. A call says otherwise with `x-longhaul-cache`. */
  cache: CacheRule.optional(),
  targets: z.array(RouteTarget).min(1).max(20),
}

/** A name that stands for models. Callers and agents ask for it as for any model. */
export const Route = z.object({
  ...routeFields,
  updatedAt: z.iso.datetime(),
  etag: Etag.optional(),
  /** Targets that cannot be asked here now, each with why and the remedy. A route may be made before its providers are there; calls pass over such targets. Absent from one that is gone. */
  problems: z.array(z.object({ model: z.string(), problem: z.string() })).optional(),
})
export type Route = z.infer<typeof Route>

export const listRoutes = operation({
  id: 'routes.list',
  summary: 'All routes.',
  http: ['GET', '/v1/routes'],
  permission: 'models:call',
  input: z.strictObject({}),
  output: z.object({ items: z.array(Route) }),
})
export const getRoute = operation({
  id: 'routes.get',
  summary: 'One route.',
  http: ['GET', '/v1/routes/{name}'],
  permission: 'models:call',
  input: z.strictObject({ name: Name }),
  output: Route,
})
export const setRoute = operation({
  id: 'routes.set',
  summary: 'Make a route, or replace it. It counts within a second, on every server. Targets that cannot be asked yet are taken, and told.',
  http: ['POST', '/v1/routes'],
  permission: 'routes:manage',
  input: z.strictObject(routeFields),
  output: Route,
})
export const deleteRoute = operation({
  id: 'routes.delete',
  summary: 'Take a route away.',
  http: ['DELETE', '/v1/routes/{name}'],
  permission: 'routes:manage',
  input: z.strictObject({ name: Name }),
  output: Route,
})
export const clearRouteCache = operation({
  id: 'routes.clearCache',
  summary: 'Forget all answers that are kept for the same requests. Other servers may give what they hold in memory for five seconds more.',
  http: ['DELETE', '/v1/model-cache'],
  permission: 'routes:manage',
  input: z.strictObject({}),
  output: z.object({ deleted: z.number().int() }),
})
export const tryRoute = operation({
  id: 'routes.try',
  summary: 'Which targets a request would be sent to, and why. Nothing is sent.',
  http: ['POST', '/v1/routes/{name}/try'],
  permission: 'models:call',
  input: z.strictObject({
    name: Name,
    /** The last message of the user. */
    text: z.string().max(100_000).default(''),
    session: z.string().max(200).optional(),
    agent: Name.optional(),
    toolCount: z.number().int().min(0).max(1_000).default(0),
    messageCount: z.number().int().min(0).max(100_000).default(1),
    wantsJson: z.boolean().default(false),
    hasImages: z.boolean().default(false),
  }),
  output: z.object({
    difficulty: z.number(),
    targets: z.array(z.object({ model: z.string(), isAsked: z.boolean(), why: z.string() })),
  }),
})
/** A mean with its 95 % interval. */
const Interval = z.object({ mean: z.number(), low: z.number(), high: z.number() })
/** What each target of the route made of one request. */
const GivenOutcome = z.strictObject({
  /** What requests of one kind have in common: the name of a step, of a prompt, of a subject. */
  task: z.string().max(200).default(''),
  /** The last message of the user. */
  text: z.string().max(10_000).default(''),
  difficulty: z.number().min(0).max(1).optional(),
  results: z
    .array(
      z.strictObject({
        model: ModelName,
        good: z.number().min(0).max(1),
        costUsd: z.number().min(0).optional(),
        /** False: it is seen of the answer that it is not what was asked for, so a route that escalates asks the next target. */
        isFit: z.boolean().optional(),
      }),
    )
    .min(1)
    .max(20),
})
export const evaluateRoute = operation({
  id: 'routes.evaluate',
  summary:
    'What a route that learns comes to, in quality and cost, beside always the small model, always the strong one, and the lot: on its own calls of the last days, or on outcomes that are given. Nothing is sent.',
  http: ['POST', '/v1/routes/{name}/evaluate'],
  permission: 'routes:manage',
  bodyBytesMax: 32 * 1024 * 1024,
  input: z.strictObject({
    name: Name,
    days: z.number().int().min(1).max(365).default(30),
    /** Absent: those of the route. */
    tolerance: z.number().min(0).max(0.5).optional(),
    explore: z.number().min(0).max(0.5).optional(),
    /** Instead of the route’s own calls, in the order in which they came. */
    outcomes: z.array(GivenOutcome).min(1).max(10_000).optional(),
  }),
  output: z.object({
    basis: z.enum(['calls', 'given']),
    cases: z.number().int(),
    skipped: z.array(z.object({ why: z.string(), cases: z.number().int() })),
    learning: z.object({ tolerance: z.number(), explore: z.number() }),
    /** Null where there was nothing to take a mean of, or a model has no price. */
    policies: z.array(
      z.object({
        policy: z.string(),
        quality: Interval.nullable(),
        costUsd: Interval.nullable(),
        shares: z.array(z.object({ model: z.string(), share: z.number() })),
        /** Of the difference in quality between the small and the strong model. */
        recovered: z.number().nullable(),
        effectiveCases: z.number(),
      }),
    ),
    /** In quality, over drawing by lot as often for each model. */
    gain: Interval.nullable(),
    notes: z.array(z.string()),
  }),
})
export const routeOperations = [listRoutes, getRoute, setRoute, deleteRoute, clearRouteCache, tryRoute, evaluateRoute]
