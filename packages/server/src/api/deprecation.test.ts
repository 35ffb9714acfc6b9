import { operation } from '@longhaul/protocol'
import { createClient } from '@longhaul/sdk/client'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { makeApi } from '../../test/support/fake-services.ts'
import { deprecationHeaders } from './deprecation.ts'
import { implement } from './implement.ts'
import { openApi } from './open-api.ts'

/** One of this test's own, at the address of one that there is, so that the client has a name for it. */
const old = operation({
  id: 'stops.list',
  summary: 'What was asked for in former times.',
  http: ['GET', '/v1/stops'],
  permission: 'runs:read',
  input: z.strictObject({ limit: z.coerce.number().optional() }),
  output: z.object({ items: z.array(z.string()), next: z.null() }),
  deprecated: { since: '2026-11-01', sunset: '2027-05-01', link: 'https://longhaul.example/old', instead: 'stops.get' },
})
const { deprecated: _deprecated, ...fresh } = old

test('answers of an operation that will be gone say so, since when, until when, and where it is written what to do; refusals too', async () => {
  const { ask } = makeApi({ operations: [old], implementations: [implement(old, async () => ({ items: [], next: null }))] })
  const headers = {
    deprecation: `@${Date.UTC(2026, 10, 1) / 1_000}`,
    sunset: 'Sat, 01 May 2027 00:00:00 GMT',
    link: '<https://longhaul.example/old>; rel="deprecation"; type="text/html"',
  }
  for (const [path, status] of [
    ['/v1/stops', 200],
    ['/v1/stops?limit=x', 400],
  ] as const) {
    const response = await ask('GET', path)
    expect(response.status).toBe(status)
    expect(Object.fromEntries(response.headers)).toMatchObject(headers)
  }
  const { ask: askFresh } = makeApi({ operations: [fresh], implementations: [implement(fresh, async () => ({ items: [], next: null }))] })
  expect((await askFresh('GET', '/v1/stops')).headers.get('deprecation')).toBe(null)
  expect(deprecationHeaders({ ...old, deprecated: { since: '2026-11-01', link: '/x' } }).map(([name]) => name)).toEqual(['deprecation', 'link'])
})

test('the description of the API marks it, and the client hears of it', async () => {
  expect(openApi([old]).paths['/v1/stops']?.['get']).toMatchObject({
    deprecated: true,
    description: expect.stringMatching(/^Deprecated since 2026-11-01, gone from 2027-05-01 on at the earliest\. Use `stops\.get`\. See https:/),
  })
  expect(openApi([fresh]).paths['/v1/stops']?.['get']).not.toHaveProperty('deprecated')
  const { app } = makeApi({ operations: [old], implementations: [implement(old, async () => ({ items: [], next: null }))] })
  const told: unknown[] = []
  const client = createClient({
    url: 'http://localhost',
    key: 'lh_all',
    fetch: async (input, init) => app.request(String(input), init),
    onDeprecated: (about) => told.push(about),
  })
  await client.stops.list()
  expect(told).toEqual([{ operation: 'stops.list', sunset: 'Sat, 01 May 2027 00:00:00 GMT', link: 'https://longhaul.example/old' }])
})
