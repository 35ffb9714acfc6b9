import { z } from 'zod'
import { operation } from './operation.ts'
import { Factors } from './passkeys.ts'
import { Person } from './people.ts'
import { FactorCode, Password, oneFactor } from './sign-in.ts'

/** A browser or a program in which a person is signed in. */
export const Login = z.object({
  id: z.uuid(),
  kind: z.enum(['browser', 'program']),
  /** What the browser or program said it is. */
  agent: z.string(),
  address: z.string(),
  isThisOne: z.boolean(),
  createdAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
})
export type Login = z.infer<typeof Login>

export const Me = z.object({
  tenantId: z.string(),
  person: Person,
  /** Of a browser’s login alone. */
  csrfToken: z.string().nullable(),
  hasPassword: z.boolean(),
  /** What they can give as a second factor. */
  factors: Factors,
  recoveryCodesLeft: z.number().int(),
  /** Until then sensitive operations are let through. */
  steppedUpUntil: z.iso.datetime().nullable(),
  /** Whether they get mails about approvals that they may decide, where the server sends mail and the tenant wants it. */
  approvalMails: z.boolean(),
})
export type Me = z.infer<typeof Me>

const password = z.string().min(1).max(200)
const RecoveryCodes = z.object({ recoveryCodes: z.array(z.string()) })
const none = z.strictObject({})

export const getMe = operation({
  id: 'me.get',
  summary: 'Who is signed in.',
  http: ['GET', '/v1/me'],
  permission: 'oneself',
  input: none,
  output: Me,
})
export const signOut = operation({
  id: 'me.signout',
  summary: 'End the login that this request came with.',
  http: ['POST', '/v1/me/sign-out'],
  permission: 'oneself',
  input: none,
  output: z.object({ count: z.number().int() }),
})
export const changePassword = operation({
  id: 'me.password',
  summary: 'Change the password. All other logins end.',
  http: ['POST', '/v1/me/password'],
  permission: 'oneself',
  input: z.strictObject({ current: password, next: Password }),
  output: Me,
})
export const setMails = operation({
  id: 'me.mails',
  summary: 'Which mails the caller gets: those about approvals that they may decide.',
  http: ['POST', '/v1/me/mails'],
  permission: 'oneself',
  input: z.strictObject({ approvals: z.boolean() }),
  output: Me,
})
export const stepUp = operation({
  id: 'me.stepup',
  summary: 'Give a second factor, so that sensitive operations are let through for a while.',
  http: ['POST', '/v1/me/step-up'],
  permission: 'oneself',
  input: z.strictObject(oneFactor.fields).refine(oneFactor.isOne, oneFactor.why),
  output: Me,
})
export const startEnrolment = operation({
  id: 'me.enroll',
  summary: 'Begin to use an authenticator: its secret, which `me.confirm` puts in force. Asks for the password of whoever has one.',
  http: ['POST', '/v1/me/second-factor'],
  permission: 'oneself',
  input: z.strictObject({ password: password.optional() }),
  output: z.object({ secret: z.string(), uri: z.string() }),
})
export const confirmEnrolment = operation({
  id: 'me.confirm',
  summary: 'Put the authenticator in force by one of its codes. The recovery codes are in the answer and nowhere else.',
  http: ['POST', '/v1/me/second-factor/confirm'],
  permission: 'oneself',
  input: z.strictObject({ code: FactorCode }),
  output: RecoveryCodes,
})
export const renewRecoveryCodes = operation({
  id: 'me.recovery',
  summary: 'New recovery codes in place of the old ones.',
  http: ['POST', '/v1/me/second-factor/recovery-codes'],
  permission: 'oneself',
  input: none,
  output: RecoveryCodes,
})
export const endEnrolment = operation({
  id: 'me.unenroll',
  summary: 'Sign in without a second factor from now on.',
  http: ['DELETE', '/v1/me/second-factor'],
  permission: 'oneself',
  input: none,
  output: Me,
})
export const listLogins = operation({
  id: 'logins.list',
  summary: 'Where the caller is signed in, the latest use first.',
  http: ['GET', '/v1/me/logins'],
  permission: 'oneself',
  input: none,
  output: z.object({ items: z.array(Login) }),
})
export const deleteLogin = operation({
  id: 'logins.delete',
  summary: 'End one of the caller’s logins at once.',
  http: ['DELETE', '/v1/me/logins/{loginId}'],
  permission: 'oneself',
  input: z.strictObject({ loginId: z.uuid() }),
  output: Login,
})
const userCode = z
  .string()
  .trim()
  .toUpperCase()
  .regex(/^[A-Z0-9]{4}-?[A-Z0-9]{4}$/, 'must be the eight characters that the program shows')
export const getDevice = operation({
  id: 'devices.get',
  summary: 'Which program asks under this code.',
  http: ['GET', '/v1/me/devices/{userCode}'],
  permission: 'oneself',
  input: z.strictObject({ userCode }),
  output: z.object({ userCode: z.string(), name: z.string(), address: z.string(), expiresAt: z.iso.datetime() }),
})
export const decideDevice = operation({
  id: 'devices.decide',
  summary: 'Let a program act as the caller, or not.',
  http: ['POST', '/v1/me/devices/{userCode}'],
  permission: 'oneself',
  input: z.strictObject({ userCode, approved: z.boolean() }),
  output: z.object({ userCode: z.string(), approved: z.boolean() }),
})

export const meOperations = [
  getMe,
  signOut,
  changePassword,
  setMails,
  stepUp,
  startEnrolment,
  confirmEnrolment,
  renewRecoveryCodes,
  endEnrolment,
  listLogins,
  deleteLogin,
  getDevice,
  decideDevice,
]
