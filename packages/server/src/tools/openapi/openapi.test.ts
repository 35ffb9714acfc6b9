import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readApi } from '@longhaul/protocol'
import { afterAll, expect, test } from 'vitest'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { failureOf, openToolsBed } from '../../../test/support/tools-bed.ts'

const document = `
openapi: 3.1.0
servers: [{ url: https://shop.example.com/v2 }]
paths:
  /customers/{id}:
    parameters: [{ $ref: '#/components/parameters/Id' }]
    get:
      operationId: getCustomer
      summary: One customer
      parameters:
        - { name: fields, in: query, schema: { type: array, items: { type: string } } }
        - { name: X-Trace, in: header, schema: { type: string } }
    put:
      operationId: putCustomer
      requestBody: { required: true, content: { application/json: { schema: { $ref: '#/components/schemas/Customer' } } } }
  /files:
    post:
      operationId: upload
      requestBody: { content: { multipart/form-data: { schema: { type: object } } } }
  /tree/all:
    get: { description: No name of its own }
components:
  parameters:
    Id: { name: id, in: path, required: true, description: Its number, schema: { type: string } }
  schemas:
    Customer: { type: object, required: [name], properties: { name: { type: string }, parent: { $ref: '#/components/schemas/Customer' } } }
`
const database = await makeDatabase()
const folder = await mkdtemp(join(tmpdir(), 'openapi-'))
await mkdir(join(folder, 'agent', 'connections'), { recursive: true })
await writeFile(join(folder, 'agent', 'connections', 'shop.openapi.yaml'), document)
await writeFile(join(folder, 'agent', 'connections', 'bad.yaml'), 'swagger: "2.0"')
afterAll(async () => {
  await rm(folder, { recursive: true })
  await database[Symbol.asyncDispose]()
})

async function openShop() {
  const asked: { method: string; path: string; headers: Record<string, unknown>; body: string }[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      asked.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString() })
      const isMissing = request.url?.includes('/missing')
      response.writeHead(isMissing ? 404 : 200, { 'content-type': 'application/json' }).end(isMissing ? '{"error":"no such customer"}' : '{"name":"Ada"}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const bed = await openToolsBed({
    db: database.db,
    privateHosts: [host],
    folderOf: () => folder,
    connections: {
      shop: { kind: 'openapi', document: 'shop.openapi.yaml', url: `http://${host}/v2`, headers: { 'x-api-key': { secret: 'shop' } } },
      bad: { kind: 'openapi', document: 'bad.yaml' },
    },
  })
  await bed.setSecret('shop', { value: 'hush', hosts: ['127.0.0.1'] })
  return {
    bed,
    asked,
    host,
    async [Symbol.asyncDispose]() {
      await bed[Symbol.asyncDispose]()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

test('operations become tools with typed arguments; what cannot be offered says why', async () => {
  await using shop = await openShop()
  const { tools, withheld } = await shop.bed.connect('shop')
  expect(tools.map(({ name }) => name)).toEqual(['shop__getCustomer', 'shop__putCustomer', 'shop__get_tree_all'])
  expect(tools[0]).toMatchObject({
    description: '[shop] One customer',
    inputSchema: {
      type: 'object',
      properties: { id: { type: 'string', description: 'Its number' }, fields: { type: 'array' }, 'X-Trace': { type: 'string' } },
      required: ['id'],
      additionalProperties: false,
    },
  })
  expect(tools[1]?.inputSchema).toMatchObject({
    properties: { body: { properties: { name: { type: 'string' }, parent: { properties: { name: {} } } } } },
    required: ['id', 'body'],
  })
  expect(withheld).toMatchObject([{ tool: 'POST /files', why: expect.stringContaining('only JSON is sent') }])
})

test('a call puts its arguments where the document says, with the secret that the server holds', async () => {
  await using shop = await openShop()
  expect(await shop.bed.call('shop__getCustomer', { id: 'a/b?c', fields: ['x', 'y'], 'X-Trace': 't' })).toEqual({
    output: { name: 'Ada' },
    parts: [],
    source: 'tool_server',
    origin: shop.host,
  })
  await shop.bed.call('shop__putCustomer', { id: 7, body: { name: 'Ada' } })
  expect(shop.asked).toMatchObject([
    { method: 'GET', path: '/v2/customers/a%2Fb%3Fc?fields=x&fields=y', headers: { 'x-api-key': 'hush', 'x-trace': 't' } },
    { method: 'PUT', path: '/v2/customers/7', body: '{"name":"Ada"}', headers: { 'idempotency-key': `${shop.bed.run.id}/3` } },
  ])
})

test.each([
  [{ id: '..' }, /id: must be/],
  [{}, /id: must be/],
  [{ id: '1', admin: true }, /There is no argument admin/],
])('the arguments %j are refused before anything is sent', async (input, message) => {
  await using shop = await openShop()
  expect(await failureOf(shop.bed.call('shop__getCustomer', input))).toMatchObject({ code: 'invalid', message: expect.stringMatching(message) })
  expect(shop.asked).toEqual([])
})

test('what the API says against it is told; a document that is none names its file', async () => {
  await using shop = await openShop()
  expect(await failureOf(shop.bed.call('shop__getCustomer', { id: 'missing' }))).toMatchObject({
    code: 'http_error',
    retryable: false,
    message: expect.stringContaining('no such customer'),
  })
  expect(await failureOf(shop.bed.connect('bad'))).toMatchObject({ code: 'bad_document', message: expect.stringContaining('connections/bad.yaml') })
})

test('a document that refers outside, or to nothing, is read as far as it goes', () => {
  const operation = (schema: object) => ({ get: { parameters: [{ name: 'a', in: 'query', schema }] } })
  const { operations, refused } = readApi({
    openapi: '3.0.3',
    paths: {
      '/a': operation({ $ref: 'http://evil.example/schema.json' }),
      '/b': operation({ $ref: '#/nowhere' }),
      '/c': operation({ type: 'string' }),
      '/d/{x}': operation({}),
    },
  })
  expect(operations.map(({ path }) => path)).toEqual(['/c'])
  expect(refused.map(({ tool }) => tool)).toEqual(['GET /a', 'GET /b', 'GET /d/{x}'])
})
