/** What servers tell each other of people's logins: a connection that listens, and is made anew when it is lost. */
import type { Connection, Db } from '../db/index.ts'
import { type Log, type Service, loop } from '../kernel/index.ts'
import type { Logins } from './logins.ts'
import { hearOfLogins } from './person-store.ts'

const lookEveryMs = 1_000

/** Without it a change at another server is noticed a second later. */
export function openLoginNews({ db, log, logins }: { db: Pick<Db, 'connection'>; log: Log; logins: Pick<Logins, 'forget'> }): Service {
  let connection: Connection | undefined

  async function connect(): Promise<void> {
    const made = await db.connection('logins')
    made.onLost(() => {
      if (connection === made) connection = undefined
    })
    made.onNotification((_, personId) => logins.forget(personId))
    await hearOfLogins(made)
    connection = made
    logins.forget() // What was told while nobody listened.
  }
  const connecting = loop({
    everyMs: lookEveryMs,
    onError: (error) => log.warn('changes of logins at other servers are noticed a second later for now', { error }),
    work: async () => {
      if (!connection) await connect()
    },
  })
  return {
    start: connecting.start,
    async stop() {
      await connecting.stop()
      await connection?.end()
    },
  }
}
