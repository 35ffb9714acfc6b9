import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeDatabase } from '../../test/support/postgres.ts'
import { silentLog } from '../kernel/index.ts'
import { openDb } from './db.ts'
import { migrate } from './migrate.ts'
import { sql } from './sql.ts'

const log = silentLog

/** An empty database and a folder of migrations. */
async function makeEmpty(files: Record<string, string>) {
  const t = await makeDatabase({ as: 'owner' })
  await t.db.rows(sql`drop schema public cascade`)
  await t.db.rows(sql`create schema public`)
  const folder = await mkdtemp(join(tmpdir(), 'migrations-'))
  const write = (more: Record<string, string>) => Promise.all(Object.entries(more).map(([name, text]) => writeFile(join(folder, name), text)))
  await write(files)
  return {
    ...t,
    folder,
    write,
    async [Symbol.asyncDispose]() {
      await t[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
}

const two = { '0001_one.sql': 'create table one (n int); insert into one values (1);', '0002_two.sql': 'insert into one values (2);' }

test('twenty servers that migrate at once apply each migration once', async () => {
  await using t = await makeEmpty(two)
  const servers = Array.from({ length: 20 }, () => openDb({ url: t.url, poolMax: 1, log }))
  const done = await Promise.all(servers.map((db) => migrate(db, { folder: t.folder, log })))
  await Promise.all(servers.map((db) => db.stop()))
  expect(done.flat().toSorted((one, other) => one - other)).toEqual([1, 2])
  expect(await t.db.rows(sql`select n from one order by n`)).toEqual([{ n: 1 }, { n: 2 }])
})

test('a migration that fails leaves nothing, and works once it is mended', async () => {
  await using t = await makeEmpty({ ...two, '0002_two.sql': 'insert into one values (2); select 1/0;' })
  await expect(migrate(t.db, { folder: t.folder, log })).rejects.toThrow('division by zero')
  expect(await t.db.rows(sql`select n from one`)).toEqual([{ n: 1 }])
  await t.write(two)
  expect(await migrate(t.db, { folder: t.folder, log })).toEqual([2])
  expect(await migrate(t.db, { folder: t.folder, log })).toEqual([])
})

test('a migration that was changed after it had been applied is refused', async () => {
  await using t = await makeEmpty(two)
  await migrate(t.db, { folder: t.folder, log })
  await t.write({ '0001_one.sql': 'create table one (n bigint);' })
  await expect(migrate(t.db, { folder: t.folder, log })).rejects.toThrow('Migration 1 (one) of the database is not the one of this program')
})

test('an older program works with a newer database unless a migration in between is breaking', async () => {
  await using t = await makeEmpty(two)
  await migrate(t.db, { folder: t.folder, log })
  await t.write({ '0003_three.sql': 'create table three ();' })
  await migrate(t.db, { folder: t.folder, log })
  await rm(join(t.folder, '0003_three.sql'))
  expect(await migrate(t.db, { folder: t.folder, log })).toEqual([])

  await t.write({ '0003_three.sql': 'create table three ();', '0004_four.sql': '-- breaking: renames a column\nalter table one rename n to m;' })
  await migrate(t.db, { folder: t.folder, log })
  await rm(join(t.folder, '0004_four.sql'))
  await expect(migrate(t.db, { folder: t.folder, log })).rejects.toThrow('The database is newer than this program: it has migration 4 (four)')
})

test('a gap or a wrong name among the files is refused before anything is done', async () => {
  await using t = await makeEmpty({ '0001_one.sql': '', '0003_three.sql': '' })
  await expect(migrate(t.db, { folder: t.folder, log })).rejects.toThrow('Migration 2 is missing')
  await t.write({ 'two.sql': '' })
  await expect(migrate(t.db, { folder: t.folder, log })).rejects.toThrow('two.sql is not named like a migration')
})

test('every table of the product names its tenant', async () => {
  await using t = await makeDatabase({ as: 'owner' })
  const tables = await t.db.rows<{ name: string; hasTenant: boolean }>(sql`
    select c.relname as name, exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and a.attnotnull) as "hasTenant"
    from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname not in ('migrations', 'nodes', 'homes', 'master_keys', 'tenants')`) // Those that belong to the installation; a tenant's own row has its name as `id`.
  expect(tables.map((table) => table.name)).toContain('keys')
  expect(tables.filter((table) => !table.hasTenant)).toEqual([])
})
