/** Everything about people, put together. */
import type { Db } from '../db/index.ts'
import { type Log, type Service, loop } from '../kernel/index.ts'
import type { MasterKeys } from './envelope.ts'
import { openGuesses } from './guesses.ts'
import { type LoginLimits, type Logins, openLogins } from './logins.ts'
import { type People, openPeople } from './people.ts'
import { type SecondFactor, openSecondFactor } from './second-factor.ts'
import { type SignIn, openSignIn } from './sign-in.ts'
import { sweepSignIns } from './ticket-store.ts'

export type Identities = { people: People; logins: Logins; signIn: SignIn; secondFactor: SecondFactor } & Service

const sweepEveryMs = 600_000

export function openIdentities({ db, masterKeys, log, limits }: { db: Db; masterKeys: MasterKeys; log: Log; limits: LoginLimits }): Identities {
  const logins = openLogins({ db, log, limits })
  const guesses = openGuesses({ db, masterKey: masterKeys.current })
  const secondFactor = openSecondFactor({ db, masterKeys, guesses })
  const sweep = loop({ everyMs: sweepEveryMs, onError: (error) => log.warn('ended logins were not swept', { error }), work: () => sweepSignIns(db) })
  return {
    people: openPeople({ db }),
    logins,
    secondFactor,
    signIn: openSignIn({ db, logins, guesses, secondFactor }),
    async start() {
      await secondFactor.rewrapAll()
      await sweep.start()
    },
    async stop() {
      await sweep.stop()
      await logins.stop()
    },
  }
}
