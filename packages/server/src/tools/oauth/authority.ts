/** Who gives out an API's tokens, as its declaration says: looked up at the issuer that it names, or address by address. Nothing is taken from the API's document. */
import { type OAuthDiscoveryState, discoverAuthorizationServerMetadata } from '@modelcontextprotocol/client'
import type { ApiAuthorizedByPerson, ApiClientCredentials } from '@longhaul/protocol'
import { z } from 'zod'
import { StepFailure } from '../../kernel/index.ts'
import type { Egress } from '../egress/egress.ts'
import { causes, failed, networkFailure } from '../failures.ts'

export type ApiOauth = ApiClientCredentials | ApiAuthorizedByPerson
export type Authority = OAuthDiscoveryState & { authorizationServerMetadata: NonNullable<OAuthDiscoveryState['authorizationServerMetadata']> }

export const answerBytesMax = 1_000_000
const answerMsMax = 15_000

/** `address`: of the API. Asks its issuer alone, and rejects where that is not who it says it is. */
export async function findAuthority(oauth: ApiOauth, address: string, egress: Egress): Promise<Authority> {
  const resourceMetadata = { resource: address } // Known, so that the API itself is not asked for it.
  if (oauth.tokenUrl !== undefined) {
    const authorizationServerUrl = oauth.issuer ?? oauth.tokenUrl
    return {
      authorizationServerUrl,
      authorizationServerMetadata: declaredMetadata({ ...oauth, tokenUrl: oauth.tokenUrl }, authorizationServerUrl),
      resourceMetadata,
    }
  }
  const issuer = oauth.issuer ?? '' // One of the two is there: the declaration was checked.
  const hosts = [new URL(issuer).hostname]
  const who = `The authority ${issuer}`
  // Told here: the library takes an authority that is away for one without metadata.
  const fetchFn = async (input: string | URL, init: RequestInit = {}) => {
    const response = await askAuthority(egress, input, init, { who, hosts })
    if (response.status === 429 || response.status >= 500) throw failed('away', `${who} gives no metadata now (HTTP ${response.status}).`, true)
    return response
  }
  const authorizationServerMetadata = await discoverAuthorizationServerMetadata(issuer, { fetchFn })
  if (!authorizationServerMetadata)
    throw failed(
      'bad_authority',
      `${issuer} has no metadata of an OAuth authority. Name its \`tokenUrl\`, and its \`authorizationUrl\` where a person allows it, in the declaration.`,
    )
  return { authorizationServerUrl: issuer, authorizationServerMetadata, resourceMetadata }
}

/** As metadata would say it. An issuer that is not named goes by the address of its tokens. */
const declaredMetadata = (oauth: ApiOauth & { tokenUrl: string }, issuer: string): Authority['authorizationServerMetadata'] => ({
  issuer,
  authorization_endpoint: 'authorizationUrl' in oauth && oauth.authorizationUrl !== undefined ? oauth.authorizationUrl : oauth.tokenUrl,
  token_endpoint: oauth.tokenUrl,
  response_types_supported: ['code'],
  ...(oauth.clientSecretIn === 'body' && { token_endpoint_auth_methods_supported: ['client_secret_post'] }),
})

/** One request to an authority at these hosts, and its whole answer. Throws a `StepFailure`, retryable while the authority is away. */
export async function askAuthority(
  egress: Egress,
  input: string | URL,
  init: RequestInit,
  { who, hosts }: { who: string; hosts: readonly string[] },
): Promise<Response> {
  const timeUp = AbortSignal.timeout(answerMsMax)
  try {
    const response = await egress.fetch(input, { ...init, signal: timeUp }, { hosts, bytesMax: answerBytesMax })
    const body = await response.arrayBuffer()
    return new Response(body.byteLength > 0 ? body : null, { status: response.status, headers: response.headers })
  } catch (error) {
    if (timeUp.aborted) throw failed('away', `${who} did not answer in time.`, true, error)
    if (error instanceof StepFailure) throw error
    throw (
      networkFailure(error, who, true) ?? failed('bad_authority', `${who} cannot be asked: ${causes(error).at(-1)?.message ?? String(error)}.`, false, error)
    )
  }
}

const Refusal = z.object({ error: z.string().regex(/^[a-z_]{1,60}$/) })

/** An answer to what was posted, a refusal with its code alone: what else an authority writes may hold what was sent to it, and the library prints it. */
export async function codeOnly(response: Response): Promise<Response> {
  if (response.status < 400) return response
  const said: unknown = await response.json().catch(() => undefined) // What is no JSON has no code.
  return Response.json({ error: Refusal.safeParse(said).data?.error ?? 'server_error' }, { status: response.status })
}

/** Whom something is posted to: what the client's secret may be told. */
export const tokenHostOf = ({ authorizationServerMetadata: { token_endpoint: url } }: Authority): string => new URL(url).hostname

/** Who may be asked besides: with an issuer that was looked up, also where clients register. */
export const hostsOf = (authority: Authority): string[] => {
  const { registration_endpoint: registration } = authority.authorizationServerMetadata
  return [
    ...new Set([
      new URL(authority.authorizationServerUrl).hostname,
      tokenHostOf(authority),
      ...(registration === undefined ? [] : [new URL(registration).hostname]),
    ]),
  ]
}
