/** What happens to a database before a server works on it, as the user who owns the tables. Nothing else is done as that user. */
import type { Log } from '../kernel/index.ts'
import { checkDatabase } from './check-database.ts'
import { openDb } from './db.ts'
import { assertHome, recordHome } from './home.ts'
import { migrate } from './migrate.ts'
import { assertTenantsApart } from './roles.ts'

/** Throws, with what to do, when the database cannot serve us, may be a copy of the one that is worked on, or does not keep tenants apart. `adopted`: the address that may be new. */
export async function prepareDatabase(url: string, { log, adopted }: { log: Log; adopted?: string | undefined }): Promise<{ version: string }> {
  const owner = openDb({ url, poolMax: 1, log, applicationName: 'longhaul prepare' })
  try {
    const { version, warnings } = await checkDatabase(owner, url)
    for (const warning of warnings) log.warn(warning)
    await assertHome(owner, { url, adopted })
    await migrate(owner, { log })
    await recordHome(owner, url, log)
    await assertTenantsApart(owner)
    return { version }
  } finally {
    await owner.stop()
  }
}
