/** A real OpenID provider on this machine, with people who sign in without being asked; and a way that may change what it answers. */
import { createSign, generateKeyPairSync } from 'node:crypto'
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Json } from '@longhaul/protocol'
import Provider from 'oidc-provider'

export type Account = { sub: string; email?: string; email_verified?: boolean; name?: string; groups?: string[] }
type Token = { header: Record<string, Json>; claims: Record<string, Json> }
type Tampering = (token: Token) => { token: Token; by?: 'another key' | 'nobody' }

export const clientSecret = 'a secret between Longhaul and the provider'
const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url')

export async function openProvider(redirectUris: string[]) {
  const [own, others] = [1, 2].map(() => generateKeyPairSync('rsa', { modulusLength: 2048 }))
  if (!own || !others) throw new Error('No keys.')
  let account: Account = { sub: 'nobody' }
  let tamper: Tampering | undefined
  let discovery: Record<string, string> = {}
  let handle: ReturnType<Provider['callback']> | undefined
  const server: Server = createServer((request, response) => {
    if (!request.url?.startsWith('/interaction/')) return void handle?.(request, response)
    void provider.interactionFinished(request, response, { login: { accountId: account.sub }, consent: {} })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = new Provider(issuer, {
    clients: [
      { client_id: 'longhaul', client_secret: clientSecret, redirect_uris: redirectUris, grant_types: ['authorization_code'], response_types: ['code'] },
    ],
    jwks: { keys: [{ ...own.privateKey.export({ format: 'jwk' }), kid: 'own', alg: 'RS256', use: 'sig' }] },
    pkce: { required: () => true },
    ttl: { Interaction: 600, Grant: 600, Session: 600, AccessToken: 600, IdToken: 600 },
    cookies: { keys: ['of a test'] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
    findAccount: () => {
      const { sub, ...claims } = account
      return { accountId: sub, claims: () => ({ sub, ...claims }) }
    },
    async loadExistingGrant({ oidc }) {
      const grant = new provider.Grant({ accountId: oidc.account?.accountId ?? '', clientId: oidc.client?.clientId ?? '' })
      grant.addOIDCScope('openid email profile groups')
      await grant.save()
      return grant
    },
  })
  handle = provider.callback()

  const sign = ({ header, claims }: Token, by: 'own' | 'another key' | 'nobody'): string => {
    const body = `${encode(header)}.${encode(claims)}`
    if (by === 'nobody') return `${body}.`
    return `${body}.${createSign('sha256')
      .update(body)
      .sign((by === 'own' ? own : others).privateKey, 'base64url')}`
  }
  return {
    issuer,
    /** Who is at the browser from now on. */
    become: (next: Account) => void (account = next),
    /** From now on every ID token is changed, and signed again with the provider's own key unless it says otherwise. */
    tamper: (next?: Tampering) => void (tamper = next),
    /** From now on its discovery names these addresses. */
    name: (addresses: Record<string, string> = {}) => void (discovery = addresses),
    /** What a network path between us and it would see. */
    async through(url: string, response: Response): Promise<Response> {
      if (url.includes('/.well-known/') && response.ok) return Response.json({ ...((await response.json()) as object), ...discovery })
      if (!tamper || !url.endsWith('/token') || !response.ok) return response
      const body = (await response.json()) as { id_token: string }
      const [header = '', claims = ''] = body.id_token
        .split('.')
        .map((part, index) => (index < 2 ? (JSON.parse(Buffer.from(part, 'base64url').toString()) as Json) : ''))
      const { token, by = 'own' } = tamper({ header, claims } as Token)
      return Response.json({ ...body, id_token: sign(token, by) })
    },
    /** A browser that goes where it is sent until it is sent back: the query that it brings. */
    async visit(address: string): Promise<string> {
      const jar = new Map<string, string>()
      for (let next = new URL(address), hops = 0; hops < 10; hops++) {
        const response = await fetch(next, { redirect: 'manual', headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') } })
        for (const line of response.headers.getSetCookie()) {
          const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
          jar.set(name, value)
        }
        const location = response.headers.get('location')
        if (location === null) throw new Error(`${next.pathname}: ${response.status} ${await response.text()}`)
        next = new URL(location, next)
        if (redirectUris.includes(next.origin + next.pathname)) return next.search.slice(1)
      }
      throw new Error('It was sent round in circles.')
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
