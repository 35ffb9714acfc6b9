import { z } from 'zod'
import { operation } from './operation.ts'

/** Signed by a device of its owner, which asks for a finger, a face or a PIN first: both factors in one. */
export const Passkey = z.object({
  id: z.uuid(),
  name: z.string(),
  /** The host name under which the console was open. Browsers offer it there and under its subdomains only. */
  host: z.string(),
  /** Whether the authenticator may copy it to its owner’s other devices. */
  isSynced: z.boolean(),
  createdAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime().nullable(),
})
export type Passkey = z.infer<typeof Passkey>

export const factorKinds = ['code', 'passkey'] as const
/** What somebody can give as a second factor. */
export const Factors = z.array(z.enum(factorKinds))

const bytes = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[A-Za-z0-9_-]+$/, 'must be base64url')
/** As WebAuthn writes it as JSON (`PublicKeyCredential.toJSON`). Browsers add more to it from year to year, which is dropped. */
const Credential = { id: bytes(1_400), rawId: bytes(1_400), type: z.literal('public-key'), clientExtensionResults: z.unknown().optional() }
export const NewCredential = z.object({
  ...Credential,
  response: z.object({ clientDataJSON: bytes(8_000), attestationObject: bytes(64_000), transports: z.array(z.string().max(32)).max(10).default([]) }),
})
export const SignedChallenge = z.object({
  ...Credential,
  response: z.object({ clientDataJSON: bytes(8_000), authenticatorData: bytes(4_000), signature: bytes(8_000), userHandle: bytes(100).nullish() }),
})
export type NewCredential = z.infer<typeof NewCredential>
export type SignedChallenge = z.infer<typeof SignedChallenge>

/** What goes into `navigator.credentials`, as JSON. Its challenge is good for five minutes, and once. */
export const PasskeyOptions = z.object({ options: z.record(z.string(), z.unknown()) })
const name = z.string().trim().min(1).max(100)
const passkeyId = z.uuid()
const none = z.strictObject({})

export const listPasskeys = operation({
  id: 'passkeys.list',
  summary: 'The caller’s passkeys, the newest first.',
  http: ['GET', '/v1/me/passkeys'],
  permission: 'oneself',
  input: none,
  output: z.object({ items: z.array(Passkey) }),
})
export const startPasskey = operation({
  id: 'passkeys.start',
  summary:
    'Begin to make a passkey: what the browser’s `navigator.credentials.create` wants. Asks for a second factor of whoever has one, else for the password.',
  http: ['POST', '/v1/me/passkeys/start'],
  permission: 'oneself',
  input: z.strictObject({ password: z.string().min(1).max(200).optional() }),
  output: PasskeyOptions,
})
export const addPasskey = operation({
  id: 'passkeys.add',
  summary: 'Keep the passkey that the browser has made. With the first second factor recovery codes come along, which are in the answer and nowhere else.',
  http: ['POST', '/v1/me/passkeys'],
  permission: 'oneself',
  input: z.strictObject({ name, credential: NewCredential }),
  output: z.object({ passkey: Passkey, recoveryCodes: z.array(z.string()) }),
})
export const renamePasskey = operation({
  id: 'passkeys.rename',
  summary: 'Give a passkey another name.',
  http: ['POST', '/v1/me/passkeys/{passkeyId}'],
  permission: 'oneself',
  input: z.strictObject({ passkeyId, name }),
  output: Passkey,
})
export const deletePasskey = operation({
  id: 'passkeys.delete',
  summary: 'Take a passkey away: it signs nobody in any more.',
  http: ['DELETE', '/v1/me/passkeys/{passkeyId}'],
  permission: 'oneself',
  input: z.strictObject({ passkeyId }),
  output: Passkey,
})
export const challengePasskey = operation({
  id: 'passkeys.challenge',
  summary: 'What `navigator.credentials.get` wants, for `me.stepup` with a passkey.',
  http: ['POST', '/v1/me/step-up/passkey'],
  permission: 'oneself',
  input: none,
  output: PasskeyOptions,
})
export const askForPasskey = operation({
  id: 'passkeys.ask',
  summary: 'What `navigator.credentials.get` wants, to sign in with a passkey: any of this server, or as the second factor of the sign-in with that ticket.',
  http: ['POST', '/v1/sign-in/passkey/start'],
  permission: 'anybody',
  input: z.strictObject({ ticket: z.string().max(100).optional() }),
  output: PasskeyOptions,
})

export const passkeyOperations = [listPasskeys, startPasskey, addPasskey, renamePasskey, deletePasskey, challengePasskey]
