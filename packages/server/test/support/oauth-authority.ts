/** OAuth authorities on loopback: a real one (oidc-provider), where a person signs in, and one that answers as a test wants. */
import { type IncomingHttpHeaders, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider, { type ClientMetadata } from 'oidc-provider'

/** At `localhost`, which is another host than the `127.0.0.1` of what it protects. */
export async function openAuthority({ clients = [] }: { clients?: ClientMetadata[] } = {}) {
  const asked: { path: string; body: string }[] = []
  const state = { isDown: false }
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://localhost:${(server.address() as AddressInfo).port}`
  const provider = new Provider(issuer, {
    cookies: { keys: ['a test'] },
    clients,
    features: {
      registration: { enabled: true },
      revocation: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => '',
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({ scope: 'read', accessTokenFormat: 'opaque', accessTokenTTL: 3_600 }),
      },
    },
    issueRefreshToken: async () => true,
    scopes: ['openid', 'read', 'offline_access'],
  })
  provider.use(async (context, next) => {
    if (state.isDown) context.status = 503
    else await next()
    asked.push({ path: context.path, body: JSON.stringify(context.oidc?.params ?? {}) })
  })
  server.on('request', provider.callback())
  const find = async (token: string) => (await provider.AccessToken.find(token)) ?? (await provider.ClientCredentials.find(token))
  return {
    issuer,
    host: new URL(issuer).host,
    asked,
    state,
    /** How often tokens were asked for. */
    tokenRequests: () => asked.filter(({ path }) => path === '/token').length,
    provider,
    isValid: async (token: string) => (await find(token))?.isValid ?? false,
    /** As if it had expired. */
    end: async (token: string) => (await find(token))?.destroy(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
export type Authority = Awaited<ReturnType<typeof openAuthority>>

/** What a person does in a browser: signs in, allows it, and is sent back. Gives the address that they end at. */
export async function allow(url: string): Promise<URL> {
  const cookies = new Map<string, string>()
  let at = new URL(url)
  let form: string | undefined
  for (let hop = 0; hop < 12; hop++) {
    const response = await fetch(at, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '), 'content-type': 'application/x-www-form-urlencoded' },
      ...(form !== undefined && { method: 'POST', body: form }),
    })
    form = undefined
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
      cookies.set(name, value)
    }
    const location = response.headers.get('location')
    if (location !== null) {
      at = new URL(location, at)
      if (at.pathname === '/callback') return at
      continue
    }
    const page = await response.text()
    const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1]
    if (prompt === undefined) throw new Error(`No form: ${page.slice(0, 500)}`)
    form = prompt === 'login' ? 'prompt=login&login=ada&password=x' : `prompt=${prompt}`
  }
  throw new Error('The browser went round in circles.')
}

type Asked = { path: string; headers: IncomingHttpHeaders; body: string }
type Answer = { status?: number; headers?: Record<string, string>; json?: object; text?: string; isSilent?: boolean }

/** One that gives out `token-1`, `token-2`, … to whoever asks, under `host`, a name of this machine. `answer` says otherwise. */
export async function openScriptedAuthority(host: string, answer?: (asked: Asked, issuer: string) => Answer | undefined) {
  const asked: Asked[] = []
  let issuer = ''
  let count = 0
  const usual = (path: string): Answer => {
    if (path === '/token') return { json: { access_token: `token-${++count}`, token_type: 'Bearer', expires_in: 3_600 } }
    if (path !== '/.well-known/oauth-authorization-server') return { status: 404, json: {} }
    return {
      json: {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        response_types_supported: ['code'],
        grant_types_supported: ['client_credentials'],
        token_endpoint_auth_methods_supported: ['client_secret_basic'],
      },
    }
  }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const one = { path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString() }
      asked.push(one)
      const { status = 200, headers = {}, json, text, isSilent } = answer?.(one, issuer) ?? usual(one.path)
      if (!isSilent) response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text ?? JSON.stringify(json ?? {}))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  issuer = `http://${host}:${(server.address() as AddressInfo).port}`
  return {
    asked,
    issuer,
    host: new URL(issuer).host,
    /** Those that tokens were asked with. */
    tokenRequests: () => asked.filter(({ path }) => path === '/token'),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
