import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tempFolder } from '../test/support/temp-folder.ts'
import { findCredentials } from './credentials.ts'

async function folderWith(text?: string): Promise<string> {
  const root = await tempFolder()
  await mkdir(join(root, 'a/b'), { recursive: true })
  await mkdir(join(root, '.longhaul'))
  if (text !== undefined) await writeFile(join(root, '.longhaul/credentials.json'), text)
  return join(root, 'a/b')
}
const fromServer = '{"url":"http://127.0.0.1:8080","key":"file-key"}'

test('the nearest file upwards is found, and its path is known for messages', async () => {
  expect(await findCredentials({}, {}, await folderWith(fromServer))).toEqual({
    url: 'http://127.0.0.1:8080',
    key: 'file-key',
    urlFrom: expect.stringContaining('.longhaul/credentials.json'),
    keyFrom: expect.stringContaining('.longhaul/credentials.json'),
  })
})

test('options win over the environment, the environment over the file', async () => {
  const folder = await folderWith(fromServer)
  const env = { LONGHAUL_URL: 'http://env:1', LONGHAUL_API_KEY: 'env-key' }
  expect(await findCredentials({ url: 'https://option', key: 'option-key' }, env, folder)).toEqual({
    url: 'https://option',
    key: 'option-key',
    urlFrom: '--url',
    keyFrom: '--key',
  })
  expect(await findCredentials({}, env, folder)).toEqual({ url: 'http://env:1', key: 'env-key', urlFrom: 'LONGHAUL_URL', keyFrom: 'LONGHAUL_API_KEY' })
  expect(await findCredentials({ key: 'option-key' }, {}, folder)).toEqual({
    url: 'http://127.0.0.1:8080',
    key: 'option-key',
    urlFrom: expect.stringContaining('credentials.json'),
    keyFrom: '--key',
  })
  expect(await findCredentials({}, { LONGHAUL_URL: '', LONGHAUL_API_KEY: '' }, folder)).toMatchObject({ key: 'file-key' })
})

test('the key of the file never goes to another server', async () => {
  const folder = await folderWith(fromServer)
  await expect(findCredentials({ url: 'http://elsewhere:8080' }, {}, folder)).rejects.toThrow(/is for http:\/\/127.0.0.1:8080 and is not sent elsewhere/)
  await expect(findCredentials({}, { LONGHAUL_URL: 'http://127.0.0.1:9999' }, folder)).rejects.toMatchObject({ code: 'unauthenticated' })
  expect(await findCredentials({ url: 'http://localhost:8080' }, {}, folder)).toMatchObject({ key: 'file-key' })
})

test('the folder that LONGHAUL_DATA_DIR names for the server is looked into first, and then the usual places', async () => {
  const folder = await folderWith(fromServer)
  await mkdir(join(folder, 'data'))
  await writeFile(join(folder, 'data/credentials.json'), '{"url":"http://127.0.0.1:9090","key":"data-key"}')
  const found = { url: 'http://127.0.0.1:9090', key: 'data-key', keyFrom: join(folder, 'data/credentials.json') }
  expect(await findCredentials({}, { LONGHAUL_DATA_DIR: 'data' }, folder)).toMatchObject(found)
  expect(await findCredentials({}, { LONGHAUL_DATA_DIR: join(folder, 'data') }, '/')).toMatchObject(found)
  expect(await findCredentials({}, { LONGHAUL_DATA_DIR: 'nothing-there' }, folder)).toMatchObject({ key: 'file-key' })
})

test('what is wrong is named, with what to do about it', async () => {
  await expect(findCredentials({}, {}, await folderWith())).rejects.toMatchObject({
    message: expect.stringContaining('No server is known here'),
    remedy: expect.arrayContaining([expect.stringContaining('npm start')]),
  })
  await expect(findCredentials({}, {}, await folderWith('{'))).rejects.toThrow(/credentials.json is not JSON/)
  await expect(findCredentials({}, {}, await folderWith('{"url":"http://x"}'))).rejects.toThrow(/must hold/)
  await expect(findCredentials({}, {}, await folderWith('null'))).rejects.toThrow(/must hold/)
  await expect(findCredentials({ url: '127.0.0.1:8080', key: 'k' }, {}, '/')).rejects.toThrow(/not a server's address/)
})
