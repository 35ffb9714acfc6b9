/** What is said to authenticators, and what of their answers is believed. The library reads and checks them; it is loaded when the first one is asked. */
import { isIP } from 'node:net'
import type { NewCredential, SignedChallenge } from '@longhaul/protocol'
import { AppError } from '../kernel/index.ts'
import type { NewPasskey, PasskeyRow } from './passkey-store.ts'

/** In the library's words: what goes into `navigator.credentials`. */
type Options = Record<string, unknown>
type Owner = { id: string; email: string; name: string }

const library = () => import('@simplewebauthn/server')
/** EdDSA, ES256 and RS256: what authenticators have. The library would try out what this Node has besides, with warnings. */
const supportedAlgorithmIDs = [-8, -7, -257]
/** A browser shows its own dialog meanwhile. */
export const challengeMs = 300_000

/** A passkey is good for the name under which people see the console, and not for an address of digits. */
export function hostOf(origin: string): string {
  const { hostname, port } = new URL(origin)
  if (isIP(hostname.replace(/^\[|\]$/g, '')) === 0) return hostname
  const elsewhere = hostname === '127.0.0.1' || hostname === '[::1]' ? ` Open the console at http://localhost${port && `:${port}`}` : ''
  throw new AppError('conflict', `Browsers keep passkeys for names, not for addresses such as ${hostname}.${elsewhere}`)
}

const named = ({ credentialId, transports }: PasskeyRow) => ({ id: credentialId, transports })
const userHandle = (personId: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(personId.replaceAll('-', ''), 'hex'))

/** Whose passkey it says it is. */
export function ownerOf(handle: string | null | undefined): string | undefined {
  const [, ...parts] = /^(.{8})(.{4})(.{4})(.{4})(.{12})$/.exec(Buffer.from(handle ?? '', 'base64url').toString('hex')) ?? []
  return parts.length === 5 ? parts.join('-') : undefined
}

export async function creationOptions(origin: string, { id, email, name }: Owner, known: readonly PasskeyRow[], challenge: string): Promise<Options> {
  const { generateRegistrationOptions } = await library()
  const options = await generateRegistrationOptions({
    rpName: 'Longhaul',
    rpID: hostOf(origin),
    userID: userHandle(id),
    userName: email,
    userDisplayName: name,
    challenge: Uint8Array.from(Buffer.from(challenge, 'base64url')),
    timeout: challengeMs,
    attestationType: 'none',
    excludeCredentials: known.map(named),
    supportedAlgorithmIDs,
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
  })
  return { ...options }
}

/** Without `known`: whichever the person has for this name. */
export async function requestOptions(origin: string, challenge: string, known: readonly PasskeyRow[] = []): Promise<Options> {
  const { generateAuthenticationOptions } = await library()
  const options = await generateAuthenticationOptions({
    rpID: hostOf(origin),
    challenge: Uint8Array.from(Buffer.from(challenge, 'base64url')),
    timeout: challengeMs,
    userVerification: 'required',
    allowCredentials: known.map(named),
  })
  return { ...options }
}

/** Which challenge it says it has signed: ours are found by that. Whether it did is checked later. */
export function challengeOf(clientDataJson: string): string | undefined {
  try {
    const { challenge, crossOrigin } = JSON.parse(Buffer.from(clientDataJson, 'base64url').toString()) as Record<string, unknown> // Looked at next.
    return typeof challenge === 'string' && crossOrigin !== true ? challenge : undefined // We are never in a frame of somebody else.
  } catch {
    return undefined // No JSON: nobody's.
  }
}

type Checked<Good> = Good | { why: string }

export async function checkCreated(
  origin: string,
  challenge: string,
  { response, ...credential }: NewCredential,
): Promise<Checked<Omit<NewPasskey, 'id' | 'personId' | 'name'>>> {
  const { verifyRegistrationResponse } = await library()
  const host = hostOf(origin)
  try {
    const { registrationInfo } = await verifyRegistrationResponse({
      response: { ...credential, clientExtensionResults: {}, response },
      expectedChallenge: challenge,
      expectedOrigin: origin,
      expectedRPID: host,
      requireUserVerification: true,
      supportedAlgorithmIDs,
    })
    if (!registrationInfo) return { why: 'its attestation is not right' }
    const { id, publicKey, counter } = registrationInfo.credential
    const { transports } = response
    return { credentialId: id, publicKey: Buffer.from(publicKey), counter, host, transports, isSynced: registrationInfo.credentialDeviceType === 'multiDevice' }
  } catch (error) {
    return { why: whyOf(error) }
  }
}

export async function checkSigned(
  origin: string,
  challenge: string,
  key: PasskeyRow,
  { response, ...credential }: SignedChallenge,
): Promise<Checked<{ counter: number }>> {
  const { verifyAuthenticationResponse } = await library()
  try {
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: { ...credential, clientExtensionResults: {}, response: withoutHandle(response) },
      expectedChallenge: challenge,
      expectedOrigin: origin,
      expectedRPID: hostOf(origin),
      requireUserVerification: true,
      credential: { id: key.credentialId, publicKey: Uint8Array.from(key.publicKey), counter: key.counter },
    })
    return verified ? { counter: authenticationInfo.newCounter } : { why: 'its signature is wrong' }
  } catch (error) {
    return { why: whyOf(error) }
  }
}

/** Whose it is has been read already. */
const withoutHandle = ({ clientDataJSON, authenticatorData, signature }: SignedChallenge['response']) => ({ clientDataJSON, authenticatorData, signature })

/** The library tells by throwing. What it says holds no secret: origins, types and counters. */
const whyOf = (error: unknown): string => (error instanceof Error ? error.message.slice(0, 200) : 'it cannot be read')
