import { createHmac } from 'node:crypto'
import { ErrorBody, operations, permissions, sensitiveOperations } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { approvalId, keyId, leak, otherTenantsRunId, runId } from '../../test/support/example-things.ts'
import { authenticate, cookie, makeApi } from '../../test/support/fake-services.ts'
import { processId } from '../../test/support/fake-sandboxes.ts'
import { AppError, createLog } from '../kernel/index.ts'
import { docsPolicy } from './docs-page.ts'
import { assertComplete } from './implement.ts'

/** A request for every operation that works. */
const at = '2026-01-01T00:00:00.000Z'
const signed = {
  ...{ id: 'aWQ', rawId: 'aWQ', type: 'public-key' },
  response: { clientDataJSON: 'e30', authenticatorData: 'YQ', signature: 'cw', userHandle: 'aA' },
}
const good: Record<string, [string, string, unknown?]> = {
  'runs.start': ['POST', '/v1/runs', { agent: 'analyst', input: { question: 'why' }, idempotencyKey: 'k' }],
  'runs.get': ['GET', `/v1/runs/${runId}`],
  'runs.list': ['GET', '/v1/runs?limit=2&state=running'],
  'runs.count': ['GET', '/v1/run-counts?since=2026-01-01T00:00:00Z'],
  'runs.events': ['GET', `/v1/runs/${runId}/events?after=3`],
  'runs.step': ['GET', `/v1/runs/${runId}/steps/0`],
  'runs.cancel': ['POST', `/v1/runs/${runId}/cancel`],
  'runs.retry': ['POST', `/v1/runs/${runId}/retry`],
  'runs.signal': ['POST', `/v1/runs/${runId}/signals/go`, { payload: [1] }],
  'runs.connections': ['GET', `/v1/runs/${runId}/connections`],
  'runs.mails': ['GET', `/v1/runs/${runId}/mails`],
  'runs.resendMails': ['POST', `/v1/runs/${runId}/mails/resend`, {}],
  'runs.export': ['GET', `/v1/runs/${runId}/journal?after=3&limit=2`],
  'runs.import': [
    'POST',
    '/v1/runs/import',
    { agent: 'analyst', version: 'v1', exportedAs: runId, journal: [{ seq: 0, epoch: 1, at, type: 'run.started', op: null, data: '{}', hash: 'ab' }] },
  ],
  'runs.fork': ['POST', `/v1/runs/${runId}/fork`, { op: '3', changes: { model: 'two' } }],
  'runs.compare': ['GET', `/v1/runs/${runId}/compare/${runId}`],
  'runs.decide': ['POST', `/v1/runs/${runId}/steps/3.0/decision`, { decision: 'completed', output: { receipt: 9 } }],
  'attachments.create': ['POST', '/v1/attachments', { name: 'figures.csv', base64: 'YSxiCjEsMgo=' }],
  'attachments.get': ['GET', `/v1/attachments/${runId}`],
  'attachments.delete': ['DELETE', `/v1/attachments/${runId}`],
  'queues.list': ['GET', '/v1/queues?limit=2'],
  'queues.receive': ['POST', '/v1/queues/results/receive', { max: 2 }],
  'queues.acknowledge': ['POST', '/v1/queues/results/acknowledge', { receipts: [runId] }],
  'queues.extend': ['POST', '/v1/queues/results/extend', { receipts: [runId], visibilityMs: 1_000 }],
  'retention.list': ['GET', '/v1/retention'],
  'retention.set': ['POST', '/v1/retention', { days: 30 }],
  'deliveries.list': ['GET', `/v1/deliveries?run=${runId}&state=failed`],
  'attention.list': ['GET', '/v1/attention?reason=in_doubt&limit=5'],
  'attention.retry': ['POST', '/v1/attention/retry', { ids: [runId] }],
  'attention.fork': ['POST', '/v1/attention/fork', { ids: [runId], changes: { version: 'v2' }, isLive: true }],
  'attention.dismiss': ['POST', '/v1/attention/dismiss', { agent: 'analyst', reason: 'failed' }],
  'approvals.list': ['GET', '/v1/approvals?state=pending'],
  'approvals.get': ['GET', `/v1/approvals/${approvalId}`],
  'approvals.decide': ['POST', `/v1/approvals/${approvalId}`, { approved: true }],
  'agents.list': ['GET', '/v1/agents'],
  'limits.set': ['POST', '/v1/limits', { agent: 'analyst', runningMax: 2 }],
  'limits.list': ['GET', '/v1/limits'],
  'limits.delete': ['DELETE', `/v1/limits/${runId}`],
  'schedules.set': ['POST', '/v1/schedules', { name: 'nightly', agent: 'analyst', calendar: { kind: 'cron', cron: '0 3 * * *' } }],
  'schedules.list': ['GET', '/v1/schedules'],
  'schedules.get': ['GET', '/v1/schedules/nightly'],
  'schedules.pause': ['POST', '/v1/schedules/nightly/pause'],
  'schedules.resume': ['POST', '/v1/schedules/nightly/resume'],
  'schedules.fire': ['POST', '/v1/schedules/nightly/fire'],
  'schedules.fires': ['GET', '/v1/schedules/nightly/fires'],
  'schedules.delete': ['DELETE', '/v1/schedules/nightly'],
  'hooks.set': ['POST', '/v1/hooks', { name: 'github', agent: 'analyst', scheme: 'github', secret: 'github-webhook' }],
  'hooks.list': ['GET', '/v1/hooks'],
  'hooks.get': ['GET', '/v1/hooks/github'],
  'hooks.pause': ['POST', '/v1/hooks/github/pause'],
  'hooks.resume': ['POST', '/v1/hooks/github/resume'],
  'hooks.delete': ['DELETE', '/v1/hooks/github'],
  'hooks.deliveries': ['GET', '/v1/hooks/github/deliveries?outcome=refused'],
  'stops.create': ['POST', '/v1/stops', { agent: 'analyst', reason: 'it writes nonsense' }],
  'stops.list': ['GET', '/v1/stops?all=true'],
  'stops.lift': ['POST', `/v1/stops/${runId}/lift`],
  'agents.get': ['GET', '/v1/agents/analyst'],
  'versions.create': ['POST', '/v1/agents/analyst/versions', { files: [{ path: 'agent/agent.ts', base64: '' }] }],
  'versions.compare': ['GET', '/v1/agents/analyst/versions/0123456789ab/compare/ba9876543210'],
  'versions.get': ['GET', '/v1/agents/analyst/versions/0123456789ab'],
  'versions.list': ['GET', '/v1/agents/analyst/versions'],
  'deployments.plan': ['GET', '/v1/agents/analyst/versions/0123456789ab/plan'],
  'previews.set': ['POST', '/v1/agents/analyst/previews', { name: 'new-words', version: '0123456789ab' }],
  'previews.list': ['GET', '/v1/agents/analyst/previews'],
  'previews.delete': ['DELETE', '/v1/agents/analyst/previews/new-words'],
  'evaluations.record': [
    'POST',
    '/v1/agents/analyst/evaluations',
    { version: '0123456789ab', suite: 'analyst', passedCount: 2, caseCount: 3, durationMs: 1_200 },
  ],
  'evaluations.list': ['GET', '/v1/agents/analyst/evaluations?suite=analyst'],
  'deployments.create': ['POST', '/v1/agents/analyst/deployments', { version: '0123456789ab' }],
  'deployments.list': ['GET', '/v1/agents/analyst/deployments'],
  'deployments.rollback': ['POST', '/v1/agents/analyst/rollback', {}],
  'tools.list': ['GET', '/v1/agents/analyst/tools'],
  'tools.refresh': ['POST', '/v1/agents/analyst/tools/refresh'],
  'tools.approve': ['POST', '/v1/agents/analyst/tools/crm__find/approve', { hash: 'ab'.repeat(32) }],
  'tools.limit': ['POST', '/v1/agents/analyst/tool-limits', { pattern: 'crm__*', limits: { perMinute: 3 } }],
  'tools.start': ['POST', '/v1/agents/analyst/tools/crm__find/start', { input: { name: 'Ada' } }],
  'connections.authorize': ['POST', '/v1/agents/analyst/connections/crm/authorize', { redirectUri: 'http://127.0.0.1:4711/callback' }],
  'connections.finish': ['POST', '/v1/agents/analyst/connections/crm/authorized', { state: 's', code: 'c' }],
  'prompts.list': ['GET', '/v1/agents/analyst/connections/crm/prompts'],
  'prompts.get': ['POST', '/v1/agents/analyst/connections/crm/prompt', { name: 'review', arguments: { language: 'Go' } }],
  'marketplace.list': ['GET', '/v1/marketplace?entry=crm'],
  'marketplace.publish': ['POST', '/v1/marketplace', { entry: 'crm', agent: 'analyst', connection: 'crm', description: 'Customers' }],
  'marketplace.review': ['POST', '/v1/marketplace/crm/versions/1/review', { hash: 'ab'.repeat(32), decision: 'approve' }],
  'marketplace.revoke': ['POST', '/v1/marketplace/crm/versions/1/revoke', { reason: 'It leaks.' }],
  'marketplace.install': ['POST', '/v1/marketplace/crm/versions/1/install', { hash: 'ab'.repeat(32), namespace: 'default' }],
  'marketplace.uninstall': ['DELETE', '/v1/marketplace/crm/namespaces/default'],
  'memory.list': ['GET', '/v1/memories?agent=analyst&limit=2'],
  'memory.get': ['GET', `/v1/memories/${runId}`],
  'memory.erase': ['DELETE', `/v1/memories/${runId}`],
  'memory.eraseAll': ['POST', '/v1/memories/erase', { agent: 'analyst' }],
  'keys.create': ['POST', '/v1/keys', { name: 'reader', permissions: ['runs:read'] }],
  'keys.list': ['GET', '/v1/keys'],
  'keys.rotate': ['POST', `/v1/keys/${keyId}/rotate`, { overlapMs: 1_000 }],
  'keys.delete': ['DELETE', `/v1/keys/${keyId}`],
  'people.invite': ['POST', '/v1/people', { email: 'Ada@Example.com', roles: ['developer'] }],
  'people.list': ['GET', '/v1/people?limit=2'],
  'people.update': ['POST', `/v1/people/${keyId}`, { isDisabled: true }],
  'people.link': ['POST', `/v1/people/${keyId}/link`, {}],
  'mails.list': ['GET', '/v1/mails?state=failed'],
  'mails.retry': ['POST', `/v1/mails/${keyId}/retry`],
  'signin.reset': ['POST', '/v1/sign-in/reset', { email: 'Ada@example.com' }],
  'people.signout': ['POST', `/v1/people/${keyId}/sign-out`],
  'people.delete': ['DELETE', `/v1/people/${keyId}`],
  'signin.password': ['POST', '/v1/sign-in/password', { email: 'ada@example.com', password: 'correct horse battery' }],
  'signin.factor': ['POST', '/v1/sign-in/factor', { ticket: 't', code: '123456' }],
  'passkeys.ask': ['POST', '/v1/sign-in/passkey/start', {}],
  'signin.passkey': ['POST', '/v1/sign-in/passkey', { passkey: signed }],
  'signin.link': ['POST', '/v1/sign-in/link', { token: 't' }],
  'sso.get': ['GET', '/v1/sso'],
  'sso.set': ['POST', '/v1/sso', { issuer: 'https://login.example.com', clientId: 'longhaul', clientSecret: 's' }],
  'sso.delete': ['DELETE', '/v1/sso'],
  'signin.sso': ['POST', '/v1/sign-in/sso', {}],
  'signin.return': ['POST', '/v1/sign-in/return', { query: 'state=s' }],
  'signin.join': ['POST', '/v1/sign-in/join', { token: 't', password: 'correct horse battery' }],
  'devices.start': ['POST', '/v1/sign-in/device', { name: 'longhaul on a laptop' }],
  'devices.poll': ['POST', '/v1/sign-in/device/poll', { deviceCode: 'd' }],
  'devices.get': ['GET', '/v1/me/devices/BCDF-GHJK'],
  'devices.decide': ['POST', '/v1/me/devices/BCDF-GHJK', { approved: true }],
  'me.get': ['GET', '/v1/me'],
  'me.signout': ['POST', '/v1/me/sign-out'],
  'me.password': ['POST', '/v1/me/password', { current: 'x', next: 'correct horse battery' }],
  'me.mails': ['POST', '/v1/me/mails', { approvals: false }],
  'me.stepup': ['POST', '/v1/me/step-up', { code: '123456' }],
  'me.enroll': ['POST', '/v1/me/second-factor', { password: 'x' }],
  'me.confirm': ['POST', '/v1/me/second-factor/confirm', { code: '123456' }],
  'me.recovery': ['POST', '/v1/me/second-factor/recovery-codes'],
  'me.unenroll': ['DELETE', '/v1/me/second-factor'],
  'passkeys.list': ['GET', '/v1/me/passkeys'],
  'passkeys.start': ['POST', '/v1/me/passkeys/start', { password: 'x' }],
  'passkeys.add': ['POST', '/v1/me/passkeys', { name: 'a phone', credential: { ...signed, response: { clientDataJSON: 'e30', attestationObject: 'oA' } } }],
  'passkeys.rename': ['POST', `/v1/me/passkeys/${keyId}`, { name: 'my phone' }],
  'passkeys.delete': ['DELETE', `/v1/me/passkeys/${keyId}`],
  'passkeys.challenge': ['POST', '/v1/me/step-up/passkey'],
  'logins.list': ['GET', '/v1/me/logins'],
  'logins.delete': ['DELETE', `/v1/me/logins/${keyId}`],
  'tenants.create': ['POST', '/v1/tenants', { id: 'globex', quotas: { runsInFlightMax: 3 } }],
  'tenants.list': ['GET', '/v1/tenants?limit=2'],
  'tenants.get': ['GET', '/v1/tenants/globex'],
  'tenants.update': ['POST', '/v1/tenants/globex', { isSuspended: true }],
  'namespaces.put': ['POST', '/v1/namespaces/dev', { quotas: { startsPerMinuteMax: 60 } }],
  'namespaces.list': ['GET', '/v1/namespaces'],
  'namespaces.delete': ['DELETE', '/v1/namespaces/dev'],
  'policies.put': ['POST', '/v1/policies/no-nights', { text: 'forbid (principal, action, resource);' }],
  'policies.list': ['GET', '/v1/policies'],
  'policies.get': ['GET', '/v1/policies/no-nights'],
  'policies.delete': ['DELETE', '/v1/policies/no-nights'],
  'policies.test': ['POST', '/v1/policy-tests', { action: 'runs.start', resource: 'analyst' }],
  'secrets.set': ['POST', '/v1/secrets/crm', { value: 'hunter2' }],
  'secrets.list': ['GET', '/v1/secrets'],
  'secrets.get': ['GET', '/v1/secrets/crm'],
  'secrets.delete': ['DELETE', '/v1/secrets/crm'],
  'audit.list': ['GET', '/v1/audit?limit=2&outcome=refused'],
  'audit.export': ['GET', '/v1/audit/export?after=3'],
  'audit.head': ['GET', '/v1/audit/head'],
  'audit.verify': ['POST', '/v1/audit/verify', {}],
  'routes.list': ['GET', '/v1/routes'],
  'routes.get': ['GET', '/v1/routes/smart'],
  'routes.set': ['POST', '/v1/routes', { name: 'smart', targets: [{ model: 'openai/gpt-5' }] }],
  'routes.delete': ['DELETE', '/v1/routes/smart'],
  'routes.clearCache': ['DELETE', '/v1/model-cache'],
  'routes.evaluate': ['POST', '/v1/routes/smart/evaluate', { days: 7 }],
  'usage.score': ['POST', '/v1/usage/scores', { call: '01a1fcb9-0960-7a25-9791-15a0d2ed0835', score: 1 }],
  'routes.try': ['POST', '/v1/routes/smart/try', { text: 'Hello' }],
  'guardrails.list': ['GET', '/v1/guardrails'],
  'guardrails.get': ['GET', '/v1/guardrails/privacy'],
  'guardrails.set': ['POST', '/v1/guardrails', { name: 'privacy', guards: [{ type: 'personal' }] }],
  'guardrails.delete': ['DELETE', '/v1/guardrails/privacy'],
  'guardrails.decisions': ['GET', '/v1/guardrail-decisions?action=block'],
  'calls.list': ['GET', '/v1/calls?outcome=failed&status=503&costUsdMin=0.1'],
  'calls.get': ['GET', '/v1/calls/01a1fcb9-0960-7a25-9791-15a0d2ed0835'],
  'calls.reveal': ['POST', '/v1/calls/01a1fcb9-0960-7a25-9791-15a0d2ed0835/reveal', { reason: 'a complaint' }],
  'models.refresh': ['POST', '/v1/catalogue/versions', { url: 'https://models.dev/api.json' }],
  'models.apply': ['POST', '/v1/catalogue/versions/01a1fcb9-0960-7a25-9791-15a0d2ed0835/apply'],
  'models.rollback': ['POST', '/v1/catalogue/rollback'],
  'models.versions': ['GET', '/v1/catalogue/versions'],
  'providers.list': ['GET', '/v1/providers'],
  'providers.set': ['POST', '/v1/providers', { name: 'openai', secrets: ['openai-key'] }],
  'providers.delete': ['DELETE', '/v1/providers/openai'],
  'callPrivacy.list': ['GET', '/v1/call-privacy'],
  'callPrivacy.set': ['POST', '/v1/call-privacy', { namespace: 'prod', privacy: 'none' }],
  'system.get': ['GET', '/v1/system'],
  'sandboxes.create': ['POST', '/v1/sandboxes', { name: 'work', egress: { rules: [{ host: 'example.com' }] } }],
  'sandboxes.list': ['GET', '/v1/sandboxes?state=active'],
  'sandboxes.get': ['GET', '/v1/sandboxes/work'],
  'sandboxes.exec': ['POST', '/v1/sandboxes/work/exec', { script: 'true' }],
  'sandboxes.start': ['POST', '/v1/sandboxes/work/processes', { cmd: 'true', args: [] }],
  'sandboxes.processes': ['GET', '/v1/sandboxes/work/processes'],
  'sandboxes.output': ['GET', `/v1/sandboxes/work/processes/${processId}/output?after=3`],
  'sandboxes.watch': ['GET', '/v1/sandboxes/work/files/changes?waitMs=1'],
  'sandboxes.link': ['POST', '/v1/sandboxes/work/links', { port: 80 }],
  'sandboxes.input': ['POST', `/v1/sandboxes/work/processes/${processId}/input`],
  'sandboxes.kill': ['POST', `/v1/sandboxes/work/processes/${processId}/kill`],
  'sandboxes.write': ['POST', '/v1/sandboxes/work/files', { files: [{ path: 'a', base64: '' }] }],
  'sandboxes.read': ['GET', '/v1/sandboxes/work/files/content?path=a'],
  'sandboxes.files': ['GET', '/v1/sandboxes/work/files'],
  'sandboxes.snapshot': ['POST', '/v1/sandboxes/work/snapshots', { name: 'kept' }],
  'sandboxes.fork': ['POST', '/v1/sandboxes/work/fork'],
  'sandboxes.egress': ['POST', '/v1/sandboxes/work/egress', { egress: null }],
  'sandboxes.connections': ['GET', '/v1/sandboxes/work/connections'],
  'sandboxes.stats': ['GET', '/v1/sandboxes/work/stats'],
  'sandboxes.release': ['POST', '/v1/sandboxes/work/release'],
  'sandboxes.stop': ['POST', '/v1/sandboxes/work/stop'],
  'snapshots.list': ['GET', '/v1/snapshots'],
  'snapshots.delete': ['DELETE', '/v1/snapshots/kept'],
  'templates.create': ['POST', '/v1/templates', { name: 'data', commands: ['true'] }],
  'templates.list': ['GET', '/v1/templates?name=data'],
  'templates.get': ['GET', '/v1/templates/data@1'],
  'templates.delete': ['DELETE', '/v1/templates/data@1'],
  'budgets.set': ['POST', '/v1/budgets', { name: 'monthly', limit: 100 }],
  'budgets.list': ['GET', '/v1/budgets'],
  'budgets.get': ['GET', '/v1/budgets/monthly?limit=5'],
  'budgets.delete': ['DELETE', '/v1/budgets/monthly'],
  'budgets.events': ['GET', '/v1/budget-events?budget=monthly'],
  'usage.summarize': ['GET', '/v1/usage?by=agent,model&grain=day&agent=analyst'],
  'usage.list': ['GET', '/v1/usage/calls?limit=2'],
  'usage.try': ['GET', '/v1/usage/what-if?asModel=openai/gpt-5&asLimit=10'],
  'usage.forecast': ['GET', '/v1/usage/forecast?agent=analyst'],
  'budgets.forecast': ['GET', '/v1/budgets/monthly/forecast'],
  'models.list': ['GET', '/v1/catalogue/models?search=gpt'],
  'models.set': ['POST', '/v1/catalogue/models', { model: 'openai/gpt-5', price: { input: 1, output: 2 } }],
  'models.unset': ['POST', '/v1/catalogue/models/unset', { model: 'openai/gpt-5' }],
}

const by = (...admissions: string[]) => operations.filter(({ permission }) => admissions.includes(permission))

test.each(by(...permissions).map((operation) => [operation.id, operation] as const))(
  '%s works, needs its permission, and shows no field that is not in the contract',
  async (id, operation) => {
    const { ask } = makeApi()
    const [method, path, body] = good[id] ?? ['', '']
    const response = await ask(method, path, body)
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json'])
    const text = await response.text()
    expect(text).not.toContain(leak)
    expect(operation.output.parse(JSON.parse(text))).toEqual(JSON.parse(text))

    expect((await ask(method, path, body, { authorization: `Bearer lh_${operation.permission}` })).status).toBe(200)
    for (const authorization of ['', 'Bearer ', 'Bearer unknown', 'Basic lh_all', 'lh_all']) {
      const refused = await ask(method, path, body, { authorization })
      expect([authorization, refused.status, ErrorBody.parse(await refused.json()).error.code]).toEqual([authorization, 401, 'unauthenticated'])
      expect(refused.headers.get('www-authenticate')).toBe('Bearer')
    }
    const forbidden = await ask(method, path, body, { authorization: `Bearer lh_but-${operation.permission}` })
    expect([forbidden.status, ErrorBody.parse(await forbidden.json()).error]).toEqual([
      403,
      { code: 'forbidden', message: expect.stringContaining(operation.permission), requestId: expect.any(String) },
    ])
  },
)

test.each(by('oneself', 'anybody').map((operation) => [operation.id, operation] as const))(
  '%s works for whom it is, and shows no field that is not in the contract',
  async (id, { permission, output }) => {
    const { ask, app, calls } = makeApi()
    const [method, path, body] = good[id] ?? ['', '']
    const init = { method, ...(body !== undefined && { body: JSON.stringify(body) }) }
    const isOpen = permission === 'anybody'
    const response = isOpen ? await app.request(path, init) : await ask(method, path, body)
    expect(response.status).toBe(200)
    const text = await response.text()
    expect(text).not.toContain(leak)
    expect(output.parse(JSON.parse(text))).toEqual(JSON.parse(text))
    calls.length = 0
    if (isOpen) {
      // Another site's page could sign its visitor in as somebody else, whose secrets the visitor would then fill in.
      for (const headers of [{ origin: 'https://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }])
        expect((await app.request(path, { ...init, headers })).status).toBe(403)
      expect((await app.request(path, { ...init, headers: { origin: 'http://localhost', 'sec-fetch-site': 'same-origin' } })).status).toBe(200)
      expect(calls).toHaveLength(1)
    } else {
      expect((await app.request(path, init)).status).toBe(401)
      const ofKey = await ask(method, path, body, { authorization: 'Bearer lh_runs:read' })
      expect([ofKey.status, ErrorBody.parse(await ofKey.json()).error]).toMatchObject([
        403,
        { code: 'forbidden', message: expect.stringContaining('signed in') },
      ])
      expect(calls).toEqual([])
    }
  },
)

test('what is sensitive asks a person for a second factor, and keys only where they are told to', async () => {
  const { ask, notes } = makeApi({ authenticate: async () => ({ ...(await authenticate('lh_all'))!, login: { id: keyId, kind: 'program' } }) })
  const strict = makeApi({ stepUp: { ms: 300_000, keys: 'refuse' } })
  const off = makeApi({ stepUp: { ms: 0, keys: 'refuse' } })
  const sensitive = []
  for (const { id, permission } of operations) {
    const [method, path, body] = good[id] ?? ['', '']
    const response = await ask(method, path, body)
    const { status } = response
    const code = ((await response.json()) as { error?: { code: string } }).error?.code
    if (code !== 'step_up_required') continue
    expect(status).toBe(403)
    sensitive.push(id)
    if (permission === 'oneself') continue
    const key = { authorization: `Bearer lh_${permission}` }
    expect((await strict.ask(method, path, body, key)).status).toBe(403)
    expect((await strict.ask(method, path, body)).status).toBe(200) // A person who did give one.
    expect((await off.ask(method, path, body, key)).status).toBe(200)
  }
  expect(sensitive.sort()).toEqual([...sensitiveOperations.keys()].sort())
  // What must not be forgotten in that table, whatever else comes into it.
  const promotingMoneyAndData = ['deployments.create', 'budgets.set', 'audit.export', 'runs.export', 'secrets.set', 'connections.authorize', 'memory.eraseAll']
  const rights = ['keys.create', 'keys.rotate', 'people.invite', 'people.update', 'people.link', 'policies.put', 'policies.delete', 'sso.set', 'me.unenroll']
  expect(sensitive).toEqual(expect.arrayContaining([...promotingMoneyAndData, ...rights]))
  expect(notes.filter(([, { outcome }]) => outcome === 'refused')).toHaveLength(sensitive.length)
})

test('whoever is limited to an agent is refused all others, whatever the operation', async () => {
  const limitedTo = (agent: string) => makeApi({ authenticate: async () => ({ ...(await authenticate('lh_all'))!, agents: [agent] }) })
  const other = limitedTo('other')
  const own = limitedTo('analyst')
  const held: string[] = []
  for (const { id } of by(...permissions)) {
    const [method, path, body] = good[id] ?? ['', '']
    // Requests here that are about an agent are about the analyst, as the stop, the schedule and the limit are that the services know.
    if (id === 'policies.test' || (!JSON.stringify(good[id]).includes('analyst') && !/^(schedules\.(?!list)|stops\.lift|limits\.delete)/.test(id))) continue
    other.calls.length = 0
    expect([id, (await other.ask(method, path, body)).status]).toEqual([id, 404])
    expect(other.calls.filter(([name]) => name === id && !['schedules.get', 'stops.list', 'limits.list'].includes(id))).toEqual([])
    expect([id, (await own.ask(method, path, body)).status]).toEqual([id, 200])
    held.push(id)
  }
  expect(held.length).toBeGreaterThan(20)
  for (const path of ['/v1/limits', '/v1/stops', '/v1/schedules']) {
    expect(await (await other.ask('GET', path)).json()).toMatchObject({ items: [] })
    expect(((await (await own.ask('GET', path)).json()) as { items: unknown[] }).items).toHaveLength(1)
  }
})

test('a cookie changes nothing without the token that only our pages know, and nothing from pages of others', async () => {
  const { app, calls } = makeApi()
  const start = (headers: Record<string, string>) =>
    app.request('/v1/runs', { method: 'POST', body: JSON.stringify({ agent: 'analyst' }), headers: { cookie: `a=b; __Host-longhaul=${cookie}`, ...headers } })
  const token = createHmac('sha256', cookie).update('longhaul csrf').digest('base64url')
  for (const headers of [
    {},
    { 'x-csrf-token': 'x' },
    { 'x-csrf-token': token.replace(/./, '~') },
    { 'x-csrf-token': token, origin: 'https://evil.example' },
    { 'x-csrf-token': token, origin: 'null' },
    { 'x-csrf-token': token, 'sec-fetch-site': 'same-site' },
  ])
    expect((await start(headers)).status).toBe(403)
  expect(calls).toEqual([])
  expect((await start({ 'x-csrf-token': token, origin: 'http://localhost', 'sec-fetch-site': 'same-origin' })).status).toBe(200)
  expect((await start({ 'x-csrf-token': token, authorization: 'Bearer lh_unknown' })).status).toBe(401) // The cookie does not stand in for a bad key.
  expect((await app.request('/v1/runs', { headers: { cookie: `__Host-longhaul=${cookie}` } })).status).toBe(200)
  expect((await app.request('/v1/runs', { headers: { cookie: `__Host-longhaul=${'x'.repeat(43)}` } })).status).toBe(401)
})

test('nothing is done for a caller who may not, however the request looks', async () => {
  const { ask, calls } = makeApi()
  for (const { id } of by(...permissions)) {
    const [method, path] = good[id] ?? ['', '']
    for (const body of [undefined, 'not json', 'x'.repeat(5_000)]) {
      if (method !== 'POST' && body) continue
      expect((await ask(method, path, body, { authorization: 'Bearer lh_files:read' })).status).toBe(403)
    }
  }
  expect(calls).toEqual([])
})

test('the behaviour gets the parsed input with its defaults, and the caller', async () => {
  const { ask, calls } = makeApi()
  await ask('POST', '/v1/runs', { agent: 'analyst' })
  await ask('POST', `/v1/runs/${runId}/signals/go%2Fnow`, { payload: 1 })
  await ask('GET', '/v1/runs')
  expect(calls).toEqual([
    ['runs.start', expect.objectContaining({ tenantId: 'acme', keyId }), { agent: 'analyst', input: null, destinations: [] }],
    ['runs.signal', expect.anything(), { runId, name: 'go/now', payload: 1 }],
    ['runs.list', expect.objectContaining({ tenantId: 'acme' }), { limit: 50 }],
  ])
})

test.each<[string, [string, string, unknown?], number, string, RegExp]>([
  [
    'all mistakes',
    ['POST', '/v1/runs', { agnet: 'x', agent: 'Bad Name', session: 7 }],
    400,
    'invalid',
    /agent: must be lower-case.*session: .*Unrecognized key: "agnet"/,
  ],
  ['a body that is not JSON', ['POST', '/v1/runs', '{"agent": "a",}'], 400, 'invalid', /not JSON: .*position 14/],
  ['a body that is no object', ['POST', '/v1/runs', '[1]'], 400, 'invalid', /must be a JSON object/],
  ['a body of null', ['POST', '/v1/runs', 'null'], 400, 'invalid', /must be a JSON object/],
  ['a body that is too large', ['POST', '/v1/runs', { agent: 'a', input: 'x'.repeat(1_000) }], 413, 'too_large', /larger than 1000 bytes/],
  [
    'a character that cannot be stored',
    ['POST', '/v1/runs', '{"agent":"a","input":{"deep":["\\u0000"]}}'],
    400,
    'invalid',
    /\$\.input\.deep\[0\] holds U\+0000/,
  ],
  ['the same in the path', ['POST', `/v1/runs/${runId}/signals/a%00b`, {}], 400, 'invalid', /name holds U\+0000/],
  ['nesting that overflows', ['POST', '/v1/runs', `{"agent":"a","input":${'['.repeat(300)}${']'.repeat(300)}}`], 400, 'invalid', /nested deeper/],
  ['a prototype', ['POST', '/v1/runs', '{"agent":"a","__proto__":{"session":"x"}}'], 400, 'invalid', /Unrecognized key/],
  ['an id that is none', ['GET', '/v1/runs/7'], 400, 'invalid', /runId: /],
  ['an unknown query parameter', ['GET', '/v1/runs?satte=running'], 400, 'invalid', /Unrecognized key: "satte"/],
  ['a query parameter given twice', ['GET', '/v1/runs?limit=1&limit=2'], 400, 'invalid', /limit: given more than once/],
  ['a limit that is none', ['GET', '/v1/runs?limit=many'], 400, 'invalid', /limit: /],
  ['a limit that is too large', ['GET', '/v1/runs?limit=100000'], 400, 'invalid', /limit: /],
  ['another tenant’s run', ['GET', `/v1/runs/${otherTenantsRunId}`], 404, 'not_found', /No run/],
  ['events of another tenant’s run', ['GET', `/v1/runs/${otherTenantsRunId}/events`], 404, 'not_found', /No run/],
  ['a step that is not there', ['GET', `/v1/runs/${runId}/steps/9.9`], 404, 'not_found', /has no step 9.9/],
  ['an agent that is not there', ['GET', '/v1/agents/nobody'], 404, 'not_found', /No agent nobody/],
  ['a file that is not there', ['GET', `/v1/files/${runId}`], 404, 'not_found', /No file/],
  ['a file id that is none', ['GET', '/v1/files/..%2f..%2fetc'], 400, 'invalid', /fileId: must be a UUID/],
  [
    'a rule for an address',
    ['POST', '/v1/sandboxes', { egress: { rules: [{ host: '10.0.0.1' }] } }],
    400,
    'invalid',
    /egress\.rules\.0\.host: must be a host name/,
  ],
  ['neither a script nor a program', ['POST', '/v1/sandboxes/work/exec', {}], 400, 'invalid', /either script, or cmd/],
  ['an address that is not there', ['GET', '/v1/rnus'], 404, 'not_found', /nothing at \/v1\/rnus/],
  ['a method that is not offered', ['DELETE', '/v1/runs'], 405, 'invalid', /DELETE is not offered here. Use POST or GET/],
  ['a method nobody offers', ['PATCH', '/healthz'], 405, 'invalid', /Use GET/],
  ['a preflight', ['OPTIONS', '/v1/runs'], 405, 'invalid', /OPTIONS is not offered/],
  ['a method outside the API', ['POST', '/anything'], 405, 'invalid', /POST is not offered/],
])('%s is refused in the one shape', async (_, [method, path, body], status, code, message) => {
  const { ask, calls } = makeApi()
  const response = await ask(method, path, body)
  expect(response.headers.get('access-control-allow-origin')).toBe(null)
  const { error } = ErrorBody.parse(await response.json())
  expect([response.status, error.code]).toEqual([status, code])
  expect(error.message).toMatch(message)
  expect(error.requestId).toBe(response.headers.get('x-request-id'))
  expect(calls).toEqual([])
})

test('a body of exactly the limit is taken, with its length announced or not', async () => {
  const { app } = makeApi()
  const body = (bytes: number) => JSON.stringify({ agent: 'a', input: 'ü'.repeat((bytes - 24) / 2) }) // Two bytes each.
  expect(Buffer.byteLength(body(1_000))).toBe(1_000)
  for (const [bytes, status] of [
    [1_000, 200],
    [1_002, 413],
  ] as const) {
    for (const headers of [{}, { 'content-length': String(bytes) }]) {
      expect(
        (await app.request('/v1/runs', { method: 'POST', headers: { authorization: 'Bearer lh_all', ...headers }, body: body(bytes) })).status,
        `${bytes}`,
      ).toBe(status)
    }
  }
})

test('text that is not UTF-8 is refused, not changed', async () => {
  const { app } = makeApi()
  const body = Buffer.concat([Buffer.from('{"agent":"a","input":"'), Buffer.from([0xff]), Buffer.from('"}')])
  const response = await app.request('/v1/runs', { method: 'POST', headers: { authorization: 'Bearer lh_all' }, body })
  expect([response.status, ErrorBody.parse(await response.json()).error.message]).toEqual([400, expect.stringContaining('not JSON')])
})

test('what goes wrong inside is logged whole and shown to nobody', async () => {
  const lines: { level: string; message: string; data: Record<string, unknown> }[] = []
  const log = createLog((level, message, data) => lines.push({ level, message, data }), 'debug')
  const cause = new Error('password of the database is hunter2')
  const { ask } = makeApi({
    log,
    services: { agents: { list: async () => Promise.reject(cause), find: async () => Promise.reject(new AppError('unavailable', 'Later.')) } },
  })
  const response = await ask('GET', '/v1/agents', undefined, { 'x-request-id': 'trace-7' })
  expect([response.status, await response.json()]).toEqual([500, { error: { code: 'internal', message: 'Internal error.', requestId: 'trace-7' } }])
  expect(lines.filter(({ level }) => level === 'error')).toEqual([{ level: 'error', message: 'request failed', data: { requestId: 'trace-7', error: cause } }])
  expect((await ask('GET', '/v1/agents/analyst')).status).toBe(503)
  expect(lines.filter(({ level }) => level === 'error')).toHaveLength(1)
})

test('output that breaks the contract is a fault of the server, not shown', async () => {
  const { ask } = makeApi({ services: { agents: { list: async () => [{ name: leak } as never], find: async () => undefined } } })
  const response = await ask('GET', '/v1/agents')
  expect(response.status).toBe(500)
  expect(await response.text()).not.toContain(leak)
})

test('every request leaves one line with who, what and how it went, and no secret', async () => {
  const lines: [string, Record<string, unknown>][] = []
  const { ask } = makeApi({ log: createLog((_, message, data) => lines.push([message, data])) })
  await ask('POST', '/v1/runs', { agent: 'analyst', input: 'private question' })
  await ask('GET', '/v1/agents', undefined, { authorization: 'Bearer lh_secret', 'x-request-id': 'bad id\u00e9' })
  await ask('GET', '/healthz')
  expect(lines).toEqual([
    [
      'request',
      {
        requestId: expect.any(String),
        method: 'POST',
        path: '/v1/runs',
        status: 200,
        ms: expect.any(Number),
        operation: 'runs.start',
        tenantId: 'acme',
        keyId,
      },
    ],
    [
      'request',
      {
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        method: 'GET',
        path: '/v1/agents',
        status: 401,
        ms: expect.any(Number),
        operation: 'agents.list',
        code: 'unauthenticated',
      },
    ],
  ])
  expect(JSON.stringify(lines)).not.toMatch(/private question|lh_secret|lh_all/)
})

test('every response protects the browser that shows it', async () => {
  const { ask } = makeApi()
  for (const [method, path] of [
    ['GET', '/v1/agents'],
    ['GET', '/v1/nothing'],
    ['GET', '/'],
    ['GET', '/healthz'],
    ['PUT', '/x'],
  ] as const) {
    const { headers } = await ask(method, path)
    expect([
      path,
      headers.get('x-content-type-options'),
      headers.get('x-frame-options'),
      headers.get('content-security-policy'),
      headers.get('cache-control'),
    ]).toEqual([path, 'nosniff', 'DENY', expect.stringMatching(/default-src 'none'.*frame-ancestors 'none'/), expect.any(String)])
    expect(headers.get('access-control-allow-origin')).toBe(null)
  }
})

test.each<[string, string, Record<string, string>, number]>([
  ['localhost', '127.0.0.1', { host: 'localhost:8080' }, 200],
  ['the address', '127.0.0.1', { host: '127.0.0.1:8080' }, 200],
  ['the address of IPv6', '::1', { host: '[::1]:8080' }, 200],
  ['a page of this machine', '127.0.0.1', { host: 'localhost:8080', origin: 'http://localhost:5173' }, 200],
  ['a name that was made to point here', '127.0.0.1', { host: 'evil.example:8080' }, 403],
  ['a name that only begins like ours', '127.0.0.1', { host: 'localhost.evil.example' }, 403],
  ['a number that is not ours', '127.0.0.1', { host: '10.0.0.1' }, 403],
  ['a page of elsewhere', '127.0.0.1', { host: 'localhost:8080', origin: 'https://evil.example' }, 403],
  ['a page of nowhere', '127.0.0.1', { host: 'localhost:8080', origin: 'null' }, 403],
  ['the public name', '127.0.0.1', { host: 'longhaul.example', origin: 'https://longhaul.example' }, 200],
  ['any name where other machines are let in', '0.0.0.0', { host: 'longhaul.internal', origin: 'http://longhaul.internal' }, 200],
])('a request to %s when listening on %s', async (_, host, headers, status) => {
  const { ask } = makeApi({ host, publicUrl: 'https://longhaul.example/' })
  expect((await ask('GET', '/v1/agents', undefined, headers)).status).toBe(status)
  expect((await ask('GET', '/', undefined, headers)).status).toBe(status === 200 ? 503 : 403) // The page that says the console is not built.
})

test('the API describes itself to anybody, and tells who has the description already', async () => {
  const { app } = makeApi()
  const description = await app.request('/v1/openapi.json')
  expect((await description.json()) as object).toMatchObject({ openapi: '3.1.0' })
  const page = await app.request('/v1/docs')
  expect([page.headers.get('content-type'), page.headers.get('content-security-policy')]).toEqual(['text/html; charset=utf-8', docsPolicy])
  const known = await app.request('/v1/openapi.json', { headers: { 'if-none-match': description.headers.get('etag') ?? '' } })
  expect([known.status, await known.text()]).toEqual([304, ''])
})

test('healthz needs no key, says whether the server can work, and asks once for all who ask at a time', async () => {
  let checks = 0
  let failure: Error | undefined
  const { app } = makeApi({
    health: async () => {
      checks++
      await null
      if (failure) throw failure
    },
  })
  expect(await Promise.all([1, 2, 3].map(async () => (await app.request('/healthz')).json()))).toEqual([{ status: 'ok' }, { status: 'ok' }, { status: 'ok' }])
  expect(checks).toBe(1)
  failure = new AppError('unavailable', 'The database is not answering.')
  const response = await app.request('/healthz')
  expect([response.status, ErrorBody.parse(await response.json()).error]).toMatchObject([
    503,
    { code: 'unavailable', message: 'The database is not answering.' },
  ])
  failure = new Error('secret detail')
  expect(await (await app.request('/healthz')).text()).not.toContain('secret detail')
  failure = undefined
  expect((await app.request('/healthz')).status).toBe(200)
})

test('an operation without an implementation, with two, or outside the list keeps the server from starting', () => {
  const stream = () => Promise.reject(new Error('Nobody follows.'))
  const all = operations.map((operation) => ({ operation, handle: async () => ({}), ...(operation.frame && { stream }) }))
  expect(() => assertComplete(operations, all)).not.toThrow()
  expect(() => assertComplete(operations, all.slice(1))).toThrow('runs.start has 0 implementations')
  expect(() => assertComplete(operations, [...all, ...all.slice(-1)])).toThrow(`${operations.at(-1)?.id} has 2 implementations`)
  expect(() => assertComplete(operations.slice(1), all)).toThrow('runs.start is not in the list')
  expect(() =>
    assertComplete(
      operations,
      operations.map((operation) => ({ operation, handle: async () => ({}) })),
    ),
  ).toThrow('runs.events has no stream')
  expect(() => makeApi({ implementations: all.slice(1) })).toThrow('runs.start has 0 implementations')
})

test('a refusal is noted with who, what and why; what was done is noted where the service does not do so itself', async () => {
  const { ask, notes } = makeApi({ policies: { whyNot: async (_, { action }) => (action === 'runs.cancel' ? 'forbidden by the policy p.' : undefined) } })
  await ask('POST', '/v1/secrets/crm', { value: 'hunter2' }, { authorization: 'Bearer lh_runs:read', 'x-request-id': 'trace-1' })
  await ask('POST', `/v1/runs/${runId}/cancel`, {})
  await ask('POST', '/v1/policy-tests', { action: 'x' })
  await ask('POST', '/v1/policy-tests', {}) // Malformed: nothing was done and nobody refused.
  await ask('POST', '/v1/runs', { agent: 'analyst' })
  await ask('GET', '/v1/runs')
  const who = { id: keyId, name: 'administrator' }
  expect(notes).toMatchObject([
    ['acme', { who, action: 'secrets.set', target: 'crm', outcome: 'refused', requestId: 'trace-1', detail: { code: 'forbidden' } }],
    ['acme', { who, action: 'runs.cancel', target: runId, outcome: 'refused', detail: { message: 'forbidden by the policy p.' } }],
    ['acme', { who, action: 'policies.test', outcome: 'done' }],
  ])
  expect(JSON.stringify(notes)).not.toContain('hunter2')
})

test('a note names the thing that an operation is about, in its path or in its input', async () => {
  const { ask, notes } = makeApi({ policies: { whyNot: async () => 'no' } })
  const target = async (path: string, body: object) => {
    await ask('POST', path, body)
    return (notes.pop()?.[1] as { target?: string } | undefined)?.target
  }
  expect(await target('/v1/hooks/github/pause', {})).toBe('github')
  expect(await target('/v1/routes', { name: 'smart', targets: [{ model: 'openai/gpt-5' }] })).toBe('smart')
  expect(await target('/v1/catalogue/models', { model: 'openai/gpt-5', price: { input: 1, output: 2 } })).toBe('openai/gpt-5')
  expect(await target('/v1/retention', { namespace: 'staging', days: 7 })).toBe('staging')
  expect(await target('/v1/marketplace', { entry: 'crm', agent: 'support', connection: 'crm', description: 'Customers' })).toBe('crm')
  expect(await target('/v1/sandboxes', {})).toBe(undefined)
})

test('an audit log that cannot take a note is no reason to say that nothing was done', async () => {
  const errors: string[] = []
  const { ask } = makeApi({
    audit: { note: async () => Promise.reject(new Error('full')) },
    log: createLog((level, message) => level === 'error' && errors.push(message)),
  })
  expect((await ask('POST', '/v1/policy-tests', { action: 'x' })).status).toBe(200)
  expect((await ask('GET', '/v1/runs', undefined, { authorization: 'Bearer lh_files:read' })).status).toBe(403)
  expect(errors).toEqual(['an audit note was not taken', 'an audit note was not taken'])
})

test('a key that asks too often is told when to come back, another one is not held up, and the log is not filled', async () => {
  const { ask, notes } = makeApi({ requestsPerMinute: 60, authenticate: async (secret) => ({ ...(await authenticate('lh_all'))!, keyId: secret }) })
  const as = (secret: string) => ask('GET', '/v1/agents', undefined, { authorization: `Bearer ${secret}` })
  const first = await as('lh_busy')
  expect(['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset'].map((name) => first.headers.get(name))).toEqual(['60', '9', '1'])
  const all = await Promise.all(Array.from({ length: 30 }, () => as('lh_busy')))
  const refused = all.filter(({ status }) => status === 429)
  expect(refused.length).toBeGreaterThanOrEqual(19)
  expect(refused[0]?.headers.get('retry-after')).toBe('1')
  expect(ErrorBody.parse(await refused[0]?.json()).error).toMatchObject({ code: 'over_limit', message: expect.stringContaining('60 requests a minute') })
  expect((await as('lh_calm')).status).toBe(200)
  expect(notes.map(([, { action }]) => action)).toEqual(['requests.limit'])
})

test('a client that wants problem details gets them', async () => {
  const { ask } = makeApi()
  const response = await ask('GET', `/v1/runs/${otherTenantsRunId}`, undefined, { accept: 'application/problem+json, application/json' })
  expect([response.status, response.headers.get('content-type'), await response.json()]).toEqual([
    404,
    'application/problem+json',
    {
      type: 'about:blank',
      title: 'not_found',
      status: 404,
      detail: expect.stringContaining('No run'),
      instance: expect.stringContaining(response.headers.get('x-request-id') ?? '?'),
      error: { code: 'not_found', message: expect.stringContaining('No run'), requestId: expect.any(String) },
    },
  ])
})

/** What JSON parsers disagree about, after the well-known corpora: valid (y), invalid (n), and up to us (i). Each is answered, none of the invalid is taken. */
const corpus: [kind: 'y' | 'n' | 'i', body: string | Buffer][] = [
  ...['[]', '{}', '0', '-0', '1e1', '1E-2', 'true', 'null', '""', '"\\u00e9"', '"\\ud83d\\ude00"', '{"a":{"a":[{}]}}', ' [1 , 2 ] ', '{"":0}', '"\\/"'].map(
    (input): ['y', string] => ['y', `{"agent":"a","input":${input}}`],
  ),
  ...[
    '01',
    '1.',
    '.5',
    '+1',
    '1e',
    '0x1',
    'NaN',
    'Infinity',
    '-',
    "'a'",
    '[1,]',
    '{"a":1,}',
    '{a:1}',
    '[1 2]',
    '"\\x"',
    '"\\u12"',
    '"	"',
    '/**/1',
    'tru',
    '[',
    '{"a"',
    '"',
    '',
    '1 1',
    '﻿1',
  ].map((input): ['n', string] => ['n', `{"agent":"a","input":${input}}`]),
  ...[
    '{"agent":"a"',
    '{"agent":"a"}}',
    '{"agent":"a"} x',
    '[{"agent":"a"}]',
    '"agent"',
    'undefined',
    '{"agent":"a","input":"\\ud800"}',
    '{"agent":"a","input":"\\u0000"}',
    '{"__proto__":{"agent":"a"}}',
    '{"agent":["a"]}',
  ].map((body): ['n', string] => ['n', body]),
  ...[
    [0xff, 0xfe],
    [0xc0, 0xaf],
    [0xed, 0xa0, 0x80],
    [0xf4, 0x90, 0x80, 0x80],
  ].map((bytes): ['n', Buffer] => ['n', Buffer.concat([Buffer.from('{"agent":"a","input":"'), Buffer.from(bytes), Buffer.from('"}')])]),
  ['n', '['.repeat(900)],
  ['n', `{"agent":"a","input":${'['.repeat(400)}${']'.repeat(400)}}`],
  ['i', '{"agent":"b","agent":"a"}'],
  ['i', '{"agent":"a","input":1e400}'],
  ['i', '{"agent":"a","input":123456789012345678901234567890}'],
]

test('every body that JSON allows is taken, and every other one refused in the one shape', async () => {
  const { app } = makeApi()
  for (const [kind, body] of corpus) {
    const response = await app.request('/v1/runs', { method: 'POST', headers: { authorization: 'Bearer lh_all' }, body })
    if (kind === 'y') expect([body, response.status]).toEqual([body, 200])
    if (kind === 'n') expect([body, response.status, ErrorBody.parse(await response.json()).error.code]).toEqual([body, 400, 'invalid'])
    if (kind === 'i') expect([200, 400]).toContain(response.status)
  }
})
