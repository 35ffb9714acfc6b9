import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router'
import { runStates } from '@longhaul/protocol/plain'
import type { RunState } from '@longhaul/protocol'
import { loadMe } from './api/client.ts'
import { readKey } from './api/key.ts'
import { agentQuery, deploymentsQuery, schedulesQuery, versionsQuery } from './api/agents.ts'
import { attentionQuery } from './api/attention.ts'
import { beginRun } from './api/live-run.ts'
import { runCountsQuery } from './api/overview.ts'
import { agentsQuery, approvalsQuery, compareQuery, queryClient, runQuery, runsQuery, systemQuery } from './api/queries.ts'
import { withPageTexts } from './i18n/index.ts'
import { CrashPage, MissingPage } from './pages/ErrorPages.tsx'
import { Shell } from './pages/shell/Shell.tsx'
import { paths, patterns, readQuery, writeQuery } from './paths.ts'

/** Its code is loaded when it is gone to, with the pages' texts. */
const page = <Module extends Record<string, unknown>, Name extends keyof Module & string>(load: () => Promise<Module>, name: Name) =>
  lazyRouteComponent(withPageTexts(load), name)

const root = createRootRoute({ notFoundComponent: MissingPage, errorComponent: CrashPage })

const signIn = createRoute({
  getParentRoute: () => root,
  path: patterns.signIn,
  // Only back into this console: an address of elsewhere would make the sign-in page a trap.
  validateSearch: ({ to, rejected }) => ({
    to: text(to)?.match(/^\/(?![/\\])/) ? text(to) : undefined,
    rejected: rejected === 'yes' ? ('yes' as const) : undefined,
  }),
  component: page(() => import('./pages/sign-in/SignInPage.tsx'), 'SignInPage'),
})

const signInReturn = createRoute({
  getParentRoute: () => root,
  path: patterns.signInReturn,
  component: page(() => import('./pages/sign-in/ReturnPage.tsx'), 'ReturnPage'),
})

const forgot = createRoute({
  getParentRoute: () => root,
  path: patterns.forgot,
  component: page(() => import('./pages/sign-in/ForgotPage.tsx'), 'ForgotPage'),
})

const join = createRoute({
  getParentRoute: () => root,
  path: patterns.join,
  component: page(() => import('./pages/sign-in/JoinPage.tsx'), 'JoinPage'),
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
  validateSearch: (search) => textsOf(search, 'agent', 'question'),
  loader: () => void prefetch(agentsQuery(), runCountsQuery(), runsQuery({}, 8)),
  component: lazyRouteComponent(() => import('./pages/home/HomePage.tsx'), 'HomePage'), // Its texts are those of the start.
})

const runs = createRoute({
  getParentRoute: () => shell,
  path: patterns.runs,
  validateSearch: ({ state, agent, search, cursor }) => ({ state: runState(state), agent: text(agent), search: text(search), cursor: text(cursor) }),
  loaderDeps: ({ search }) => search,
  loader: ({ deps }) => void queryClient.prefetchQuery(runsQuery(deps)),
  component: page(() => import('./pages/runs/RunsPage.tsx'), 'RunsPage'),
})

const run = createRoute({
  getParentRoute: () => shell,
  path: patterns.run,
  validateSearch: (search) => textsOf(search, 'step', 'show'),
  loader: ({ params, preload }) => {
    void queryClient.prefetchQuery(runQuery(params.runId))
    if (!preload) beginRun(params.runId)
  },
  component: page(() => import('./pages/runs/RunPage.tsx'), 'RunPage'),
})

const compare = createRoute({
  getParentRoute: () => shell,
  path: patterns.compare,
  validateSearch: (search) => textsOf(search, 'step'),
  loader: ({ params }) => void prefetch(compareQuery(params.runId, params.other)),
  component: page(() => import('./pages/runs/compare/ComparePage.tsx'), 'ComparePage'),
})

const journal = createRoute({
  getParentRoute: () => shell,
  path: patterns.journal,
  validateSearch: ({ after }) => ({ after: typeof after === 'string' && /^\d{1,9}$/.test(after) ? after : undefined }),
  component: page(() => import('./pages/runs/JournalPage.tsx'), 'JournalPage'),
})

const chat = createRoute({
  getParentRoute: () => shell,
  path: patterns.chat,
  validateSearch: (search) => textsOf(search, 'agent', 'session', 'preview'),
  loader: () => void prefetch(agentsQuery()),
  component: page(() => import('./pages/chat/ChatPage.tsx'), 'ChatPage'),
})

const attention = createRoute({
  getParentRoute: () => shell,
  path: patterns.attention,
  validateSearch: (search) => textsOf(search, 'agent', 'reason', 'cursor'),
  loaderDeps: ({ search }) => search,
  loader: ({ deps }) => void prefetch(attentionQuery(deps)),
  component: page(() => import('./pages/attention/AttentionPage.tsx'), 'AttentionPage'),
})

const agents = createRoute({
  getParentRoute: () => shell,
  path: patterns.agents,
  loader: () => void prefetch(agentsQuery(), runCountsQuery()),
  component: page(() => import('./pages/agents/AgentsPage.tsx'), 'AgentsPage'),
})

const agent = createRoute({
  getParentRoute: () => shell,
  path: patterns.agent,
  loader: ({ params }) => void prefetch(agentQuery(params.agent), versionsQuery(params.agent), deploymentsQuery(params.agent)),
  component: page(() => import('./pages/agents/AgentPage.tsx'), 'AgentPage'),
})

const agentDiff = createRoute({
  getParentRoute: () => shell,
  path: patterns.agentDiff,
  validateSearch: ({ from, to, file }) => ({ from: version(from), to: version(to), file: text(file) }),
  loader: ({ params }) => void prefetch(versionsQuery(params.agent)),
  component: page(() => import('./pages/agents/diff/DiffPage.tsx'), 'DiffPage'),
})

const schedules = createRoute({
  getParentRoute: () => shell,
  path: patterns.schedules,
  loader: () => void prefetch(schedulesQuery()),
  component: page(() => import('./pages/schedules/SchedulesPage.tsx'), 'SchedulesPage'),
})

const models = createRoute({
  getParentRoute: () => shell,
  path: patterns.models,
  validateSearch: (search) => textsOf(search, 'search'),
  component: page(() => import('./pages/models/pages.ts'), 'ModelsPage'),
})

const calls = createRoute({
  getParentRoute: () => shell,
  path: patterns.calls,
  validateSearch: (search) => textsOf(search, 'from', 'to', 'namespace', 'model', 'key', 'user', 'session', 'outcome', 'cost', 'cursor'),
  component: page(() => import('./pages/models/pages.ts'), 'CallsPage'),
})
const call = createRoute({
  getParentRoute: () => shell,
  path: patterns.call,
  component: page(() => import('./pages/models/pages.ts'), 'CallPage'),
})
const providers = createRoute({
  getParentRoute: () => shell,
  path: patterns.providers,
  component: page(() => import('./pages/models/pages.ts'), 'ProvidersPage'),
})
const catalogue = createRoute({
  getParentRoute: () => shell,
  path: patterns.catalogue,
  validateSearch: (search) => textsOf(search, 'cursor'),
  component: page(() => import('./pages/models/pages.ts'), 'CataloguePage'),
})

const budgets = createRoute({
  getParentRoute: () => shell,
  path: patterns.budgets,
  validateSearch: (search) => textsOf(search, 'by', 'span', 'asModel', 'asLimit'),
  component: page(() => import('./pages/money/MoneyPage.tsx'), 'MoneyPage'),
})

const approvals = createRoute({
  getParentRoute: () => shell,
  path: patterns.approvals,
  validateSearch: (search) => textsOf(search, 'state', 'cursor'),
  loader: () => void queryClient.prefetchQuery(approvalsQuery('pending')),
  component: page(() => import('./pages/approvals/ApprovalsPage.tsx'), 'ApprovalsPage'),
})

const system = createRoute({
  getParentRoute: () => shell,
  path: patterns.system,
  component: page(() => import('./pages/system/SystemPage.tsx'), 'SystemPage'),
})

const device = createRoute({
  getParentRoute: () => shell,
  path: patterns.device,
  validateSearch: (search) => textsOf(search, 'code'),
  component: page(() => import('./pages/people/DevicePage.tsx'), 'DevicePage'),
})

const me = createRoute({
  getParentRoute: () => shell,
  path: patterns.me,
  component: page(() => import('./pages/people/MePage.tsx'), 'MePage'),
})

const people = createRoute({
  getParentRoute: () => shell,
  path: patterns.people,
  validateSearch: (search) => textsOf(search, 'cursor'),
  component: page(() => import('./pages/people/PeoplePage.tsx'), 'PeoplePage'),
})

const settings = createRoute({
  getParentRoute: () => shell,
  path: patterns.settings,
  component: page(() => import('./pages/settings/SettingsFrame.tsx'), 'SettingsPage'),
})
const keys = createRoute({
  getParentRoute: () => shell,
  path: patterns.keys,
  component: page(() => import('./pages/settings/KeysPage.tsx'), 'KeysPage'),
})
const policies = createRoute({
  getParentRoute: () => shell,
  path: patterns.policies,
  component: page(() => import('./pages/settings/PoliciesPage.tsx'), 'PoliciesPage'),
})
const newPolicy = createRoute({
  getParentRoute: () => shell,
  path: patterns.newPolicy,
  component: page(() => import('./pages/settings/PolicyPage.tsx'), 'NewPolicyPage'),
})
const policy = createRoute({
  getParentRoute: () => shell,
  path: patterns.policy,
  component: page(() => import('./pages/settings/PolicyPage.tsx'), 'PolicyPage'),
})
const secrets = createRoute({
  getParentRoute: () => shell,
  path: patterns.secrets,
  component: page(() => import('./pages/settings/SecretsPage.tsx'), 'SecretsPage'),
})
const limits = createRoute({
  getParentRoute: () => shell,
  path: patterns.limits,
  component: page(() => import('./pages/settings/LimitsPage.tsx'), 'LimitsPage'),
})
const tenants = createRoute({
  getParentRoute: () => shell,
  path: patterns.tenants,
  validateSearch: (search) => textsOf(search, 'cursor'),
  component: page(() => import('./pages/settings/TenantsPage.tsx'), 'TenantsPage'),
})
const deliveries = createRoute({
  getParentRoute: () => shell,
  path: patterns.deliveries,
  validateSearch: (search) => textsOf(search, 'state', 'cursor'),
  component: page(() => import('./pages/settings/DeliveriesPage.tsx'), 'DeliveriesPage'),
})
const guardrails = createRoute({
  getParentRoute: () => shell,
  path: patterns.guardrails,
  component: page(() => import('./pages/settings/guardrails/GuardrailsPage.tsx'), 'GuardrailsPage'),
})
const decisions = createRoute({
  getParentRoute: () => shell,
  path: patterns.decisions,
  validateSearch: (search) => textsOf(search, 'guardrail', 'action', 'run', 'cursor'),
  component: page(() => import('./pages/settings/guardrails/DecisionsPage.tsx'), 'DecisionsPage'),
})
const hooks = createRoute({
  getParentRoute: () => shell,
  path: patterns.hooks,
  validateSearch: (search) => textsOf(search, 'cursor'),
  component: page(() => import('./pages/settings/hooks/pages.ts'), 'HooksPage'),
})
const hook = createRoute({
  getParentRoute: () => shell,
  path: patterns.hook,
  validateSearch: (search) => textsOf(search, 'outcome', 'cursor'),
  component: page(() => import('./pages/settings/hooks/pages.ts'), 'HookPage'),
})
const queues = createRoute({
  getParentRoute: () => shell,
  path: patterns.queues,
  validateSearch: (search) => textsOf(search, 'cursor'),
  component: page(() => import('./pages/settings/queues/QueuesPage.tsx'), 'QueuesPage'),
})
const retention = createRoute({
  getParentRoute: () => shell,
  path: patterns.retention,
  component: page(() => import('./pages/settings/kept-pages.ts'), 'RetentionPage'),
})
const callPrivacy = createRoute({
  getParentRoute: () => shell,
  path: patterns.callPrivacy,
  component: page(() => import('./pages/settings/kept-pages.ts'), 'CallPrivacyPage'),
})
const settingsRoutes = [
  settings,
  keys,
  policies,
  newPolicy,
  policy,
  secrets,
  limits,
  tenants,
  deliveries,
  guardrails,
  decisions,
  hooks,
  hook,
  queues,
  retention,
  callPrivacy,
] as const

const memory = createRoute({
  getParentRoute: () => shell,
  path: patterns.memory,
  validateSearch: (search) => textsOf(search, 'agent', 'kind', 'search', 'page'),
  component: page(() => import('./pages/memory/MemoryPage.tsx'), 'MemoryPage'),
})

const audit = createRoute({
  getParentRoute: () => shell,
  path: patterns.audit,
  validateSearch: (search) => textsOf(search, 'who', 'action', 'outcome', 'from', 'to', 'cursor'),
  component: page(() => import('./pages/audit/AuditPage.tsx'), 'AuditPage'),
})

const sandboxes = createRoute({
  getParentRoute: () => shell,
  path: patterns.sandboxes,
  validateSearch: (search) => textsOf(search, 'state', 'cursor'),
  component: page(() => import('./pages/sandboxes/SandboxesPage.tsx'), 'SandboxesPage'),
})
const snapshots = createRoute({
  getParentRoute: () => shell,
  path: patterns.snapshots,
  validateSearch: (search) => textsOf(search, 'cursor'),
  component: page(() => import('./pages/sandboxes/SnapshotsPage.tsx'), 'SnapshotsPage'),
})
const templates = createRoute({
  getParentRoute: () => shell,
  path: patterns.templates,
  validateSearch: (search) => textsOf(search, 'cursor', 'template'),
  component: page(() => import('./pages/sandboxes/templates/TemplatesPage.tsx'), 'TemplatesPage'),
})
const sandbox = createRoute({
  getParentRoute: () => shell,
  path: patterns.sandbox,
  validateSearch: (search) => textsOf(search, 'view', 'path', 'file', 'cursor'),
  component: page(() => import('./pages/sandboxes/SandboxPage.tsx'), 'SandboxPage'),
})
const tools = createRoute({
  getParentRoute: () => shell,
  path: patterns.tools,
  validateSearch: (search) => textsOf(search, 'agent', 'tool'),
  component: page(() => import('./pages/tools/ToolsPage.tsx'), 'ToolsPage'),
})
const marketplace = createRoute({
  getParentRoute: () => shell,
  path: patterns.marketplace,
  validateSearch: (search) => textsOf(search, 'open'),
  component: page(() => import('./pages/tools/marketplace/MarketplacePage.tsx'), 'MarketplacePage'),
})

export const router = createRouter({
  routeTree: root.addChildren([
    signIn,
    signInReturn,
    forgot,
    join,
    shell.addChildren([
      home,
      chat,
      runs,
      run,
      compare,
      journal,
      attention,
      approvals,
      agents,
      agent,
      agentDiff,
      schedules,
      models,
      calls,
      call,
      providers,
      catalogue,
      budgets,
      system,
      device,
      me,
      people,
      ...settingsRoutes,
      memory,
      audit,
      sandboxes,
      snapshots,
      templates,
      sandbox,
      tools,
      marketplace,
    ]),
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

/** Asked for while the page's code is still on its way. */
function prefetch(...queries: readonly { queryKey: readonly unknown[] }[]): void {
  for (const query of queries) void queryClient.prefetchQuery(query)
}
function version(value: unknown): string | undefined {
  return typeof value === 'string' && /^[0-9a-f]{12}$/.test(value) ? value : undefined
}
function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
/** Fields that are texts, by their names. */
const textsOf = <Name extends string>(search: Record<string, unknown>, ...names: Name[]) =>
  Object.fromEntries(names.map((name) => [name, text(search[name])])) as Record<Name, string | undefined> // Each of the names.
function runState(value: unknown): RunState | undefined {
  return runStates.find((state) => state === value)
}
