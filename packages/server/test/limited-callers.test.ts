/** Money as whoever is limited to an agent or a namespace sees it: their own, beside what an unlimited caller sees. */
import type { Budget, Json } from '@longhaul/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sql } from '../src/db/index.ts'
import { newId } from '../src/kernel/index.ts'
import { type Bed, type BedCaller, openBed } from './support/api-bed.ts'

let bed: Bed
let boss: BedCaller
let ofAgent: BedCaller
let ofSpace: BedCaller

beforeAll(async () => {
  bed = await openBed({})
  boss = await bed.caller('boss', { personalData: true })
  ofAgent = await bed.caller('of-agent', { personalData: true }, { agents: ['mine'] })
  ofSpace = await bed.caller('of-space', { personalData: true }, { namespaces: ['mine'] })
  const budgets: Json[] = [
    { name: 'all', limit: 9 },
    { name: 'each', scope: 'agent', subject: '*', limit: 9 },
    { name: 'agent-mine', scope: 'agent', subject: 'mine', limit: 9 },
    { name: 'agent-other', scope: 'agent', subject: 'other', limit: 9 },
    { name: 'space-mine', scope: 'namespace', subject: 'mine', limit: 9 },
  ]
  for (const budget of budgets) await boss.ask('POST', '/v1/budgets', budget)
  for (const [agent, namespace, input] of [
    ['mine', 'default', 1],
    ['other', 'default', 10],
    ['other', 'mine', 100],
  ] as const) {
    const id = newId()
    await bed.db.rows(sql`
      insert into usage (tenant_id, id, at, namespace, agent, provider, model, input, cache_read, cache_write, cache_write_long, input_audio, input_image,
        output, reasoning, output_audio, output_image, is_estimated, is_failed)
      values ('acme', ${id}, clock_timestamp(), ${namespace}, ${agent}, 'p', 'p/m', ${input}, 0, 0, 0, 0, 0, 0, 0, 0, 0, false, false)`)
    await bed.db.rows(sql`insert into usage_fresh (tenant_id, id) values ('acme', ${id})`)
  }
})
afterAll(() => bed[Symbol.asyncDispose]())

const names = async (caller: BedCaller) => (await caller.read<{ items: Budget[] }>('/v1/budgets')).items.map(({ name }) => name).toSorted()
const used = async (caller: BedCaller, query = '') => {
  const { groups } = await caller.read<{ groups: { tokens: { input: number } }[] }>(`/v1/usage?${query}`)
  return groups.reduce((sum, { tokens }) => sum + tokens.input, 0)
}
const calls = async (caller: BedCaller) =>
  (await caller.read<{ items: { tokens: { input: number } }[] }>('/v1/usage/calls')).items.map(({ tokens }) => tokens.input).toSorted((a, b) => a - b)

test('sees what its own agents or namespaces used, by hours and by calls', async () => {
  for (const query of ['', 'by=session']) {
    expect(await used(boss, query)).toBe(111)
    expect(await used(ofAgent, query)).toBe(1)
    expect(await used(ofSpace, query)).toBe(100)
  }
  const against = async (caller: BedCaller) => (await caller.read<{ asLimit: { refused: number } }>('/v1/usage/what-if?asLimit=0&unit=tokens')).asLimit.refused
  expect([await against(boss), await against(ofAgent), await against(ofSpace)]).toEqual([111, 1, 100])
  expect(await calls(boss)).toEqual([1, 10, 100])
  expect(await calls(ofAgent)).toEqual([1])
  expect(await calls(ofSpace)).toEqual([100])
})

test('sees, changes and deletes the budgets of these alone, and makes none for more', async () => {
  expect(await names(boss)).toHaveLength(5)
  expect(await names(ofAgent)).toEqual(['agent-mine'])
  expect(await names(ofSpace)).toEqual(['space-mine'])
  const status = async (method: string, path: string, body?: Json) => (await ofAgent.ask(method, path, body)).status
  expect(await status('GET', '/v1/budgets/agent-mine')).toBe(200)
  for (const name of ['all', 'each', 'agent-other', 'space-mine', 'nobodys']) {
    expect(await status('GET', `/v1/budgets/${name}`)).toBe(404)
    expect(await status('GET', `/v1/budgets/${name}/forecast`)).toBe(404)
    expect(await status('DELETE', `/v1/budgets/${name}`)).toBe(404)
  }
  expect(await status('POST', '/v1/budgets', { name: 'all', limit: 1_000 })).toBe(409)
  expect(await status('POST', '/v1/budgets', { name: 'new', limit: 1_000 })).toBe(403)
  expect(await status('POST', '/v1/budgets', { name: 'new', scope: 'agent', subject: 'other', limit: 1 })).toBe(403)
  expect(await status('POST', '/v1/budgets', { name: 'new', scope: 'agent', subject: 'mine', limit: 1 })).toBe(200)
  expect(await status('POST', '/v1/budgets', { name: 'agent-mine', limit: 8 })).toBe(200)
  expect(await status('DELETE', '/v1/budgets/agent-mine')).toBe(200)
})

test('sets and deletes guardrails for these alone', async () => {
  const guards = [{ type: 'secrets' }]
  const status = async (by: BedCaller, method: string, path: string, body?: Json) => (await by.ask(method, path, body)).status
  expect(await status(boss, 'POST', '/v1/guardrails', { name: 'for-all', guards })).toBe(200)
  expect(await status(ofAgent, 'POST', '/v1/guardrails', { name: 'for-all', agent: 'mine', guards })).toBe(409)
  expect(await status(ofAgent, 'DELETE', '/v1/guardrails/for-all')).toBe(404)
  expect(await status(ofAgent, 'POST', '/v1/guardrails', { name: 'new', guards })).toBe(403)
  expect(await status(ofAgent, 'POST', '/v1/guardrails', { name: 'new', agent: 'mine', guards })).toBe(200)
  expect(await status(ofAgent, 'DELETE', '/v1/guardrails/new')).toBe(200)
})

test('pages of events and of what guards found are as long as was asked for, and hold all of theirs', async () => {
  const found = []
  for (let i = 0; i < 12; i++) {
    const name = i % 3 === 0 ? 'paged' : 'agent-other'
    if (i === 0) await boss.ask('POST', '/v1/budgets', { name, scope: 'agent', subject: 'mine', limit: 9 })
    const id = newId()
    await bed.owner.rows(sql`
      with counter as (
        insert into budget_counters (tenant_id, budget_id, subject, starts_at)
        select 'acme', id, 'mine', to_timestamp(${i}) from budgets where tenant_id = 'acme' and name = ${name}
        returning id, budget_id)
      insert into budget_events (tenant_id, counter_id, budget_id, kind, percent, limit_amount, spent, at)
      select 'acme', id, budget_id, 'warning', 50, 9, 5, to_timestamp(${i}) from counter`)
    await bed.owner.rows(sql`
      insert into guard_decisions (tenant_id, id, at, guardrail, guard, side, action, found, model, agent)
      values ('acme', ${id}, to_timestamp(${i}), 'g', 'words', 'request', 'block', '{}', 'p/m', ${i % 3 === 0 ? 'mine' : 'other'})`)
    if (i % 3 === 0) found.push(id)
  }
  type Page = { items: { id: string; budget?: string; agent?: string }[]; next: string | null }
  const pages = async (by: BedCaller, path: string): Promise<Page['items'][]> => {
    const all: Page['items'][] = []
    for (let cursor: string | null = ''; cursor !== null;) {
      const page: Page = await by.read(`${path}?limit=2${cursor && `&cursor=${encodeURIComponent(cursor)}`}`)
      all.push(page.items)
      cursor = page.next
    }
    return all.filter((page) => page.length > 0)
  }
  expect((await pages(boss, '/v1/budget-events')).map(({ length }) => length)).toEqual([2, 2, 2, 2, 2, 2])
  expect((await pages(ofAgent, '/v1/budget-events')).map((page) => page.map(({ budget }) => budget))).toEqual([
    ['paged', 'paged'],
    ['paged', 'paged'],
  ])
  expect((await pages(ofAgent, '/v1/guardrail-decisions')).map((page) => page.map(({ id }) => id))).toEqual([
    [found[3], found[2]],
    [found[1], found[0]],
  ])
  expect((await pages(boss, '/v1/guardrail-decisions')).flat()).toHaveLength(12)
  expect((await pages(ofSpace, '/v1/guardrail-decisions')).flat()).toEqual([]) // They do not say of which namespace.
})
