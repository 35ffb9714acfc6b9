import { expect, test } from 'vitest'
import { makeDatabase } from '../../test/support/postgres.ts'
import { newId, silentLog } from '../kernel/index.ts'
import { openDb } from './db.ts'
import { prepareDatabase } from './prepare.ts'
import { engineRole, ensureRoles, unprotectedTables } from './roles.ts'
import { Sql, identifier, sql } from './sql.ts'

test('every table with tenants’ rows has forced row-level security and the two policies', async () => {
  await using t = await makeDatabase()
  const tables = await t.db.rows<{ name: string }>(sql`
    select c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
    where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r'`)
  expect(tables.map(({ name }) => name)).toEqual(expect.arrayContaining(['runs', 'events', 'keys', 'files']))
  expect(await unprotectedTables(t.owner)).toEqual([])
})

test('a table that a migration forgot to protect is noticed, closed to requests, and keeps a server from starting', async () => {
  await using t = await makeDatabase()
  await t.owner.rows(sql`create table things (tenant_id text)`)
  expect(await unprotectedTables(t.owner)).toEqual(['things has no forced row-level security'])
  await expect(t.db.forTenant('acme').rows(sql`select * from things`)).rejects.toThrow('permission denied')
  await expect(prepareDatabase(t.url, { log: silentLog })).rejects.toThrow(/not kept apart.*things.*protect_tenant_table/)
  await t.owner.rows(sql`select protect_tenant_table('things')`)
  expect(await unprotectedTables(t.owner)).toEqual([])
  expect(await t.db.forTenant('acme').rows(sql`select * from things`)).toEqual([])
  await t.owner.rows(sql`create policy peep on things using (true)`)
  expect(await unprotectedTables(t.owner)).toEqual(['things has a policy of its own, peep'])
  await t.owner.rows(sql`drop policy peep on things`)
  await t.owner.rows(sql`create policy narrower on things as restrictive using (true)`)
  expect(await unprotectedTables(t.owner)).toEqual([])
  await t.owner.rows(sql`alter table things no force row level security`)
  expect(await unprotectedTables(t.owner)).toHaveLength(1)
})

test('a statement of a tenant sees, changes and makes no other tenant’s rows, whatever it says', async () => {
  await using t = await makeDatabase()
  await t.owner.rows(sql`create table things (tenant_id text, name text)`)
  await t.owner.rows(sql`select protect_tenant_table('things')`)
  const [acme, globex] = [t.db.forTenant('acme'), t.db.forTenant('globex')]
  await acme.rows(sql`insert into things values ('acme', 'a')`)
  await globex.rows(sql`insert into things values ('globex', 'g')`)
  expect(await acme.rows(sql`select name from things`)).toEqual([{ name: 'a' }])
  expect(await acme.rows(sql`update things set name = 'x' where tenant_id = 'globex' returning name`)).toEqual([])
  expect(await acme.rows(sql`delete from things where name = 'g' returning name`)).toEqual([])
  await expect(acme.rows(sql`insert into things values ('globex', 'planted')`)).rejects.toThrow('row-level security')
  await expect(acme.rows(sql`update things set tenant_id = 'globex'`)).rejects.toThrow('row-level security')
  expect(await t.db.rows(sql`select name from things order by name`)).toEqual([{ name: 'a' }, { name: 'g' }])
})

test('nothing of a tenant stays with the connection, also after an error and for hostile names', async () => {
  await using t = await makeDatabase({ poolMax: 1 }) // Everybody gets the same connection.
  const who = sql`select current_tenant() as tenant, current_user as role, pg_backend_pid() as pid`
  const [inside] = await t.db.forTenant("a'; set local role longhaul_engine; --").rows<{ pid: number }>(who)
  expect(inside).toMatchObject({ tenant: "a'; set local role longhaul_engine; --", role: 'longhaul_tenant' })
  await expect(t.db.forTenant('acme').rows(sql`select 1/0`)).rejects.toThrow('division')
  await expect(t.db.forTenant('acme').transaction(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine')
  expect(await t.db.rows(who)).toEqual([{ tenant: '', role: engineRole, pid: inside?.pid }])
  expect(() => t.db.forTenant('')).toThrow('has a name')
})

test('a statement that was sent behind a failed begin is not executed', async () => {
  await using t = await makeDatabase({ as: 'owner' })
  const name = `stranger_${newId().replaceAll('-', '').slice(-12)}`
  await t.db.rows(sql`create role ${identifier(name)} login`)
  await t.db.rows(sql`create table things (name text)`)
  await t.db.rows(sql`grant all on things to ${identifier(name)}`)
  const url = new URL(t.url)
  url.username = name
  const stranger = openDb({ url: url.href, poolMax: 1, log: silentLog })
  try {
    const [acme, written] = [stranger.forTenant('acme'), sql`insert into things values ('planted')`]
    // Who has no right to a tenant's role. The statement itself would be allowed, as the control shows.
    await expect(acme.rows(written)).rejects.toThrow('permission denied to set role')
    await expect(acme.transaction((tx) => tx.rows(written))).rejects.toThrow('permission denied to set role')
    await expect(acme.transaction(async () => 'nothing was sent behind it')).rejects.toThrow('permission denied to set role')
    expect(await t.db.rows(sql`select name from things`)).toEqual([])
    await stranger.rows(sql`insert into things values ('allowed')`)
    expect(await t.db.rows(sql`select name from things`)).toEqual([{ name: 'allowed' }])
  } finally {
    await stranger.stop()
    await t.db.rows(sql`drop owned by ${identifier(name)}`)
    await t.db.rows(sql`drop role ${identifier(name)}`)
  }
})

test('the server’s roles own nothing and bypass nothing', async () => {
  await using t = await makeDatabase()
  expect(
    await t.db.rows(sql`
      select bool_or(rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolcanlogin) as "isMighty",
        exists (select from pg_class c join pg_roles o on o.oid = c.relowner where o.rolname like 'longhaul_%' and c.relnamespace = 'public'::regnamespace) as "isOwner"
      from pg_roles where rolname in ('longhaul_tenant', 'longhaul_engine')`),
  ).toEqual([{ isMighty: false, isOwner: false }])
  await expect(t.db.rows(sql`alter table runs disable row level security`)).rejects.toThrow('must be owner')
})

test.each(['nocreaterole', 'createrole'])('a user with %s who owns the database serves, once the roles are there', async (right) => {
  await using t = await makeDatabase({ as: 'owner' })
  const name = `owner_${newId().replaceAll('-', '').slice(-12)}`
  await t.db.rows(new Sql([`create role ${name} login ${right}`], []))
  await t.db.rows(sql`create database ${identifier(name)} owner ${identifier(name)}`)
  const url = new URL(t.url)
  url.pathname = `/${name}`
  url.username = name
  const user = openDb({ url: url.href, poolMax: 1, log: silentLog })
  try {
    // The roles exist, since other tests made them, and this user has no right to them: it is told what an administrator runs.
    const refused: unknown = await ensureRoles(user).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'unavailable', message: expect.stringContaining(`grant longhaul_engine, longhaul_tenant to "${name}";`) })
    await t.db.rows(sql`grant longhaul_tenant, longhaul_engine to ${identifier(name)}`)
    await prepareDatabase(url.href, { log: silentLog })
    const db = openDb({ url: url.href, poolMax: 1, role: engineRole, log: silentLog })
    await db.forTenant('acme').rows(sql`insert into sessions (tenant_id, agent, id) values ('acme', 'a', 's')`)
    expect(await db.forTenant('globex').rows(sql`select id from sessions`)).toEqual([])
    expect(await db.rows(sql`select id from sessions`)).toEqual([{ id: 's' }])
    // Migrations to come see all rows, though the owner is under the policies as well.
    expect(await user.rows(sql`select id from sessions`)).toEqual([{ id: 's' }])
    await db.stop()
  } finally {
    await user.stop()
    await t.db.rows(sql`drop database ${identifier(name)} with (force)`)
    await t.db.rows(sql`drop role ${identifier(name)}`)
  }
})
