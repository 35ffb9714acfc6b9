import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { makeDatabase } from '../../test/support/postgres.ts'
import { silentLog } from '../kernel/index.ts'
import { isConnectionLost, sqlState, uniqueViolation } from './db-errors.ts'
import { openDb } from './db.ts'
import { identifier, sql } from './sql.ts'

test('values come back as what they are', async () => {
  await using t = await makeDatabase({ as: 'owner' })
  const [row] = await t.db.rows(sql`
    select ${7}::int8 as safe, 9007199254740993::int8 as unsafe, 1.25::numeric as decimal, 123456789012345678.5::numeric as long, 0.1::float8 as double,
      ${JSON.stringify({ a: [1] })}::json as data, ${JSON.stringify([2])}::jsonb as datab, '2026-01-02T03:04:05.678Z'::timestamptz as at,
      '{1,2,null}'::int8[] as numbers, ${['a', 'b"c']}::text[] as texts, ${Buffer.from([1, 2])}::bytea as bytes, true as yes, null::int as nothing,
      '0195e0d6-5c1e-7000-8000-000000000000'::uuid as id`)
  expect(row).toEqual({
    safe: 7,
    unsafe: '9007199254740993',
    decimal: 1.25,
    long: '123456789012345678.5',
    double: 0.1,
    data: { a: [1] },
    datab: [2],
    at: new Date('2026-01-02T03:04:05.678Z'),
    numbers: [1, 2, null],
    texts: ['a', 'b"c'],
    bytes: Buffer.from([1, 2]),
    yes: true,
    nothing: null,
    id: '0195e0d6-5c1e-7000-8000-000000000000',
  })
})

test('a transaction keeps all or nothing, and its connection is good afterwards', async () => {
  await using t = await makeDatabase({ as: 'owner', poolMax: 1 })
  await t.db.rows(sql`create table things (name text unique)`)
  await t.db.transaction((tx) => tx.rows(sql`insert into things values ('a')`))
  const failed = t.db.transaction(async (tx) => {
    await tx.rows(sql`insert into things values ('b')`)
    await tx.rows(sql`insert into things values ('a')`)
  })
  const error: unknown = await failed.catch((thrown: unknown) => thrown)
  expect(sqlState(error)).toBe(uniqueViolation)
  expect(isConnectionLost(error)).toBe(false)
  expect(await t.db.rows(sql`select name from things`)).toEqual([{ name: 'a' }])
})

test('a transaction whose connection is cut says so, and the pool goes on', async () => {
  await using t = await makeDatabase({ as: 'owner', poolMax: 2 })
  const error: unknown = await t.db
    .transaction(async (tx) => {
      const [backend] = await tx.rows<{ pid: number }>(sql`select pg_backend_pid() as pid`)
      await t.db.rows(sql`select pg_terminate_backend(${backend?.pid})`)
      await tx.rows(sql`select 1`)
    })
    .catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ name: 'AppError', code: 'unavailable' })
  expect(isConnectionLost(error)).toBe(true)
  expect(await t.db.rows(sql`select 1 as one`)).toEqual([{ one: 1 }])
})

test('an idle pooled connection that is cut does not end the process', async () => {
  await using t = await makeDatabase({ as: 'owner', poolMax: 1 })
  await using other = await makeDatabase({ as: 'owner', poolMax: 1 })
  const [backend] = await t.db.rows<{ pid: number }>(sql`select pg_backend_pid() as pid`)
  await other.db.rows(sql`select pg_terminate_backend(${backend?.pid}, 5000)`)
  await expect.poll(() => t.db.rows(sql`select 1 as one`).catch(() => []), { timeout: 5_000 }).toEqual([{ one: 1 }])
})

test('a connection that is cut in the same packet that opened it does not end the process', async () => {
  // A real server does this once in many thousand cuts, when nobody listens to the connection yet: it is new and on its way to the one who waits for it.
  const message = (type: string, body: Buffer) => {
    const head = Buffer.alloc(5)
    head.write(type)
    head.writeInt32BE(body.length + 4, 1)
    return Buffer.concat([head, body])
  }
  const opened = message('R', Buffer.alloc(4)) // AuthenticationOk
  const ready = message('Z', Buffer.from('I')) // ReadyForQuery, idle
  const cut = message('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0'))
  const server = createServer((socket) => socket.once('data', () => socket.end(Buffer.concat([opened, ready, cut])))).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const db = openDb({ url: `postgresql://user:word@127.0.0.1:${port}/any`, log: silentLog })
  await expect(db.transaction((tx) => tx.rows(sql`select 1`))).rejects.toMatchObject({ code: 'unavailable' })
  await expect(db.rows(sql`select 1`)).rejects.toMatchObject({ code: 'unavailable' })
  await db.stop()
  server.close()
})

test('a dedicated connection tells once that it was lost, also those who ask later', async () => {
  await using t = await makeDatabase({ as: 'owner' })
  const connection = await t.db.connection('journal')
  const told: Error[] = []
  connection.onLost((cause) => told.push(cause))
  const [backend] = await connection.query<{ pid: number; name: string }>(sql`select pg_backend_pid() as pid, current_setting('application_name') as name`)
  expect(backend?.name).toBe('longhaul journal')
  const cut: unknown = await Promise.all([
    connection.query({ text: 'select pg_sleep(30)' }),
    t.db.rows(sql`select pg_terminate_backend(${backend?.pid})`),
  ]).catch((thrown: unknown) => thrown)
  expect(isConnectionLost(cut)).toBe(true)
  expect(told).toHaveLength(1)
  connection.onLost((cause) => told.push(cause))
  expect(told).toHaveLength(2)
  expect(isConnectionLost(await connection.query(sql`select 1`).catch((thrown: unknown) => thrown))).toBe(true)
  await connection.end()
})

test('a dedicated connection that is ended is not called lost', async () => {
  await using t = await makeDatabase({ as: 'owner' })
  const connection = await t.db.connection('brief')
  let isLost = false
  connection.onLost(() => (isLost = true))
  await connection.end()
  await connection.end()
  expect(isLost).toBe(false)
})

test('a dedicated connection hears notifications and prepares named statements', async () => {
  await using t = await makeDatabase({ as: 'owner' })
  const connection = await t.db.connection('listener')
  const heard: string[] = []
  connection.onNotification((channel, payload) => heard.push(`${channel}:${payload}`))
  await connection.query(sql`listen ${identifier('news')}`)
  await t.db.rows(sql`select pg_notify('news', 'hello')`)
  await expect.poll(() => heard).toEqual(['news:hello'])
  for (const n of [1, 2]) expect(await connection.query({ name: 'add', text: 'select $1::int + 1 as sum', values: [n] })).toEqual([{ sum: n + 1 }])
  expect(await connection.query(sql`select name from pg_prepared_statements`)).toEqual([{ name: 'add' }])
})

test('a statement that takes too long is ended by the database, a silent network by us', async () => {
  await using t = await makeDatabase({ as: 'owner' })
  const strict = await t.db.connection('strict', { statementTimeoutMs: 50 })
  const ended: unknown = await strict.query(sql`select pg_sleep(30)`).catch((thrown: unknown) => thrown)
  expect(sqlState(ended)).toBe('57014')
  expect(isConnectionLost(ended)).toBe(false)
  expect(await strict.query(sql`select 1 as one`)).toEqual([{ one: 1 }])

  const impatient = await t.db.connection('impatient', { answerTimeoutMs: 50 })
  let isLost = false
  impatient.onLost(() => (isLost = true))
  expect(isConnectionLost(await impatient.query(sql`select pg_sleep(30)`).catch((thrown: unknown) => thrown))).toBe(true)
  expect(isLost).toBe(true)
})

test('a database that refuses, is silent or is not there is unavailable', async () => {
  const silent = createServer().listen(0, '127.0.0.1')
  const closing = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  await Promise.all([silent, closing].map((server) => server.listening || new Promise((resolve) => server.once('listening', resolve))))
  const portOf = (server: typeof silent) => (server.address() as { port: number }).port
  const urls = [
    `postgresql://x@127.0.0.1:1/x`,
    `postgresql://x@localhost/x?host=/nowhere`,
    `postgresql://x@127.0.0.1:${portOf(silent)}/x`,
    `postgresql://x@127.0.0.1:${portOf(closing)}/x`,
  ]
  for (const url of urls) {
    const db = openDb({ url, log: silentLog, connectTimeoutMs: 100 })
    for (const attempt of [() => db.rows(sql`select 1`), () => db.transaction(async () => 1), () => db.connection('any')]) {
      const error: unknown = await attempt().catch((thrown: unknown) => thrown)
      expect(error, url).toMatchObject({ code: 'unavailable' })
      expect(isConnectionLost(error), url).toBe(true)
    }
    await db.stop()
  }
  silent.close()
  closing.close()
})

test('stop returns with no connection left', async () => {
  await using t = await makeDatabase({ as: 'owner' })
  const db = openDb({ url: t.url, log: silentLog, applicationName: 'leaver' })
  await Promise.all([db.rows(sql`select 1`), db.rows(sql`select 1`), db.connection('one'), db.connection('two')])
  const count = () => t.db.rows<{ count: number }>(sql`select count(*) from pg_stat_activity where application_name like 'leaver%'`)
  expect((await count())[0]?.count).toBeGreaterThanOrEqual(3)
  await db.stop()
  await expect.poll(count).toEqual([{ count: 0 }]) // PostgreSQL notices the goodbye a moment later.
})
