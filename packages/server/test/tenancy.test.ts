/** Every operation, asked by another tenant with this tenant's ids: there is nothing. An operation without a case here fails. */
import { ErrorBody, type Json, type Run, operations, permissions, roles } from '@longhaul/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sql } from '../src/db/index.ts'
import { openMoney } from '../src/gateway/money/index.ts'
import { putSso } from '../src/identity/sso-store.ts'
import { newId, silentLog } from '../src/kernel/index.ts'
import { type Bed, type BedCaller, openBed } from './support/api-bed.ts'
import { logCall } from './support/logged-call.ts'

const openings: Parameters<typeof openBed>[0] = {
  draws: ({ run }) => [
    {
      type: 'op',
      run,
      op: '0',
      kind: 'artifact',
      name: 'canary.txt',
      input: { name: 'canary.txt', mediaType: 'text/plain', base64: Buffer.from('content').toString('base64') },
    },
  ],
  listens: ({ run }) => [
    { type: 'op.wait', run, op: '0', kind: 'signal', name: 'news', timeoutMs: null },
    { type: 'run.idle', run, ops: ['0'] },
  ],
  asks: ({ run }) => [
    { type: 'op.wait', run, op: '0', kind: 'approval', name: 'canary title', timeoutMs: null },
    { type: 'run.idle', run, ops: ['0'] },
  ],
  doubts: ({ run }) => [
    { type: 'op.begin', run, op: '0', kind: 'step', name: 'charge', attempt: 1, input: null, effect: 'write' },
    { type: 'op.doubt', run, op: '0', kind: 'step', name: 'charge', attempt: 1, needs: 'person', message: 'Nobody knows.' },
    { type: 'run.idle', run, ops: ['0'] },
  ],
  fails: ({ run }) => [{ type: 'run.failed', run, failure: { message: 'canary failure', retryable: false } }],
  diverges: ({ run }) => [{ type: 'run.diverged', run, op: '0', recorded: 'step a', asked: 'step b' }],
}

type Request = [method: string, path: string, body?: Json]
type Case = {
  /** May need something of acme's own, made before. */
  request(acme: BedCaller): Promise<Request>
  /** What the other tenant gets: nothing of that name, a list without anything of acme's, the same thing of its own, or no permission at all. */
  foreign: 'not_found' | 'empty' | 'own' | 'forbidden'
}

const run = async (acme: BedCaller, agent: string): Promise<Run> => acme.start(agent, { input: 'canary input' })
const about = (agent: string, method: string, path: (run: Run) => string, body?: Json): Case => ({
  request: async (acme) => [method, path(await run(acme, agent)), ...(body === undefined ? [] : [body])] as Request,
  foreign: 'not_found',
})
const fixed = (foreign: Case['foreign'], ...request: Request): Case => ({ request: async () => request, foreign })
const idOf = async (response: Response): Promise<string> => ((await response.json()) as { id: string }).id
const text = 'forbid (principal, action == Action::"canary", resource);'

const files = [{ path: 'agent/agent.ts', base64: Buffer.from('canary code').toString('base64') }]
/** Two versions of an agent that only acme has, the second one live. */
const bird = async (acme: BedCaller): Promise<string> => {
  let version = ''
  for (const content of ['canary one', 'canary two']) {
    const code = [{ path: 'agent/agent.ts', base64: Buffer.from(content).toString('base64') }]
    version = ((await (await acme.ask('POST', '/v1/agents/canary-bird/versions', { files: code })).json()) as { version: string }).version
    await acme.ask('POST', '/v1/agents/canary-bird/deployments', { version })
  }
  return version
}
const previewed = async (acme: BedCaller) => acme.ask('POST', '/v1/agents/canary-bird/previews', { name: 'canary-name', version: await bird(acme) })
const evaluation = (version: string) => ({ version, suite: 'canary-suite', passedCount: 1, caseCount: 2, durationMs: 10 })
const schedule = { name: 'canary-nightly', agent: 'draws', calendar: { kind: 'cron', cron: '0 3 * * *', timeZone: 'UTC' } }
const ofSchedule = (method: string, path: string, body?: Json): Case => ({
  request: async (acme) => (
    await acme.ask('POST', '/v1/schedules', schedule),
    [method, `/v1/schedules/canary-nightly${path}`, ...(body === undefined ? [] : [body])] as Request
  ),
  foreign: 'not_found',
})
const ofHook = (method: string, path: string, body?: Json): Case => ({
  request: async (acme) => (await setHook(acme, 'canary-hook'), [method, `/v1/hooks/canary-hook${path}`, ...(body === undefined ? [] : [body])] as Request),
  foreign: 'not_found',
})
const setHook = async (caller: BedCaller, name: string): Promise<void> => {
  await caller.ask('POST', '/v1/secrets/canary-token', { value: 'v' })
  await caller.ask('POST', '/v1/hooks', { ...hook, name })
}
const hook = { agent: 'draws', scheme: 'github', secret: 'canary-token' }
/** A sandbox that only acme has, with a file, a process and a snapshot of its own. */
const box = async (acme: BedCaller): Promise<{ id: string; process: string }> => {
  const id = await idOf(await acme.ask('POST', '/v1/sandboxes', {}))
  await acme.ask('POST', `/v1/sandboxes/${id}/files`, { files: [{ path: 'canary', base64: '' }] })
  return { id, process: await idOf(await acme.ask('POST', `/v1/sandboxes/${id}/processes`, { script: 'true' })) }
}
const ofBox = (method: string, path: (made: { id: string; process: string }) => string, body?: Json): Case => ({
  async request(acme) {
    const made = await box(acme)
    return [method, `/v1/sandboxes/${made.id}${path(made)}`, ...(body === undefined ? [] : [body])] as Request
  },
  foreign: 'not_found',
})
const ofAttachment = (method: string): Case => ({
  request: async (acme) => [method, `/v1/attachments/${await idOf(await acme.ask('POST', '/v1/attachments', { name: 'canary.csv', base64: 'YQ==' }))}`],
  foreign: 'not_found',
})
/** As an agent remembers of whoever asks it. */
const memoryOf = async (acme: BedCaller): Promise<string> => {
  const id = newId()
  await bed.db.rows(sql`
    insert into memories (tenant_id, id, subject_id, agent, kind, text, words, labels, run_id, made_by)
    values ('acme', ${id}, ${acme.id}, 'draws', 'fact', 'canary text', '', '[]', ${newId()}, ${id})`)
  return id
}
const ofMemory = (method: string): Case => ({ request: async (acme) => [method, `/v1/memories/${await memoryOf(acme)}`], foreign: 'not_found' })
/** As a sandbox that can be snapshotted leaves it: the virtual one here cannot. */
const snapshotOf = async (name: string): Promise<void> => {
  await bed.db.rows(sql`
    insert into snapshots (tenant_id, id, name, owner_id, sandbox_id, is_internal, limits, bytes, digest)
    values ('acme', ${newId()}, ${name}, ${newId()}, ${newId()}, false, '{}', 1, 'none') on conflict do nothing`)
}
/** As a preparation leaves it, which needs a real sandbox. */
const templateOf = async (name: string): Promise<void> => {
  await bed.db.rows(sql`
    insert into templates (tenant_id, id, name, version, owner_id, state, spec, digest, limits, env, home, step_count, log)
    values ('acme', ${newId()}, ${name}, 1, ${newId()}, 'failed', '{}', 'none', '{}', '{}', 'none', 1, 'canary log') on conflict do nothing`)
}
/** As publishing leaves it, which needs a tool server. */
const published = async (entry = 'canary-crm', state = 'published'): Promise<void> => {
  await bed.db.rows(sql`
    insert into marketplace_versions (tenant_id, entry, version, description, connection, tools, hash, state, published_by)
    values ('acme', ${entry}, 1, 'canary', '{"kind":"mcp"}', '[]', ${'a'.repeat(64)}, ${state === 'installed' ? 'approved' : state}, 'k') on conflict do nothing`)
  if (state === 'installed')
    await bed.db.rows(sql`
      insert into marketplace_installs (tenant_id, namespace, entry, version, hash, installed_by)
      values ('acme', 'canary-space', ${entry}, 1, ${'a'.repeat(64)}, 'k') on conflict do nothing`)
}
const ofPublished = (method: string, path: string, body?: Json, state = 'published'): Case => ({
  async request() {
    const entry = `canary${newId().slice(-12)}`
    await published(entry, state)
    return [method, `/v1/marketplace/${entry}${path}`, ...(body === undefined ? [] : [body])] as Request
  },
  foreign: 'not_found',
})
/** What needs a tool server, or a process with open input: the tests of `tools` and of sandboxes have those. */
const lacking = new Set([
  ...['tools.approve', 'marketplace.publish', 'connections.authorize', 'connections.finish', 'prompts.list', 'prompts.get', 'sandboxes.input'],
])
/** What has no service behind it here, so that not even its owner gets it. */
const unavailable = new Set(['sso.set', 'system.get', 'sandboxes.snapshot', 'sandboxes.fork', 'sandboxes.watch', 'sandboxes.release'])
const ofRoute = (method: string, name: string, path: string, body?: Json): Case => ({
  async request(acme) {
    await acme.ask('POST', '/v1/routes', { name, targets: [{ model: 'openai/gpt-5' }] })
    return [method, `/v1/routes/${name}${path}`, ...(body === undefined ? [] : [body])] as Request
  },
  foreign: 'not_found',
})
const ofGuardrail = (method: string, name: string): Case => ({
  async request(acme) {
    await acme.ask('POST', '/v1/guardrails', { name, guards: [{ type: 'secrets' }] })
    return [method, `/v1/guardrails/${name}`] as Request
  },
  foreign: 'not_found',
})
const failed = async (acme: BedCaller): Promise<Run> => run(acme, 'fails')

/** A message of acme's on a queue of that name. */
async function queued(acme: BedCaller): Promise<void> {
  const { id: runId } = await failed(acme)
  await bed.queues.put({ tenantId: 'acme', id: newId(), queue: 'canary-queue', runId, agent: 'fails', body: 'canary body' })
}
async function taken(acme: BedCaller): Promise<string> {
  await queued(acme)
  const { items } = (await (await acme.ask('POST', '/v1/queues/canary-queue/receive', {})).json()) as { items: { receipt: string }[] }
  return items[0]?.receipt ?? ''
}
const ssoOf = (tenantId: string) =>
  putSso(bed.db.forTenant(tenantId), { issuer: 'https://login.example.com', clientId: 'canary', scopes: [], rolesClaim: null, roles: {}, createsPeople: false })
/** A model call that acme made. */
const callOf = async ({ id }: BedCaller): Promise<string> => {
  const money = openMoney({ db: bed.db, log: silentLog })
  const admission = await money.admit({ tenantId: 'acme', keyId: id, model: 'openai/gpt-6.1-terra', inputBytes: 1 })
  if (!admission.isAdmitted) return expect.fail(admission.refusal.message)
  await money.settle(admission.reservation, { type: 'unknown', outputBytes: 1 })
  return admission.callId
}
const logged = async ({ id: keyId }: BedCaller): Promise<string> => {
  const id = logCall(bed.callLog, { tenantId: 'acme', keyId })
  await bed.callLog.stop() // Writes what waits.
  return id
}
const canaryCatalogue = { readOn: '2999-01-01', models: [{ model: 'canary/model', prices: [{ input: 1, output: 2 }] }] }
const catalogueOf = async (acme: BedCaller): Promise<string> => idOf(await acme.ask('POST', '/v1/catalogue/versions', { catalogue: canaryCatalogue }))
const keyOf = (acme: BedCaller) => acme.ask('POST', '/v1/secrets/canary-key', { value: 'canary-value' })
const ownProvider = async (acme: BedCaller): Promise<void> => {
  await keyOf(acme)
  await acme.ask('POST', '/v1/providers', { name: 'mistral', secrets: ['canary-key'] })
}
const personOf = async (acme: BedCaller): Promise<string> =>
  idOf(await acme.ask('POST', '/v1/people', { email: `canary-${newId()}@example.com`, roles: ['viewer'] }))

const mailOf = async (acme: BedCaller): Promise<string> => {
  const personId = await personOf(acme)
  const [mail] = await bed.db.rows<{ id: string }>(
    sql`update mails set state = 'failed', failure = 'acme refused it' where person_id = ${personId} returning id`,
  )
  return mail?.id ?? ''
}

const cases: Record<string, Case> = {
  'runs.start': fixed('own', 'POST', '/v1/runs', { agent: 'draws', input: 'canary input', idempotencyKey: 'canary-key' }),
  'runs.get': about('draws', 'GET', ({ id }) => `/v1/runs/${id}`),
  'runs.list': { request: async (acme) => (await run(acme, 'draws'), ['GET', '/v1/runs']), foreign: 'own' },
  'runs.count': { request: async (acme) => (await run(acme, 'draws'), ['GET', '/v1/run-counts?since=2026-01-01T00:00:00Z']), foreign: 'own' },
  'runs.events': about('draws', 'GET', ({ id }) => `/v1/runs/${id}/events`),
  'runs.connections': about('draws', 'GET', ({ id }) => `/v1/runs/${id}/connections`),
  'runs.mails': about('draws', 'GET', ({ id }) => `/v1/runs/${id}/mails`),
  'runs.resendMails': about('draws', 'POST', ({ id }) => `/v1/runs/${id}/mails/resend`, {}),
  'runs.step': about('draws', 'GET', ({ id }) => `/v1/runs/${id}/steps/0`),
  'runs.cancel': about('listens', 'POST', ({ id }) => `/v1/runs/${id}/cancel`, {}),
  'runs.retry': about('diverges', 'POST', ({ id }) => `/v1/runs/${id}/retry`, {}),
  'runs.signal': about('listens', 'POST', ({ id }) => `/v1/runs/${id}/signals/news`, { payload: 1 }),
  'runs.export': about('draws', 'GET', ({ id }) => `/v1/runs/${id}/journal`),
  'runs.import': {
    async request(acme) {
      const { id, agent, version } = await run(acme, 'draws')
      const { items: journal } = await acme.read<{ items: Json[] }>(`/v1/runs/${id}/journal?limit=1000`)
      return ['POST', '/v1/runs/import', { agent, version, exportedAs: id, journal }]
    },
    foreign: 'own',
  },
  'runs.fork': about('draws', 'POST', ({ id }) => `/v1/runs/${id}/fork`, { op: '0' }),
  'runs.compare': about('draws', 'GET', ({ id }) => `/v1/runs/${id}/compare/${id}`),
  'runs.decide': about('doubts', 'POST', ({ id }) => `/v1/runs/${id}/steps/0/decision`, { decision: 'completed', output: 1 }),
  'limits.set': fixed('own', 'POST', '/v1/limits', { agent: 'canary-limited', runningMax: 3 }),
  'limits.list': fixed('own', 'GET', '/v1/limits'),
  'limits.delete': {
    request: async (acme) => ['DELETE', `/v1/limits/${await idOf(await acme.ask('POST', '/v1/limits', { agent: 'canary-gone', runningMax: 3 }))}`],
    foreign: 'not_found',
  },
  'stops.create': { request: async (acme) => ['POST', '/v1/stops', { runId: (await run(acme, 'listens')).id }], foreign: 'not_found' },
  'stops.list': fixed('own', 'GET', '/v1/stops'),
  'stops.lift': {
    async request(acme) {
      const { id: runId } = await run(acme, 'listens')
      const { stop } = (await (await acme.ask('POST', '/v1/stops', { runId })).json()) as { stop: { id: string } }
      return ['POST', `/v1/stops/${stop.id}/lift`, {}]
    },
    foreign: 'not_found',
  },
  'schedules.set': fixed('own', 'POST', '/v1/schedules', { ...schedule, name: 'canary-own' }),
  'schedules.list': fixed('own', 'GET', '/v1/schedules'),
  'schedules.get': ofSchedule('GET', ''),
  'schedules.pause': ofSchedule('POST', '/pause', {}),
  'schedules.resume': ofSchedule('POST', '/resume', {}),
  'schedules.fire': ofSchedule('POST', '/fire', {}),
  'schedules.fires': ofSchedule('GET', '/fires'),
  'schedules.delete': ofSchedule('DELETE', ''),
  'hooks.set': {
    request: async (acme) => (await setHook(acme, 'canary-set'), await setHook(globex, 'canary-set'), ['POST', '/v1/hooks', { ...hook, name: 'canary-set' }]),
    foreign: 'own',
  },
  'hooks.list': fixed('own', 'GET', '/v1/hooks'),
  'hooks.get': ofHook('GET', ''),
  'hooks.pause': ofHook('POST', '/pause', {}),
  'hooks.resume': ofHook('POST', '/resume', {}),
  'hooks.deliveries': ofHook('GET', '/deliveries'),
  'hooks.delete': ofHook('DELETE', ''),
  'attention.list': { request: async (acme) => (await failed(acme), ['GET', '/v1/attention']), foreign: 'empty' },
  'attention.retry': { request: async (acme) => ['POST', '/v1/attention/retry', { ids: [(await failed(acme)).id] }], foreign: 'own' },
  'attention.fork': { request: async (acme) => ['POST', '/v1/attention/fork', { ids: [(await failed(acme)).id] }], foreign: 'own' },
  'attention.dismiss': { request: async (acme) => ['POST', '/v1/attention/dismiss', { ids: [(await failed(acme)).id] }], foreign: 'own' },
  'retention.list': {
    request: async (acme) => (await acme.ask('POST', '/v1/retention', { namespace: 'canary-space', days: 36_000 }), ['GET', '/v1/retention']),
    foreign: 'empty',
  },
  'retention.set': fixed('own', 'POST', '/v1/retention', { namespace: 'canary-space', days: 36_000 }),
  'queues.list': { request: async (acme) => (await queued(acme), ['GET', '/v1/queues']), foreign: 'empty' },
  'queues.receive': { request: async (acme) => (await queued(acme), ['POST', '/v1/queues/canary-queue/receive', {}]), foreign: 'own' },
  'queues.acknowledge': { request: async (acme) => ['POST', '/v1/queues/canary-queue/acknowledge', { receipts: [await taken(acme)] }], foreign: 'own' },
  'queues.extend': { request: async (acme) => ['POST', '/v1/queues/canary-queue/extend', { receipts: [await taken(acme)], visibilityMs: 0 }], foreign: 'own' },
  'deliveries.list': fixed('own', 'GET', '/v1/deliveries'),
  'versions.create': fixed('own', 'POST', '/v1/agents/draws/versions', { files }),
  'versions.list': fixed('own', 'GET', '/v1/agents/draws/versions'),
  'versions.get': { request: async (acme) => ['GET', `/v1/agents/canary-bird/versions/${await bird(acme)}`], foreign: 'not_found' },
  'versions.compare': {
    request: async (acme) => ['GET', `/v1/agents/canary-bird/versions/${await bird(acme)}/compare/${await bird(acme)}`],
    foreign: 'not_found',
  },
  'deployments.plan': { request: async (acme) => ['GET', `/v1/agents/canary-bird/versions/${await bird(acme)}/plan`], foreign: 'not_found' },
  'previews.set': {
    request: async (acme) => ['POST', '/v1/agents/canary-bird/previews', { name: 'canary-name', version: await bird(acme) }],
    foreign: 'not_found',
  },
  'previews.list': { request: async (acme) => (await previewed(acme), ['GET', '/v1/agents/canary-bird/previews']), foreign: 'empty' },
  'previews.delete': { request: async (acme) => (await previewed(acme), ['DELETE', '/v1/agents/canary-bird/previews/canary-name']), foreign: 'not_found' },
  'evaluations.record': {
    request: async (acme) => ['POST', '/v1/agents/canary-bird/evaluations', evaluation(await bird(acme))],
    foreign: 'not_found',
  },
  'evaluations.list': {
    request: async (acme) => (
      await acme.ask('POST', '/v1/agents/canary-bird/evaluations', evaluation(await bird(acme))),
      ['GET', '/v1/agents/canary-bird/evaluations']
    ),
    foreign: 'empty',
  },
  'deployments.create': {
    request: async (acme) => ['POST', '/v1/agents/canary-bird/deployments', { version: await bird(acme) }],
    foreign: 'not_found',
  },
  'deployments.list': { request: async (acme) => (await bird(acme), ['GET', '/v1/agents/canary-bird/deployments']), foreign: 'not_found' },
  'deployments.rollback': { request: async (acme) => (await bird(acme), ['POST', '/v1/agents/canary-bird/rollback', {}]), foreign: 'not_found' },
  'budgets.set': fixed('own', 'POST', '/v1/budgets', { name: 'canary-own', limit: 100 }),
  'budgets.list': fixed('own', 'GET', '/v1/budgets'),
  'budgets.get': {
    request: async (acme) => (await acme.ask('POST', '/v1/budgets', { name: 'canary-seen', limit: 100 }), ['GET', '/v1/budgets/canary-seen']),
    foreign: 'not_found',
  },
  'budgets.delete': {
    request: async (acme) => (await acme.ask('POST', '/v1/budgets', { name: 'canary-gone', limit: 100 }), ['DELETE', '/v1/budgets/canary-gone']),
    foreign: 'not_found',
  },
  'budgets.events': fixed('own', 'GET', '/v1/budget-events'),
  'usage.summarize': fixed('own', 'GET', '/v1/usage?by=agent'),
  'usage.list': fixed('own', 'GET', '/v1/usage/calls'),
  'usage.try': fixed('own', 'GET', '/v1/usage/what-if?asModel=openai/gpt-5&asLimit=1'),
  'usage.forecast': fixed('own', 'GET', '/v1/usage/forecast'),
  'budgets.forecast': {
    request: async (acme) => (await acme.ask('POST', '/v1/budgets', { name: 'canary-foreseen', limit: 100 }), ['GET', '/v1/budgets/canary-foreseen/forecast']),
    foreign: 'not_found',
  },
  'models.list': fixed('own', 'GET', '/v1/catalogue/models?search=gpt'),
  'models.set': fixed('own', 'POST', '/v1/catalogue/models', { model: 'canary/model', price: { input: 1, output: 2 } }),
  'models.unset': fixed('own', 'POST', '/v1/catalogue/models/unset', { model: 'canary/model' }),
  'models.refresh': fixed('own', 'POST', '/v1/catalogue/versions', { catalogue: canaryCatalogue }),
  'models.apply': { request: async (acme) => ['POST', `/v1/catalogue/versions/${await catalogueOf(acme)}/apply`], foreign: 'not_found' },
  'models.versions': { request: async (acme) => (await catalogueOf(acme), ['GET', '/v1/catalogue/versions']), foreign: 'own' },
  'models.rollback': fixed('own', 'POST', '/v1/catalogue/rollback', {}),
  'routes.set': fixed('own', 'POST', '/v1/routes', { name: 'canary-own', targets: [{ model: 'openai/gpt-5' }] }),
  'routes.list': fixed('own', 'GET', '/v1/routes'),
  'routes.get': ofRoute('GET', 'canary-seen', ''),
  'routes.try': ofRoute('POST', 'canary-tried', '/try', { text: 'Hello' }),
  'routes.evaluate': ofRoute('POST', 'canary-judged', '/evaluate', {}),
  'usage.score': { request: async (acme) => ['POST', '/v1/usage/scores', { call: await callOf(acme), score: 1 }], foreign: 'not_found' },
  'routes.clearCache': fixed('own', 'DELETE', '/v1/model-cache'),
  'guardrails.set': fixed('own', 'POST', '/v1/guardrails', { name: 'canary-guard', guards: [{ type: 'words', words: ['canary'] }] }),
  'guardrails.list': fixed('own', 'GET', '/v1/guardrails'),
  'guardrails.get': ofGuardrail('GET', 'canary-guarded'),
  'guardrails.delete': ofGuardrail('DELETE', 'canary-unguarded'),
  'guardrails.decisions': fixed('own', 'GET', '/v1/guardrail-decisions'),
  'calls.list': { request: async (acme) => (await logged(acme), ['GET', '/v1/calls']), foreign: 'empty' },
  'calls.get': { request: async (acme) => ['GET', `/v1/calls/${await logged(acme)}`], foreign: 'not_found' },
  'calls.reveal': { request: async (acme) => ['POST', `/v1/calls/${await logged(acme)}/reveal`, { reason: 'canary' }], foreign: 'not_found' },
  'providers.set': {
    request: async (acme) => (await keyOf(acme), ['POST', '/v1/providers', { name: 'openai', secrets: ['canary-key'] }]),
    foreign: 'not_found',
  },
  'providers.list': { request: async (acme) => (await ownProvider(acme), ['GET', '/v1/providers']), foreign: 'empty' },
  'providers.delete': { request: async (acme) => (await ownProvider(acme), ['DELETE', '/v1/providers/mistral']), foreign: 'not_found' },
  'callPrivacy.list': fixed('own', 'GET', '/v1/call-privacy'),
  'callPrivacy.set': fixed('own', 'POST', '/v1/call-privacy', { privacy: 'none' }),
  'routes.delete': ofRoute('DELETE', 'canary-left', ''),
  'tools.list': fixed('own', 'GET', '/v1/agents/draws/tools'),
  'tools.refresh': fixed('own', 'POST', '/v1/agents/draws/tools/refresh', {}),
  'connections.authorize': {
    request: async (acme) => (await bird(acme), ['POST', '/v1/agents/canary-bird/connections/crm/authorize', { redirectUri: 'http://127.0.0.1:1/callback' }]),
    foreign: 'not_found',
  },
  'connections.finish': {
    request: async (acme) => (await bird(acme), ['POST', '/v1/agents/canary-bird/connections/crm/authorized', { state: 's', code: 'c' }]),
    foreign: 'not_found',
  },
  'prompts.list': { request: async (acme) => (await bird(acme), ['GET', '/v1/agents/canary-bird/connections/crm/prompts']), foreign: 'not_found' },
  'prompts.get': {
    request: async (acme) => (await bird(acme), ['POST', '/v1/agents/canary-bird/connections/crm/prompt', { name: 'canary' }]),
    foreign: 'not_found',
  },
  'tools.approve': {
    request: async (acme) => (await bird(acme), ['POST', '/v1/agents/canary-bird/tools/crm__find/approve', { hash: 'a'.repeat(64) }]),
    foreign: 'not_found',
  },
  'marketplace.list': { request: async () => (await published(), ['GET', '/v1/marketplace']), foreign: 'empty' },
  'marketplace.publish': {
    request: async (acme) => (
      await bird(acme),
      ['POST', '/v1/marketplace', { entry: 'canary-crm', agent: 'canary-bird', connection: 'crm', description: 'x' }]
    ),
    foreign: 'not_found',
  },
  'marketplace.review': ofPublished('POST', '/versions/1/review', { hash: 'a'.repeat(64), decision: 'approve' }),
  'marketplace.revoke': ofPublished('POST', '/versions/1/revoke', { reason: 'canary' }),
  'marketplace.install': ofPublished('POST', '/versions/1/install', { hash: 'a'.repeat(64), namespace: 'canary-space' }, 'approved'),
  'marketplace.uninstall': ofPublished('DELETE', '/namespaces/canary-space', undefined, 'installed'),
  'tools.limit': {
    request: async (acme) => (await bird(acme), ['POST', '/v1/agents/canary-bird/tool-limits', { pattern: 'calculator', limits: { perMinute: 3 } }]),
    foreign: 'not_found',
  },
  'tools.start': {
    request: async (acme) => (await bird(acme), ['POST', '/v1/agents/canary-bird/tools/calculator/start', { input: { expression: '1' } }]),
    foreign: 'not_found',
  },
  'sandboxes.create': fixed('own', 'POST', '/v1/sandboxes', {}),
  'sandboxes.list': { request: async (acme) => (await box(acme), ['GET', '/v1/sandboxes']), foreign: 'own' },
  'memory.list': { request: async (acme) => (await memoryOf(acme), ['GET', '/v1/memories']), foreign: 'empty' },
  'memory.get': ofMemory('GET'),
  'memory.erase': ofMemory('DELETE'),
  'memory.eraseAll': fixed('own', 'POST', '/v1/memories/erase', {}),
  'sandboxes.get': ofBox('GET', () => ''),
  'sandboxes.exec': ofBox('POST', () => '/exec', { script: 'true' }),
  'sandboxes.start': ofBox('POST', () => '/processes', { script: 'true' }),
  'sandboxes.processes': ofBox('GET', () => '/processes'),
  'sandboxes.output': ofBox('GET', (made) => `/processes/${made.process}/output`),
  'sandboxes.watch': ofBox('GET', () => '/files/changes?waitMs=1'),
  'sandboxes.link': ofBox('POST', () => '/links', { port: 80 }),
  'sandboxes.input': ofBox('POST', () => `/processes/${newId()}/input`, {}),
  'sandboxes.kill': ofBox('POST', (made) => `/processes/${made.process}/kill`, {}),
  'sandboxes.write': ofBox('POST', () => '/files', { files: [{ path: 'a', base64: '' }] }),
  'sandboxes.read': ofBox('GET', () => '/files/content?path=canary'),
  'sandboxes.files': ofBox('GET', () => '/files'),
  'sandboxes.snapshot': ofBox('POST', () => '/snapshots', {}),
  'sandboxes.fork': ofBox('POST', () => '/fork', {}),
  'sandboxes.egress': ofBox('POST', () => '/egress', { egress: null }),
  'sandboxes.connections': ofBox('GET', () => '/connections'),
  'sandboxes.stats': ofBox('GET', () => '/stats'),
  'sandboxes.release': ofBox('POST', () => '/release', {}),
  'sandboxes.stop': ofBox('POST', () => '/stop', {}),
  'snapshots.list': { request: async () => (await snapshotOf('canary-listed'), ['GET', '/v1/snapshots']), foreign: 'empty' },
  'snapshots.delete': { request: async () => (await snapshotOf('canary-gone'), ['DELETE', '/v1/snapshots/canary-gone']), foreign: 'not_found' },
  'templates.create': fixed('own', 'POST', '/v1/templates', { name: 'canary-prepared', commands: ['true'] }),
  'templates.list': { request: async () => (await templateOf('canary-listed'), ['GET', '/v1/templates']), foreign: 'own' },
  'templates.get': { request: async () => (await templateOf('canary-seen'), ['GET', '/v1/templates/canary-seen']), foreign: 'not_found' },
  'templates.delete': { request: async () => (await templateOf('canary-left'), ['DELETE', '/v1/templates/canary-left@1']), foreign: 'not_found' },
  'attachments.create': fixed('own', 'POST', '/v1/attachments', { name: 'canary-own.csv', base64: 'YQ==' }),
  'attachments.get': ofAttachment('GET'),
  'attachments.delete': ofAttachment('DELETE'),
  'approvals.list': { request: async (acme) => (await run(acme, 'asks'), ['GET', '/v1/approvals']), foreign: 'empty' },
  'approvals.get': about('asks', 'GET', (waiting) => `/v1/approvals/${waiting.wait?.approvalId}`),
  'approvals.decide': about('asks', 'POST', (waiting) => `/v1/approvals/${waiting.wait?.approvalId}`, { approved: true }),
  'agents.list': fixed('own', 'GET', '/v1/agents'),
  'agents.get': fixed('own', 'GET', '/v1/agents/draws'),
  'keys.create': fixed('own', 'POST', '/v1/keys', { name: 'reader' }),
  'keys.list': fixed('own', 'GET', '/v1/keys'),
  'keys.rotate': {
    request: async (acme) => ['POST', `/v1/keys/${await idOf(await acme.ask('POST', '/v1/keys', { name: 'canary' }))}/rotate`, {}],
    foreign: 'not_found',
  },
  'keys.delete': {
    request: async (acme) => ['DELETE', `/v1/keys/${await idOf(await acme.ask('POST', '/v1/keys', { name: 'canary' }))}`],
    foreign: 'not_found',
  },
  'people.invite': fixed('own', 'POST', '/v1/people', { email: 'canary-own@example.com', roles: ['viewer'] }),
  'people.list': { request: async (acme) => (await personOf(acme), ['GET', '/v1/people']), foreign: 'own' },
  'people.update': { request: async (acme) => ['POST', `/v1/people/${await personOf(acme)}`, { name: 'canary' }], foreign: 'not_found' },
  'people.link': { request: async (acme) => ['POST', `/v1/people/${await personOf(acme)}/link`, {}], foreign: 'not_found' },
  'mails.list': { request: async (acme) => (await mailOf(acme), ['GET', '/v1/mails']), foreign: 'own' },
  'mails.retry': { request: async (acme) => ['POST', `/v1/mails/${await mailOf(acme)}/retry`], foreign: 'not_found' },
  'people.signout': { request: async (acme) => ['POST', `/v1/people/${await personOf(acme)}/sign-out`], foreign: 'not_found' },
  'people.delete': { request: async (acme) => ['DELETE', `/v1/people/${await personOf(acme)}`], foreign: 'not_found' },
  'sso.set': fixed('own', 'POST', '/v1/sso', { issuer: 'https://login.example.com', clientId: 'canary', clientSecret: 's' }),
  'sso.get': { request: async () => (await ssoOf('acme'), ['GET', '/v1/sso']), foreign: 'not_found' },
  'sso.delete': { request: async () => (await ssoOf('acme'), ['DELETE', '/v1/sso']), foreign: 'not_found' },
  // Of the installation: nobody but its own tenant's keys may at all.
  'tenants.create': fixed('forbidden', 'POST', '/v1/tenants', { id: 'canary-new' }),
  'tenants.list': fixed('forbidden', 'GET', '/v1/tenants'),
  'tenants.get': fixed('forbidden', 'GET', '/v1/tenants/canary-new'),
  'tenants.update': fixed('forbidden', 'POST', '/v1/tenants/canary-new', { description: 'x' }),
  'namespaces.put': fixed('own', 'POST', '/v1/namespaces/canary', { quotas: { runsInFlightMax: 10_000 } }),
  'namespaces.list': fixed('own', 'GET', '/v1/namespaces'),
  'namespaces.delete': {
    request: async (acme) => (await acme.ask('POST', '/v1/namespaces/canary-gone', {}), ['DELETE', '/v1/namespaces/canary-gone']),
    foreign: 'not_found',
  },
  'policies.put': fixed('own', 'POST', '/v1/policies/canary', { text }),
  'policies.list': fixed('own', 'GET', '/v1/policies'),
  'policies.get': {
    request: async (acme) => (await acme.ask('POST', '/v1/policies/canary-seen', { text }), ['GET', '/v1/policies/canary-seen']),
    foreign: 'not_found',
  },
  'policies.delete': {
    request: async (acme) => (await acme.ask('POST', '/v1/policies/canary-gone', { text }), ['DELETE', '/v1/policies/canary-gone']),
    foreign: 'not_found',
  },
  'policies.test': {
    request: async (acme) => (await acme.ask('POST', '/v1/policies/canary-test', { text }), ['POST', '/v1/policy-tests', { action: 'canary' }]),
    foreign: 'own',
  },
  'secrets.set': fixed('own', 'POST', '/v1/secrets/canary', { value: 'v' }),
  'secrets.list': fixed('own', 'GET', '/v1/secrets'),
  'secrets.get': {
    request: async (acme) => (await acme.ask('POST', '/v1/secrets/canary-seen', { value: 'v' }), ['GET', '/v1/secrets/canary-seen']),
    foreign: 'not_found',
  },
  'secrets.delete': {
    request: async (acme) => (await acme.ask('POST', '/v1/secrets/canary-gone', { value: 'v' }), ['DELETE', '/v1/secrets/canary-gone']),
    foreign: 'not_found',
  },
  'audit.list': fixed('own', 'GET', '/v1/audit'),
  'audit.export': fixed('own', 'GET', '/v1/audit/export'),
  'audit.head': fixed('own', 'GET', '/v1/audit/head'),
  'audit.verify': fixed('own', 'POST', '/v1/audit/verify', {}),
  'system.get': fixed('own', 'GET', '/v1/system'),
}

let bed: Bed
let acme: BedCaller
let globex: BedCaller

beforeAll(async () => {
  bed = await openBed(openings, undefined, undefined, undefined, true)
  await bed.deploy('globex')
  acme = await bed.caller('acme-canary', { personalData: true })
  globex = await bed.caller('globex-boss', { personalData: true }, { tenantId: 'globex', permissions: [...roles.administrator] })
})
afterAll(() => bed[Symbol.asyncDispose]())

/** Ids of either tenant's things differ from answer to answer; what else differs would tell something. */
const shape = (body: string): string => body.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}|canary[\w-]*/g, '…')

/** What is for anybody or for oneself has no tenant to be told from another: `people.test.ts` has it. */
const ofTenants = operations.filter(({ permission }) => permissions.some((each) => each === permission))

test.each(ofTenants.map(({ id }) => id))('%s shows another tenant nothing', async (id) => {
  const found = cases[id] ?? expect.fail(`${id} has no case here. What does another tenant get who asks for the same?`)
  const [method, path, body] = await found.request(acme)
  await bed.audit.append()
  const response = await globex.ask(method, path, body)
  const answer = await response.text()

  if (found.foreign === 'not_found') {
    expect([response.status, ErrorBody.parse(JSON.parse(answer)).error.code]).toEqual([404, 'not_found'])
    // And the same as for what nobody has.
    const nobodys = path.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, '00000000-0000-7000-8000-000000000000').replace(/canary[\w-]*/, 'canary-never')
    const nothing = await globex.ask(method, nobodys, body)
    expect([nothing.status, shape(await nothing.text())]).toEqual([404, shape(answer)])
  } else if (found.foreign === 'forbidden') expect(response.status).toBe(403)
  else {
    expect(response.status).toBe(unavailable.has(id) ? 503 : 200)
    expect(answer).not.toContain('acme')
    if (found.foreign === 'empty') expect(JSON.parse(answer)).toMatchObject({ items: [] })
  }
  const refused = (await bed.audit.list('globex', { limit: 1, outcome: 'refused' }))[0]
  if (found.foreign === 'forbidden') {
    await bed.audit.append()
    expect((await bed.audit.list('globex', { limit: 1, action: id }))[0]).toMatchObject({
      outcome: 'refused',
      who: { name: 'globex-boss' },
      requestId: expect.any(String),
    })
  } else expect(refused?.action).not.toBe(id)

  // The control: whose it is gets it, and an effect is in the audit log, once.
  const before = (await bed.audit.head('acme')).seq
  const own = await acme.ask(method, path, body)
  expect(own.status).toBe(unavailable.has(id) ? 503 : lacking.has(id) ? 404 : 200)
  await bed.audit.append()
  const noted = (await bed.audit.read('acme', before, 100)).filter(({ action, outcome }) => action === id && outcome === 'done')
  expect(noted.map(({ who }) => who)).toEqual(method === 'GET' || unavailable.has(id) || lacking.has(id) ? [] : [{ id: acme.id, name: acme.name }])
  if (found.foreign === 'empty') expect(((await acme.read(path)) as { items: unknown[] }).items.length).toBeGreaterThan(0)
})

test('names and keys that one tenant took are free for another, and tell it nothing', async () => {
  const start = { agent: 'draws', input: 'same', idempotencyKey: 'shared' }
  const first = (await (await acme.ask('POST', '/v1/runs', start)).json()) as Run
  const second = (await (await globex.ask('POST', '/v1/runs', { ...start, input: 'other' })).json()) as Run
  expect(second.id).not.toBe(first.id)
  expect((await acme.ask('POST', '/v1/runs', { ...start, input: 'other' })).status).toBe(409) // The control.
  for (const [path, body] of [
    ['/v1/secrets/shared', { value: 'v' }],
    ['/v1/policies/shared', { text }],
  ] as const) {
    await acme.ask('POST', path, body)
    expect(await (await acme.ask('POST', path, body)).json()).toMatchObject({ version: 2 })
    expect(await (await globex.ask('POST', path, body)).json()).toMatchObject({ version: 1 })
  }
  const session = { agent: 'draws', input: 's', session: 'shared' }
  const turns = [await acme.start('draws', session), await globex.start('draws', session)]
  expect(turns.map(({ state }) => state)).toEqual(['completed', 'completed'])
  expect(bed.starts.at(-1)?.messages).toEqual([])
})

test('files of another tenant are not there', async () => {
  const drawn = await run(acme, 'draws')
  const path = `/v1/files/${(drawn.output as { fileId: string }).fileId}`
  expect((await globex.ask('GET', path)).status).toBe(404)
  expect((await acme.ask('GET', path)).status).toBe(200)
})

test('a key of one namespace or agent sees and reaches no run of another', async () => {
  await acme.ask('POST', '/v1/namespaces/dev', {})
  const dev = await bed.caller('dev', { personalData: true }, { namespaces: ['dev'] })
  const listener = await bed.caller('listener', { personalData: true }, { agents: ['listens'] })
  const [inDefault, inDev] = [await acme.start('draws'), await acme.start('draws', { namespace: 'dev' })]
  expect((await dev.ask('GET', `/v1/runs/${inDefault.id}`)).status).toBe(404)
  expect((await dev.ask('GET', `/v1/runs/${inDefault.id}/events`)).status).toBe(404)
  expect((await dev.ask('GET', `/v1/files/${(inDefault.output as { fileId: string }).fileId}`)).status).toBe(404)
  expect((await dev.ask('GET', `/v1/files/${(inDev.output as { fileId: string }).fileId}`)).status).toBe(200)
  expect((await dev.read<{ items: Run[] }>('/v1/runs')).items.map(({ namespace }) => namespace)).toEqual(['dev'])
  expect((await dev.start('draws')).namespace).toBe('dev')
  expect((await dev.ask('POST', '/v1/runs', { agent: 'draws', namespace: 'default' })).status).toBe(404)
  expect((await listener.ask('GET', `/v1/runs/${inDefault.id}`)).status).toBe(404)
  expect((await listener.ask('POST', '/v1/runs', { agent: 'draws' })).status).toBe(404)
  expect((await listener.read<{ items: unknown[] }>('/v1/agents')).items).toHaveLength(1)
  expect((await listener.start('listens')).state).toBe('waiting')
})
