/** The ways to a tool server: over HTTP, and what a program's sandbox lets out. Secrets are put in here. */
import { ClientCredentialsProvider, type OAuthClientProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { DeclaredEgress, Egress as EgressRules, McpConnection } from '@longhaul/protocol'
import { monotonicMs, sleep } from '../../kernel/index.ts'
import type { Egress } from '../egress/egress.ts'
import type { Authorizations } from '../oauth/authorizations.ts'
import { codeOnly } from '../oauth/authority.ts'
import type { SecretsUser, ToolSecrets } from '../secrets.ts'

/** Of one response, a whole event stream included: a server that floods is cut off here. */
export const responseBytesMax = 8_000_000
/** Between two streams of a connection, however fast its server ends them. */
const streamPauseMs = 200
const streamOpenMsMax = 1_000

export async function httpTransport(
  user: SecretsUser & { connection: string },
  declared: McpConnection,
  headers: Record<string, string>,
  { egress, secrets, authorizations }: { egress: Egress; secrets: ToolSecrets; authorizations: Authorizations },
): Promise<StreamableHTTPClientTransport> {
  const url = new URL(declared.url)
  const { authProvider, tokenHosts } = await authorizing(user, declared, { secrets, authorizations })
  /** Where a request may go. Only the hosts of the OAuth secret, or those whom a person authorized, get what is posted elsewhere than to the server: whom the server names as its authority proves nothing. */
  const hostsFor = (href: string, method: string | undefined) =>
    href === url.href ? [url.hostname] : method === 'POST' ? tokenHosts : [url.hostname, ...tokenHosts]
  let streamAt = 0
  let opening: Promise<unknown> | undefined
  return new StreamableHTTPClientTransport(url, {
    requestInit: { headers },
    reconnectionOptions: { maxRetries: 3, initialReconnectionDelay: 1_000, maxReconnectionDelay: 5_000, reconnectionDelayGrowFactor: 2 },
    fetch: async (input, init = {}) => {
      const isStream = init.method === 'GET' && String(input) === url.href
      if (isStream) {
        // Where there is no session, a stream belongs to nothing, unless a call's answer goes on there.
        const headers = new Headers(init.headers)
        if (!headers.has('mcp-session-id') && !headers.has('last-event-id')) return new Response(null, { status: 405 })
        const waitMs = streamAt - monotonicMs()
        streamAt = Math.max(streamAt, monotonicMs()) + streamPauseMs
        if (waitMs > 0) await sleep(waitMs)
      }
      // What is asked of the server may make it ask back on the stream, and without the stream that is lost.
      else if (opening) await Promise.race([opening, sleep(streamOpenMsMax)])
      const response = egress.fetch(input, init, { hosts: hostsFor(String(input), init.method), bytesMax: responseBytesMax, isStream })
      opening = isStream ? response.catch(() => {}) : undefined
      return init.method === 'POST' && String(input) !== url.href ? codeOnly(await response) : response
    },
    ...(authProvider && { authProvider }),
  })
}

async function authorizing(
  user: SecretsUser & { connection: string },
  declared: McpConnection,
  { secrets, authorizations }: { secrets: ToolSecrets; authorizations: Authorizations },
): Promise<{ authProvider?: OAuthClientProvider; tokenHosts: readonly string[] }> {
  const { oauth } = declared
  if (!oauth) return { tokenHosts: [] }
  if ('flow' in oauth) {
    const { provider, hosts } = await authorizations.use(user, { kind: 'mcp', agent: user.agent, connection: user.connection, address: declared.url, oauth })
    return { authProvider: provider, tokenHosts: hosts }
  }
  const { clientId, clientSecret, issuer, scope } = oauth
  return {
    tokenHosts: (await secrets.find(clientSecret.secret, user)).hosts,
    authProvider: new ClientCredentialsProvider({
      clientId,
      expectedIssuer: issuer,
      clientSecret: await secrets.read({ ...clientSecret, prefix: '' }, { ...user, host: new URL(issuer).hostname }),
      ...(scope !== undefined && { scope }),
    }),
  }
}

/** The declared headers with their secrets. */
export async function readHeaders(user: SecretsUser, headers: McpConnection['headers'], host: string, secrets: ToolSecrets): Promise<Record<string, string>> {
  const read = async ([name, held]: [string, McpConnection['headers'][string]]): Promise<[string, string]> => [
    name,
    typeof held === 'string' ? held : await secrets.read(held, { ...user, host }),
  ]
  return Object.fromEntries(await Promise.all(Object.entries(headers).map(read)))
}

/** What may leave a program's sandbox, with the values that its proxy puts in. */
export async function withCredentials(user: SecretsUser, declared: DeclaredEgress | undefined, secrets: ToolSecrets): Promise<EgressRules | undefined> {
  if (!declared) return undefined
  const rules = declared.rules.map(async ({ credential, ...rule }) => {
    if (!credential) return rule
    const { header, ...held } = credential
    return { ...rule, credential: { header, value: await secrets.read(held, { ...user, host: rule.host }) } }
  })
  return { ...declared, rules: await Promise.all(rules) }
}
