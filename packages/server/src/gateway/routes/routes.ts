/** Names that stand for models: kept in the database, read from memory. */
import type { Route, evaluateRoute, tryRoute } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Db } from '../../db/index.ts'
import { AppError, type Log, monotonicMs, random, wallClock } from '../../kernel/index.ts'
import type { Asked, Picked, RequestFacts } from '../models.ts'
import type { RouteNote } from '../money/index.ts'
import { type Facts, checkCondition } from './conditions.ts'
import { difficultyOf } from './difficulty.ts'
import { evaluateRouteOn } from './evaluate-route.ts'
import { usualLearning } from './learned.ts'
import { openSchool } from './lessons.ts'
import { readLoggedCalls } from './outcome-store.ts'
import { type Judged, judgeTargets } from './pick.ts'
import { pickLearned } from './pick-learned.ts'
import { type RouteSpec, deleteRoute, listRoutes, replaceRoute } from './route-store.ts'
import { type Task, taskOf } from './task.ts'

export type Routes = {
  /** With what of their targets cannot be asked, as `get` and `set` answer. */
  list(tenantId: string): Promise<Route[]>
  /** Throws `not_found`. */
  get(tenantId: string, name: string): Promise<Route>
  /** Throws `invalid` with what is wrong in it. That a target cannot be asked yet is not. */
  set(tenantId: string, name: string, spec: RouteSpec): Promise<Route>
  delete(tenantId: string, name: string): Promise<Route>
  try(tenantId: string, input: z.output<(typeof tryRoute)['input']>): Promise<z.output<(typeof tryRoute)['output']>>
  evaluate(tenantId: string, input: z.output<(typeof evaluateRoute)['input']>): Promise<z.input<(typeof evaluateRoute)['output']>>
  /** The targets of the route of that name in the order of asking; undefined when there is none. */
  pick(name: string, asked: Asked): Promise<Picked | undefined>
}

const routesMax = 200
/** How long a change that another server made may go unnoticed. */
const cacheMs = 1_000
const tenantsMax = 10_000

type Cached = { routes: Promise<ReadonlyMap<string, Route>>; until: number }

export type RoutesOptions = {
  db: Db
  log: Log
  /** Why a model cannot be asked; absent, every model can. */
  whyNotModel?: ((tenantId: string, model: string) => Promise<string | undefined>) | undefined
}

export function openRoutes({ db, log, whyNotModel }: RoutesOptions): Routes {
  const cache = new Map<string, Cached>()
  const school = openSchool({ db, log })

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
    // Not what is remembered for calls: whoever edits it has to see what another server wrote a moment ago.
    const route = (await listRoutes(db, tenantId, routesMax)).find((each) => each.name === name)
    if (!route) throw new AppError('not_found', `No route ${name}.`)
    return route
  }

  async function withProblems(tenantId: string, route: Route): Promise<Route> {
    const models = [...new Set(route.targets.map(({ model }) => model))]
    const told = await Promise.all(models.map(async (model) => ({ model, problem: await whyNotModel?.(tenantId, model) })))
    return { ...route, problems: told.flatMap(({ model, problem }) => (problem === undefined ? [] : [{ model, problem }])) }
  }

  async function order(tenantId: string, route: Route, asked: Asked): Promise<Ordered> {
    const request = asked.request?.() ?? nothingKnown
    const judged = judgeTargets(route, factsOf(asked, request), random)
    const open = judged.filter(({ isAsked }) => isAsked)
    if (route.pick !== 'learned' || open.length === 0) return { judged, climbs: route.escalate ? open.length : 0 }
    const task = taskOf(asked, request)
    const [lessons, lastModel] = await Promise.all([school.lessonsOf(tenantId, route), route.sticky ? school.lastModel(route.name, asked) : undefined])
    const {
      judged: learned,
      climbs,
      chance,
    } = pickLearned({
      ...{ models: open.map(({ model }) => model), task, lessons, lastModel, random },
      learning: route.learning ?? usualLearning,
      isAgain: (asked.attempt ?? 1) > 1,
    })
    return { judged: [...learned, ...judged.filter(({ isAsked }) => !isAsked)], climbs: route.escalate ? climbs : 0, task, chance }
  }

  return {
    list: async (tenantId) => Promise.all((await listRoutes(db, tenantId, routesMax)).map((route) => withProblems(tenantId, route))),
    get: async (tenantId, name) => withProblems(tenantId, await get(tenantId, name)),
    async set(tenantId, name, spec) {
      if (name === 'default')
        throw new AppError('invalid', 'name: default is what LONGHAUL_MODEL says. Give the route another name and set LONGHAUL_MODEL to it.')
      for (const [i, { when }] of spec.targets.entries()) if (when !== undefined) checkCondition(when, `targets.${i}.when`)
      const route = await replaceRoute(db, tenantId, name, spec, routesMax)
      if (!route) throw new AppError('over_limit', `There are ${routesMax} routes already. Delete one that is not used.`)
      cache.delete(tenantId)
      log.info('route set', { tenantId, name, targets: spec.targets.map(({ model }) => model) })
      return withProblems(tenantId, route)
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
      const request = { ...nothingKnown, ...facts, text, face: 'chat', bytes: Buffer.byteLength(text), isStream: false }
      const { judged } = await order(tenantId, route, { tenantId, session, agent, request: () => request })
      return { difficulty: difficultyOf(request), targets: judged }
    },
    async evaluate(tenantId, { name, days, outcomes, ...learning }) {
      const route = await get(tenantId, name)
      const calls = outcomes ? [] : await readLoggedCalls(db.forTenant(tenantId), name, days)
      return evaluateRouteOn(route, { ...learning, outcomes }, calls, nothingKnown)
    },
    async pick(name, asked) {
      const { tenantId } = asked
      const route = tenantId === undefined ? undefined : (await read(tenantId)).get(name)
      if (tenantId === undefined || !route) return undefined
      const { judged, climbs, task, chance } = await order(tenantId, route, asked)
      const models = judged.filter(({ isAsked }) => isAsked)
      return {
        models: models.map(({ model }) => model),
        climbs,
        cache: route.cache,
        holdsStreams: route.holdStreams,
        note(model) {
          const place = models.findIndex((each) => each.model === model)
          const before = place > 0 ? `${models[place - 1]?.model} was asked before; ` : ''
          const drawn = place === 0 && chance !== undefined ? { chance } : {}
          return { name, why: `${before}${models[place]?.why ?? ''}`.slice(0, whyMax), ...task, ...drawn } satisfies RouteNote
        },
        asking: (model) => school.asking(name, asked, model),
      }
    },
  }
}

/** Longer conditions are cut: the route has them. */
const whyMax = 600

type Ordered = { judged: Judged[]; climbs: number; task?: Task | undefined; chance?: number | undefined }

const nothingKnown: RequestFacts = {
  face: 'agent',
  bytes: 0,
  messageCount: 0,
  toolCount: 0,
  hasImages: false,
  wantsJson: false,
  isStream: true,
  text: '',
  template: '',
}

function factsOf(asked: Asked, request: RequestFacts): Facts {
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
