/** Policies where they take effect: at operations, and at the steps that a run asks for. */
import type { Json } from '@longhaul/protocol'
import { ErrorBody } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { sql } from '../src/db/index.ts'
import { openBed } from './support/api-bed.ts'

const openings: Parameters<typeof openBed>[0] = {
  support: ({ run, input }) => [{ type: 'op.begin', run, op: '0', kind: 'tool', name: 'refund', attempt: 1, input }],
  coder: ({ run }) => [{ type: 'op', run, op: '0', kind: 'exec', name: 'bash', input: { script: 'echo canary' } }],
}

const put = async (text: string) => {
  const bed = await openBed(openings)
  const boss = await bed.caller('boss', { personalData: true })
  const rule = async (name: string, body: string) => expect((await boss.ask('POST', `/v1/policies/${name}`, { text: body })).status).toBe(200)
  await rule('rule', text)
  const startWith = (agent: string, input: Json) => boss.start(agent, { input })
  return { bed, boss, rule, startWith, [Symbol.asyncDispose]: () => bed[Symbol.asyncDispose]() }
}

test('a tool call that a policy forbids is not begun; the run hears by which policy, and the audit log too', async () => {
  await using t = await put(
    'forbid (principal, action == Action::"tools.call", resource == Tool::"refund") when { context.agent == "support" && context.input.amount > 100 };',
  )
  const allowed = await t.startWith('support', { amount: 100 })
  expect(allowed).toMatchObject({ state: 'completed' })
  const refused = await t.startWith('support', { amount: 101 })
  expect(refused).toMatchObject({ state: 'failed', failure: { code: 'forbidden', retryable: false, message: expect.stringContaining('policy rule') } })
  expect((await t.boss.events(refused.id)).map(({ type }) => type)).toEqual(['run.started', 'step.failed', 'run.failed'])
  expect((await t.boss.events(allowed.id)).map(({ type }) => type)).toContain('step.started')
  const step = async (id: string) => (await t.boss.ask('GET', `/v1/runs/${id}/steps/0`)).json()
  expect(await step(refused.id)).toMatchObject({ policy: { outcome: 'refused', policies: ['rule'] } })
  expect(await step(allowed.id)).toMatchObject({ policy: { outcome: 'silent', policies: [] } })
  await t.boss.ask('DELETE', '/v1/policies/rule')
  expect(await step((await t.startWith('support', { amount: 102 })).id)).toMatchObject({ policy: { outcome: 'none', policies: [] } })
  await t.bed.audit.append()
  const [entry, ...more] = await t.bed.audit.list('acme', { limit: 10, action: 'tools.call' })
  expect([entry, more]).toMatchObject([{ outcome: 'refused', who: { id: t.boss.id }, target: 'refund', detail: { runId: refused.id } }, []])
})

test('a command that a policy forbids is not executed, and one of a run under way is judged when it is asked for', async () => {
  await using t = await put('forbid (principal, action == Action::"exec.call", resource) when { context.input.script like "*canary*" };')
  expect(await t.startWith('coder', null)).toMatchObject({ state: 'failed', failure: { code: 'forbidden' } })
  await t.boss.ask('DELETE', '/v1/policies/rule')
  expect(await t.startWith('coder', null)).toMatchObject({ state: 'completed', output: { stdout: 'canary\n' } })
})

test('an operation that a policy forbids is refused by its name before anything is done', async () => {
  await using t = await put('forbid (principal, action == Action::"runs.start", resource == Agent::"support") when { context.namespace == "prod" };')
  await t.boss.ask('POST', '/v1/namespaces/prod', {})
  const start = (namespace: string) => t.boss.ask('POST', '/v1/runs', { agent: 'support', namespace, input: { amount: 1 } })
  const refused = await start('prod')
  expect([refused.status, ErrorBody.parse(await refused.json()).error]).toMatchObject([
    403,
    { code: 'forbidden', message: expect.stringContaining('policy rule') },
  ])
  expect((await start('default')).status).toBe(200)
  const [row] = await t.bed.db.rows<{ count: number }>(sql`select count(*)::int as count from runs`)
  expect(row?.count).toBe(1)
})

test('the value of a secret is not shown to policies', async () => {
  await using t = await put('forbid (principal, action == Action::"secrets.set", resource) when { context.input has value };')
  expect((await t.boss.ask('POST', '/v1/secrets/crm', { value: 'hunter2' })).status).toBe(200)
  await t.rule('rule', 'forbid (principal, action == Action::"secrets.set", resource == Secret::"crm");') // The control: it is asked.
  expect((await t.boss.ask('POST', '/v1/secrets/crm', { value: 'hunter2' })).status).toBe(403)
})

test('while policies cannot be read nothing is allowed; a tool call waits, and is made once they can', async () => {
  await using t = await put('forbid (principal, action == Action::"nothing", resource);')
  const { id } = (await (await t.boss.ask('POST', '/v1/runs', { agent: 'support', input: { amount: 1 } })).json()) as { id: string }
  await expect.poll(async () => (await t.boss.events(id)).at(-1)?.type, { timeout: 15_000 }).toBe('run.completed') // The control.
  await t.bed.owner.rows(sql`revoke select on policies from longhaul_tenant`)
  await expect.poll(async () => (await t.boss.ask('GET', '/v1/agents')).status, { timeout: 15_000 }).toBe(500)
  const { id: waiting } = await t.bed.startDirectly('support', { amount: 1 })
  await expect.poll(() => t.bed.starts.some(({ run }) => run === waiting), { timeout: 15_000 }).toBe(true)
  expect(await t.bed.db.rows(sql`select type from events where run_id = ${waiting}`)).toEqual([{ type: 'run.started' }])
  await t.bed.owner.rows(sql`grant select on policies to longhaul_tenant`)
  await expect.poll(async () => (await t.boss.ask('GET', `/v1/runs/${waiting}`)).status, { timeout: 15_000 }).toBe(200)
  await expect.poll(async () => (await t.boss.events(waiting)).at(-1)?.type, { timeout: 15_000 }).toBe('run.completed')
})

test('a policy that forbids everything can be taken back by whoever may write policies, and by nobody else', async () => {
  await using t = await put('forbid (principal, action, resource);')
  const viewer = await t.bed.caller('viewer', { personalData: true }, { permissions: ['runs:read'] })
  expect((await t.boss.ask('GET', '/v1/runs')).status).toBe(403)
  expect((await viewer.ask('DELETE', '/v1/policies/rule')).status).toBe(403)
  expect((await t.boss.ask('DELETE', '/v1/policies/rule')).status).toBe(200)
  expect((await t.boss.ask('GET', '/v1/runs')).status).toBe(200)
})

test('the tester asks about the same kinds of things as the steps themselves', async () => {
  await using t = await put('forbid (principal, action == Action::"exec.call", resource == Step::"exec");')
  const verdict = async (action: string, resource: string) => (await t.boss.ask('POST', '/v1/policy-tests', { action, resource })).json()
  expect(await verdict('exec.call', 'exec')).toMatchObject({ isAllowed: false, policies: ['rule'] })
  expect(await verdict('tools.call', 'exec')).toMatchObject({ isAllowed: true })
  expect(await t.startWith('coder', null)).toMatchObject({ state: 'failed', failure: { code: 'forbidden' } })
})
