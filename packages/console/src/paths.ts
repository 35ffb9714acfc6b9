type Fields<Name extends string> = { [Key in Name]?: string | undefined }

/** Every address of the console. Links are made here and nowhere else; `paths.test.ts` shows the whole map. */
export const paths = {
  home: (about: Fields<'agent' | 'question'> = {}) => withQuery('/', about),
  signIn: (about: { to?: string | undefined; rejected?: 'yes' | undefined } = {}) => withQuery('/sign-in', about),
  chat: (about: Fields<'agent' | 'session' | 'preview'> = {}) => withQuery('/chat', about),
  runs: (filter: Fields<'state' | 'agent' | 'search' | 'cursor'> = {}) => withQuery('/runs', filter),
  run: (runId: string, about: Fields<'step' | 'show'> = {}) => withQuery(`/runs/${encodeURIComponent(runId)}`, about),
  compare: (runId: string, other: string) => `/runs/${encodeURIComponent(runId)}/compare/${encodeURIComponent(other)}`,
  journal: (runId: string) => `/runs/${encodeURIComponent(runId)}/journal`,
  attention: (filter: Fields<'agent' | 'reason' | 'cursor'> = {}) => withQuery('/attention', filter),
  approvals: (filter: Fields<'state' | 'cursor'> = {}) => withQuery('/approvals', filter),
  agents: () => '/agents',
  agent: (agent: string) => `/agents/${encodeURIComponent(agent)}`,
  agentDiff: (agent: string, versions: Fields<'from' | 'to'> = {}) => withQuery(`/agents/${encodeURIComponent(agent)}/diff`, versions),
  schedules: () => '/schedules',
  models: (filter: Fields<'search'> = {}) => withQuery('/models', filter),
  calls: (filter: CallSearch = {}) => withQuery('/models/calls', filter),
  call: (callId: string) => `/models/calls/${encodeURIComponent(callId)}`,
  providers: () => '/models/providers',
  catalogue: (filter: Fields<'cursor'> = {}) => withQuery('/models/catalogue', filter),
  budgets: (filter: Fields<'by' | 'span'> = {}) => withQuery('/budgets', filter),
  system: () => '/system',
  signInReturn: () => '/sign-in/return',
  forgot: () => '/sign-in/forgot',
  join: () => '/join',
  device: (about: { code?: string | undefined } = {}) => withQuery('/device', about),
  me: () => '/me',
  people: (about: { cursor?: string | undefined } = {}) => withQuery('/settings/people', about),
  settings: () => '/settings',
  keys: () => '/settings/keys',
  policies: () => '/settings/policies',
  newPolicy: () => '/settings/new-policy',
  policy: (name: string) => `/settings/policies/${encodeURIComponent(name)}`,
  secrets: () => '/settings/secrets',
  limits: () => '/settings/limits',
  tenants: (filter: { cursor?: string | undefined } = {}) => withQuery('/settings/tenants', filter),
  deliveries: (filter: { state?: string | undefined; cursor?: string | undefined } = {}) => withQuery('/settings/deliveries', filter),
  guardrails: () => '/settings/guardrails',
  decisions: (filter: Fields<'guardrail' | 'action' | 'run' | 'cursor'> = {}) => withQuery('/settings/guardrail-decisions', filter),
  hooks: (filter: Fields<'cursor'> = {}) => withQuery('/settings/hooks', filter),
  hook: (name: string, filter: Fields<'outcome' | 'cursor'> = {}) => withQuery(`/settings/hooks/${encodeURIComponent(name)}`, filter),
  queues: (filter: Fields<'cursor'> = {}) => withQuery('/settings/queues', filter),
  retention: () => '/settings/retention',
  callPrivacy: () => '/settings/call-privacy',
  memory: (filter: Fields<'agent' | 'kind' | 'search' | 'page'> = {}) => withQuery('/memory', filter),
  audit: (filter: AuditSearch = {}) => withQuery('/audit', filter),
  sandboxes: (filter: { state?: string | undefined; cursor?: string | undefined } = {}) => withQuery('/sandboxes', filter),
  snapshots: (filter: { cursor?: string | undefined } = {}) => withQuery('/sandboxes/snapshots', filter),
  templates: (about: Fields<'cursor' | 'template'> = {}) => withQuery('/sandboxes/templates', about),
  sandbox: (sandboxId: string, about: { view?: string | undefined; path?: string | undefined; file?: string | undefined; cursor?: string | undefined } = {}) =>
    withQuery(`/sandboxes/${encodeURIComponent(sandboxId)}`, about),
  marketplace: (about: Fields<'open'> = {}) => withQuery('/tools/marketplace', about),
  tools: (about: { agent?: string | undefined; tool?: string | undefined } = {}) => withQuery('/tools', about),
} as const

/** What the audit log is filtered by. Days are the reader's own. */
export type AuditSearch = Partial<Record<'who' | 'action' | 'outcome' | 'from' | 'to' | 'cursor', string | undefined>>

/** What calls outside of runs are filtered by. Days are the reader's own; `cost` is the least that one cost, in dollars. */
export type CallSearch = Fields<'from' | 'to' | 'namespace' | 'model' | 'key' | 'user' | 'session' | 'outcome' | 'cost' | 'cursor'>

/** Addresses of the API that are no operations, or are shown to be copied. */
export const apiPaths = {
  health: () => '/healthz',
  openai: () => '/openai/v1',
  receive: (queue: string) => `/v1/queues/${encodeURIComponent(queue)}/receive`,
} as const

/** The patterns that the router matches, under the same names as the paths they match. */
export const patterns = {
  home: '/',
  signIn: '/sign-in',
  chat: '/chat',
  runs: '/runs',
  run: '/runs/$runId',
  compare: '/runs/$runId/compare/$other',
  journal: '/runs/$runId/journal',
  attention: '/attention',
  approvals: '/approvals',
  agents: '/agents',
  agent: '/agents/$agent',
  agentDiff: '/agents/$agent/diff',
  schedules: '/schedules',
  models: '/models',
  calls: '/models/calls',
  call: '/models/calls/$callId',
  providers: '/models/providers',
  catalogue: '/models/catalogue',
  budgets: '/budgets',
  system: '/system',
  signInReturn: '/sign-in/return',
  forgot: '/sign-in/forgot',
  join: '/join',
  device: '/device',
  me: '/me',
  people: '/settings/people',
  settings: '/settings',
  keys: '/settings/keys',
  policies: '/settings/policies',
  newPolicy: '/settings/new-policy',
  policy: '/settings/policies/$name',
  secrets: '/settings/secrets',
  limits: '/settings/limits',
  tenants: '/settings/tenants',
  deliveries: '/settings/deliveries',
  guardrails: '/settings/guardrails',
  decisions: '/settings/guardrail-decisions',
  hooks: '/settings/hooks',
  hook: '/settings/hooks/$name',
  queues: '/settings/queues',
  retention: '/settings/retention',
  callPrivacy: '/settings/call-privacy',
  memory: '/memory',
  audit: '/audit',
  sandboxes: '/sandboxes',
  snapshots: '/sandboxes/snapshots',
  templates: '/sandboxes/templates',
  sandbox: '/sandboxes/$sandboxId',
  marketplace: '/tools/marketplace',
  tools: '/tools',
} as const satisfies Record<keyof typeof paths, string>

function withQuery(path: string, fields: Record<string, string | undefined>): string {
  const query = writeQuery(fields)
  return query ? `${path}?${query}` : path
}

/** Plain strings both ways: a step `3.0` must not come back as the number 3. */
export const readQuery = (query: string): Record<string, string> => Object.fromEntries(new URLSearchParams(query))
export const writeQuery = (fields: Record<string, unknown>): string =>
  new URLSearchParams(Object.entries(fields).flatMap(([name, value]) => (typeof value === 'string' && value !== '' ? [[name, value]] : []))).toString()
