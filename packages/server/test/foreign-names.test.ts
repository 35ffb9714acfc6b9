/** A name that another tenant has is answered as one that nobody has: in status, in what the answer is made of, and in the statements that the database was asked. */
import type { Json } from '@longhaul/protocol'
import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Bed, type BedCaller, openBed } from './support/api-bed.ts'

let bed: Bed
let acme: BedCaller
let globex: BedCaller
const asked: string[] = []

/** Statements of a tenant: in its transactions, or with its name among their values. What is remembered for a second comes and goes by itself. */
function watchStatements(tenantId: string): void {
  const inside = new WeakSet<object>()
  const real = pg.Client.prototype.query
  vi.spyOn(pg.Client.prototype, 'query').mockImplementation(function (this: object, ...given: unknown[]) {
    const [query] = given as [string | { text: string; values?: unknown[] }]
    const { text, values = [] } = typeof query === 'string' ? { text: query } : query
    if (text.includes(`longhaul.tenant = '${tenantId}'`)) inside.add(this)
    if (inside.has(this) || values.includes(tenantId)) asked.push(text.replaceAll(/\s+/g, ' '))
    if (/^(commit|rollback)/.test(text)) inside.delete(this)
    return Reflect.apply(real, this, given) as never
  })
}

beforeAll(async () => {
  bed = await openBed({ mine: () => [] })
  await bed.deploy('globex')
  acme = await bed.caller('acme', { personalData: true })
  globex = await bed.caller('globex', { personalData: true }, { tenantId: 'globex' })
  for (const by of [acme, globex]) await by.ask('POST', '/v1/secrets/signing', { value: 'a'.repeat(40) })
  watchStatements('globex')
})
afterAll(async () => {
  vi.restoreAllMocks()
  await bed[Symbol.asyncDispose]()
})

const targets = [{ model: 'openai/gpt-5' }]
const guards = [{ type: 'secrets' }]
const calendar = { kind: 'interval', everyMs: 3_600_000 }
const makes: Record<string, (name: string) => [path: string, body: Json]> = {
  budget: (name) => ['/v1/budgets', { name, limit: 1 }],
  route: (name) => ['/v1/routes', { name, targets }],
  guardrail: (name) => ['/v1/guardrails', { name, guards }],
  schedule: (name) => ['/v1/schedules', { name, agent: 'mine', calendar }],
  hook: (name) => ['/v1/hooks', { name, agent: 'mine', scheme: 'hmac', secret: 'signing' }],
  secret: (name) => [`/v1/secrets/${name}`, { value: 'v' }],
  namespace: (name) => [`/v1/namespaces/${name}`, {}],
  person: (name) => ['/v1/people', { email: `${name}@example.com`, roles: ['viewer'] }],
}
const reads: Record<string, (name: string) => string> = {
  budget: (name) => `/v1/budgets/${name}`,
  route: (name) => `/v1/routes/${name}`,
  guardrail: (name) => `/v1/guardrails/${name}`,
  schedule: (name) => `/v1/schedules/${name}`,
  hook: (name) => `/v1/hooks/${name}`,
  secret: (name) => `/v1/secrets/${name}`,
}

/** Names of all fields, at every depth. */
const shapeOf = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.slice(0, 1).map(shapeOf)
    : typeof value === 'object' && value !== null
      ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)]))
      : typeof value

/** What is remembered for a second, and the frames of its transactions. */
const remembered = /^(begin|commit)|from (api_keys|keys|policies|tenants)\b/

async function ask(method: string, path: string, body?: Json) {
  asked.length = 0
  const response = await globex.ask(method, path, body, { 'if-none-match': method === 'POST' ? '*' : '' })
  const shape = shapeOf(await response.json())
  return {
    status: response.status,
    shape,
    statements: asked.filter((text) => !remembered.test(text)).toSorted(),
  }
}

test.each(Object.keys(makes))('a %s of another tenant’s name', async (thing) => {
  const make = makes[thing]!
  const [path, body] = make('theirs')
  expect((await acme.ask('POST', path, body)).status).toBe(200)
  await globex.ask('POST', ...make('warm')) // Connections, caches, and what a tenant's first thing makes.
  const read = reads[thing]
  if (read) {
    const [known, free] = [await ask('GET', read('theirs')), await ask('GET', read('nobodys'))]
    expect(known.status).toBe(404)
    expect(known.statements.length).toBeGreaterThan(0)
    expect(known).toEqual(free)
    // That it would be seen: one of its own is answered otherwise.
    expect(await ask('GET', read('warm'))).not.toEqual(free)
  }
  const [known, free] = [await ask('POST', ...make('theirs')), await ask('POST', ...make('nobodys'))]
  expect(known.status).toBe(200)
  expect(known.statements.length).toBeGreaterThan(2)
  expect(known).toEqual(free)
  if (thing !== 'person') expect((await ask('POST', ...make('nobodys'))).status).toBe(412)
})
