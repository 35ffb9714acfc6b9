/** One of everything that services return, with fields that no caller may ever see. */
import type { Agent, Approval, Hook, MarketplaceVersion, Run, System } from '@longhaul/protocol'

export const runId = '0195e0d6-5c1e-7000-8000-000000000001'
export const otherTenantsRunId = '0195e0d6-5c1e-7000-8000-000000000002'

export const approvalId = '0195e0d6-5c1e-7000-8000-000000000003'
export const keyId = '0195e0d6-5c1e-7000-8000-000000000004'
export const at = '2026-01-02T03:04:05.678Z'
/** In every field that is not in the contract. */
export const leak = 'INTERNAL-ONLY'
export const hidden = { tenantId: leak, epoch: leak, secretHash: leak }

export const aRun: Run & Record<string, unknown> = {
  id: runId,
  namespace: 'default',
  agent: 'analyst',
  version: 'v1',
  state: 'running',
  input: { question: 'why' },
  output: null,
  failure: null,
  wait: null,
  session: null,
  parent: null,
  continuedAs: null,
  asker: { id: keyId, name: 'administrator', access: { personalData: true } },
  usage: { input: 1, cachedInput: 0, output: 2, costUsd: null },
  compute: { cpuMs: 3, memoryMbS: 4 },
  eventCount: 1,
  createdAt: at,
  startedAt: at,
  endedAt: null,
  ...hidden,
}

export const anApproval: Approval & Record<string, unknown> = {
  id: approvalId,
  runId,
  agent: 'analyst',
  title: 'Send it?',
  detail: null,
  state: 'approved',
  decidedBy: 'administrator',
  comment: null,
  createdAt: at,
  expiresAt: null,
  decidedAt: at,
  ...hidden,
}

export const anInstall = { entry: 'crm', namespace: 'default', version: 1, hash: 'ab', ...hidden }

export const aPublished: MarketplaceVersion & Record<string, unknown> = {
  ...{ entry: 'crm', version: 1, description: 'Customers', kind: 'mcp', url: 'https://crm.example.com/mcp', tools: [], hash: 'ab', state: 'published' },
  ...{ publishedBy: 'k', publishedAt: at, decidedBy: null, decidedAt: null, reason: null, namespaces: [], ...hidden },
}

export const aHook: Hook & Record<string, unknown> = {
  id: runId,
  name: 'github',
  path: '/hooks/acme/github',
  agent: 'analyst',
  namespace: 'default',
  scheme: 'github',
  secret: 'github-webhook',
  action: { type: 'start', input: '' },
  events: null,
  toleranceMs: 300_000,
  isPaused: false,
  fromVersion: null,
  channel: null,
  asker: aRun.asker,
  setBy: 'administrator',
  setAt: at,
  ...hidden,
}

export const anAgent: Agent & Record<string, unknown> = {
  name: 'analyst',
  version: 'v1',
  status: 'ready',
  problem: null,
  manifest: null,
  deployedAt: at,
  ...hidden,
}

export const aVersion = {
  agent: 'analyst',
  version: '0123456789ab',
  status: 'ready' as const,
  problem: null,
  deployment: 'live' as const,
  share: 100,
  activeRunCount: 0,
  createdAt: at,
  ...hidden,
}

export const aDeployment = {
  id: keyId,
  agent: 'analyst',
  version: '0123456789ab',
  share: 100,
  state: 'live' as const,
  canarySubjects: null,
  replaced: null,
  guard: null,
  evidence: null,
  reason: null,
  madeBy: 'administrator',
  createdAt: at,
  endedAt: null,
  ...hidden,
}

export const aPreview = {
  agent: 'analyst',
  name: 'new-words',
  version: '0123456789ab',
  source: { branch: 'new-words', commit: 'abcdef0123456789' },
  madeBy: 'administrator',
  updatedAt: at,
  expiresAt: at,
  ...hidden,
}

export const anEvaluation = {
  id: keyId,
  agent: 'analyst',
  version: '0123456789ab',
  suite: 'analyst',
  passedCount: 2,
  caseCount: 3,
  failedCases: ['revenue'],
  judgments: [],
  model: 'offline/planner',
  costUsd: null,
  durationMs: 1_200,
  madeBy: 'administrator',
  createdAt: at,
  ...hidden,
}

export const aKey = {
  id: keyId,
  name: 'reader',
  permissions: ['runs:read' as const],
  role: null,
  namespaces: null,
  agents: null,
  access: { personalData: true },
  createdAt: at,
  expiresAt: null,
  lastUsedAt: null,
  ...hidden,
}

export const aPerson = {
  ...{ id: keyId, email: 'ada@example.com', name: 'ada', roles: ['viewer' as const], namespaces: null, agents: null, access: { personalData: true } },
  ...{ state: 'active' as const, hasSecondFactor: true, createdAt: at, lastSeenAt: null },
  ...hidden,
}

export const aLogin = {
  id: keyId,
  kind: 'browser' as const,
  agent: 'a browser',
  address: '127.0.0.1',
  isThisOne: true,
  createdAt: at,
  lastUsedAt: at,
  expiresAt: at,
  ...hidden,
}

export const aPasskey = { id: keyId, name: 'a phone', host: 'localhost', isSynced: true, createdAt: at, lastUsedAt: null, ...hidden }

export const aMe = {
  person: aPerson,
  csrfToken: null,
  hasPassword: true,
  factors: ['code' as const],
  recoveryCodesLeft: 10,
  steppedUpUntil: null,
  approvalMails: true,
  ...hidden,
  tenantId: 'acme',
}

export const aForecast = {
  asOf: at,
  timeZone: 'UTC',
  unit: 'usd' as const,
  startsAt: at,
  endsAt: at,
  spent: 0,
  method: 'none' as const,
  historyDays: 0,
  total: null,
  days: [],
}

export const aBudget = {
  webhookUrl: null,
  id: keyId,
  name: 'monthly',
  scope: 'tenant' as const,
  subject: '*',
  per: 'month' as const,
  timeZone: 'UTC',
  unit: 'usd' as const,
  limit: 100,
  setBy: 'administrator',
  createdAt: at,
  updatedAt: at,
  ...hidden,
}

export const aModel = { model: 'openai/gpt-5', prices: [], price: null, priceId: null, source: null, isOverridden: false, ...hidden }

export const aCatalogue = {
  ...{ id: keyId, source: 'a file', readOn: '2026-11-27', changeCount: 0, madeBy: 'ops', madeAt: at, appliedBy: null, appliedAt: null, isCurrent: false },
}

export const aCall = {
  ...{
    id: '01a1fcb9-0960-7a25-9791-15a0d2ed0835',
    at,
    namespace: 'default',
    keyId: 'k',
    user: null,
    session: null,
    face: 'chat',
    isStream: false,
    model: 'smart',
  },
  ...{
    answeredBy: 'openai/gpt-5',
    outcome: 'answered' as const,
    status: 200,
    code: null,
    isKeptAnswer: false,
    inputTokens: 1,
    outputTokens: 2,
    isEstimated: false,
    costUsd: 0.1,
  },
  ...{ durationMs: 3, tags: {}, privacy: 'masked' as const },
}

export const aCallWithTexts = { ...aCall, request: null, answer: null, isCut: false, isMasked: true }

export const aProvider = { name: 'openai', secrets: ['openai-key'], baseUrl: null, awsRegion: null, problem: null, setBy: 'ops', setAt: at }

export const aCallPrivacy = { namespace: null, privacy: 'masked' as const, days: 30, setBy: 'ops', setAt: at }

export const aGuardrail = { name: 'privacy', guards: [{ type: 'secrets' as const, on: 'request' as const, action: 'block' as const }], updatedAt: at }

export const aRoute = {
  name: 'smart',
  description: '',
  pick: 'order' as const,
  sticky: true,
  escalate: false,
  targets: [{ model: 'openai/gpt-5', weight: 1 }],
  updatedAt: at,
  ...hidden,
}

export const aStep = {
  op: '0',
  kind: 'model' as const,
  name: 'model',
  attempt: 1,
  input: null,
  output: null,
  failure: null,
  startedAt: at,
  endedAt: at,
  durationMs: 1,
  ...hidden,
}

export const aTool = {
  agent: 'analyst',
  version: '0123456789ab',
  name: 'crm__find',
  kind: 'mcp' as const,
  connection: 'crm',
  state: 'ready' as const,
  description: 'Finds',
  inputSchema: {},
  limits: {},
  calls: { count: 0, errorCount: 0, durationMsP50: null, durationMsP95: null },
  pin: null,
  ...hidden,
}

export const aSystem: Omit<System, 'caller'> = {
  version: '0.1.0',
  sandbox: { driver: 'virtual', enforced: [], missing: [], languages: [], root: null },
  sandboxDrivers: [{ driver: 'virtual', kernel: 'none', enforced: [], missing: [], root: null }],
  models: { default: 'offline/planner', offline: true, available: [] },
  mail: { from: 'longhaul@example.com' },
  database: { kind: 'embedded', version: '18' },
  startup: [],
  ...hidden,
}

export const aLimit = {
  id: runId,
  namespace: null,
  agent: 'analyst',
  laneKey: null,
  runningMax: 2,
  startsPerSecond: null,
  startsPerMinute: null,
  source: 'operator' as const,
  setBy: 'ops',
  setAt: at,
}

export const aStop = {
  id: runId,
  namespace: null,
  agent: 'analyst',
  runId: null,
  reason: null,
  stoppedBy: 'ops',
  stoppedAt: at,
  liftedBy: null,
  liftedAt: null,
}

export const aFire = { fireAt: at, noticedAt: at, outcome: 'started' as const, reason: null, runId }

export const aSchedule = {
  id: runId,
  name: 'nightly',
  agent: 'analyst',
  input: null,
  asker: { id: 'k', name: 'ops', access: { personalData: true } },
  calendar: { kind: 'cron' as const, cron: '0 3 * * *', timeZone: 'UTC' },
  overlap: 'skip' as const,
  catchUp: 'one' as const,
  jitterMs: 0,
  laneKey: null,
  priority: 'normal' as const,
  isPaused: false,
  fromVersion: null,
  nextFires: [at],
  queuedAt: null,
  lastRunId: null,
  setBy: 'ops',
  setAt: at,
}

export const aStopped = { stop: aStop, isNew: true, cut: [], cutCount: 0, lastStep: null, heldCount: 0, nodesUnheard: [] }

export const aTenant = { id: 'globex', description: '', isSuspended: false, quotas: {}, sandboxPolicy: {}, approvalMails: true, createdAt: at, ...hidden }

export const aNamespace = { name: 'dev', description: '', quotas: {}, sandboxPolicy: {}, createdAt: at, ...hidden }

export const aPolicy = {
  name: 'no-nights',
  version: 1,
  text: 'forbid (principal, action, resource);',
  description: '',
  isActive: true,
  createdBy: 'boss',
  createdAt: at,
  ...hidden,
}

export const anAttachment = {
  id: runId,
  namespace: 'default',
  name: 'figures.csv',
  mediaType: 'text/csv',
  bytes: 8,
  digest: 'ab',
  uploadedBy: keyId,
  createdAt: at,
  expiresAt: at,
  ...hidden,
}

export const aMemory = {
  id: runId,
  agent: 'analyst',
  kind: 'fact' as const,
  name: 'language',
  text: 'Speaks German',
  labels: ['web:example.com'],
  runId,
  createdAt: at,
  recalledAt: null,
  ...hidden,
}

export const aSecret = {
  name: 'crm',
  version: 1,
  description: '',
  hosts: ['crm.example.com'],
  agents: null,
  createdAt: at,
  createdBy: 'boss',
  lastUsedAt: null,
  useCount: 0,
  ...hidden,
}

export const aHead = { tenantId: 'acme', seq: 1, hash: '0'.repeat(64), at, publicKey: 'k', signature: 's' }

export const anEntry = {
  seq: 1,
  at,
  who: { id: keyId, name: 'boss' },
  action: 'runs.start',
  target: runId,
  outcome: 'done' as const,
  detail: {},
  requestId: null,
  hash: '0',
  ...hidden,
}
export const consumption = { runsInFlight: 0, startsInLastMinute: 0, storageBytes: 0, sandboxes: 0 }
