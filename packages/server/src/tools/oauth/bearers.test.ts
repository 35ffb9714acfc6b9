/** OAuth for APIs: a person allows a connection at a real authority (oidc-provider), and agents that are clients of their own. The document names a trap, which nobody asks. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type IncomingHttpHeaders, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AgentManifest, Connection } from '@longhaul/protocol'
import { afterAll, expect, test, vi } from 'vitest'
import { allow, openAuthority, openScriptedAuthority } from '../../../test/support/oauth-authority.ts'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { type BedOptions, failureOf, openToolsBed } from '../../../test/support/tools-bed.ts'
import { newId } from '../../kernel/index.ts'

const database = await makeDatabase()
const trap = await openScriptedAuthority('localhost')
const folder = await mkdtemp(join(tmpdir(), 'api-oauth-'))
await mkdir(join(folder, 'agent', 'connections'), { recursive: true })
await writeFile(
  join(folder, 'agent', 'connections', 'crm.yaml'),
  `
openapi: 3.1.0
security: [{ login: [read] }]
paths:
  /notes:
    get: { operationId: list }
    post: { operationId: add, requestBody: { content: { application/json: { schema: { type: object } } } } }
components:
  securitySchemes:
    login: { type: oauth2, flows: { clientCredentials: { tokenUrl: '${trap.issuer}/token', scopes: { read: x } }, authorizationCode: { authorizationUrl: '${trap.issuer}/authorize', tokenUrl: '${trap.issuer}/token', scopes: { read: x } } } }
`,
)
afterAll(async () => {
  await trap[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
  await database[Symbol.asyncDispose]()
})

/** An API that takes the tokens that `isValid` says are good. */
async function openApi(isValid: (token: string) => Promise<boolean> | boolean) {
  const asked: { method: string; token: string; status: number; headers: IncomingHttpHeaders }[] = []
  const server = createServer((request, response) => {
    const answer = async () => {
      const token = request.headers.authorization?.replace(/^Bearer /, '') ?? ''
      const status = token !== '' && (await isValid(token)) ? 200 : 401
      asked.push({ method: request.method ?? '', token, status, headers: request.headers })
      response.writeHead(status, { 'content-type': 'application/json' }).end(status === 200 ? '"done"' : '{"error":"invalid_token"}')
    }
    request.resume().on('end', () => void answer())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    asked,
    host,
    url: `http://${host}`,
    statuses: () => asked.map(({ status }) => status),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
type Api = Awaited<ReturnType<typeof openApi>>

/** An agent with the connection `crm` to this API. */
async function openBed(api: Api, authority: { host: string }, oauth: object, { tenantId = newId(), ...more }: Partial<BedOptions> = {}) {
  const bed = await openToolsBed({
    db: database.db,
    tenantId,
    privateHosts: [api.host, authority.host, trap.host],
    folderOf: () => folder,
    connections: { crm: { kind: 'openapi', document: 'crm.yaml', url: api.url, oauth: oauth as { flow: 'authorization-code'; issuer: string } } },
    ...more,
  })
  const which = { agent: 'helper', connection: 'crm' }
  const begin = () => bed.tools.authorize(bed.boss, { ...which, redirectUri: 'http://127.0.0.1:4711/callback' })
  const finish = (back: URL) => {
    const { state = '', code = '', iss } = Object.fromEntries(back.searchParams)
    return bed.tools.finishAuthorization(bed.boss, { ...which, state, code, iss })
  }
  return {
    ...bed,
    begin,
    finish,
    authorize: async () => finish(await allow((await begin()).url)),
    waiting: async () => (await bed.tools.unauthorized(tenantId, 'helper')).map(({ connection }) => connection),
    held: async () => (await bed.secrets.list(tenantId)).filter(({ name }) => name.startsWith('oauth-')),
  }
}
const byPerson = (authority: { issuer: string }) => ({ flow: 'authorization-code', issuer: authority.issuer, scope: 'read' })

test('nothing is offered until a person has allowed it; then calls carry a token that is a secret of this agent and this API', async () => {
  await using authority = await openAuthority()
  await using api = await openApi(authority.isValid)
  await using bed = await openBed(api, authority, byPerson(authority))
  expect(await failureOf(bed.connect('crm'))).toMatchObject({
    code: 'needs_authorization',
    message: expect.stringContaining('longhaul tools authorize helper crm'),
  })
  expect(await failureOf(bed.call('crm__list'))).toMatchObject({ code: 'needs_authorization', retryable: false })
  expect(await bed.tools.callable(bed.run)).toEqual([])
  expect((await bed.tools.refresh(bed.run.tenantId, 'helper')).problems).toMatchObject([
    { connection: 'crm', message: expect.stringContaining('longhaul tools authorize helper crm') },
  ])
  expect(await bed.waiting()).toEqual(['crm'])

  const begun = await bed.begin()
  const { searchParams } = new URL(begun.url)
  expect([begun.authority, searchParams.get('code_challenge_method'), searchParams.get('resource')]).toEqual([authority.host, 'S256', null])
  expect(await bed.waiting()).toEqual(['crm']) // What was only begun is no authorization.
  expect(await bed.finish(await allow(begun.url))).toMatchObject({ authority: authority.host, isRefreshable: true })

  expect(await bed.waiting()).toEqual([])
  expect((await bed.connect('crm')).tools.map(({ name }) => name)).toEqual(['crm__list', 'crm__add'])
  const answers = [await bed.call('crm__list'), await bed.call('crm__add', { body: {} })]
  expect(answers.map(({ output }) => output)).toEqual(['done', 'done'])
  expect(api.statuses()).toEqual([200, 200])
  const [{ token } = { token: '' }] = api.asked
  expect(JSON.stringify([answers, bed.live, await bed.tools.list(bed.run.tenantId, 'helper')])).not.toContain(token)
  expect(await bed.held()).toMatchObject([{ hosts: ['127.0.0.1'], agents: ['helper'] }])

  const [secret] = await bed.held()
  await bed.secrets.delete(bed.boss, secret?.name ?? '')
  expect(await failureOf(bed.call('crm__list'))).toMatchObject({ code: 'needs_authorization' })
  expect([api.asked.length, await bed.waiting()]).toEqual([2, ['crm']])
})

test('a token that the API refuses is refreshed once for all who are refused, and their calls are made again with the same key', async () => {
  await using authority = await openAuthority()
  const allFour = Promise.withResolvers<void>()
  let count = 0
  await using api = await openApi(async (given) => {
    if (await authority.isValid(given)) return true
    if (++count === 4) allFour.resolve()
    await allFour.promise // All of them are refused before any of them hears of it.
    return false
  })
  await using bed = await openBed(api, authority, byPerson(authority))
  await bed.authorize()
  await bed.call('crm__list')
  const token = api.asked.splice(0)[0]?.token ?? ''
  await authority.end(token)
  const before = authority.tokenRequests()
  // The refresh token rotates: a second use of it would take everything back.
  const outputs = await Promise.all(Array.from({ length: 4 }, () => bed.call('crm__add', { body: {} })))
  expect(outputs.map(({ output }) => output)).toEqual(['done', 'done', 'done', 'done'])
  expect(authority.tokenRequests() - before).toBe(1)
  expect(api.statuses()).toEqual([401, 401, 401, 401, 200, 200, 200, 200])
  expect(new Set(api.asked.map(({ headers }) => headers['idempotency-key'])).size).toBe(1) // All of them are this one call of the run.
  await authority.end(api.asked.at(-1)?.token ?? '')
  expect((await bed.call('crm__list')).output).toBe('done') // What came with the first refresh does for the next.
})

test('an API that refuses every token is asked twice, and its authority once', async () => {
  await using authority = await openAuthority()
  await using api = await openApi(() => false)
  await using bed = await openBed(api, authority, byPerson(authority))
  await bed.authorize()
  const before = authority.tokenRequests()
  expect(await failureOf(bed.call('crm__add', { body: {} }))).toMatchObject({ code: 'credentials', retryable: false })
  expect([api.statuses(), authority.tokenRequests() - before]).toEqual([[401, 401], 1])
})

test('what the authority has taken back must be authorized anew, and is shown so; while it is away nothing is lost', async () => {
  await using authority = await openAuthority()
  await using api = await openApi(authority.isValid)
  await using bed = await openBed(api, authority, byPerson(authority))
  await bed.authorize()
  await bed.call('crm__list')
  const token = api.asked.at(-1)?.token ?? ''
  const grantId = (await authority.provider.AccessToken.find(token))?.grantId ?? ''
  await authority.end(token)
  authority.state.isDown = true
  expect(await failureOf(bed.call('crm__list'))).toMatchObject({ code: 'away', retryable: true })
  expect(await bed.waiting()).toEqual([])
  authority.state.isDown = false
  expect((await bed.call('crm__list')).output).toBe('done')

  await authority.end(api.asked.at(-1)?.token ?? '')
  await authority.provider.RefreshToken.revokeByGrantId(grantId)
  expect(await failureOf(bed.call('crm__list'))).toMatchObject({ code: 'needs_authorization', retryable: false })
  expect(await bed.waiting()).toEqual(['crm'])
  expect(await failureOf(bed.connect('crm'))).toMatchObject({ code: 'needs_authorization' })
  await bed.authorize()
  expect([(await bed.call('crm__list')).output, await bed.waiting()]).toEqual(['done', []])
})

test('a code is taken with the state that belongs to it, once, and for the tenant that asked', async () => {
  await using authority = await openAuthority()
  await using api = await openApi(authority.isValid)
  await using bed = await openBed(api, authority, byPerson(authority))
  await using other = await openBed(api, authority, byPerson(authority))
  const back = await allow((await bed.begin()).url)
  const forged = new URL(back)
  forged.searchParams.set('state', 'another')
  await expect(bed.finish(forged)).rejects.toMatchObject({ code: 'conflict' })
  await expect(other.finish(back)).rejects.toMatchObject({ code: 'conflict' })
  await other.begin()
  await expect(other.finish(back)).rejects.toMatchObject({ code: 'conflict' })
  expect(authority.tokenRequests()).toBe(0)
  await bed.finish(back)
  await expect(bed.finish(back)).rejects.toMatchObject({ code: 'conflict' })
  expect(await failureOf(other.call('crm__list'))).toMatchObject({ code: 'needs_authorization' })
  expect(api.asked).toEqual([])
  expect((await bed.call('crm__list')).output).toBe('done')
})

test('another address, another issuer or another agent is another authorization', async () => {
  await using authority = await openAuthority()
  await using api = await openApi(authority.isValid)
  await using elsewhere = await openApi(() => true)
  const tenantId = newId()
  await using bed = await openBed(api, authority, byPerson(authority), { tenantId })
  await bed.authorize()
  const { secrets } = bed
  await using moved = await openBed(elsewhere, authority, byPerson(authority), { tenantId, secrets })
  expect(await failureOf(moved.call('crm__list'))).toMatchObject({ code: 'needs_authorization' })
  await using foreign = await openScriptedAuthority('localhost')
  await using mixed = await openBed(api, foreign, byPerson(foreign), { tenantId, secrets })
  await authority.end((await bed.call('crm__list'), api.asked.at(-1)?.token ?? ''))
  // Whoever is named as the authority now has not given out the refresh token, and does not get it.
  expect(await failureOf(mixed.call('crm__list'))).toMatchObject({ retryable: false })
  // Nor does somebody else's host under the same name.
  await using posing = await openScriptedAuthority('127.0.0.1')
  const posed = { ...byPerson(authority), clientId: 'x', authorizationUrl: `${authority.issuer}/auth`, tokenUrl: `${posing.issuer}/token` }
  await using poser = await openBed(api, posing, posed, { tenantId, secrets })
  expect(await failureOf(poser.call('crm__list'))).toMatchObject({ retryable: false })
  expect([elsewhere.asked, foreign.tokenRequests(), posing.asked]).toEqual([[], [], []])
  expect((await bed.call('crm__list')).output).toBe('done')
})

test('an answer that names another issuer is refused before its code goes anywhere', async () => {
  await using authority = await openAuthority()
  await using api = await openApi(authority.isValid)
  await using bed = await openBed(api, authority, byPerson(authority))
  for (const iss of ['http://login.example.com', undefined]) {
    const back = await allow((await bed.begin()).url)
    if (iss === undefined) back.searchParams.delete('iss')
    else back.searchParams.set('iss', iss)
    await expect(bed.finish(back)).rejects.toMatchObject({ code: 'unavailable' })
    back.searchParams.set('iss', authority.issuer)
    await expect(bed.finish(back)).rejects.toMatchObject({ code: 'conflict' }) // Once, whatever became of it.
  }
  expect(authority.tokenRequests()).toBe(0)
  await bed.authorize() // As it came.
  expect(authority.tokenRequests()).toBe(1)
})

test('metadata of an issuer that calls itself otherwise is not believed', async () => {
  await using authority = await openAuthority()
  await using api = await openApi(authority.isValid)
  await using liar = await openScriptedAuthority('localhost', ({ path }) =>
    path.startsWith('/.well-known')
      ? {
          json: {
            ...{ issuer: authority.issuer, authorization_endpoint: `${authority.issuer}/auth`, token_endpoint: `${authority.issuer}/token` },
            response_types_supported: ['code'],
          },
        }
      : undefined,
  )
  await using bed = await openBed(api, liar, { ...byPerson(liar), clientId: 'longhaul' })
  await expect(bed.begin()).rejects.toMatchObject({ code: 'unavailable' })
  expect(authority.asked).toEqual([])
})

test('what an authority writes beside its code gets into no failure and no log', async () => {
  let hasEnded = false
  await using authority = await openScriptedAuthority('localhost', ({ path, body }) => {
    if (path !== '/token') return undefined
    return hasEnded ? { status: 404, text: `You sent ${body}` } : { json: { access_token: 'first', refresh_token: 'again-and-again', token_type: 'Bearer' } }
  })
  await using api = await openApi(() => !hasEnded)
  await using bed = await openBed(api, authority, { ...byPerson(authority), clientId: 'longhaul' })
  const { state } = await bed.begin()
  await bed.finish(new URL(`http://127.0.0.1:4711/callback?code=c&state=${state}`))
  expect((await bed.call('crm__list')).output).toBe('done')
  hasEnded = true
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const failure = await failureOf(bed.call('crm__list'))
  const printed = JSON.stringify([failure, warn.mock.calls])
  warn.mockRestore()
  expect(authority.tokenRequests().at(-1)?.body).toContain('again-and-again')
  expect(printed).not.toContain('again-and-again')
  expect(failure).toMatchObject({ code: 'needs_authorization' })
})

test('tokens are refreshed where the declaration says, and an authority that is gone by then is told as that', async () => {
  const authority = await openScriptedAuthority('localhost', ({ path }) =>
    path === '/again' || path === '/token' ? { json: { access_token: path, refresh_token: 'r', token_type: 'Bearer' } } : undefined,
  )
  let good = '/token'
  await using api = await openApi((token) => token === good)
  const { issuer } = authority
  const declared = {
    flow: 'authorization-code',
    authorizationUrl: `${issuer}/authorize`,
    tokenUrl: `${issuer}/token`,
    refreshUrl: `${issuer}/again`,
    clientId: 'me',
  }
  await using bed = await openBed(api, authority, declared)
  const { state } = await bed.begin()
  await bed.finish(new URL(`http://127.0.0.1:4711/callback?code=c&state=${state}`))
  await bed.call('crm__list')
  good = '/again'
  expect((await bed.call('crm__list')).output).toBe('done')
  expect(authority.asked.map(({ path }) => path)).toEqual(['/token', '/again'])
  good = 'nothing'
  await authority[Symbol.asyncDispose]()
  const failure = await failureOf(bed.call('crm__add', { body: {} }))
  expect(failure).toMatchObject({ code: 'away', retryable: true, message: expect.stringContaining('The authority of crm') })
  expect(await bed.waiting()).toEqual([])
})

const redirect_uris = ['http://127.0.0.1:4711/callback']
const web = { client_id: 'longhaul', client_secret: 'hush-hush', redirect_uris, grant_types: ['authorization_code', 'refresh_token'] }
const named = ({ issuer }: { issuer: string }) => ({
  ...{ flow: 'authorization-code', authorizationUrl: `${issuer}/auth`, tokenUrl: `${issuer}/token`, scope: 'read' },
  ...{ clientId: 'longhaul', clientSecret: { secret: 'client' } },
})

test('addresses that the declaration names do without metadata; whom an answer is from must stand there, too', async () => {
  await using authority = await openAuthority({ clients: [{ ...web, application_type: 'native' }] })
  await using api = await openApi(authority.isValid)
  await using bed = await openBed(api, authority, named(authority))
  await bed.setSecret('client', { value: 'hush-hush', hosts: ['localhost'] })
  await expect(bed.authorize()).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining(`issuer ${authority.issuer}`) })
  expect(authority.tokenRequests()).toBe(0)
  await using whole = await openBed(api, authority, { ...named(authority), issuer: authority.issuer, refreshUrl: `${authority.issuer}/token?again` })
  await whole.setSecret('client', { value: 'hush-hush', hosts: ['localhost'] })
  await whole.authorize()
  await whole.call('crm__list')
  await authority.end(api.asked.at(-1)?.token ?? '')
  expect((await whole.call('crm__list')).output).toBe('done')
  expect(authority.asked.map(({ path }) => path)).not.toContain('/.well-known/oauth-authorization-server')
})

test('the client’s secret goes where its own hosts allow it, whatever the declaration says', async () => {
  await using authority = await openAuthority({ clients: [{ ...web, application_type: 'native' }] })
  await using api = await openApi(authority.isValid)
  await using bed = await openBed(api, authority, { ...named(authority), issuer: authority.issuer })
  await bed.setSecret('client', { value: 'hush-hush', hosts: ['login.example.com'] })
  await expect(bed.authorize()).rejects.toMatchObject({ message: expect.stringContaining('may not be sent to localhost') })
  await using own = await openBed(api, authority, { tokenUrl: `${authority.issuer}/token`, clientId: 'longhaul', clientSecret: { secret: 'client' } })
  await own.setSecret('client', { value: 'hush-hush', hosts: ['login.example.com'] })
  expect(await failureOf(own.call('crm__list'))).toMatchObject({ code: 'secret_refused' })
  expect(authority.tokenRequests()).toBe(0)
  await bed.setSecret('client', { value: 'hush-hush', hosts: ['localhost'] })
  await bed.authorize()
  expect(authority.tokenRequests()).toBe(1)
})

const ownClient = (at: { issuer: string }, more: object = {}) => ({ issuer: at.issuer, clientId: 'longhaul', clientSecret: { secret: 'client' }, ...more })

test('an agent that is its own client asks for one token, uses it while it lasts, and for another when it is refused', async () => {
  const client = { client_id: 'longhaul', client_secret: 'hush-hush', redirect_uris: [], response_types: [], grant_types: ['client_credentials'] }
  await using authority = await openAuthority({ clients: [client] })
  await using api = await openApi(authority.isValid)
  await using bed = await openBed(api, authority, ownClient(authority, { scope: 'read' }))
  await bed.setSecret('client', { value: 'hush-hush', hosts: ['localhost'] })
  expect(await bed.waiting()).toEqual([])
  await Promise.all([bed.call('crm__list'), bed.call('crm__add', { body: {} })])
  await bed.call('crm__list')
  expect(authority.tokenRequests()).toBe(1)
  await authority.end(api.asked.at(-1)?.token ?? '')
  await Promise.all([bed.call('crm__list'), bed.call('crm__add', { body: {} })])
  expect(authority.tokenRequests()).toBe(2)
  await bed.setSecret('client', { value: 'wrong', hosts: ['localhost'] })
  expect(await failureOf(bed.call('crm__list'))).toMatchObject({ code: 'credentials', retryable: false, message: expect.stringContaining('invalid_client') })
  await bed.secrets.delete(bed.boss, 'client')
  expect(await failureOf(bed.call('crm__list'))).toMatchObject({ code: 'secret_missing' })
})

test('a token of one tenant, agent or version’s scope is no other’s', async () => {
  await using authority = await openScriptedAuthority('localhost')
  await using api = await openApi(() => true)
  const declaredBy = (oauth: object) => Connection.parse({ kind: 'openapi', document: 'crm.yaml', url: api.url, oauth })
  const manifestOf: BedOptions['manifestOf'] = async ({ version }) =>
    ({
      ...{ description: '', shape: 'agent', model: null, instructions: null, tools: [], skills: [], examples: [] },
      connections: [{ name: 'crm', connection: declaredBy(ownClient(authority, version === 'v2' ? { scope: 'write' } : {})) }],
    }) as AgentManifest
  await using bed = await openBed(api, authority, ownClient(authority), { manifestOf })
  const own = bed.run.tenantId
  const other = newId()
  for (const tenantId of [own, other]) await bed.secrets.set({ ...bed.boss, tenantId }, { name: 'client', value: 'hush-hush', hosts: ['localhost'] })
  const as = { tenantId: own, agent: 'helper', version: 'v1' }
  for (const who of [as, { ...as, version: 'v2' }, { ...as, agent: 'clerk' }, { ...as, tenantId: other }, as]) {
    Object.assign(bed.run, who)
    await bed.call('crm__list')
  }
  expect(api.asked.map(({ token }) => token)).toEqual(['token-1', 'token-2', 'token-3', 'token-4', 'token-1'])
  expect(authority.tokenRequests().map(({ headers }) => headers.authorization)).toEqual(Array(4).fill(`Basic ${btoa('longhaul:hush-hush')}`))
})

test('a call is not made again with the very token that was refused', async () => {
  await using authority = await openScriptedAuthority('localhost', ({ path }) =>
    path === '/token' ? { json: { access_token: 'same', token_type: 'Bearer' } } : undefined,
  )
  await using api = await openApi(() => false)
  await using bed = await openBed(api, authority, ownClient(authority))
  await bed.setSecret('client', { value: 'hush-hush', hosts: ['localhost'] })
  expect(await failureOf(bed.call('crm__add', { body: {} }))).toMatchObject({ code: 'credentials' })
  expect([api.statuses(), authority.tokenRequests().length]).toEqual([[401], 2])
})

test('a secret follows no redirect, and stands in the body where the authority takes it nowhere else', async () => {
  await using foreign = await openScriptedAuthority('localhost')
  await using authority = await openScriptedAuthority('localhost', ({ path }) =>
    path === '/token' ? { status: 307, headers: { location: `${foreign.issuer}/token` } } : undefined,
  )
  await using api = await openApi(() => true)
  const options = { privateHosts: [api.host, authority.host, foreign.host] }
  await using bed = await openBed(api, authority, ownClient(authority), options)
  await bed.setSecret('client', { value: 'hush-hush', hosts: ['localhost'] })
  expect(await failureOf(bed.call('crm__list'))).toMatchObject({ code: 'bad_authority', retryable: false })
  expect([authority.tokenRequests().length, foreign.asked, api.asked]).toEqual([1, [], []])

  const { issuer: _, ...client } = ownClient(foreign, { tokenUrl: `${foreign.issuer}/token`, clientSecretIn: 'body' })
  await using direct = await openBed(api, foreign, client)
  await direct.setSecret('client', { value: 'hush-hush', hosts: ['localhost'] })
  expect((await direct.call('crm__list')).output).toBe('done')
  expect(foreign.asked).toMatchObject([{ path: '/token', body: expect.stringContaining('client_secret=hush-hush') }])
  expect(foreign.asked[0]?.headers.authorization).toBeUndefined()
})

test('an authority that is away or talks nonsense is told apart, and what it writes is not repeated', async () => {
  let answer: { status?: number; text?: string } = { status: 503 }
  await using authority = await openScriptedAuthority('localhost', ({ path, headers }) =>
    path === '/token' ? { ...answer, text: answer.text ?? `You sent ${headers.authorization}` } : undefined,
  )
  await using api = await openApi(() => true)
  await using bed = await openBed(api, authority, ownClient(authority))
  await bed.setSecret('client', { value: 'hush-hush', hosts: ['localhost'] })
  expect(await failureOf(bed.call('crm__list'))).toMatchObject({ code: 'away', retryable: true })
  answer = { status: 404 }
  const nonsense = await failureOf(bed.call('crm__list'))
  expect(nonsense).toMatchObject({ code: 'bad_authority', retryable: false })
  expect(nonsense.message).not.toContain(btoa('longhaul:hush-hush'))
  const gone = await openScriptedAuthority('localhost')
  await gone[Symbol.asyncDispose]()
  await using nobody = await openBed(api, gone, ownClient(gone))
  await nobody.setSecret('client', { value: 'hush-hush', hosts: ['localhost'] })
  expect(await failureOf(nobody.call('crm__add', { body: {} }))).toMatchObject({
    code: 'away',
    retryable: true,
    message: expect.stringContaining('The authority'),
  })
  answer = { text: '{"access_token":"late","token_type":"Bearer"}' }
  expect((await bed.call('crm__list')).output).toBe('done') // A failure is not remembered.
})

test('a call ends when its time is up, whatever its authority does', async () => {
  await using authority = await openScriptedAuthority('localhost', ({ path }) => (path === '/token' ? { isSilent: true } : undefined))
  await using api = await openApi(() => true)
  const declared = { kind: 'openapi' as const, document: 'crm.yaml', url: api.url, timeoutMs: 500, oauth: ownClient(authority) }
  await using bed = await openBed(api, authority, {}, { connections: { crm: declared } })
  await bed.setSecret('client', { value: 'hush-hush', hosts: ['localhost'] })
  expect(await failureOf(bed.call('crm__list'))).toMatchObject({ code: 'timeout' })
}, 10_000) // An authority is waited for longer than that.

test('whom only the document names is asked nothing, and gets nothing', async () => {
  await using authority = await openScriptedAuthority('localhost')
  await using api = await openApi(() => true)
  await using own = await openBed(api, authority, ownClient(authority))
  await own.setSecret('client', { value: 'hush-hush', hosts: ['localhost'] })
  await own.call('crm__list')
  await using personal = await openBed(api, authority, { ...byPerson(authority), clientId: 'longhaul' })
  expect((await personal.begin()).authority).toBe(authority.host)
  await using plain = await openToolsBed({
    ...{ db: database.db, privateHosts: [api.host, trap.host], folderOf: () => folder },
    connections: { crm: { kind: 'openapi', document: 'crm.yaml', url: api.url } },
  })
  expect(await failureOf(plain.call('crm__list'))).toMatchObject({ code: 'credentials' }) // It has none to send.
  expect(trap.asked).toEqual([])
  expect(api.asked.map(({ token }) => token)).toEqual(['token-1', ''])
})
