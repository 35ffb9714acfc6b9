/**
 * OAuth where a person allows it, of MCP servers and of APIs: metadata is looked up, we register with the authority, and a code that came back to the person's own machine
 * becomes tokens. They are a secret of the tenant like any other, for one agent and one server, and are refreshed when the server says so.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import {
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  OAuthError,
  type StoredOAuthClientInformation,
  type StoredOAuthTokens,
  auth,
  extractWWWAuthenticateParams,
} from '@modelcontextprotocol/client'
import type { ApiAuthorizedByPerson, AuthorizedByPerson } from '@longhaul/protocol'
import type { Caller, Secrets } from '../../identity/index.ts'
import { AppError, StepFailure, monotonicMs, secret as makeSecret, wallClock } from '../../kernel/index.ts'
import type { Egress } from '../egress/egress.ts'
import { failed } from '../failures.ts'
import { type SecretsUser, type ToolSecrets, whyNotFor } from '../secrets.ts'
import { type Authority, answerBytesMax, askAuthority, findAuthority, hostsOf, tokenHostOf } from './authority.ts'

/** A connection that a person authorizes. `address`: of its server or API, whom the tokens are for. An MCP server names its authority; an API's is in its declaration. */
export type Target = { agent: string; connection: string; address: string } & (
  | { kind: 'mcp'; oauth: AuthorizedByPerson }
  | { kind: 'openapi'; oauth: ApiAuthorizedByPerson }
)
/** As the secret holds it. `hosts`: who was asked when it was authorized; nobody else is told anything. `wantedScope`: what the server has refused requests without since. */
type Held = {
  client?: StoredOAuthClientInformation
  tokens?: StoredOAuthTokens
  hosts: string[]
  wantedScope?: string
  pending?: {
    state: string
    redirectUri: string
    verifier: string
    startedAt: string
    client?: StoredOAuthClientInformation
    discovery?: OAuthDiscoveryState
    hosts: string[]
  }
}

export type Authorizations = {
  begin(caller: Caller, target: Target, redirectUri: string): Promise<{ url: string; state: string; authority: string }>
  finish(
    caller: Caller,
    target: Target,
    came: { state: string; code: string; iss?: string | undefined },
  ): Promise<{ authority: string; tokens: StoredOAuthTokens }>
  /** Throws a `StepFailure` with the remedy when nobody has authorized it, or it has ended. */
  assert(tenantId: string, target: Target): Promise<void>
  /** For requests of a run. Throws as `assert` does, also later. */
  use(user: SecretsUser, target: Target): Promise<{ provider: OAuthClientProvider; hosts: readonly string[] }>
}

const pendingMsMax = 600_000
/** Another server may have refreshed the tokens meanwhile. */
const rememberMs = 10_000

export function openAuthorizations({ egress, secrets, readSecret }: { egress: Egress; secrets: Secrets; readSecret: ToolSecrets['read'] }): Authorizations {
  async function read(user: SecretsUser, target: Target): Promise<(Held & { version: number }) | undefined> {
    const { connection } = target
    const name = nameOf(target)
    const found = await secrets.find(user.tenantId, name)
    if (!found) return undefined
    const who = { id: null, name: `agent ${user.agent}` }
    const purpose = `the OAuth tokens of the connection ${connection}`
    const text = await secrets.use(user.tenantId, name, { who, purpose, runId: user.runId, whyNot: (found) => whyNotFor(found, user.agent) })
    return { ...(JSON.parse(text) as Held), version: found.version } // Written below.
  }

  async function write(by: Parameters<Secrets['set']>[0], target: Target, given: Held & { version?: number }, ifVersion?: number): Promise<void> {
    const { version: _, ...held } = given
    const { agent, connection, address } = target
    await secrets.set(by, {
      name: nameOf(target),
      value: JSON.stringify(held),
      description: `OAuth tokens of the connection ${connection} of ${agent}`,
      hosts: held.tokens ? [new URL(address).hostname] : [], // What was only begun may go nowhere: so it is told from tokens.
      agents: [agent],
      isOnly: true,
      ifVersion,
    })
  }

  /** What both steps have in common. `told` collects who was asked. `authority`: of an API. */
  function flow(user: SecretsUser, { address, oauth }: Target, held: Held, { told, authority }: { told: Set<string>; authority: Authority | undefined }) {
    const { clientSecret, issuer } = oauth
    const hosts = authority ? hostsOf(authority) : issuer === undefined ? ['*'] : [new URL(address).hostname, new URL(issuer).hostname]
    const provider: Omit<OAuthClientProvider, 'redirectUrl' | 'clientMetadata'> = {
      async clientInformation() {
        if (oauth.clientId === undefined) return held.client
        const stamp = authority && { issuer: issuerOf(authority) }
        if (!clientSecret) return { client_id: oauth.clientId, ...stamp }
        // Where it may go is looked at here, and what is asked below is what `hosts` allows.
        const host = authority ? tokenHostOf(authority) : issuer === undefined ? undefined : new URL(issuer).hostname
        if (host === undefined) throw failed('invalid', 'A connection with a `clientSecret` must name the `issuer` that it goes to.')
        return { client_id: oauth.clientId, client_secret: await readSecret(clientSecret, { ...user, host }), ...stamp }
      },
      saveClientInformation: (client) => void (held.client = client),
      tokens: () => held.tokens,
      saveTokens: (tokens) => void (held.tokens = tokens),
      redirectToAuthorization: () => {},
      saveCodeVerifier: () => {},
      codeVerifier: () => held.pending?.verifier ?? '',
      ...(authority && askedOf(authority)),
    }
    const fetchFn = (input: string | URL, init: RequestInit = {}) => {
      told.add(new URL(input).hostname)
      return askAuthority(egress, input, init, { who: 'The authority', hosts })
    }
    return { provider, fetchFn }
  }

  return {
    async begin(caller, target, redirectUri) {
      const user = { tenantId: caller.tenantId, agent: target.agent }
      const before = await read(user, target)
      const told = new Set<string>()
      const held: Held = { hosts: [] }
      const state = makeSecret(24)
      const { oauth, address, connection } = target
      const authority = target.kind === 'openapi' ? await telling(findAuthority(target.oauth, address, egress)) : undefined
      const { provider, fetchFn } = flow(user, target, held, { told, authority })
      let shown: URL | undefined
      let verifier = ''
      let discovery: OAuthDiscoveryState | undefined = authority
      // Not the authority: an answer of the server's may be a stream, of which nothing is read.
      const ask = (url: string, init: RequestInit) => egress.fetch(url, init, { hosts: [new URL(address).hostname], bytesMax: answerBytesMax })
      const challenge = authority ? {} : await telling(challengeOf(address, ask))
      const scope = oauth.scope ?? scopesOf(challenge.scope, before?.wantedScope)
      await telling(
        auth(
          {
            ...provider,
            redirectUrl: redirectUri,
            clientMetadata: metadataOf(redirectUri, oauth),
            state: () => state,
            redirectToAuthorization: (url) => void (shown = url),
            saveCodeVerifier: (text) => void (verifier = text),
            saveDiscoveryState: (found) => void (discovery = found),
          },
          {
            serverUrl: address,
            fetchFn,
            ...(challenge.resourceMetadataUrl && { resourceMetadataUrl: challenge.resourceMetadataUrl }),
            ...(scope !== undefined && { scope }),
          },
        ),
      )
      if (!shown) throw new AppError('unavailable', `The authority of ${connection} gave no address for a person to look at.`)
      const pending = {
        state,
        redirectUri,
        verifier,
        startedAt: wallClock().toISOString(),
        hosts: [...new Set([...told, ...(authority ? hostsOf(authority) : [])])],
        ...(held.client && { client: held.client }),
        ...(discovery && { discovery }),
      }
      // Tokens that are there stay in use until new ones have come.
      await write(caller, target, { hosts: [], ...(await read(user, target)), pending }) // A run may have refreshed them meanwhile.
      return { url: shown.href, state, authority: shown.host }
    },
    async finish(caller, target, { state, code, iss }) {
      const user = { tenantId: caller.tenantId, agent: target.agent }
      const before = await read(user, target)
      const pending = before?.pending
      if (!before || !pending || !isSame(pending.state, state) || wallClock().getTime() - Date.parse(pending.startedAt) > pendingMsMax)
        throw new AppError('conflict', 'This authorization was not begun, is finished, or began more than ten minutes ago. Begin it again.')
      const { pending: _, ...rest } = before
      await write(caller, target, rest) // Once, whatever becomes of it.
      const held: Held = { hosts: pending.hosts, pending, ...(pending.client && { client: pending.client }) }
      const told = new Set<string>()
      const { oauth, address, connection } = target
      if (target.kind === 'openapi' && oauth.issuer === undefined && iss !== undefined)
        throw new AppError(
          'conflict',
          `The answer is from the issuer ${iss.slice(0, 200)}, and the connection ${connection} names none. If that is who gives out its tokens, put it there as \`issuer\`.`,
        )
      const { provider, fetchFn } = flow(user, target, held, { told, authority: target.kind === 'openapi' ? toAuthority(pending.discovery) : undefined })
      await telling(
        auth(
          {
            ...provider,
            redirectUrl: pending.redirectUri,
            clientMetadata: metadataOf(pending.redirectUri, oauth),
            // The code goes to whom the person was sent, whatever the server says by now.
            discoveryState: () => pending.discovery,
          },
          { serverUrl: address, authorizationCode: code, fetchFn, ...(iss !== undefined && { iss }) },
        ),
      )
      const { tokens } = held
      if (!tokens) throw new AppError('unavailable', 'The authority gave no tokens.')
      const refreshUrl = target.kind === 'openapi' ? target.oauth.refreshUrl : undefined
      const hosts = [...new Set([...pending.hosts, ...told, ...(refreshUrl === undefined ? [] : [new URL(refreshUrl).hostname])])]
      await write(caller, target, { ...(held.client && { client: held.client }), tokens, hosts })
      return { authority: tokens.issuer === undefined ? (hosts.at(-1) ?? '') : new URL(tokens.issuer).host, tokens }
    },
    async assert(tenantId, target) {
      const found = await secrets.find(tenantId, nameOf(target))
      if (!found || found.hosts.length === 0) throw refusal(target)
    },
    async use(user, target) {
      const { oauth } = target
      const by = { tenantId: user.tenantId, keyId: null, name: `agent ${user.agent}` }
      let known: { held: Held & { version: number }; tokens: StoredOAuthTokens; atMs: number } | undefined
      /** Refresh tokens: the one that was tried last, and one that was refused. */
      let tried: string | undefined
      let spent: string | undefined
      let isClientRefused = false
      const load = async () => {
        if (known && monotonicMs() - known.atMs < rememberMs) return known
        const held = await read(user, target)
        if (!held?.tokens) throw refusal(target)
        known = { held, tokens: held.tokens, atMs: monotonicMs() }
        return known
      }
      async function save(change: Partial<Held>): Promise<void> {
        known = undefined
        const { held } = await load()
        await write(by, target, { ...held, ...change })
        known = undefined
      }
      const { hosts } = (await load()).held
      let authority: Promise<Authority> | undefined
      const findOwn = () => (target.kind === 'openapi' ? (authority ??= findAuthority(refreshing(target.oauth), target.address, egress)) : undefined)
      const providerWith = (found?: Authority) => flow(user, target, { hosts: [] }, { told: new Set(), authority: found }).provider
      const redirectUri = 'http://127.0.0.1/' // Nobody is sent there: without tokens that work, a person has to begin anew.
      return {
        hosts,
        provider: {
          ...providerWith(),
          ...(target.kind === 'openapi' && { ...plainly, discoveryState: findOwn }),
          redirectUrl: redirectUri,
          clientMetadata: metadataOf(redirectUri, oauth),
          clientInformation: async (context) =>
            oauth.clientId === undefined ? (await load()).held.client : providerWith(await findOwn()).clientInformation(context),
          async tokens(context) {
            const { tokens } = await load()
            if (context) tried = tokens.refresh_token // It is asked with a view to refreshing them.
            return spent !== undefined && tokens.refresh_token === spent ? undefined : tokens
          },
          saveTokens: (tokens) => save({ tokens }),
          invalidateCredentials(what) {
            if (what === 'client' && oauth.clientId !== undefined) isClientRefused = true // It is the declaration's, and no tokens are at fault.
            if (what !== 'tokens' || isClientRefused) return
            spent = tried
            known = undefined // Another server may have refreshed them: what it has stored is tried then.
          },
          async redirectToAuthorization(url) {
            const { held, tokens } = await load()
            known = undefined // Somebody may authorize it at once.
            const wantedScope = (target.kind === 'mcp' ? url.searchParams.get('scope') : null) ?? held.wantedScope
            const wanted = wantedScope !== undefined && { wantedScope }
            if (spent !== undefined && tokens.refresh_token === spent) await forget(by, target, { ...held, ...wanted })
            else if (wantedScope !== held.wantedScope) await save({ ...wanted })
            throw refusal(target)
          },
        },
      }
    },
  }

  /** Tokens that are worth nothing any more, unless others have been stored meanwhile. */
  async function forget(by: Parameters<Secrets['set']>[0], target: Target, held: Held & { version: number }): Promise<void> {
    const { tokens: _, ...rest } = held
    await write(by, target, rest, held.version).catch((error: unknown) => {
      if (!(error instanceof AppError && error.code === 'conflict')) throw error
    })
  }
}

const refusal = ({ agent, connection }: Target) =>
  failed(
    'needs_authorization',
    `Nobody has authorized the connection ${connection} of ${agent}, or it is not valid any more. Do it with: longhaul tools authorize ${agent} ${connection}`,
  )

/** APIs know of no `resource` (RFC 8707): it is for MCP servers, whose authorities have to. */
const plainly = { validateResourceURL: () => Promise.resolve(undefined) }
const askedOf = (authority: Authority) => ({ ...plainly, discoveryState: () => authority })
const issuerOf = ({ authorizationServerMetadata: { issuer } }: Authority): string => issuer
/** The same authority, at the address where tokens are refreshed. */
const refreshing = (oauth: ApiAuthorizedByPerson): ApiAuthorizedByPerson => {
  const issuer = oauth.issuer ?? oauth.tokenUrl
  return oauth.refreshUrl === undefined ? oauth : { ...oauth, ...(issuer !== undefined && { issuer }), tokenUrl: oauth.refreshUrl }
}

/** What the server says to somebody without tokens: where its metadata is, and which scope it wants. */
async function challengeOf(
  serverUrl: string,
  fetchFn: (url: string, init: RequestInit) => Promise<Response>,
): Promise<{ resourceMetadataUrl?: URL; scope?: string }> {
  const response = await fetchFn(serverUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }),
  })
  await response.body?.cancel()
  if (response.status !== 401 && response.status !== 403) return {}
  const { resourceMetadataUrl, scope } = extractWWWAuthenticateParams(response)
  return { ...(resourceMetadataUrl && { resourceMetadataUrl }), ...(scope !== undefined && { scope }) }
}

/** All of them, each once; undefined where there is none. */
function scopesOf(...texts: (string | undefined)[]): string | undefined {
  const scopes = new Set(texts.flatMap((text) => text?.split(' ').filter((one) => one !== '') ?? []))
  return scopes.size > 0 ? [...scopes].join(' ') : undefined
}

/** Another server or another name is another authorization. */
const nameOf = ({ agent, connection, kind, address }: Target): string =>
  `oauth-${createHash('sha256')
    .update(JSON.stringify([agent, connection, address, ...(kind === 'mcp' ? [] : [kind])]))
    .digest('hex')
    .slice(0, 32)}`

const metadataOf = (redirectUri: string, { scope, clientSecret }: Target['oauth']) => ({
  client_name: 'Longhaul',
  application_type: 'native' as const,
  redirect_uris: [redirectUri],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: clientSecret ? 'client_secret_basic' : 'none',
  ...(scope !== undefined && { scope }),
})

/** As it was when the person was sent there. */
function toAuthority(discovery: OAuthDiscoveryState | undefined): Authority {
  const { authorizationServerMetadata } = discovery ?? {}
  if (!discovery || !authorizationServerMetadata) throw new AppError('conflict', 'This authorization was begun by another version. Begin it again.')
  return { ...discovery, authorizationServerMetadata }
}

const isSame = (one: string, other: string): boolean => {
  const [a, b] = [one, other].map((text) => createHash('sha256').update(text).digest()) as [Buffer, Buffer] // Two in, two out.
  return timingSafeEqual(a, b)
}

/** What the library throws, with what people can do about it. */
async function telling<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work
  } catch (error) {
    if (error instanceof AppError) throw error
    const inner = [error, error instanceof Error ? error.cause : undefined].find((each) => each instanceof StepFailure)
    if (inner instanceof StepFailure) throw new AppError('unavailable', inner.failure.message, error)
    // Without a code of OAuth's it is whatever the authority has written, which may hold what was sent to it.
    const why =
      error instanceof OAuthError && error.code === 'server_error'
        ? 'it answered what is no OAuth'
        : error instanceof Error
          ? error.message.slice(0, 500)
          : 'no reason was given'
    throw new AppError('unavailable', `The authority did not go along: ${why}`, error)
  }
}
