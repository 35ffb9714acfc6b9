/** The places of sandboxes, with two servers at one database. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sql } from '../db/index.ts'
import { newId, silentLog } from '../kernel/index.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { type Places, openPlaces } from './places.ts'
import type { SandboxQuotas } from './place-store.ts'
import { insertSandbox, recordStop } from './sandbox-store.ts'

let t: Awaited<ReturnType<typeof makeDatabase>>
beforeAll(async () => {
  t = await makeDatabase()
})
afterAll(() => t[Symbol.asyncDispose]())

const server = (quotas: SandboxQuotas, idleMs = 60_000, home = newId()): Places =>
  openPlaces({ db: t.db, log: silentLog, home, quotasOf: async () => quotas, idleMs })
const isTaken = (result: PromiseSettledResult<unknown>) => result.status === 'fulfilled'
const countOf = async (tenantId: string) => (await t.db.rows(sql`select from sandbox_places where tenant_id = ${tenantId}`)).length

const make = (tenantId: string, atOnce: SandboxQuotas) =>
  insertSandbox(
    t.db,
    {
      ...{
        tenantId,
        id: newId(),
        name: null,
        ownerId: newId(),
        home: 'here',
        driver: 'virtual',
        image: null,
        env: {},
        egress: null,
        madeFrom: {},
        ttlMs: 60_000,
      },
      limits: {} as never, // Nothing is opened here.
    },
    { countMax: 100, diskBytesMax: 1e9, atOnce },
  )

test('of forty at once at two servers as many get a place as the tenant may have, and another one when one was given back', async () => {
  const [one, other] = [server({ tenant: 5 }, 0), server({ tenant: 5 }, 0)]
  const owner = { tenantId: 'forty' }
  const all = await Promise.allSettled(Array.from({ length: 40 }, (_, i) => (i % 2 ? one : other).hold(newId(), owner)))
  expect(all.filter(isTaken)).toHaveLength(5)
  expect(await countOf('forty')).toBe(5)
  await expect(one.hold(newId(), owner)).rejects.toMatchObject({
    code: 'over_limit',
    message: expect.stringContaining('tenant forty has 5 sandboxes, and 5 are allowed'),
  })
  for (const result of all) if (result.status === 'fulfilled') result.value()
  await expect.poll(() => countOf('forty')).toBe(0)
  await expect(one.hold(newId(), owner)).resolves.toEqual(expect.any(Function))
})

test('those that callers made count with those that runs use, whichever come last', async () => {
  const owner = { tenantId: 'both' }
  const row = await make('both', { tenant: 2 })
  await server({ tenant: 2 }).hold(newId(), owner)
  await expect(make('both', { tenant: 2 })).rejects.toMatchObject({ code: 'over_limit' })
  await expect(server({ tenant: 2 }).hold(newId(), owner)).rejects.toMatchObject({ code: 'over_limit' })
  await recordStop(t.db, row)
  await expect(make('both', { tenant: 2 })).resolves.toMatchObject({ tenantId: 'both' })
})

test('a namespace’s quota holds for it alone', async () => {
  const places = server({ namespace: 1 })
  await places.hold(newId(), { tenantId: 'spaces', namespace: 'dev' })
  await expect(places.hold(newId(), { tenantId: 'spaces', namespace: 'dev' })).rejects.toMatchObject({
    code: 'over_limit',
    message: expect.stringContaining('namespace dev has 1 sandboxes'),
  })
  await expect(places.hold(newId(), { tenantId: 'spaces', namespace: 'prod' })).resolves.toEqual(expect.any(Function))
})

test('who uses one sandbox at once or again has one place; nobody takes away what was taken anew', async () => {
  const places = server({ tenant: 1 }, 0)
  const owner = { tenantId: 'again' }
  const id = newId()
  const ends = await Promise.all([places.hold(id, owner), places.hold(id, owner)])
  expect(await countOf('again')).toBe(1)
  for (const end of ends) end()
  for (let i = 0; i < 5; i++) {
    const end = await places.hold(id, owner)
    expect(await countOf('again')).toBe(1)
    end()
    await new Promise((resolve) => setImmediate(resolve))
  }
})

test('what a server held that is gone stops counting: at once when it comes back, and by itself', async () => {
  const home = newId()
  const owner = { tenantId: 'gone' }
  await server({ tenant: 1 }, 60_000, home).hold(newId(), owner)
  const other = server({ tenant: 1 })
  await expect(other.hold(newId(), owner)).rejects.toMatchObject({ code: 'over_limit' })
  const back = server({ tenant: 1 }, 60_000, home)
  await back.start()
  await back.hold(newId(), owner)
  await expect(other.hold(newId(), owner)).rejects.toMatchObject({ code: 'over_limit' })
  await t.db.rows(sql`update sandbox_places set seen_at = seen_at - interval '6 minutes' where tenant_id = 'gone'`)
  await expect(other.hold(newId(), owner)).resolves.toEqual(expect.any(Function))
  await back.stop()
})
