import { z } from 'zod'
import { operation } from './operation.ts'
import { Name } from './values.ts'

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
})
export type CacheRule = z.infer<typeof CacheRule>

const routeFields = {
  name: Name,
  description: z.string().max(500).default(''),
  /** Who is asked first: the first in the list whose condition holds, or one drawn by weight. The others are asked when it does not answer. */
  pick: z.enum(['order', 'weight']).default('order'),
  /** Calls of one session, or of one run, are drawn the same target, so that the provider's cache of the prompt is of use. */
  sticky: z.boolean().default(true),
  /** An answer that is not of the JSON Schema that was asked for is asked of the next target. For answers that are not streamed. */
  escalate: z.boolean().default(false),
  /** Absent: nothing is kept. A call says otherwise with `x-longhaul-cache`. */
  cache: CacheRule.optional(),
  targets: z.array(RouteTarget).min(1).max(20),
}

/** A name that stands for models. Callers and agents ask for it as for any model. */
export const Route = z.object({ ...routeFields, updatedAt: z.iso.datetime() })
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
  summary: 'Make a route, or replace it. It counts within a second, on every server.',
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
export const routeOperations = [listRoutes, getRoute, setRoute, deleteRoute, clearRouteCache, tryRoute]
