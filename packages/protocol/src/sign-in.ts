import { z } from 'zod'
import { MailLanguage } from './mails.ts'
import { operation } from './operation.ts'
import { Factors, SignedChallenge, askForPasskey } from './passkeys.ts'
import { Email } from './people.ts'
import { Name } from './values.ts'

/** Nobody is kept from a long one; a short one is guessed. */
export const passwordLengthMin = 12
export const Password = z.string().min(passwordLengthMin, `must have at least ${passwordLengthMin} characters`).max(200)
/** Of an authenticator, or a recovery code. */
export const FactorCode = z.string().trim().min(6).max(40)
/** A code or a passkey, and not both. */
export const oneFactor = {
  fields: { code: FactorCode.optional(), passkey: SignedChallenge.optional() },
  isOne: (given: { code?: string | undefined; passkey?: SignedChallenge | undefined }) => (given.code === undefined) !== (given.passkey === undefined),
  why: 'needs either code or passkey',
}
const tenant = Name.default('default')
const ticket = z.string().max(100)

/** The browser’s login is in a cookie. `me.get` says what goes into the header `x-csrf-token` of whatever is no GET. */
export const SignedIn = z.object({
  state: z.enum(['signed-in', 'second-factor']),
  /** For `signin.factor`, while a second factor is missing. Good for five minutes and five codes. */
  ticket: z.string().nullable(),
  /** What may be given as that factor. */
  factors: Factors,
})
export type SignedIn = z.infer<typeof SignedIn>

export const signInWithPassword = operation({
  id: 'signin.password',
  summary: 'Sign in with a password. Answers with a ticket when a second factor is missing.',
  http: ['POST', '/v1/sign-in/password'],
  permission: 'anybody',
  input: z.strictObject({ tenant, email: Email, password: z.string().min(1).max(200) }),
  output: SignedIn,
})
export const signInWithFactor = operation({
  id: 'signin.factor',
  summary: 'The second factor of a sign-in that began: a code of an authenticator, a recovery code, or a passkey.',
  http: ['POST', '/v1/sign-in/factor'],
  permission: 'anybody',
  input: z.strictObject({ ticket, ...oneFactor.fields }).refine(oneFactor.isOne, oneFactor.why),
  output: SignedIn,
})
export const signInWithPasskey = operation({
  id: 'signin.passkey',
  summary: 'Sign in with a passkey alone, which says who its owner is and is worth a second factor as well.',
  http: ['POST', '/v1/sign-in/passkey'],
  permission: 'anybody',
  input: z.strictObject({ passkey: SignedChallenge }),
  output: SignedIn,
})
/** How long a link from `signin.reset` is good. */
export const resetMs = 1_800_000
export const askForReset = operation({
  id: 'signin.reset',
  summary:
    'Ask for a link by mail under which whoever forgot their password sets another. The answer is the same whether or not there is somebody with this address.',
  http: ['POST', '/v1/sign-in/reset'],
  permission: 'anybody',
  input: z.strictObject({ tenant, email: Email, language: MailLanguage.default('en') }),
  output: z.object({ goodForMs: z.number().int() }),
})
export const lookAtLink = operation({
  id: 'signin.link',
  summary: 'Whom a link is for.',
  http: ['POST', '/v1/sign-in/link'],
  permission: 'anybody',
  input: z.strictObject({ token: ticket }),
  output: z.object({ email: z.string(), name: z.string(), tenantId: z.string(), isNew: z.boolean() }),
})
export const useLink = operation({
  id: 'signin.join',
  summary: 'Set a password by a link and sign in. The link is used up, and other logins of the person end.',
  http: ['POST', '/v1/sign-in/join'],
  permission: 'anybody',
  input: z.strictObject({ token: ticket, password: Password }),
  output: SignedIn,
})
export const startDevice = operation({
  id: 'devices.start',
  summary: 'Begin to sign in a program: a person types `userCode` at `address` in the console, the program asks `devices.poll` meanwhile.',
  http: ['POST', '/v1/sign-in/device'],
  permission: 'anybody',
  input: z.strictObject({ tenant, name: z.string().trim().min(1).max(100) }),
  output: z.object({ deviceCode: z.string(), userCode: z.string(), address: z.string(), expiresInMs: z.number().int(), intervalMs: z.number().int() }),
})
export const pollDevice = operation({
  id: 'devices.poll',
  summary: 'How a program’s sign-in stands. The token is in the answer once.',
  http: ['POST', '/v1/sign-in/device/poll'],
  permission: 'anybody',
  input: z.strictObject({ deviceCode: ticket }),
  output: z.object({ state: z.enum(['pending', 'approved', 'denied']), token: z.string().nullable(), name: z.string().nullable() }),
})

export const signInOperations = [
  signInWithPassword,
  signInWithFactor,
  askForPasskey,
  signInWithPasskey,
  askForReset,
  lookAtLink,
  useLink,
  startDevice,
  pollDevice,
]
