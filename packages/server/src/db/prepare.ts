/** What happens to a database before a server works on it, as the user who owns the tables. Nothing else is done as that user. */
import type { Log } from '../kernel/index.ts'
import { checkDatabase } from './check-database.ts'
import { openDb } from './db.ts'
import { migrate } from './migrate.ts'
import { assertTenantsApart } from './roles.ts'

/** Throws, with what to do, when the database cannot serve us or does not keep tenants apart. */
export async function prepareDatabase(url: string, log: Log): Promise<{ version: string }> {
  const owner = openDb({ url, poolMax: 1, log, applicationName: 'longhaul prepare' })
  try {
    const { version, warnings } = await checkDatabase(owner, url)
    for (const warning of warnings) log.warn(warning)
    await migrate(owner, { log })
    await assertTenantsApart(owner)
    return { version }
  } finally {
    await owner.stop()
  }
}
