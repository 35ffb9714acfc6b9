/**
 * OAuth where a person allows it: metadata is looked up, we register with the authority, and a code that came back to the person's own machine becomes tokens. They are a
 * secret of the tenant like any other, for one agent and one server, and are refreshed when the server says so.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import {
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  type StoredOAuthClientInformation,
  type StoredOAuthTokens,
  auth,
  extractWWWAuthenticateParams,
} from '@modelcontextprotocol/client'
import type { AuthorizedByPerson, McpConnection } from '@longhaul/protocol'
import type { Caller, Secrets } from '../../identity/index.ts'
import { AppError, StepFailure, monotonicMs, secret as makeSecret, wallClock } from '../../kernel/index.ts'
import type { Egress } from '../egress/egress.ts'
import { failed } from '../failures.ts'
import { type SecretsUser, type ToolSecrets, whyNotFor } from '../secrets.ts'

type Target = { agent: string; connection: string; declared: McpConnection }
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
  /** For requests of a run. Throws a `StepFailure` with the remedy when nobody has authorized it. */
  use(user: SecretsUser, target: Target): Promise<{ provider: OAuthClientProvider; hosts: readonly string[] }>
}

const pendingMsMax = 600_000
/** Another server may have refreshed the tokens meanwhile. */
const rememberMs = 10_000
const bytesMax = 1_000_000

export function openAuthorizations({ egress, secrets, readSecret }: { egress: Egress; secrets: Secrets; readSecret: ToolSecrets['read'] }): Authorizations {
  async function read(user: SecretsUser, { connection, ...target }: Target): Promise<Held | undefined> {
    const name = nameOf({ connection, ...target })
    if (!(await secrets.find(user.tenantId, name))) return undefined
    const who = { id: null, name: `agent ${user.agent}` }
    const purpose = `the OAuth tokens of the connection ${connection}`
    const text = await secrets.use(user.tenantId, name, { who, purpose, runId: user.runId, whyNot: (found) => whyNotFor(found, user.agent) })
    return JSON.parse(text) as Held // Written below.
  }

  async function write(by: Parameters<Secrets['set']>[0], { agent, connection, declared }: Target, held: Held): Promise<void> {
    await secrets.set(by, {
      name: nameOf({ agent, connection, declared }),
      value: JSON.stringify(held),
      description: `OAuth tokens of the connection ${connection} of ${agent}`,
      hosts: [new URL(declared.url).hostname],
      agents: [agent],
      isOnly: true,
    })
  }

  /** What both steps have in common. `told` collects who was asked. */
  function flow(user: SecretsUser, { declared }: Target, held: Held, told: Set<string>) {
    const oauth = personal(declared)
    const hosts = oauth.issuer === undefined ? ['*'] : [new URL(declared.url).hostname, new URL(oauth.issuer).hostname]
    const clientSecret = oauth.clientSecret
    const provider: Omit<OAuthClientProvider, 'redirectUrl' | 'clientMetadata'> = {
      async clientInformation() {
        if (oauth.clientId === undefined) return held.client
        if (!clientSecret) return { client_id: oauth.clientId }
        // Where it may go is looked at here, and what is asked below is what `hosts` allows.
        if (oauth.issuer === undefined) throw failed('invalid', 'A connection with a `clientSecret` must name the `issuer` that it goes to.')
        return { client_id: oauth.clientId, client_secret: await readSecret(clientSecret, { ...user, host: new URL(oauth.issuer).hostname }) }
      },
      saveClientInformation: (client) => void (held.client = client),
      tokens: () => held.tokens,
      saveTokens: (tokens) => void (held.tokens = tokens),
      redirectToAuthorization: () => {},
      saveCodeVerifier: () => {},
      codeVerifier: () => held.pending?.verifier ?? '',
    }
    const fetchFn = (input: string | URL, init: RequestInit = {}) => {
      told.add(new URL(input).hostname)
      return egress.fetch(input, init, { hosts, bytesMax })
    }
    return { oauth, provider, fetchFn }
  }

  return {
    async begin(caller, target, redirectUri) {
      const user = { tenantId: caller.tenantId, agent: target.agent }
      const before = await read(user, target)
      const told = new Set<string>()
      const held: Held = { hosts: [] }
      const state = makeSecret(24)
      const { oauth, provider, fetchFn } = flow(user, target, held, told)
      let shown: URL | undefined
      let verifier = ''
      let discovery: OAuthDiscoveryState | undefined
      const challenge = await telling(challengeOf(target.declared.url, fetchFn))
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
            serverUrl: target.declared.url,
            fetchFn,
            ...(challenge.resourceMetadataUrl && { resourceMetadataUrl: challenge.resourceMetadataUrl }),
            ...(scope !== undefined && { scope }),
          },
        ),
      )
      if (!shown) throw new AppError('unavailable', 'The authority gave no address for a person to look at.')
      const pending = {
        state,
        redirectUri,
        verifier,
        startedAt: wallClock().toISOString(),
        hosts: [...told],
        ...(held.client && { client: held.client }),
        ...(discovery && { discovery }),
      }
      // Tokens that are there stay in use until new ones have come.
      await write(caller, target, { hosts: [], ...before, pending })
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
      const { oauth, provider, fetchFn } = flow(user, target, held, told)
      await telling(
        auth(
          {
            ...provider,
            redirectUrl: pending.redirectUri,
            clientMetadata: metadataOf(pending.redirectUri, oauth),
            // The code goes to whom the person was sent, whatever the server says by now.
            discoveryState: () => pending.discovery,
          },
          { serverUrl: target.declared.url, authorizationCode: code, fetchFn, ...(iss !== undefined && { iss }) },
        ),
      )
      const { tokens } = held
      if (!tokens) throw new AppError('unavailable', 'The authority gave no tokens.')
      const hosts = [...new Set([...pending.hosts, ...told])]
      await write(caller, target, { ...(held.client && { client: held.client }), tokens, hosts })
      return { authority: tokens.issuer === undefined ? (hosts.at(-1) ?? '') : new URL(tokens.issuer).host, tokens }
    },
    async use(user, target) {
      const refused = () =>
        failed(
          'needs_authorization',
          `Nobody has authorized the connection ${target.connection} of ${user.agent}, or it is not valid any more. Do it with: longhaul tools authorize ${user.agent} ${target.connection}`,
        )
      let known: { held: Held; atMs: number } | undefined
      const load = async (): Promise<Held> => {
        if (known && monotonicMs() - known.atMs < rememberMs) return known.held
        const held = await read(user, target)
        if (!held?.tokens) throw refused()
        known = { held, atMs: monotonicMs() }
        return held
      }
      async function save(held: Held): Promise<void> {
        known = { held, atMs: monotonicMs() }
        await write({ tenantId: user.tenantId, keyId: null, name: `agent ${user.agent}` }, target, held)
      }
      const { hosts } = await load()
      const { oauth, provider } = flow(user, target, { hosts: [] }, new Set())
      const redirectUri = 'http://127.0.0.1/' // Nobody is sent there: without tokens that work, a person has to begin anew.
      return {
        hosts,
        provider: {
          ...provider,
          redirectUrl: redirectUri,
          clientMetadata: metadataOf(redirectUri, oauth),
          clientInformation: async (context) => (oauth.clientId === undefined ? (await load()).client : provider.clientInformation(context)),
          tokens: async () => (await load()).tokens,
          saveTokens: async (tokens) => save({ ...(await load()), tokens }),
          async redirectToAuthorization(url) {
            const held = await load()
            const wantedScope = url.searchParams.get('scope') ?? undefined
            if (wantedScope !== undefined && wantedScope !== held.wantedScope) await save({ ...held, wantedScope })
            known = undefined // Somebody may authorize it at once.
            throw refused()
          },
        },
      }
    },
  }
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
const nameOf = ({ agent, connection, declared }: Target): string =>
  `oauth-${createHash('sha256')
    .update(JSON.stringify([agent, connection, declared.url]))
    .digest('hex')
    .slice(0, 32)}`

function personal({ oauth }: McpConnection): AuthorizedByPerson {
  if (oauth && 'flow' in oauth) return oauth
  throw new Error('A connection whose oauth has no flow came to where a person authorizes.')
}

const metadataOf = (redirectUri: string, { scope, clientSecret }: AuthorizedByPerson) => ({
  client_name: 'Longhaul',
  application_type: 'native' as const,
  redirect_uris: [redirectUri],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: clientSecret ? 'client_secret_basic' : 'none',
  ...(scope !== undefined && { scope }),
})

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
    throw new AppError('unavailable', `The authority did not go along: ${error instanceof Error ? error.message.slice(0, 500) : 'no reason was given'}`, error)
  }
}
