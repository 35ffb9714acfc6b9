/** The ways to a tool server: over HTTP, and what a program's sandbox lets out. Secrets are put in here. */
import { ClientCredentialsProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { CommandConnection, Egress as EgressRules, McpConnection } from '@longhaul/protocol'
import type { Egress } from '../egress/egress.ts'
import type { SecretsUser, ToolSecrets } from '../secrets.ts'

/** Of one response, a whole event stream included: a server that floods is cut off here. */
export const responseBytesMax = 8_000_000

export async function httpTransport(
  user: SecretsUser,
  declared: McpConnection,
  headers: Record<string, string>,
  { egress, secrets }: { egress: Egress; secrets: ToolSecrets },
): Promise<StreamableHTTPClientTransport> {
  const url = new URL(declared.url)
  const { oauth } = declared
  const tokenHosts = oauth ? await secrets.hostsOf(oauth.clientSecret.secret, user) : []
  /** Where a request may go. Only the hosts of the OAuth secret get what is posted elsewhere than to the server: whom the server names as its authority proves nothing. */
  const hostsFor = (href: string, method: string | undefined) =>
    href === url.href ? [url.hostname] : method === 'POST' ? tokenHosts : [url.hostname, ...tokenHosts]
  return new StreamableHTTPClientTransport(url, {
    requestInit: { headers },
    reconnectionOptions: { maxRetries: 0, initialReconnectionDelay: 1_000, maxReconnectionDelay: 1_000, reconnectionDelayGrowFactor: 1 },
    // A stream of its own, on which a server could send what nobody asked for, is not opened.
    fetch: async (input, init = {}) =>
      init.method === 'GET' && String(input) === url.href
        ? new Response(null, { status: 405 })
        : egress.fetch(input, init, { hosts: hostsFor(String(input), init.method), bytesMax: responseBytesMax }),
    ...(oauth && {
      authProvider: new ClientCredentialsProvider({
        clientId: oauth.clientId,
        expectedIssuer: oauth.issuer,
        clientSecret: await secrets.read({ ...oauth.clientSecret, prefix: '' }, { ...user, host: new URL(oauth.issuer).hostname }),
        ...(oauth.scope !== undefined && { scope: oauth.scope }),
      }),
    }),
  })
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
export async function withCredentials(user: SecretsUser, declared: CommandConnection['egress'], secrets: ToolSecrets): Promise<EgressRules | undefined> {
  if (!declared) return undefined
  const rules = declared.rules.map(async ({ credential, ...rule }) => {
    if (!credential) return rule
    const { header, ...held } = credential
    return { ...rule, credential: { header, value: await secrets.read(held, { ...user, host: rule.host }) } }
  })
  return { ...declared, rules: await Promise.all(rules) }
}
