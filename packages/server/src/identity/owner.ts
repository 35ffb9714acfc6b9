/** Whoever found a browser open must not be able to make its owner's second factor theirs. */
import { AppError } from '../kernel/index.ts'
import type { Guesses } from './guesses.ts'
import type { Asking, PersonCaller } from './logins.ts'
import { isPassword } from './passwords.ts'
import { type PersonRow, hasSecondFactor } from './person-store.ts'

/** Throws unless a second factor was just given by somebody who has one, or else the password by somebody who has that. */
export type AssertOwner = (caller: PersonCaller, person: PersonRow, password: string | undefined, asking: Asking) => Promise<void>

export const stepUpNeeded = (ms: number): AppError =>
  new AppError(
    'step_up_required',
    `This needs a second factor within the last ${Math.max(1, Math.round(ms / 60_000))} minutes. Give one in the console or with: longhaul me step-up. Whoever has none yet turns one on first, under their name in the console or with: longhaul me enroll`,
  )

export const ownerCheck =
  ({ guesses, stepUpMs }: { guesses: Guesses; stepUpMs: number }): AssertOwner =>
  async (caller, person, password, asking) => {
    if (hasSecondFactor(person) && stepUpMs > 0) {
      if (caller.login.steppedUpUntil === undefined) throw stepUpNeeded(stepUpMs)
      return
    }
    const { passwordHash } = person
    if (passwordHash === null) return
    const isRight = await guesses.guard({ tenantId: caller.tenantId, account: person.email, asking }, async () =>
      (await isPassword(password ?? '', passwordHash)) ? true : undefined,
    )
    if (!isRight) throw new AppError('invalid', 'password: it is not yours.')
  }
