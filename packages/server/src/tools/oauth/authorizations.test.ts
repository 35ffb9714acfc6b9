/** A person allows a connection to an MCP server at a real OAuth server (oidc-provider): looked up, registered with, asked with PKCE, refreshed. */
import { afterAll, expect, test } from 'vitest'
import { openMcpServer, text } from '../../../test/support/mcp-server.ts'
import { type Authority, allow, openAuthority } from '../../../test/support/oauth-authority.ts'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { failureOf, openToolsBed } from '../../../test/support/tools-bed.ts'
import { sql } from '../../db/index.ts'
import { newId } from '../../kernel/index.ts'

const database = await makeDatabase()
afterAll(() => database[Symbol.asyncDispose]())

async function openProtected(authority: Authority, oauth: object = {}, tenantId = newId()) {
  const server = await openMcpServer({ tools: [{ name: 'find', call: () => text('found') }] })
  const tokens: string[] = []
  server.state.intercept = async (request) => {
    const { pathname, origin } = new URL(request.url)
    if (pathname.startsWith('/.well-known/oauth-protected-resource'))
      return Response.json({ resource: server.url, authorization_servers: [authority.issuer], scopes_supported: ['read'] })
    const token = request.headers.get('authorization')?.replace('Bearer ', '') ?? ''
    tokens.push(token)
    if (token !== '' && (await authority.isValid(token))) return undefined
    return new Response('{}', { status: 401, headers: { 'www-authenticate': `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"` } })
  }
  const bed = await openToolsBed({
    db: database.db,
    tenantId,
    privateHosts: [server.host, authority.host],
    connections: { crm: { kind: 'mcp', url: server.url, oauth: { flow: 'authorization-code', ...oauth } } },
  })
  const redirectUri = 'http://127.0.0.1:4711/callback'
  const begin = () => bed.tools.authorize(bed.boss, { agent: 'helper', connection: 'crm', redirectUri })
  const finish = (back: URL) =>
    bed.tools.finishAuthorization(bed.boss, {
      ...{ agent: 'helper', connection: 'crm' },
      state: back.searchParams.get('state') ?? '',
      code: back.searchParams.get('code') ?? '',
      iss: back.searchParams.get('iss') ?? undefined,
    })
  /** What is kept of it. */
  const held = async () => {
    const rows = await bed.secrets.list(tenantId)
    const name = rows.find((row) => row.name.startsWith('oauth-'))?.name ?? ''
    const value = await bed.secrets.use(tenantId, name, { who: { id: null, name: 'test' }, purpose: 'a test' })
    return { rows, tokens: (JSON.parse(value) as { tokens: { access_token: string } }).tokens }
  }
  return { ...bed, server, tokens, begin, finish, held }
}

test('a person allows it once; the tokens are a secret of this agent and server, and are refreshed by themselves', async () => {
  await using authority = await openAuthority()
  const bed = await openProtected(authority)
  expect(await failureOf(bed.connect('crm'))).toMatchObject({
    code: 'needs_authorization',
    message: expect.stringContaining('longhaul tools authorize helper crm'),
  })

  const begun = await bed.begin()
  const url = new URL(begun.url)
  expect([begun.authority, url.searchParams.get('code_challenge_method'), url.searchParams.get('resource')]).toEqual([authority.host, 'S256', bed.server.url])
  expect(authority.asked.map(({ path }) => path)).toContain('/reg')
  const back = await allow(begun.url)
  expect(back.searchParams.get('state')).toBe(begun.state)
  expect(await bed.finish(back)).toMatchObject({ agent: 'helper', connection: 'crm', authority: authority.host, isRefreshable: true })

  const { rows, tokens } = await bed.held()
  expect(rows).toMatchObject([{ hosts: ['127.0.0.1'], agents: ['helper'], description: 'OAuth tokens of the connection crm of helper' }])
  expect((await bed.call('crm__find')).output).toBe('found')
  expect(bed.tokens.at(-1)).toBe(tokens.access_token)

  await (await authority.provider.AccessToken.find(tokens.access_token))?.destroy()
  expect((await bed.call('crm__find')).output).toBe('found')
  expect(bed.tokens.at(-1)).toBe((await bed.held()).tokens.access_token)
  expect(bed.tokens.at(-1)).not.toBe(tokens.access_token)
  const versions = await database.owner.rows(sql`select version from secrets where tenant_id = ${bed.run.tenantId}`)
  expect(versions).toHaveLength(1) // Tokens that were replaced are destroyed.
  await bed.server[Symbol.asyncDispose]()
})

test('what the authority has taken back must be authorized anew, and is shown so', async () => {
  await using authority = await openAuthority()
  const bed = await openProtected(authority)
  const waiting = async () => (await bed.tools.unauthorized(bed.run.tenantId, 'helper')).map(({ connection }) => connection)
  expect(await waiting()).toEqual(['crm'])
  await bed.finish(await allow((await bed.begin()).url))
  expect([(await bed.call('crm__find')).output, await waiting()]).toEqual(['found', []])
  const token = bed.tokens.at(-1) ?? ''
  const grantId = (await authority.provider.AccessToken.find(token))?.grantId ?? ''
  await authority.end(token)
  await authority.provider.RefreshToken.revokeByGrantId(grantId)
  expect(await failureOf(bed.call('crm__find'))).toMatchObject({ code: 'needs_authorization', retryable: false })
  expect(await waiting()).toEqual(['crm'])
  await bed.finish(await allow((await bed.begin()).url))
  expect([(await bed.call('crm__find')).output, await waiting()]).toEqual(['found', []])
  await bed.server[Symbol.asyncDispose]()
})

test('a code is taken once, with the state that belongs to it', async () => {
  await using authority = await openAuthority()
  const bed = await openProtected(authority)
  const begun = await bed.begin()
  const back = await allow(begun.url)
  const forged = new URL(back)
  forged.searchParams.set('state', 'another')
  await expect(bed.finish(forged)).rejects.toMatchObject({ code: 'conflict' })
  await bed.finish(back)
  await expect(bed.finish(back)).rejects.toMatchObject({ code: 'conflict' })
  await bed.begin()
  expect((await bed.held()).tokens.access_token).toBeTruthy() // What was authorized stays in use until something new has come.
  await bed.server[Symbol.asyncDispose]()
})

test('an authority that the declaration does not name is not asked, and a connection without it is refused', async () => {
  await using authority = await openAuthority()
  const bed = await openProtected(authority, { issuer: 'http://login.example.com' })
  await expect(bed.begin()).rejects.toMatchObject({ code: 'unavailable' })
  expect(authority.asked).toEqual([])
  await using plain = await openToolsBed({ db: database.db, connections: { crm: { kind: 'mcp', url: bed.server.url } } })
  const ask = { agent: 'helper', connection: 'crm', redirectUri: 'http://127.0.0.1:1/callback' }
  await expect(plain.tools.authorize(plain.boss, ask)).rejects.toMatchObject({ code: 'invalid' })
  await expect(plain.tools.authorize(plain.boss, { ...ask, connection: 'shop' })).rejects.toMatchObject({ code: 'not_found' })
  await bed.server[Symbol.asyncDispose]()
})
