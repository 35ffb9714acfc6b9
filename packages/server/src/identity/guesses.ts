/**
 * Slows down whoever guesses, without shutting out whom they guess about: wrong answers are counted for an account and a source together.
 * A source is an address, or a browser in which that person has signed in before (it holds a signed mark), which others cannot use up.
 */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import type { Db } from '../db/index.ts'
import { AppError, secret } from '../kernel/index.ts'
import type { Asking } from './logins.ts'
import { blockedForMs, countGuess, forgetGuesses } from './ticket-store.ts'

export type Guesses = {
  /** What `check` finds; `undefined` counts as wrong. Throws `over_limit`, without asking `check`, while the source is not listened to. */
  guard<Found>(guess: { tenantId: string; account: string; asking: Asking }, check: () => Promise<Found | undefined>): Promise<Found | undefined>
  /** For a browser in which this account has signed in. */
  mark(tenantId: string, account: string): string
}

/** Wrong answers that cost nothing. Then 1 s, 2 s, 4 s, … */
const free = 5
const blockMsMax = 900_000

export function openGuesses({ db, masterKey }: { db: Db; masterKey: Buffer }): Guesses {
  const key = Buffer.from(hkdfSync('sha256', masterKey, '', 'longhaul device marks', 32))
  const sign = (id: string, tenantId: string, account: string) =>
    createHmac('sha256', key)
      .update(JSON.stringify([id, tenantId, account]))
      .digest('base64url')

  function sourceOf(tenantId: string, account: string, { address, device }: Asking): string {
    const [id = '', signature = ''] = device?.split('.') ?? []
    const wanted = Buffer.from(sign(id, tenantId, account))
    const given = Buffer.from(signature)
    return given.length === wanted.length && timingSafeEqual(given, wanted) ? `device ${id}` : `address ${address.slice(0, 100)}`
  }
  return {
    async guard({ tenantId, account, asking }, check) {
      const tenant = db.forTenant(tenantId)
      const source = sourceOf(tenantId, account, asking)
      if ((await countGuess(tenant, account, source, free, blockMsMax)) === undefined) {
        const seconds = Math.max(1, Math.ceil((await blockedForMs(tenant, account, source)) / 1_000))
        throw new AppError('over_limit', `Too many wrong answers from here. Try again in ${seconds} s.`, undefined, seconds)
      }
      const found = await check()
      if (found !== undefined) await forgetGuesses(tenant, account, source)
      return found
    },
    mark(tenantId, account) {
      const id = secret(16)
      return `${id}.${sign(id, tenantId, account)}`
    },
  }
}
