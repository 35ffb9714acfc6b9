import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { DataAccess } from '@longhaul/protocol'
import { DuckDBInstance } from '@duckdb/node-api'
import { columnsOf, ensureWarehouse, makeOnce, readEntities, warehouseVersion, type Entity } from '../warehouse/index.ts'

/** What a caller may see, in the warehouse's own terms. `regions: null` is all of them. */
export type Profile = { regions: string[] | null; personalData: boolean }

/** What tools say of it, so that the answer can. */
export type AccessReport = { limited: boolean; regions: string[] | null; personalData: boolean; note: string | null }

/** Names of regions that the warehouse does not know grant nothing; a list without any known one grants nothing at all. */
export function profileOf(access: DataAccess): Profile {
  if (access.regions === undefined) return { regions: null, personalData: access.personalData }
  const wanted = new Set(access.regions.map((name) => name.trim().toLowerCase()))
  return { regions: knownRegions().filter((name) => wanted.has(name.toLowerCase())), personalData: access.personalData }
}

function knownRegions(): string[] {
  const column = readEntities()
    .find(({ table }) => table === 'accounts')
    ?.columns.find(({ name }) => name === 'region')
  if (!column?.values) throw new Error('The entity accounts does not list the values of its column region.')
  return column.values.map(({ value }) => value).sort()
}

export function reportAccess({ regions, personalData }: Profile): AccessReport {
  const notes = [
    regions === null
      ? null
      : regions.length === 0
        ? 'The caller may see no region, so every result is empty.'
        : `The caller may see ${regions.join(' and ')} only: all figures are for ${regions.length === 1 ? 'that region' : 'those regions'}.`,
    personalData ? null : 'Personal data (names, e-mail addresses and telephone numbers of people) are withheld from the caller.',
  ].filter((note) => note !== null)
  return { limited: notes.length > 0, regions, personalData, note: notes.length > 0 ? notes.join(' ') : null }
}

/**
 * The database file for a caller. One who may see all gets the warehouse. Everybody else gets a copy that holds the permitted rows and columns and nothing
 * more: whatever a query does, the rest is not there to be found. Made at first use and kept.
 */
export async function databaseFor(dataDir: string, profile: Profile): Promise<string> {
  const { path } = await ensureWarehouse(dataDir)
  if (profile.regions === null && profile.personalData) return path
  const key = createHash('sha256')
    .update(JSON.stringify([profile.regions, profile.personalData]))
    .digest('hex')
    .slice(0, 16)
  const limited = join(dataDir, 'warehouse', `${warehouseVersion()}.for.${key}.duckdb`)
  await makeOnce(limited, (unfinished) => copyPermitted(path, unfinished, profile))
  return limited
}

async function copyPermitted(from: string, to: string, { regions, personalData }: Profile): Promise<void> {
  const instance = await DuckDBInstance.create(to, { threads: '2', memory_limit: '512MB' })
  const connection = await instance.connect()
  await connection.run(`attach '${from.replaceAll("'", "''")}' as whole (read_only)`)
  await connection.run('create temp table permitted (region varchar)')
  for (const region of regions ?? []) await connection.run('insert into permitted values ($1)', [region])
  for (const entity of readEntities()) {
    const columns = columnsOf(entity, personalData).map(({ name }) => name)
    await connection.run(
      `create table main.${entity.table} as select ${columns.join(', ')} from whole.main.${entity.table} ${regions === null ? '' : permittedRows(entity)} order by rowid`,
    )
  }
  await connection.run('detach whole')
  await connection.run('checkpoint')
  connection.closeSync()
  instance.closeSync()
}

function permittedRows({ access }: Entity): string {
  switch (access.by) {
    case 'region':
      return 'where region in (select region from permitted)'
    case 'account':
      return 'where account_id in (select account_id from whole.main.accounts where region in (select region from permitted))'
    case 'shared':
      return ''
  }
}
