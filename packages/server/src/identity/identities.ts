/** Everything about people, put together. */
import type { Db } from '../db/index.ts'
import { type Log, type Service, loop } from '../kernel/index.ts'
import type { MasterKeys } from './envelope.ts'
import { openGuesses } from './guesses.ts'
import { openLoginNews } from './login-news.ts'
import { type LoginLimits, type Logins, openLogins } from './logins.ts'
import { ownerCheck } from './owner.ts'
import type { Outbox } from '../mail/index.ts'
import { type Passkeys, openPasskeys } from './passkeys.ts'
import { type People, openPeople } from './people.ts'
import { type SecondFactor, openSecondFactor } from './second-factor.ts'
import type { GuardedFetch } from './openid.ts'
import type { Secrets } from './secrets.ts'
import { type Resets, openResets } from './resets.ts'
import { type SignIn, openSignIn } from './sign-in.ts'
import { type Sso, openSso } from './sso.ts'
import { sweepSignIns } from './ticket-store.ts'

export type Identities = { people: People; logins: Logins; signIn: SignIn; secondFactor: SecondFactor; passkeys: Passkeys; sso: Sso; resets: Resets } & Service

const sweepEveryMs = 600_000

type Options = {
  db: Db
  masterKeys: MasterKeys
  secrets: Pick<Secrets, 'set' | 'use' | 'delete'>
  outbox: Outbox
  log: Log
  limits: LoginLimits
  /** To providers that tenants have set. */
  fetch: GuardedFetch
}

export function openIdentities({ db, masterKeys, secrets, outbox, log, limits, fetch }: Options): Identities {
  const logins = openLogins({ db, log, limits })
  const guesses = openGuesses({ db, masterKey: masterKeys.current })
  const assertOwner = ownerCheck({ guesses, stepUpMs: limits.stepUpMs })
  const passkeys = openPasskeys({ db, assertOwner, logins })
  const secondFactor = openSecondFactor({ db, masterKeys, guesses, passkeys, assertOwner, logins })
  const signIn = openSignIn({ db, logins, guesses, secondFactor, passkeys })
  const news = openLoginNews({ db, log, logins })
  const sweep = loop({ everyMs: sweepEveryMs, onError: (error) => log.warn('ended logins were not swept', { error }), work: () => sweepSignIns(db) })
  return {
    people: openPeople({ db, outbox, logins }),
    resets: openResets({ db, outbox, guesses }),
    logins,
    secondFactor,
    passkeys,
    signIn,
    sso: openSso({ db, secrets, fetch, enter: signIn.enter, logins }),
    async start() {
      await secondFactor.rewrapAll()
      await sweep.start()
      await news.start()
    },
    async stop() {
      await news.stop()
      await sweep.stop()
      await logins.stop()
    },
  }
}
