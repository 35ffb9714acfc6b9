/** Services that hold a few things in memory, to test the API alone. */
import { type LiveFrame, type RunEvent, permissions } from '@longhaul/protocol'
import { type ApiOptions, type PipelineOptions, type RunStream, type Services, httpApi, implementAll, openLinks, openPipeline } from '../../src/api/index.ts'
import type { AuditNote } from '../../src/db/index.ts'
import type { Caller, Identities, Keys } from '../../src/identity/index.ts'
import { AppError, silentLog } from '../../src/kernel/index.ts'
import {
  runId,
  keyId,
  at,
  leak,
  hidden,
  aRun,
  anApproval,
  anInstall,
  aPublished,
  aHook,
  anAgent,
  aVersion,
  aDeployment,
  aPreview,
  anEvaluation,
  aKey,
  aPerson,
  aLogin,
  aPasskey,
  aMe,
  aForecast,
  aBudget,
  aModel,
  aCatalogue,
  aCall,
  aCallWithTexts,
  aProvider,
  aCallPrivacy,
  aGuardrail,
  aRoute,
  aStep,
  aTool,
  aSystem,
  aLimit,
  aStop,
  aFire,
  aSchedule,
  aStopped,
  aTenant,
  aNamespace,
  aPolicy,
  anAttachment,
  aMemory,
  aSecret,
  aHead,
  anEntry,
  consumption,
} from './example-things.ts'
import { fakeSandboxes, fakeTemplates } from './fake-sandboxes.ts'

/** Whoever asks for `lh_all` may do everything, `lh_<permission>` that alone, and `lh_but-<permission>` all but that. */
export async function authenticate(secret: string): Promise<Caller | undefined> {
  const word = secret.slice('lh_'.length)
  const granted =
    word === 'all'
      ? permissions
      : word.startsWith('but-')
        ? permissions.filter((permission) => permission !== word.slice(4))
        : permissions.filter((permission) => permission === word)
  if (!secret.startsWith('lh_') || granted.length === 0) return undefined
  const login = { id: keyId, kind: 'program' as const }
  return {
    ...{ keyId, tenantId: 'acme', askerId: undefined, name: 'administrator', permissions: granted, access: { personalData: true } },
    ...(word === 'all' && { login: { ...login, steppedUpUntil: at } }),
  }
}

export type FakeStream = RunStream & {
  events: RunEvent[]
  end(): void
  push(...events: RunEvent[]): void
  live(...frames: LiveFrame[]): void
  subscribers(): number
  reads: number
  /** What the next reads throw. */
  failures: Error[]
}

export const anEvent = (seq: number): RunEvent => ({ seq, type: 'signal.received', at, data: { name: 'news', payload: seq, by: 'someone' } })

export function makeStream(): FakeStream {
  const listeners = new Set<{ onWake(): void; onLive(frame: LiveFrame): void }>()
  let isEnded = false
  const wake = () => listeners.forEach(({ onWake }) => onWake())
  const stream: FakeStream = {
    events: [],
    failures: [],
    reads: 0,
    async read({ tenantId }, id, after, limit) {
      stream.reads++
      const failure = stream.failures.shift()
      if (failure) throw failure
      if (tenantId !== 'acme' || id !== runId) throw new AppError('not_found', `No run ${id}.`)
      return { events: stream.events.filter(({ seq }) => seq > after).slice(0, limit), isEnded }
    },
    subscribe(id, onWake, onLive) {
      const listener = { onWake, onLive }
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    push(...events) {
      stream.events.push(...events)
      wake()
    },
    end() {
      isEnded = true
      wake()
    },
    live: (...frames) => frames.forEach((frame) => listeners.forEach(({ onLive }) => onLive(frame))),
    subscribers: () => listeners.size,
  }
  return stream
}

type Called = <Result>(name: string, result: Result) => (...given: unknown[]) => Promise<Result>
const identityServices = (called: Called): Pick<Services, 'tenants' | 'images' | 'policies' | 'secrets' | 'audit' | 'heads'> => ({
  images: { used: async () => ({ count: 0, bytes: 0 }) },
  tenants: {
    create: called('tenants.create', { ...aTenant, key: { ...aKey, secret: 'lh_new' } }),
    list: called('tenants.list', [aTenant]),
    sandboxPolicies: called('tenants.sandboxPolicies', { tenant: {}, namespace: {} }),
    find: called('tenants.get', { ...aTenant, consumption }),
    update: called('tenants.update', aTenant),
    putNamespace: called('namespaces.put', aNamespace),
    listNamespaces: called('namespaces.list', [{ ...aNamespace, consumption }]),
    deleteNamespace: called('namespaces.delete', aNamespace),
    startWithin: (_, __, start) => start(),
    assertStorage: async () => {},
    quotasOf: async () => ({ tenant: {}, namespace: {} }),
  },
  policies: {
    judge: async () => ({ isAsked: false, policies: [] }),
    whyNot: async () => undefined,
    test: called('policies.test', { isAllowed: true, policies: [], errors: [], mayBeApproved: false, ms: 0.1 }),
    put: called('policies.put', aPolicy),
    list: called('policies.list', [aPolicy]),
    versions: called('policies.get', [aPolicy]),
    delete: called('policies.delete', aPolicy),
  },
  secrets: {
    set: called('secrets.set', aSecret),
    list: called('secrets.list', [aSecret]),
    versions: called('secrets.get', [aSecret]),
    delete: called('secrets.delete', aSecret),
    find: called('secrets.find', aSecret),
    use: called('secrets.use', leak),
    rewrapAll: async () => 0,
  },
  heads: { statusOf: () => ({ target: 'webhook audit.example', lastAt: at, behind: 2, problem: null, ...hidden }) },
  audit: {
    note: async () => {},
    list: called('audit.list', [anEntry]),
    read: called('audit.export', [anEntry]),
    head: called('audit.head', aHead),
    heads: async () => [],
    verify: called('audit.verify', { isIntact: true, entryCount: 1, pendingCount: 0, problem: null, head: aHead }),
    append: async () => 0,
    start: async () => {},
    stop: async () => {},
  },
})

export const cookie = 'c'.repeat(43)

function peopleServices(called: Called): Identities {
  const signedIn = { state: 'signed-in' as const, cookie, device: leak }
  const anSso = {
    ...{ issuer: 'https://login.example.com', clientId: 'longhaul', scopes: ['email'], rolesClaim: null, roles: {}, createsPeople: false, updatedAt: at },
    ...hidden,
  }
  const aLink = { ...aPerson, link: '/join#token=t', linkExpiresAt: at, isMailed: false }
  const aMail = {
    ...{ id: aPerson.id, kind: 'invitation' as const, personId: aPerson.id, email: 'ada@example.com', language: 'en' as const, state: 'failed' as const },
    ...{ attempt: 12, failure: 'It answered 550', dueAt: null, createdAt: at, endedAt: at, ...hidden },
  }
  return {
    resets: { ask: called('signin.reset', { goodForMs: 1, ...hidden }) },
    people: {
      invite: called('people.invite', aLink),
      list: called('people.list', { items: [aPerson], next: null }),
      update: called('people.update', aPerson),
      link: called('people.link', aLink),
      signOut: called('people.signout', { count: 1 }),
      delete: called('people.delete', aPerson),
      mails: called('mails.list', { items: [aMail], next: null }),
      retryMail: called('mails.retry', aMail),
    },
    signIn: {
      password: called('signin.password', signedIn),
      factor: called('signin.factor', signedIn),
      askForPasskey: called('passkeys.ask', { challenge: 'c' }),
      passkey: called('signin.passkey', signedIn),
      recipientOf: called('signin.recipient', undefined),
      lookAtLink: called('signin.link', { email: 'ada@example.com', name: 'ada', isNew: true, ...hidden, tenantId: 'acme' }),
      join: called('signin.join', signedIn),
      changePassword: called('me.password', undefined),
      signOut: called('me.signout', { count: 1 }),
      me: called('me.get', aMe),
      setMails: called('me.mails', undefined),
      startDevice: called('devices.start', { deviceCode: 'd', userCode: 'BCDF-GHJK', expiresInMs: 1, intervalMs: 1, ...hidden }),
      pollDevice: called('devices.poll', { state: 'pending', token: null, name: null, ...hidden }),
      getDevice: called('devices.get', { userCode: 'BCDF-GHJK', name: 'a program', address: '127.0.0.1', expiresAt: at, ...hidden }),
      decideDevice: called('devices.decide', undefined),
      enter: called('signin.enter', signedIn),
    },
    sso: {
      get: called('sso.get', anSso),
      set: called('sso.set', anSso),
      delete: called('sso.delete', anSso),
      start: called('signin.sso', { address: 'https://login.example.com/auth', state: leak }),
      finish: called('signin.return', signedIn),
    },
    secondFactor: {
      take: called('factor.take', undefined),
      stepUp: called('me.stepup', undefined),
      enroll: called('me.enroll', { secret: 's', uri: 'otpauth://totp/x', ...hidden }),
      confirm: called('me.confirm', { recoveryCodes: ['a'], ...hidden }),
      renewRecoveryCodes: called('me.recovery', { recoveryCodes: ['a'], ...hidden }),
      unenroll: called('me.unenroll', undefined),
      rewrapAll: async () => {},
    },
    passkeys: {
      list: called('passkeys.list', [aPasskey]),
      start: called('passkeys.start', { challenge: 'c' }),
      add: called('passkeys.add', { passkey: aPasskey, recoveryCodes: ['a'], ...hidden }),
      rename: called('passkeys.rename', aPasskey),
      delete: called('passkeys.delete', aPasskey),
      ask: called('passkeys.challenge', { challenge: 'c' }),
      take: called('passkeys.take', undefined),
    },
    logins: {
      authenticate: async () => undefined,
      start: called('logins.start', cookie),
      list: called('logins.list', [aLogin]),
      delete: called('logins.delete', aLogin),
      forget() {},
      forgetTenant() {},
      stop: async () => {},
    },
    start: async () => {},
    stop: async () => {},
  }
}

/** Lists whose changes are numbered; a cursor is such a number. */
export function makeLists() {
  const changes: { kind: 'run' | 'approval'; item: unknown }[] = []
  const watchers = new Set<() => void>()
  const none = () => ({ items: [], next: String(changes.length), isPending: false, isReset: false })
  const read = (kind: string, { cursor, limit }: { cursor: string | undefined; limit: number }) => {
    if (cursor === undefined) return none()
    if (!/^\d+$/.test(cursor)) throw new AppError('invalid', 'The cursor is none.')
    const items = changes
      .map(({ item }, at) => ({ item: item as never, cursor: String(at + 1) }))
      .filter((_, at) => at >= Number(cursor) && changes[at]?.kind === kind)
    return { ...none(), items: items.slice(0, limit), ...(items.length >= limit && { next: items[limit - 1]?.cursor ?? '' }) }
  }
  return {
    none,
    changedRuns: async (_: unknown, page: { cursor: string | undefined; limit: number }) => read('run', page),
    changedApprovals: async (_: unknown, page: { cursor: string | undefined; limit: number }) => read('approval', page),
    watchTenant(_: string, onWake: () => void) {
      watchers.add(onWake)
      return () => void watchers.delete(onWake)
    },
    watcherCount: () => watchers.size,
    push(kind: 'run' | 'approval', item: unknown) {
      changes.push({ kind, item })
      for (const wake of watchers) wake()
    },
  }
}

export function makeApi(changes: Partial<ApiOptions & PipelineOptions> & { services?: Partial<Services> } = {}) {
  const calls: unknown[][] = []
  const notes: [string, AuditNote][] = []
  const called =
    <Result>(name: string, result: Result) =>
    async (...given: unknown[]): Promise<Result> => {
      calls.push([name, ...given])
      return result
    }
  const ofTenant =
    <Thing>(id: string, thing: Thing) =>
    async (reader: string | { tenantId: string }, asked: string) =>
      (typeof reader === 'string' ? reader : reader.tenantId) === 'acme' && asked === id ? thing : undefined
  const stream = makeStream()
  const lists = makeLists()
  const keys: Keys = {
    authenticate,
    create: called('keys.create', { ...aKey, secret: 'lh_new' }),
    createFirst: called('keys.createFirst', { ...aKey, secret: 'lh_new' }),
    insertFirst: called('keys.insertFirst', { ...aKey, secret: 'lh_new' }),
    rotate: called('keys.rotate', { ...aKey, secret: 'lh_new' }),
    list: called('keys.list', [aKey]),
    delete: called('keys.delete', aKey),
    forgetTenant: () => {},
    stop: async () => {},
  }
  const sandboxes = fakeSandboxes(called, { ...hidden })
  const services: Services = {
    links: openLinks(),
    attachments: {
      create: called('attachments.create', anAttachment),
      get: called('attachments.get', anAttachment),
      delete: called('attachments.delete', { ...hidden, id: runId }),
    },
    runs: {
      start: called('runs.start', aRun),
      callTool: called('tools.start', aRun),
      find: ofTenant(runId, aRun),
      list: called('runs.list', { items: [aRun], next: null }),
      count: called('runs.count', {
        items: [{ agent: 'analyst', state: 'running' as const, count: 1, sinceCount: 1, sinceCompute: { cpuMs: 3, memoryMbS: 4 } }],
        isCut: false,
      }),
      journal: called('runs.export', {
        items: [{ ...hidden, seq: 0, epoch: 1, at, type: 'run.started', op: null, data: '{"input":null}', hash: 'ab' }],
        next: null,
      }),
      connections: called('runs.connections', { items: [], next: null }),
      findStep: async (_, id, op) => (id === runId && op === '0' ? aStep : undefined),
      import: called('runs.import', aRun),
      fork: called('runs.fork', aRun),
      compare: called('runs.compare', {
        ...hidden,
        a: { ...hidden, runId, state: 'completed', usage: { input: 0, cachedInput: 0, output: 0, costUsd: 0 }, withheldCount: 0, output: null, failure: null },
        b: { ...hidden, runId, state: 'completed', usage: { input: 0, cachedInput: 0, output: 0, costUsd: 0 }, withheldCount: 0, output: null, failure: null },
        prefixCount: 0,
        sameCount: 0,
        differentCount: 0,
        different: [],
        isSameAnswer: true,
      }),
      cancel: called('runs.cancel', aRun),
      retry: called('runs.retry', aRun),
      decide: called('runs.decide', aRun),
      signal: called('runs.signal', aRun),
    },
    stream,
    limits: { set: called('limits.set', aLimit), list: called('limits.list', { items: [aLimit], next: null }), delete: called('limits.delete', aLimit) },
    schedules: {
      set: called('schedules.set', aSchedule),
      list: called('schedules.list', { items: [aSchedule], next: null }),
      get: called('schedules.get', aSchedule),
      pause: called('schedules.pause', aSchedule),
      resume: called('schedules.resume', aSchedule),
      delete: called('schedules.delete', aSchedule),
      fire: called('schedules.fire', aFire),
      fires: called('schedules.fires', { items: [aFire], next: null }),
    },
    hooks: {
      set: called('hooks.set', aHook),
      list: called('hooks.list', { items: [aHook], next: null }),
      get: called('hooks.get', aHook),
      pause: called('hooks.pause', aHook),
      resume: called('hooks.resume', aHook),
      delete: called('hooks.delete', aHook),
      deliveries: called('hooks.deliveries', []),
    },
    stops: { create: called('stops.create', aStopped), list: called('stops.list', { items: [aStop], next: null }), lift: called('stops.lift', aStop) },
    approvals: {
      find: async () => undefined,
      get: called('approvals.get', { ...anApproval, sources: [], isCut: false, labels: [] }),
      list: called('approvals.list', { items: [anApproval], next: null }),
      decide: called('approvals.decide', anApproval),
    },
    agentMails: { list: called('runs.mails', []), resend: called('runs.resendMails', []) },
    retention: {
      list: called('retention.list', []),
      set: called('retention.set', { namespace: null, days: 30, setBy: 'k', setAt: '2026-01-15T12:00:00.000Z' }),
    },
    queues: {
      put: called('queues.put', undefined),
      list: called('queues.list', []),
      receive: called('queues.receive', { items: [] }),
      acknowledge: called('queues.acknowledge', { done: [], left: [] }),
      extend: called('queues.extend', { done: [], left: [] }),
    },
    lists,
    attention: {
      list: called('attention.list', []),
      changes: called('attention.changes', lists.none()),
      deliveries: called('deliveries.list', []),
      retry: called('attention.retry', { done: [], left: [] }),
      fork: called('attention.fork', { done: [], left: [] }),
      dismiss: called('attention.dismiss', { done: [], left: [] }),
    },
    agents: { list: called('agents.list', [anAgent]), find: ofTenant('analyst', anAgent) },
    deployments: {
      createVersion: called('versions.create', aVersion),
      listVersions: called('versions.list', [aVersion]),
      version: called('versions.get', {
        ...aVersion,
        manifest: null,
        record: { version: aVersion.version, runCount: 3, failedCount: 1, durationMsMedian: 1_200, costUsdMean: 0.02 },
      }),
      compare: called('versions.compare', {
        changes: [{ path: 'agent/agent.ts', change: 'changed', before: { bytes: 3, text: 'one' }, after: { bytes: 3, text: 'two' }, omitted: null }],
        sameCount: 4,
      }),
      deploy: called('deployments.create', aDeployment),
      rollBack: called('deployments.rollback', aDeployment),
      list: called('deployments.list', { items: [aDeployment], next: null }),
      plan: called('deployments.plan', {
        agent: 'analyst',
        version: aVersion.version,
        pinned: [{ version: 'fedcba987654', runningCount: 1, waitingCount: 2 }],
        sessionCount: 3,
        sessionsWithinMs: 604_800_000,
        runIds: [runId],
      }),
      setPreview: called('previews.set', aPreview),
      listPreviews: called('previews.list', { items: [aPreview], next: null }),
      deletePreview: called('previews.delete', aPreview),
      recordEvaluation: called('evaluations.record', anEvaluation),
      listEvaluations: called('evaluations.list', { items: [anEvaluation], next: null }),
    },
    tools: {
      marketplace: {
        list: called('marketplace.list', [aPublished]),
        publish: called('marketplace.publish', aPublished),
        review: called('marketplace.review', aPublished),
        revoke: called('marketplace.revoke', aPublished),
        install: called('marketplace.install', anInstall),
        uninstall: called('marketplace.uninstall', anInstall),
      },
      memory: {
        list: called('memory.list', { items: [aMemory], next: null }),
        get: called('memory.get', aMemory),
        erase: called('memory.erase', { id: runId }),
        eraseAll: called('memory.eraseAll', { count: 1 }),
      },
      list: called('tools.list', [aTool]),
      unauthorized: called('tools.unauthorized', []),
      refresh: called('tools.refresh', { items: [aTool], problems: [] }),
      approve: called('tools.approve', aTool),
      authorize: called('connections.authorize', { url: 'https://login.example.com/authorize', state: 's', authority: 'login.example.com' }),
      finishAuthorization: called('connections.finish', {
        agent: 'analyst',
        connection: 'crm',
        authority: 'login.example.com',
        scope: null,
        isRefreshable: true,
      }),
      limit: called('tools.limit', { agent: 'analyst', limits: {} }),
      prompts: called('prompts.list', [{ name: 'review', title: null, description: 'Reviews code', arguments: [] }]),
      prompt: called('prompts.get', { description: null, text: 'Review this.', label: 'tool_server:crm.example.com' }),
    },
    keys,
    identities: peopleServices(called),
    ...identityServices(called),
    money: {
      setBudget: called('budgets.set', aBudget),
      listBudgets: called('budgets.list', [{ ...aBudget, fullest: null }]),
      getBudget: called('budgets.get', { ...aBudget, counters: [] }),
      deleteBudget: called('budgets.delete', aBudget),
      listEvents: called('budgets.events', { items: [], next: null }),
      summarize: called('usage.summarize', { from: at, to: at, groups: [], isCut: false }),
      listCalls: called('usage.list', { items: [], next: null }),
      score: called('usage.score', { scored: 1 }),
      tryUsage: called('usage.try', { asModel: null, asLimit: null }),
      forecastUsage: called('usage.forecast', aForecast),
      forecastBudget: called('budgets.forecast', { ...aForecast, subject: null, limit: 100, reachesLimit: { at: null, earliest: null, latest: null } }),
      listModels: called('models.list', { items: [aModel], readOn: '2026-01-02', isCut: false }),
      setModel: called('models.set', aModel),
      catalogue: {
        refresh: called('models.refresh', { id: keyId, source: 'a file', readOn: '2026-11-27', modelCount: 1, changeCount: 0, changes: [] }),
        apply: called('models.apply', aCatalogue),
        rollback: called('models.rollback', { current: null }),
        versions: called('models.versions', { items: [aCatalogue], next: null }),
      },
      unsetModel: called('models.unset', { model: aModel.model, count: 1 }),
    },
    routes: {
      list: called('routes.list', [aRoute]),
      get: called('routes.get', aRoute),
      set: called('routes.set', aRoute),
      delete: called('routes.delete', aRoute),
      try: called('routes.try', { difficulty: 0.2, targets: [{ model: 'openai/gpt-5', isAsked: true, why: 'always' }] }),
      evaluate: called('routes.evaluate', {
        basis: 'calls',
        cases: 0,
        skipped: [],
        learning: { tolerance: 0.05, explore: 0.05 },
        policies: [],
        gain: null,
        notes: [],
      }),
      pick: async () => undefined,
    },
    answers: { clear: called('routes.clearCache', { deleted: 2 }) },
    guardrails: {
      list: called('guardrails.list', [aGuardrail]),
      get: called('guardrails.get', aGuardrail),
      set: called('guardrails.set', aGuardrail),
      delete: called('guardrails.delete', aGuardrail),
      decisions: called('guardrails.decisions', { items: [], next: null }),
    },
    providers: {
      list: called('providers.list', [aProvider]),
      set: called('providers.set', aProvider),
      delete: called('providers.delete', aProvider),
    },
    callLog: {
      begin: () => {
        throw new Error('No call is made here.')
      },
      list: called('calls.list', { items: [aCall], next: null }),
      get: called('calls.get', aCallWithTexts),
      reveal: called('calls.reveal', aCallWithTexts),
      listPrivacy: called('callPrivacy.list', { items: [aCallPrivacy], next: null }),
      setPrivacy: called('callPrivacy.set', aCallPrivacy),
      start: async () => {},
      stop: async () => {},
    },
    system: { describe: async () => aSystem },
    sandboxes,
    templates: fakeTemplates(called, { ...hidden }),
    log: silentLog,
    ...changes.services,
  }
  const pipeline = openPipeline({
    implementations: implementAll(services),
    authenticate,
    authenticateCookie: async (secret) => (secret === cookie ? authenticate('lh_all') : undefined),
    stepUp: { ms: 300_000, keys: 'allow' },
    policies: { whyNot: async () => undefined },
    audit: { note: async (tenantId, note) => void notes.push([tenantId, note]) },
    requestsPerMinute: 1_000_000,
    during: (_, work) => work(),
    log: silentLog,
    ...changes,
  })
  const app = httpApi({
    pipeline,
    requestsPerMinute: 1_000_000,
    stopping: new AbortController().signal,
    findFile: async () => undefined,
    attachments: {
      create: called('attachments.create', anAttachment),
      open: async () => Promise.reject(new AppError('not_found', 'No file.')),
      bytesMax: 1_000,
    },
    streams: sandboxes,
    receiveHook: async () => ({ outcome: 'started', runId }),
    mcp: { handle: async () => new Response('mcp') },
    mcpServers: { handle: async () => new Response('mcp') },
    health: async () => {},
    consoleFolder: '/nowhere',
    host: '127.0.0.1',
    bodyBytesMax: 1_000,
    log: silentLog,
    ...changes,
  })
  /** As a caller who may do everything, unless told otherwise. */
  const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    app.request(path, {
      method,
      headers: { authorization: 'Bearer lh_all', accept: 'application/json', ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
  return { app, pipeline, services, ask, calls, notes, stream, lists }
}
