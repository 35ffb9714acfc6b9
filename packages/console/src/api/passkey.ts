/** What the browser does with passkeys: it shows its own dialogs, and hands over what the server checks. */
import type { Passkey, SignedChallenge, SignedIn } from '@longhaul/protocol'
import { client, plainClient } from './client.ts'
import { setMe } from './login.ts'

/** Whether this browser has any, at this address. */
export const hasPasskeys = (): boolean => typeof PublicKeyCredential === 'function' && 'parseRequestOptionsFromJSON' in PublicKeyCredential

/** The server's options are the browser's own JSON form of them. */
type Options = Record<string, unknown>

/** The sign-in page and the dialog for a second factor are there at once; what reads their passkeys comes with the first one. */
const schemas = () => import('@longhaul/protocol')

async function sign(options: Options): Promise<SignedChallenge> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options as unknown as PublicKeyCredentialRequestOptionsJSON)
  const credential = toJson(await navigator.credentials.get({ publicKey }))
  return (await schemas()).SignedChallenge.parse(credential)
}

/** Typed as a credential of whatever kind; with `publicKey` asked for it is one of these. */
const toJson = (credential: Credential | null): unknown => (credential as PublicKeyCredential | null)?.toJSON()

export async function addPasskey(name: string, password: string | undefined): Promise<{ passkey: Passkey; recoveryCodes: string[] }> {
  const { options } = await client.passkeys.start(password ? { password } : {})
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options as unknown as PublicKeyCredentialCreationOptionsJSON)
  const created = toJson(await navigator.credentials.create({ publicKey }))
  return client.passkeys.add({ name, credential: (await schemas()).NewCredential.parse(created) })
}

/** With a ticket: as the second factor of the sign-in that it is of. */
export async function signInWithPasskey(ticket?: string): Promise<SignedIn> {
  const { options } = await plainClient.passkeys.ask(ticket === undefined ? {} : { ticket })
  const passkey = await sign(options)
  return ticket === undefined ? plainClient.signin.passkey({ passkey }) : plainClient.signin.factor({ ticket, passkey })
}

export async function stepUpWithPasskey(): Promise<void> {
  const { options } = await plainClient.passkeys.challenge()
  setMe(await plainClient.me.stepup({ passkey: await sign(options) }))
}
