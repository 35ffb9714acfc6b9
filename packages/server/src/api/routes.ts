import { clearRouteCache, deleteRoute, evaluateRoute, getRoute, listRoutes, setRoute, tryRoute } from '@longhaul/protocol'
import type { Answers, Routes } from '../gateway/index.ts'
import { type Implementation, implement } from './implement.ts'

export const routeImplementations = ({ routes, answers }: { routes: Routes; answers: Pick<Answers, 'clear'> }): Implementation[] => [
  implement(listRoutes, async ({ tenantId }) => ({ items: await routes.list(tenantId) })),
  implement(getRoute, ({ tenantId }, { name }) => routes.get(tenantId, name)),
  implement(setRoute, ({ tenantId }, { name, ...spec }) => routes.set(tenantId, name, spec)),
  implement(deleteRoute, ({ tenantId }, { name }) => routes.delete(tenantId, name)),
  implement(clearRouteCache, ({ tenantId }) => answers.clear(tenantId)),
  implement(tryRoute, ({ tenantId }, input) => routes.try(tenantId, input)),
  implement(evaluateRoute, ({ tenantId }, input) => routes.evaluate(tenantId, input)),
]
