/** One PostgreSQL for a whole test run, durable like the real one, with a migrated database that each test's own is copied from. */
import { mkdtemp, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { Sql, engineRole, identifier, migrate, openDb, sql, startEmbedded } from '../../src/db/index.ts'
import { createLog, jsonLines, newId } from '../../src/kernel/index.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** A database in which others may be created and dropped. */
    postgresUrl: string
    templateName: string
  }
}

const log = createLog(
  jsonLines((line) => process.stderr.write(line)),
  'warn',
)

/** `LONGHAUL_TEST_DATABASE_URL` names a PostgreSQL to use instead of starting one. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env['LONGHAUL_TEST_DATABASE_URL']
  const started = given ? undefined : await startTemporary()
  const url = given ?? started?.url ?? ''
  const templateName = `template_${newId().replaceAll('-', '')}`
  const admin = openDb({ url, poolMax: 1, log })
  await admin.rows(sql`create database ${identifier(templateName)}`)
  const template = openDb({ url: withDatabase(url, templateName), poolMax: 1, log })
  await migrate(template, { log })
  // What tests do beyond what a server does: watch who waits for whom, and hold or count writes by triggers.
  await template.rows(
    new Sql(
      [
        `grant pg_read_all_stats to ${engineRole}; grant create on schema public to ${engineRole}; grant trigger on all tables in schema public to ${engineRole}`,
      ],
      [],
    ),
  )
  await template.stop() // A database can be copied only while nobody is connected to it.
  project.provide('postgresUrl', url)
  project.provide('templateName', templateName)
  return async () => {
    await admin.rows(sql`drop database ${identifier(templateName)} with (force)`)
    await admin.stop()
    await started?.stop()
  }
}

async function startTemporary(): Promise<{ url: string; stop(): Promise<void> }> {
  const dataDir = await mkdtemp(join(await findRoom(), 'longhaul-test-'))
  const postgres = await startEmbedded({ dataDir, log })
  return {
    url: postgres.url,
    async stop() {
      await postgres.stop()
      await rm(dataDir, { recursive: true })
    },
  }
}

/** In memory where there is room: each of some hundred databases is a thousand files, whose making takes 330 ms on a disk's file system and 46 ms there. */
async function findRoom(): Promise<string> {
  const memory = '/dev/shm'
  const found = await statfs(memory).catch(() => undefined)
  return found && found.bavail * found.bsize >= roomBytes ? memory : tmpdir()
}
const roomBytes = 6 * 1024 ** 3

export function withDatabase(url: string, name: string): string {
  const changed = new URL(url)
  changed.pathname = `/${name}`
  return changed.href
}
