import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router'
import { runStates } from '@longhaul/protocol'
import type { RunState } from '@longhaul/protocol'
import { loadMe } from './api/client.ts'
import { readKey } from './api/key.ts'
import { agentsQuery, approvalsQuery, queryClient, runQuery, runsQuery, systemQuery } from './api/queries.ts'
import { CrashPage, MissingPage } from './pages/ErrorPages.tsx'
import { HomePage } from './pages/home/HomePage.tsx'
import { Shell } from './pages/Shell.tsx'
import { SignInPage } from './pages/sign-in/SignInPage.tsx'
import { paths, patterns, readQuery, writeQuery } from './paths.ts'

const root = createRootRoute({ notFoundComponent: MissingPage, errorComponent: CrashPage })

const signIn = createRoute({
  getParentRoute: () => root,
  path: patterns.signIn,
  // Only back into this console: an address of elsewhere would make the sign-in page a trap.
  validateSearch: ({ to, rejected }) => ({
    to: text(to)?.match(/^\/(?![/\\])/) ? text(to) : undefined,
    rejected: rejected === 'yes' ? ('yes' as const) : undefined,
  }),
  component: SignInPage,
})

const join = createRoute({
  getParentRoute: () => root,
  path: patterns.join,
  component: lazyRouteComponent(() => import('./pages/sign-in/JoinPage.tsx'), 'JoinPage'),
})

/** Everything behind the sign-in page. */
const shell = createRoute({
  getParentRoute: () => root,
  id: 'shell',
  beforeLoad: async ({ location }) => {
    if (readKey() === null && !(await loadMe())) throw redirect({ href: paths.signIn(location.href === '/' ? {} : { to: location.href }) })
  },
  loader: () => void queryClient.prefetchQuery(systemQuery()),
  component: Shell,
})

const home = createRoute({
  getParentRoute: () => shell,
  path: patterns.home,
  validateSearch: ({ agent, question }) => ({ agent: text(agent), question: text(question) }),
  loader: () => void (queryClient.prefetchQuery(agentsQuery()), queryClient.prefetchQuery(runsQuery({}, 8))),
  component: HomePage,
})

const runs = createRoute({
  getParentRoute: () => shell,
  path: patterns.runs,
  validateSearch: ({ state, agent, cursor }) => ({ state: runState(state), agent: text(agent), cursor: text(cursor) }),
  loaderDeps: ({ search }) => search,
  loader: ({ deps }) => void queryClient.prefetchQuery(runsQuery(deps)),
  component: lazyRouteComponent(() => import('./pages/runs/RunsPage.tsx'), 'RunsPage'),
})

const run = createRoute({
  getParentRoute: () => shell,
  path: patterns.run,
  validateSearch: ({ step, show }) => ({ step: text(step), show: text(show) }),
  loader: ({ params }) => void queryClient.prefetchQuery(runQuery(params.runId)),
  component: lazyRouteComponent(() => import('./pages/runs/RunPage.tsx'), 'RunPage'),
})

const approvals = createRoute({
  getParentRoute: () => shell,
  path: patterns.approvals,
  validateSearch: ({ state, cursor }) => ({ state: text(state), cursor: text(cursor) }),
  loader: () => void queryClient.prefetchQuery(approvalsQuery('pending')),
  component: lazyRouteComponent(() => import('./pages/approvals/ApprovalsPage.tsx'), 'ApprovalsPage'),
})

const system = createRoute({
  getParentRoute: () => shell,
  path: patterns.system,
  component: lazyRouteComponent(() => import('./pages/system/SystemPage.tsx'), 'SystemPage'),
})

const device = createRoute({
  getParentRoute: () => shell,
  path: patterns.device,
  validateSearch: ({ code }) => ({ code: text(code) }),
  component: lazyRouteComponent(() => import('./pages/people/DevicePage.tsx'), 'DevicePage'),
})

const me = createRoute({
  getParentRoute: () => shell,
  path: patterns.me,
  component: lazyRouteComponent(() => import('./pages/people/MePage.tsx'), 'MePage'),
})

const people = createRoute({
  getParentRoute: () => shell,
  path: patterns.people,
  validateSearch: ({ cursor }) => ({ cursor: text(cursor) }),
  component: lazyRouteComponent(() => import('./pages/people/PeoplePage.tsx'), 'PeoplePage'),
})

export const router = createRouter({
  routeTree: root.addChildren([signIn, join, shell.addChildren([home, runs, run, approvals, system, device, me, people])]),
  parseSearch: readQuery,
  stringifySearch: (fields) => {
    const query = writeQuery(fields)
    return query ? `?${query}` : ''
  },
  defaultPreload: 'intent',
  scrollRestoration: true,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
function runState(value: unknown): RunState | undefined {
  return runStates.find((state) => state === value)
}
