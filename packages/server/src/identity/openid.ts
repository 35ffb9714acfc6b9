/** What we say to an OpenID provider, and what of its answers is believed. The library checks; here is what it has to check. */
import type { Json } from '@longhaul/protocol'
import type { Configuration } from 'openid-client'
import { AppError, StepFailure } from '../kernel/index.ts'

/** To an address that a tenant has set: it has to be guarded. */
export type GuardedFetch = (url: string, init: RequestInit) => Promise<Response>
export type Client = { issuer: string; clientId: string; /** Not needed to ask for an address. */ clientSecret?: string }
/** What has to come back as it went out. */
export type Expected = { state: string; nonce: string; verifier: string; redirectUri: string }
export type Claims = { subject: string; email: string | undefined; name: string | undefined; all: Record<string, Json | undefined> }

const waitS = 10

/** Loaded when somebody signs in so. */
const load = () => import('openid-client')

async function configure({ issuer, clientId, clientSecret }: Client, fetch: GuardedFetch): Promise<Configuration> {
  const library = await load()
  return library.discovery(new URL(issuer), clientId, undefined, clientSecret === undefined ? library.None() : library.ClientSecretBasic(clientSecret), {
    [library.customFetch]: (url, init) => fetch(url, init as RequestInit), // The same, with narrower types.
    timeout: waitS,
    // Whether plain http may be spoken, and to whom, is the guard's to say. Signatures are checked in any case.
    execute: [library.allowInsecureRequests, library.enableNonRepudiationChecks],
  })
}

/** Rejects when there is no provider that we can speak to. */
export const assertProvider = (client: Client, fetch: GuardedFetch): Promise<void> =>
  told('unavailable', client.issuer, async () => {
    const { authorization_endpoint: login, token_endpoint: token, jwks_uri: keys } = (await configure(client, fetch)).serverMetadata()
    if (!login || !token || !keys) throw new AppError('unavailable', `${client.issuer} is no provider for signing in: an endpoint is missing.`)
    assertAddress(login)
  })

export const loginAddress = (client: Client, { state, nonce, verifier, redirectUri }: Expected, scopes: string[], fetch: GuardedFetch): Promise<string> =>
  told('unavailable', client.issuer, async () => {
    const library = await load()
    const address = library.buildAuthorizationUrl(await configure(client, fetch), {
      ...{ redirect_uri: redirectUri, scope: [...new Set(['openid', ...scopes])].join(' '), state, nonce },
      code_challenge: await library.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    })
    assertAddress(address.href)
    return address.href
  })

/** Who came back. Signature, issuer, audience, time, nonce, state and PKCE are checked; the code is worth nothing a second time to the provider. */
export const claimsOf = (client: Client, { state, nonce, verifier, redirectUri }: Expected, query: string, fetch: GuardedFetch): Promise<Claims> =>
  told('unauthenticated', client.issuer, async () => {
    const library = await load()
    const config = await configure(client, fetch)
    const back = new URL(redirectUri)
    back.search = query
    const tokens = await library.authorizationCodeGrant(config, back, {
      ...{ expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier },
      idTokenExpected: true,
    })
    const claims = tokens.claims()
    if (!claims) throw new AppError('unauthenticated', 'The provider sent no ID token.')
    const more = config.serverMetadata().userinfo_endpoint ? await library.fetchUserInfo(config, tokens.access_token, claims.sub) : {}
    const all = { ...more, ...claims } as Claims['all'] // Both were JSON.
    const text = (name: string) => (typeof all[name] === 'string' ? all[name] : undefined)
    // An address that the provider has not verified is whatever somebody typed there.
    return {
      subject: claims.sub,
      email: all['email_verified'] === true ? text('email')?.toLowerCase() : undefined,
      name: text('name')?.trim().slice(0, 100),
      all,
    }
  })

/** The browser goes there: `javascript:` is no place. */
function assertAddress(address: string): void {
  if (!/^https?:$/.test(new URL(address).protocol)) throw new AppError('unavailable', 'The provider names no web address to sign in at.')
}

/** The library's messages name the claim or the field that was wrong, and no value of a token. */
async function told<Result>(code: 'unavailable' | 'unauthenticated', issuer: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof AppError) throw error
    const refused = [error, (error as Error).cause].find((each) => each instanceof StepFailure)
    if (refused) throw new AppError('unavailable', `${issuer} cannot be asked: ${refused.message}`, error)
    const { message, cause } = error as Error & { cause?: { message?: string; error?: string } }
    const why = [message, cause?.error ?? cause?.message].filter(Boolean).join(': ').slice(0, 300)
    throw new AppError(
      code,
      `${code === 'unavailable' ? `${issuer} did not answer as an OpenID provider` : 'The provider’s answer was refused'}: ${why}`,
      error,
    )
  }
}
