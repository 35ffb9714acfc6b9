import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { runId as fileId } from '../../test/support/example-things.ts'
import { makeApi } from '../../test/support/fake-services.ts'

async function makeFile(mediaType: string, name: string, content = 'content') {
  const folder = await mkdtemp(join(tmpdir(), 'files-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const path = join(folder, 'stored')
  await writeFile(path, content)
  return makeApi({
    findFile: async ({ tenantId }, id) => (tenantId === 'acme' && id === fileId ? { path, mediaType, name, bytes: content.length } : undefined),
  })
}

test.each([
  ['image/png', 'chart.png', 'image/png', `inline; filename="chart.png"; filename*=UTF-8''chart.png`],
  ['image/svg+xml', 'chart.svg', 'image/svg+xml', `inline; filename="chart.svg"; filename*=UTF-8''chart.svg`],
  ['text/html', 'page.html', 'text/html; charset=utf-8', `attachment; filename="page.html"; filename*=UTF-8''page.html`],
  ['text/html\r\nx-evil: 1', 'a', 'application/octet-stream', `attachment; filename="a"; filename*=UTF-8''a`],
  [
    'text/csv',
    '收入 "2025"\r\n.csv',
    'text/csv; charset=utf-8',
    `attachment; filename="__ _2025___.csv"; filename*=UTF-8''%E6%94%B6%E5%85%A5%20%222025%22__.csv`,
  ],
  ['text/plain', '../../etc/passwd', 'text/plain; charset=utf-8', `inline; filename=".._.._etc_passwd"; filename*=UTF-8''.._.._etc_passwd`],
  ['text/plain', "it's (1).txt\u0000", 'text/plain; charset=utf-8', `inline; filename="it's (1).txt_"; filename*=UTF-8''it%27s%20%281%29.txt_`],
])('a file of type %j named %j is sent without rights or tricks', async (mediaType, name, type, disposition) => {
  const { ask } = await makeFile(mediaType, name)
  const response = await ask('GET', `/v1/files/${fileId}`)
  expect([response.status, await response.text()]).toEqual([200, 'content'])
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': type,
    'content-length': '7',
    'content-disposition': disposition,
    'x-content-type-options': 'nosniff',
    'content-security-policy': expect.stringMatching(/^default-src 'none'.* sandbox$/),
    'cache-control': 'private, max-age=3600',
    vary: 'authorization',
  })
})

test('a file needs a key with its permission', async () => {
  const { ask } = await makeFile('text/plain', 'a.txt')
  const statusFor = async (authorization: string) => (await ask('GET', `/v1/files/${fileId}`, undefined, { authorization })).status
  expect([await statusFor('Bearer lh_files:read'), await statusFor('Bearer lh_but-files:read'), await statusFor('')]).toEqual([200, 403, 401])
})

test('HEAD tells about the file and sends nothing', async () => {
  const { ask } = await makeFile('text/plain', 'a.txt')
  const response = await ask('HEAD', `/v1/files/${fileId}`)
  expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([200, '7', ''])
})

test('bytes that are missing are a fault of the server and tell no path', async () => {
  const { ask } = makeApi({ findFile: async () => ({ path: '/nowhere/secret-path', mediaType: 'text/plain', name: 'a', bytes: 1 }) })
  const response = await ask('GET', `/v1/files/${fileId}`)
  expect(response.status).toBe(500)
  expect(await response.text()).not.toContain('secret-path')
})
