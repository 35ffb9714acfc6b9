/** Names that stand for models: kept in the database, read from memory. */
import type { Route, tryRoute } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Db } from '../../db/index.ts'
import { AppError, type Log, monotonicMs, random, wallClock } from '../../kernel/index.ts'
import type { Asked, Picked, RequestFacts } from '../models.ts'
import { type Facts, checkCondition } from './conditions.ts'
import { difficultyOf } from './difficulty.ts'
import { judgeTargets } from './pick.ts'
import { type RouteSpec, deleteRoute, listRoutes, replaceRoute } from './route-store.ts'

export type Routes = {
  list(tenantId: string): Promise<Route[]>
  /** Throws `not_found`. */
  get(tenantId: string, name: string): Promise<Route>
  /** Throws `invalid` with what is wrong in it. */
  set(tenantId: string, name: string, spec: RouteSpec): Promise<Route>
  delete(tenantId: string, name: string): Promise<Route>
  try(tenantId: string, input: z.output<(typeof tryRoute)['input']>): Promise<z.output<(typeof tryRoute)['output']>>
  /** The targets of the route of that name in the order of asking; undefined when there is none. */
  pick(name: string, asked: Asked): Promise<Picked | undefined>
}

const routesMax = 200
/** How long a change that another server made may go unnoticed. */
const cacheMs = 1_000
const tenantsMax = 10_000

type Cached = { routes: Promise<ReadonlyMap<string, Route>>; until: number }

export function openRoutes({ db, log }: { db: Db; log: Log }): Routes {
  const cache = new Map<string, Cached>()

  /** One query for all who ask at the same time. */
  function read(tenantId: string): Promise<ReadonlyMap<string, Route>> {
    const known = cache.get(tenantId)
    if (known && known.until > monotonicMs()) return known.routes
    const routes = listRoutes(db, tenantId, routesMax).then((all) => new Map(all.map((route) => [route.name, route])))
    const entry = { routes, until: monotonicMs() + cacheMs }
    routes.catch(() => cache.get(tenantId) === entry && cache.delete(tenantId)) // Whoever asked hears of it; the next one asks again.
    if (cache.size >= tenantsMax) cache.clear()
    cache.set(tenantId, entry)
    return routes
  }

  async function get(tenantId: string, name: string): Promise<Route> {
    const route = (await read(tenantId)).get(name)
    if (!route) throw new AppError('not_found', `No route ${name}.`)
    return route
  }

  return {
    list: async (tenantId) => [...(await read(tenantId)).values()],
    get,
    async set(tenantId, name, spec) {
      if (name === 'default')
        throw new AppError('invalid', 'name: default is what LONGHAUL_MODEL says. Give the route another name and set LONGHAUL_MODEL to it.')
      for (const [i, { when }] of spec.targets.entries()) if (when !== undefined) checkCondition(when, `targets.${i}.when`)
      const route = await replaceRoute(db, tenantId, name, spec, routesMax)
      if (!route) throw new AppError('over_limit', `There are ${routesMax} routes already. Delete one that is not used.`)
      cache.delete(tenantId)
      log.info('route set', { tenantId, name, targets: spec.targets.map(({ model }) => model) })
      return route
    },
    async delete(tenantId, name) {
      const route = await deleteRoute(db, tenantId, name)
      if (!route) throw new AppError('not_found', `No route ${name}.`)
      cache.delete(tenantId)
      log.info('route deleted', { tenantId, name })
      return route
    },
    async try(tenantId, { name, session, agent, text, ...facts }) {
      const route = await get(tenantId, name)
      const request = { ...facts, text, face: 'chat', bytes: Buffer.byteLength(text), isStream: false }
      return { difficulty: difficultyOf(request), targets: judgeTargets(route, factsOf({ session, agent, request }), random) }
    },
    async pick(name, asked) {
      const route = asked.tenantId === undefined ? undefined : (await read(asked.tenantId)).get(name)
      if (!route) return undefined
      const judged = judgeTargets(route, factsOf(asked), random)
      return { models: judged.filter(({ isAsked }) => isAsked).map(({ model }) => model), escalates: route.escalate, cache: route.cache }
    },
  }
}

const nothingKnown: RequestFacts = { face: 'agent', bytes: 0, messageCount: 0, toolCount: 0, hasImages: false, wantsJson: false, isStream: true, text: '' }

function factsOf(asked: Asked): Facts {
  const request = asked.request ?? nothingKnown
  const at = wallClock()
  return {
    request: {
      face: request.face,
      bytes: BigInt(request.bytes),
      messages: BigInt(request.messageCount),
      tools: BigInt(request.toolCount),
      images: request.hasImages,
      json: request.wantsJson,
      stream: request.isStream,
      text: request.text,
      difficulty: difficultyOf(request),
    },
    caller: {
      key: asked.keyName ?? '',
      user: asked.user ?? '',
      agent: asked.agent ?? '',
      session: asked.session ?? '',
      tags: new Map(Object.entries(asked.tags ?? {})),
    },
    time: { hour: BigInt(at.getUTCHours()), weekday: BigInt(at.getUTCDay()) },
  }
}
