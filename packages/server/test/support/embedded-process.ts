/** A server that is nothing but its embedded PostgreSQL, in a process of its own, so that tests can kill it. Prints what happens, a line each. */
import { openDb, sql, startEmbedded } from '../../src/db/index.ts'
import { silentLog } from '../../src/kernel/index.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)

const dataDir = String(process.argv[2])
try {
  const postgres = await startEmbedded({ dataDir, log: silentLog })
  process.once('SIGINT', async () => {
    const db = openDb({ url: postgres.url, log: silentLog })
    say(
      await db.rows(sql`select 1`).then(
        () => 'answers after SIGINT',
        (error: Error) => `failed after SIGINT: ${error.message}`,
      ),
    )
    await db.stop()
    await postgres.stop()
    say('stopped')
    process.exit(0)
  })
  setInterval(() => {}, 60_000) // Stays until it is told or killed.
  say(`ready ${postgres.pid()}`)
} catch (error) {
  say(`failed ${error instanceof Error ? error.message : String(error)}`)
}
