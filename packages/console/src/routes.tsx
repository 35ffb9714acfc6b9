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

const settings = createRoute({
  getParentRoute: () => shell,
  path: patterns.settings,
  component: lazyRouteComponent(() => import('./pages/settings/SettingsFrame.tsx'), 'SettingsPage'),
})
const keys = createRoute({
  getParentRoute: () => shell,
  path: patterns.keys,
  component: lazyRouteComponent(() => import('./pages/settings/KeysPage.tsx'), 'KeysPage'),
})
const policies = createRoute({
  getParentRoute: () => shell,
  path: patterns.policies,
  component: lazyRouteComponent(() => import('./pages/settings/PoliciesPage.tsx'), 'PoliciesPage'),
})
const newPolicy = createRoute({
  getParentRoute: () => shell,
  path: patterns.newPolicy,
  component: lazyRouteComponent(() => import('./pages/settings/PolicyPage.tsx'), 'NewPolicyPage'),
})
const policy = createRoute({
  getParentRoute: () => shell,
  path: patterns.policy,
  component: lazyRouteComponent(() => import('./pages/settings/PolicyPage.tsx'), 'PolicyPage'),
})
const secrets = createRoute({
  getParentRoute: () => shell,
  path: patterns.secrets,
  component: lazyRouteComponent(() => import('./pages/settings/SecretsPage.tsx'), 'SecretsPage'),
})
const limits = createRoute({
  getParentRoute: () => shell,
  path: patterns.limits,
  component: lazyRouteComponent(() => import('./pages/settings/LimitsPage.tsx'), 'LimitsPage'),
})
const tenants = createRoute({
  getParentRoute: () => shell,
  path: patterns.tenants,
  validateSearch: ({ cursor }) => ({ cursor: text(cursor) }),
  component: lazyRouteComponent(() => import('./pages/settings/TenantsPage.tsx'), 'TenantsPage'),
})
const deliveries = createRoute({
  getParentRoute: () => shell,
  path: patterns.deliveries,
  validateSearch: ({ state, cursor }) => ({ state: text(state), cursor: text(cursor) }),
  component: lazyRouteComponent(() => import('./pages/settings/DeliveriesPage.tsx'), 'DeliveriesPage'),
})
const settingsRoutes = [settings, keys, policies, newPolicy, policy, secrets, limits, tenants, deliveries] as const

const audit = createRoute({
  getParentRoute: () => shell,
  path: patterns.audit,
  validateSearch: ({ who, action, outcome, from, to, cursor }) => ({
    who: text(who),
    action: text(action),
    outcome: text(outcome),
    from: text(from),
    to: text(to),
    cursor: text(cursor),
  }),
  component: lazyRouteComponent(() => import('./pages/audit/AuditPage.tsx'), 'AuditPage'),
})

const sandboxes = createRoute({
  getParentRoute: () => shell,
  path: patterns.sandboxes,
  validateSearch: ({ state, cursor }) => ({ state: text(state), cursor: text(cursor) }),
  component: lazyRouteComponent(() => import('./pages/sandboxes/SandboxesPage.tsx'), 'SandboxesPage'),
})
const snapshots = createRoute({
  getParentRoute: () => shell,
  path: patterns.snapshots,
  validateSearch: ({ cursor }) => ({ cursor: text(cursor) }),
  component: lazyRouteComponent(() => import('./pages/sandboxes/SnapshotsPage.tsx'), 'SnapshotsPage'),
})
const sandbox = createRoute({
  getParentRoute: () => shell,
  path: patterns.sandbox,
  validateSearch: ({ view, path, file, cursor }) => ({ view: text(view), path: text(path), file: text(file), cursor: text(cursor) }),
  component: lazyRouteComponent(() => import('./pages/sandboxes/SandboxPage.tsx'), 'SandboxPage'),
})
const tools = createRoute({
  getParentRoute: () => shell,
  path: patterns.tools,
  validateSearch: ({ agent, tool }) => ({ agent: text(agent), tool: text(tool) }),
  component: lazyRouteComponent(() => import('./pages/tools/ToolsPage.tsx'), 'ToolsPage'),
})

export const router = createRouter({
  routeTree: root.addChildren([
    signIn,
    join,
    shell.addChildren([home, runs, run, approvals, system, device, me, people, ...settingsRoutes, audit, sandboxes, snapshots, sandbox, tools]),
  ]),
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
