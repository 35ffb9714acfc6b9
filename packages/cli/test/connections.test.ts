import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadAgent } from '@longhaul/sdk/testing'
import { expect, test } from 'vitest'
import { command } from './support/run-command.ts'
import { tempFolder } from './support/temp-folder.ts'

const operations = {
  '/customers/{id}': { get: { operationId: 'getCustomer', parameters: [{ name: 'id', in: 'path', required: true }] } },
  '/orders': { get: { operationId: 'listOrders' }, post: { operationId: 'addFile', requestBody: { content: { 'multipart/form-data': {} } } } },
}
const shop = { openapi: '3.1.0', servers: [{ url: 'https://shop.example.com/v2' }], paths: operations }
const secured = (schemes: object, security: object[] = [{ it: [] }]) => ({ ...shop, security, components: { securitySchemes: schemes } })

async function agentFolder(): Promise<string> {
  const folder = await tempFolder()
  await mkdir(join(folder, 'support/agent'), { recursive: true })
  await writeFile(join(folder, 'support/agent/agent.ts'), "import { agent } from '@longhaul/sdk'\nexport default agent({ description: 'Helps.' })\n")
  return folder
}
const put = async (folder: string, document: unknown, name = 'shop.json') =>
  writeFile(join(folder, name), typeof document === 'string' ? document : JSON.stringify(document))
const add = (folder: string, ...args: string[]) => command(undefined, ['connections', 'add', 'support', ...args], { folder })
const declared = async (folder: string, name = 'shop') =>
  JSON.parse(await readFile(join(folder, `support/agent/connections/${name}.json`), 'utf8')) as Record<string, unknown>
const plain = (text: string) => text.replaceAll(/\s+/g, ' ')

test('one command makes an agent that loads with the connection, and says its tools, its credential and the next commands', async () => {
  const folder = await agentFolder()
  await put(folder, secured({ it: { type: 'apiKey', in: 'header', name: 'X-Api-Key' } }))
  const { exit, out } = await add(folder, 'shop', '--openapi', 'shop.json')
  expect(exit).toBe(0)
  expect(out).toContain('getCustomer  GET /customers/{id}')
  expect(plain(out)).toContain('POST /orders: its body is multipart/form-data, and only JSON is sent')
  expect(plain(out)).toContain('the secret shop: the API key. The server keeps it, and sends it in the header X-Api-Key')
  expect(plain(out)).toContain('npx longhaul secrets set shop --host shop.example.com --agent support npx longhaul deploy support')
  await symlink(fileURLToPath(new URL('../../../node_modules', import.meta.url)), join(folder, 'node_modules'))
  const { manifest } = await loadAgent(join(folder, 'support'))
  expect(manifest.connections).toMatchObject([
    { name: 'shop', connection: { kind: 'openapi', document: 'shop.openapi.json', headers: { 'X-Api-Key': { secret: 'shop', prefix: '' } } } },
  ])
  expect(await declared(folder)).not.toHaveProperty('url') // The document says it.
})

test('a document at an address may leave out its host, and YAML stays YAML', async () => {
  const yaml = `openapi: 3.0.3\nservers: [{ url: /v3 }]\npaths: { /orders: { get: { operationId: listOrders } } }\n`
  const server = createServer((request, response) => response.writeHead(request.url === '/openapi.yaml' ? 200 : 404).end(yaml))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  try {
    const folder = await agentFolder()
    const made = await add(folder, 'shop', '--openapi', `${url}/openapi.yaml`, '--json')
    expect(made.json()).toEqual([
      {
        connection: 'shop',
        files: ['support/agent/connections/shop.json', 'support/agent/connections/shop.openapi.yaml'],
        url: `${url}/v3`,
        tools: [{ name: 'listOrders', method: 'GET', path: '/orders' }],
        refused: [],
        credential: null,
        next: ['npx longhaul deploy support'],
      },
    ])
    expect(await declared(folder)).toEqual({ kind: 'openapi', document: 'shop.openapi.yaml', url: `${url}/v3` })
    expect(await readFile(join(folder, 'support/agent/connections/shop.openapi.yaml'), 'utf8')).toBe(yaml)
    const gone = await add(folder, 'other', '--openapi', `${url}/gone`)
    expect(plain(gone.err)).toContain('the server answered 404. Download it, and give the file.')
  } finally {
    server.close()
  }
})

test.each([
  ['bearer', { type: 'http', scheme: 'bearer' }, { authorization: { secret: 'key', prefix: 'Bearer ' } }, 'the token'],
  ['basic', { type: 'http', scheme: 'Basic' }, { authorization: { secret: 'key', prefix: 'Basic ' } }, 'user:password in base64'],
  [
    'OAuth of a flow that is not spoken',
    { type: 'oauth2', flows: { implicit: { authorizationUrl: 'https://login.example.com' } } },
    { authorization: { secret: 'key', prefix: 'Bearer ' } },
    'an access token of its OAuth, for read write',
  ],
  ['a key in a cookie', { type: 'apiKey', in: 'cookie', name: 'sid' }, { Cookie: { secret: 'key', prefix: 'sid=' } }, 'the API key, as the cookie sid'],
  ['a key in the query', { type: 'apiKey', in: 'query', name: 'k' }, undefined, 'it wants the key k in the query, and only headers are sent'],
])('the credential of an API with %s is a secret under the name that is given, or it is said why there is none', async (_, scheme, headers, said) => {
  const folder = await agentFolder()
  await put(folder, secured({ it: scheme }, [{ it: ['read', 'write'] }]))
  const { out } = await add(folder, 'shop', '--openapi', 'shop.json', '--secret', 'key', '--only', 'listOrders')
  expect(plain(out)).toContain(said)
  expect(await declared(folder)).toEqual({ kind: 'openapi', document: 'shop.openapi.json', tools: ['listOrders'], ...(headers && { headers }) })
})

const login = 'https://login.example.com'
const own = { clientCredentials: { tokenUrl: `${login}/token`, scopes: {} } }
const byPerson = { authorizationCode: { authorizationUrl: `${login}/authorize`, tokenUrl: `${login}/token`, refreshUrl: `${login}/refresh`, scopes: {} } }
const openId = { type: 'openIdConnect', openIdConnectUrl: `${login}/tenant/.well-known/openid-configuration` }
const setSecret = 'npx longhaul secrets set shop --host login.example.com --agent support'
test.each([
  [
    'client credentials',
    { type: 'oauth2', flows: own },
    ['--client-id', 'me'],
    { tokenUrl: `${login}/token`, clientId: 'me', clientSecret: { secret: 'shop' }, scope: 'read write' },
    [setSecret, 'npx longhaul deploy support'],
  ],
  [
    'a person who allows it',
    { type: 'oauth2', flows: byPerson },
    ['--client-id', 'me'],
    {
      flow: 'authorization-code',
      authorizationUrl: `${login}/authorize`,
      tokenUrl: `${login}/token`,
      refreshUrl: `${login}/refresh`,
      clientId: 'me',
      scope: 'read write',
    },
    ['npx longhaul deploy support', 'npx longhaul tools authorize support shop'],
  ],
  [
    'both, and the second chosen, with a secret',
    { type: 'oauth2', flows: { ...own, ...byPerson } },
    ['--client-id', 'me', '--flow', 'authorization-code', '--secret', 'shop'],
    { flow: 'authorization-code', tokenUrl: `${login}/token`, clientSecret: { secret: 'shop' } },
    [setSecret, 'npx longhaul deploy support', 'npx longhaul tools authorize support shop'],
  ],
  [
    'OpenID, where we register',
    openId,
    [],
    { flow: 'authorization-code', issuer: `${login}/tenant`, scope: 'read write' },
    ['npx longhaul deploy support', 'npx longhaul tools authorize support shop'],
  ],
])('OAuth by %s becomes a declaration with the document’s addresses and the next commands, and an agent that loads', async (_, scheme, args, oauth, next) => {
  const folder = await agentFolder()
  await put(folder, secured({ it: scheme }, [{ it: ['read', 'write'] }]))
  const { json, err } = await add(folder, 'shop', '--openapi', 'shop.json', '--json', ...args)
  expect([err, json()]).toMatchObject(['', [{ next, credential: { oauth } }]])
  expect(await declared(folder)).toMatchObject({ url: 'https://shop.example.com/v2', oauth })
  await symlink(fileURLToPath(new URL('../../../node_modules', import.meta.url)), join(folder, 'node_modules'))
  expect((await loadAgent(join(folder, 'support'))).manifest.connections).toMatchObject([{ connection: { kind: 'openapi' } }])
})

test('the addresses of OAuth are shown before anybody goes on, with what else there is', async () => {
  const folder = await agentFolder()
  const schemes = { it: { type: 'oauth2', flows: { ...own, ...byPerson } }, key: { type: 'apiKey', in: 'header', name: 'X-Key' } }
  await put(folder, secured(schemes, [{ it: ['read'] }, { key: [] }]))
  const out = plain((await add(folder, 'shop', '--openapi', 'shop.json', '--client-id', 'me')).out)
  for (const said of [
    `tokenUrl: ${login}/token`,
    'Look whether these are the API’s own',
    'sends it to login.example.com alone',
    '--flow authorization-code',
    'The document takes others as well: --auth key',
  ])
    expect(out).toContain(said)
  expect(await add(folder, 'other', '--openapi', 'shop.json', '--auth', 'key')).toMatchObject({ exit: 0 })
  expect(await declared(folder, 'other')).toMatchObject({ headers: { 'X-Key': { secret: 'other' } } })
  expect(await add(folder, 'third', '--openapi', 'shop.json', '--flow', 'token')).toMatchObject({ exit: 0 })
  expect(await declared(folder, 'third')).toMatchObject({ headers: { authorization: { secret: 'third', prefix: 'Bearer ' } } })
})

test('no more scopes are asked for than the chosen operations want', async () => {
  const folder = await agentFolder()
  const paths = {
    '/a': { get: { operationId: 'a', security: [{ it: ['a'] }, { it: ['everything'] }] } },
    '/b': { get: { operationId: 'b', security: [{ it: ['b'] }] } },
    '/c': { get: { operationId: 'c', security: [{ it: ['c'] }] } },
  }
  await put(folder, { ...secured({ it: { type: 'oauth2', flows: own } }), paths })
  await add(folder, 'shop', '--openapi', 'shop.json', '--client-id', 'me', '--only', 'a', '--only', 'b')
  expect(await declared(folder)).toMatchObject({ oauth: { scope: 'a b' } })
})

const many = Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`/p${n}`, { get: { operationId: `op${n}` } }]))
test.each([
  ['a name that cannot be one', 'Shop!', shop, [], /"Shop!" cannot name a connection: it must be lower-case letters/],
  ['what is not there', 'shop', undefined, [], /shop\.json cannot be read: ENOENT\. Give the path of an OpenAPI 3 document/],
  ['what is neither JSON nor YAML', 'shop', '{ a: [', [], /is neither JSON nor YAML/],
  ['what is no OpenAPI', 'shop', { info: {} }, [], /is no OpenAPI document.*Give the document itself/],
  ['version 2', 'shop', { swagger: '2.0', paths: {} }, [], /version 2\.0 \(Swagger\).*npx swagger2openapi/],
  ['no paths', 'shop', { openapi: '3.0.0' }, [], /is no OpenAPI 3 document: paths:/],
  ['no operations', 'shop', { ...shop, paths: {} }, [], /has no operations/],
  [
    'none that could be a tool',
    'shop',
    { ...shop, paths: { '/f': { post: operations['/orders'].post } } },
    [],
    /can be a tool: POST \/f: its body is multipart/,
  ],
  ['too many', 'shop', { ...shop, paths: many }, [], /has 101 operations, and a connection gives at most 100 tools.*--only op0/],
  ['no address', 'shop', { ...shop, servers: [{ url: 'https://{region}.example.com' }] }, [], /does not say where the API is.*--api-url/],
  [
    'OAuth without a client',
    'shop',
    secured({ it: { type: 'oauth2', flows: own }, key: { type: 'http', scheme: 'bearer' } }, [{ it: [] }, { key: [] }]),
    [],
    /wants OAuth \(it\), and only a client that is registered with login\.example\.com gets tokens\. Register one there.*--client-id <id>.*--auth key.*--flow token/,
  ],
  ['a secret without a client', 'shop', secured({ it: openId }), ['--secret', 'shop'], /Give it with --client-id/],
  ['a client where there is no OAuth', 'shop', shop, ['--client-id', 'me'], /Leave --client-id away/],
  ['a scheme that is not there', 'shop', secured({ it: openId }), ['--auth', 'that'], /describes no that .*There are: it/],
  ['a flow that is none', 'shop', shop, ['--flow', 'implicit'], /There is no flow implicit\. There are: client-credentials, authorization-code, token/],
  [
    'a flow that is not there',
    'shop',
    secured({ it: { type: 'oauth2', flows: own } }),
    ['--flow', 'authorization-code'],
    /does not describe OAuth in which the flow/,
  ],
  ['an operation that is not there', 'shop', shop, ['--only', 'getCustomers'], /no operation getCustomers that could be a tool\. There are: getCustomer/],
])('%s is refused with its remedy, and nothing is written', async (_, name, document, more, said) => {
  const folder = await agentFolder()
  if (document !== undefined) await put(folder, document)
  const { exit, err } = await add(folder, name, '--openapi', 'shop.json', ...more)
  expect(exit).not.toBe(0)
  expect(plain(err)).toMatch(said)
  expect(await readdir(join(folder, 'support/agent'))).toEqual(['agent.ts'])
})

test('a name that is taken, and a folder without an agent, are refused', async () => {
  const folder = await agentFolder()
  await put(folder, shop)
  expect(await add(folder, 'shop', '--openapi', 'shop.json')).toMatchObject({ exit: 0 })
  expect(plain((await add(folder, 'shop', '--openapi', 'shop.json')).err)).toContain(
    'There is a connection shop in support already: agent/connections/shop.json. Choose another name',
  )
  expect(await add(folder, 'other', '--openapi', 'shop.json', '--api-url', 'https://test.example.com')).toMatchObject({ exit: 0 })
  expect(await declared(folder, 'other')).toMatchObject({ url: 'https://test.example.com' })
  const nowhere = await command(undefined, ['connections', 'add', 'nowhere', 'shop', '--openapi', 'shop.json'], { folder })
  expect(nowhere.err).toContain('npx longhaul init nowhere')
})
