/** The token that goes along with the calls of an API: as somebody has authorized it, or as the agent is given it as a client of its own. */
import { createHash } from 'node:crypto'
import { ClientCredentialsProvider, OAuthError, auth, fetchToken } from '@modelcontextprotocol/client'
import type { ApiAuthorizedByPerson, ApiClientCredentials } from '@longhaul/protocol'
import { StepFailure, monotonicMs } from '../../kernel/index.ts'
import type { Egress } from '../egress/egress.ts'
import { causes, failed } from '../failures.ts'
import type { SecretsUser, ToolSecrets } from '../secrets.ts'
import type { Authorizations, Target } from './authorizations.ts'
import { askAuthority, codeOnly, findAuthority, tokenHostOf } from './authority.ts'

export type Bearer = {
  token: string
  /** After the API has refused this one: another, refreshed at most once at a time. Undefined when there is none but the same. */
  renew(): Promise<string | undefined>
}
export type Bearers = {
  /** Throws a `StepFailure` with the remedy where there is none, retryable while the authority is away. */
  of(user: SecretsUser, api: { connection: string; address: string; oauth: ApiClientCredentials | ApiAuthorizedByPerson }): Promise<Bearer>
}

type FetchFn = (input: string | URL, init?: RequestInit) => Promise<Response>
type Issued = { token: string; untilMs: number }

const issuedMax = 2_000
/** Of a token that does not say when it ends. */
const issuedMsDefault = 300_000
/** A token is used until so long before its end. */
const marginMs = 30_000

export function openBearers({ egress, secrets, authorizations }: { egress: Egress; secrets: ToolSecrets; authorizations: Authorizations }): Bearers {
  const issued = new Map<string, Promise<Issued>>()
  /** A refresh token that rotates is worth one refresh: whoever comes meanwhile waits for that one. */
  const refreshes = new Map<string, Promise<string>>()

  async function authorized(user: SecretsUser, target: Target): Promise<Bearer> {
    const { provider } = await authorizations.use(user, target)
    const token = (await provider.tokens())?.access_token ?? '' // Without tokens it throws.
    const key = digest([user.tenantId, target, token])
    return {
      token,
      async renew() {
        let refresh = refreshes.get(key)
        if (!refresh) {
          refresh = refreshed(user, target, token).finally(() => refreshes.delete(key))
          refreshes.set(key, refresh)
        }
        const other = await refresh
        return other === token ? undefined : other
      },
    }
  }

  /** What is stored, if it is another token than the one that was refused. */
  async function refreshed(user: SecretsUser, target: Target, refused: string): Promise<string> {
    const { provider, hosts } = await authorizations.use(user, target)
    const tokenNow = async () => (await provider.tokens())?.access_token ?? ''
    const stored = await tokenNow()
    if (stored !== refused) return stored
    await asking(target.connection, hosts, (fetchFn) => auth(provider, { serverUrl: target.address, fetchFn }))
    return tokenNow()
  }

  async function ofClient(
    user: SecretsUser,
    { connection, address, oauth }: { connection: string; address: string; oauth: ApiClientCredentials },
  ): Promise<Bearer> {
    const { version } = await secrets.find(oauth.clientSecret.secret, user) // With another secret it is another token; without it, none.
    const key = digest([user.tenantId, user.agent, connection, address, oauth, version])
    const known = issued.get(key)
    const isOver = known !== undefined && (await known).untilMs < monotonicMs()
    // Whoever comes meanwhile waits for the same one.
    const mine = (isOver && issued.get(key) === known ? undefined : issued.get(key)) ?? issue(key, user, { connection, address, oauth })
    const { token } = await mine
    return {
      token,
      async renew() {
        // Whoever was refused the same token before has asked for another already.
        if (issued.get(key) === mine) void issue(key, user, { connection, address, oauth })
        const { token: other } = (await issued.get(key)) ?? { token }
        return other === token ? undefined : other
      },
    }
  }

  function issue(
    key: string,
    user: SecretsUser,
    { connection, address, oauth }: { connection: string; address: string; oauth: ApiClientCredentials },
  ): Promise<Issued> {
    const made = ask(user, { connection, address, oauth })
    made.catch(() => issued.get(key) === made && issued.delete(key))
    issued.delete(key)
    issued.set(key, made)
    if (issued.size > issuedMax) for (const oldest of issued.keys().take(1)) issued.delete(oldest)
    return made
  }

  async function ask(user: SecretsUser, { connection, address, oauth }: { connection: string; address: string; oauth: ApiClientCredentials }): Promise<Issued> {
    const authority = await asking(connection, [], () => findAuthority(oauth, address, egress))
    const { authorizationServerUrl, authorizationServerMetadata: metadata } = authority
    const host = tokenHostOf(authority)
    const provider = new ClientCredentialsProvider({
      clientId: oauth.clientId,
      expectedIssuer: metadata.issuer,
      clientSecret: await secrets.read({ ...oauth.clientSecret, prefix: '' }, { ...user, host }),
      ...(oauth.scope !== undefined && { scope: oauth.scope }),
    })
    const atMs = monotonicMs()
    const issue = (fetchFn: FetchFn) => fetchToken(provider, authorizationServerUrl, { metadata, fetchFn })
    const { access_token: token, expires_in: seconds } = await asking(connection, [host], issue)
    return { token, untilMs: atMs + (seconds === undefined ? issuedMsDefault : Math.max(0, seconds * 1_000 - marginMs)) }
  }

  /** Has something asked of an authority at these hosts, and every way in which it fails as a `StepFailure`. */
  async function asking<Result>(connection: string, hosts: readonly string[], work: (fetchFn: FetchFn) => Promise<Result>): Promise<Result> {
    let busy: number | undefined
    let lost: unknown
    const fetchFn: FetchFn = async (input, init = {}) => {
      const response = await askAuthority(egress, input, init, { who: `The authority of ${connection}`, hosts }).catch((error: unknown) => {
        lost = error
        throw error
      })
      if (response.status === 429 || response.status >= 500) busy = response.status
      return codeOnly(response)
    }
    try {
      return await work(fetchFn)
    } catch (error) {
      // First what happened to the request: an authority that is away has taken nothing back, whatever the library makes of it.
      throw toStepFailure(lost ?? error, connection, busy)
    }
  }

  return {
    of: (user, { connection, address, oauth }) =>
      oauth.flow === 'authorization-code'
        ? authorized(user, { kind: 'openapi', agent: user.agent, connection, address, oauth })
        : ofClient(user, { connection, address, oauth }),
  }
}

/** With what people can do about it. */
function toStepFailure(error: unknown, connection: string, busy: number | undefined): StepFailure {
  const who = `The authority of ${connection}`
  if (busy !== undefined) return failed('away', `${who} gives out no token now (HTTP ${busy}).`, true, error)
  const own = causes(error).find((each) => each instanceof StepFailure)
  if (own instanceof StepFailure) return own
  if (!(error instanceof OAuthError) || error.code === 'server_error')
    return failed('bad_authority', `${who} answered what is no OAuth, or not what was asked of it.`, false, error)
  return failed('credentials', `${who} gives out no token (${error.code.slice(0, 100)}). Check the client’s id, its secret and the scope.`, false, error)
}

const digest = (parts: unknown[]): string => createHash('sha256').update(JSON.stringify(parts)).digest('base64')
