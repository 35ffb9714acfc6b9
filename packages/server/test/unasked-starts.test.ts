/** Policies on `runs.start` for what starts a run while nobody asks: schedules, hooks, other runs. Each beside a start that is let through. */
import { createHmac } from 'node:crypto'
import type { Fire, HookDelivery, Run } from '@longhaul/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Bed, type BedCaller, openBed, until } from './support/api-bed.ts'

let bed: Bed
let boss: BedCaller

beforeAll(async () => {
  const done = ({ run }: { run: string }) => [{ type: 'run.completed' as const, run, output: null }]
  bed = await openBed({
    free: done,
    held: done,
    parent: ({ run, input }) => [{ type: 'op', run, op: '0', kind: 'run', name: 'child', input: { agent: String(input), input: 'from its parent' } }],
  })
  boss = await bed.caller('boss', { personalData: true })
  const text = 'forbid (principal, action == Action::"runs.start", resource == Agent::"held") when { context has startedBy };'
  await boss.ask('POST', '/v1/policies/nobody-there', { text })
})
afterAll(() => bed[Symbol.asyncDispose]())

const runsOf = async (agent: string) => (await boss.read<{ items: Run[] }>(`/v1/runs?agent=${agent}&limit=50`)).items.length
/** Refusals of starts that the audit log has, by what would have started them. */
async function refusals(type: string) {
  await bed.audit.append()
  const entries = await bed.audit.list('acme', { limit: 50, action: 'runs.start', outcome: 'refused' })
  return entries.filter(({ detail }) => (detail as { startedBy?: { type: string } }).startedBy?.type === type)
}

test('somebody who asks is not concerned by a policy about what nobody asks for', async () => {
  expect(await boss.start('held')).toMatchObject({ state: 'completed' })
})

test('a schedule that may not start its agent fires nothing, and says by which policy', async () => {
  const set = (agent: string) =>
    boss.ask('POST', '/v1/schedules', { name: `of-${agent}`, agent, calendar: { kind: 'once', at: new Date(Date.now() + 4_000).toISOString() } })
  const before = await runsOf('held')
  for (const agent of ['held', 'free']) expect((await set(agent)).status).toBe(200)
  const firesOf = async (agent: string) => (await boss.read<{ items: Fire[] }>(`/v1/schedules/of-${agent}/fires`)).items
  const [held] = await until(() => firesOf('held'), ({ length }) => length > 0) // prettier-ignore
  expect(held).toMatchObject({ outcome: 'skipped', reason: expect.stringContaining('policy nobody-there'), runId: null })
  const [free] = await until(() => firesOf('free'), ({ length }) => length > 0) // prettier-ignore
  expect(free).toMatchObject({ outcome: 'started', runId: expect.any(String) })
  expect(await runsOf('held')).toBe(before)
  expect((await refusals('schedule'))[0]).toMatchObject({ who: { id: boss.id, name: 'boss' }, target: 'held', detail: { startedBy: { name: 'of-held' } } })
  const byHand = await boss.ask('POST', '/v1/schedules/of-held/fire', {})
  expect([byHand.status, await byHand.text()]).toEqual([403, expect.stringContaining('nobody-there')])
  expect((await boss.ask('POST', '/v1/schedules/of-free/fire', {})).status).toBe(200)
})

test('a hook that may not start its agent refuses the event and has it in its list', async () => {
  await boss.ask('POST', '/v1/secrets/token', { value: 'a shared secret' })
  const before = await runsOf('held')
  for (const agent of ['held', 'free']) {
    expect((await boss.ask('POST', '/v1/hooks', { name: `of-${agent}`, agent, scheme: 'github', secret: 'token' })).status).toBe(200)
    const body = JSON.stringify({ of: agent })
    const signature = `sha256=${createHmac('sha256', 'a shared secret').update(body).digest('hex')}`
    const response = await bed.app.request(`/hooks/acme/of-${agent}`, { method: 'POST', body, headers: { 'x-hub-signature-256': signature } })
    expect(response.status).toBe(agent === 'held' ? 403 : 200)
  }
  const [noted] = (await boss.read<{ items: HookDelivery[] }>('/v1/hooks/of-held/deliveries')).items
  expect(noted).toMatchObject({ outcome: 'refused', reason: 'forbidden', runId: null })
  expect(await runsOf('held')).toBe(before)
  expect(await refusals('hook')).toHaveLength(1)
})

test('a run that may not start a child has a failed step that says so, which its code may catch', async () => {
  const before = await runsOf('held')
  const refused = await boss.start('parent', { input: 'held' })
  expect(refused).toMatchObject({ state: 'failed', failure: { code: 'forbidden', retryable: false, message: expect.stringContaining('policy nobody-there') } })
  expect(await runsOf('held')).toBe(before)
  expect((await refusals('run'))[0]).toMatchObject({ detail: { startedBy: { name: 'parent' } } })
  expect(await boss.start('parent', { input: 'free' })).toMatchObject({ state: 'completed', output: { runId: expect.any(String) } })
})
