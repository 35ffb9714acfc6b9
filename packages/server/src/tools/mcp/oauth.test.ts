/** Client credentials against an authority on loopback that speaks OAuth's own documents, and one that is not who it should be. */
import { afterAll, expect, test } from 'vitest'
import { openMcpServer, text } from '../../../test/support/mcp-server.ts'
import { openScriptedAuthority } from '../../../test/support/oauth-authority.ts'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { failureOf, openToolsBed } from '../../../test/support/tools-bed.ts'

const database = await makeDatabase()
afterAll(() => database[Symbol.asyncDispose]())

async function openProtected(authority: { issuer: string; host: string }, hosts: string[], issuer = authority.issuer) {
  const server = await openMcpServer({ tools: [{ name: 'find', call: () => text('found') }] })
  server.state.intercept = (request) => {
    const { pathname, origin } = new URL(request.url)
    if (pathname.startsWith('/.well-known/oauth-protected-resource')) return Response.json({ resource: server.url, authorization_servers: [authority.issuer] })
    if (request.headers.get('authorization') === 'Bearer token-1') return undefined
    return new Response('{}', { status: 401, headers: { 'www-authenticate': `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"` } })
  }
  const bed = await openToolsBed({
    db: database.db,
    privateHosts: [server.host, authority.host],
    connections: { crm: { kind: 'mcp', url: server.url, oauth: { issuer, clientId: 'longhaul', clientSecret: { secret: 'crm' } } } },
  })
  await bed.setSecret('crm', { value: 'hush', hosts })
  return Object.assign(bed, { server })
}

test('a token is fetched from the authority with the secret, and opens the server', async () => {
  await using authority = await openScriptedAuthority('localhost')
  await using bed = await openProtected(authority, ['localhost'])
  expect((await bed.call('crm__find')).output).toBe('found')
  const token = authority.asked.find(({ path }) => path === '/token')
  expect(token?.headers.authorization).toBe(`Basic ${Buffer.from('longhaul:hush').toString('base64')}`)
  expect(token?.body).toContain('grant_type=client_credentials')
  await bed.server[Symbol.asyncDispose]()
})

test.each([
  ['the declaration does not', ['localhost'], 'http://localhost:1'],
  ['the secret does not', ['login.example.com'], undefined],
])('an authority that the tool server names, but %s, does not get the secret', async (_, hosts, issuer) => {
  await using authority = await openScriptedAuthority('localhost')
  await using bed = await openProtected(authority, hosts, issuer)
  expect(await failureOf(bed.connect('crm'))).toMatchObject({ retryable: false })
  expect(authority.asked.filter(({ path }) => path === '/token')).toEqual([])
  await bed.server[Symbol.asyncDispose]()
})
