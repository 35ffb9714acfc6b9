import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { permissions } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { makeDatabase } from '../../test/support/postgres.ts'
import { silentLog } from '../kernel/index.ts'
import { firstKey } from './credentials.ts'
import { type Caller, openKeys } from './keys.ts'

const administrator: Caller = { tenantId: 'default', askerId: undefined, keyId: 'k', name: 'boss', permissions, access: { personalData: true } }

async function makeMachine() {
  const t = await makeDatabase()
  const keys = openKeys({ db: t.db, log: silentLog })
  const dataDir = await mkdtemp(join(tmpdir(), 'credentials-'))
  return {
    keys,
    dataDir,
    file: join(dataDir, 'credentials.json'),
    start: (url = 'http://127.0.0.1:8080') => firstKey({ keys, dataDir, url }),
    async [Symbol.asyncDispose]() {
      await keys.stop()
      await rm(dataDir, { recursive: true })
      await t[Symbol.asyncDispose]()
    },
  }
}

test('the first start makes a key for everything, in a file for its owner alone', async () => {
  await using t = await makeMachine()
  const { key, isNew } = await t.start()
  expect(isNew).toBe(true)
  expect(JSON.parse(await readFile(t.file, 'utf8'))).toEqual({ url: 'http://127.0.0.1:8080', key })
  expect((await stat(t.file)).mode & 0o777).toBe(0o600)
  expect((await t.keys.authenticate(key))?.permissions).toContain('keys:manage')
  expect(await readdir(t.dataDir)).toEqual(['credentials.json'])
})

test('a later start keeps the key, refreshes the address and mends the mode', async () => {
  await using t = await makeMachine()
  const { key } = await t.start()
  await chmod(t.file, 0o644)
  expect(await t.start('http://127.0.0.1:9090')).toMatchObject({ key, isNew: false })
  expect(JSON.parse(await readFile(t.file, 'utf8'))).toEqual({ url: 'http://127.0.0.1:9090', key })
  expect((await stat(t.file)).mode & 0o777).toBe(0o600)
  expect(await t.keys.list(administrator)).toHaveLength(1)
})

test.each<[string, (file: string) => Promise<void>]>([
  ['lost', (file) => rm(file)],
  ['cut off', (file) => writeFile(file, '{"url": "http')],
  ['of another database', (file) => writeFile(file, JSON.stringify({ url: 'http://x', key: `lh_${'A'.repeat(43)}` }))],
])('a file that is %s gets a new key', async (_, spoil) => {
  await using t = await makeMachine()
  const { key } = await t.start()
  await spoil(t.file)
  const again = await t.start()
  expect(again.isNew).toBe(true)
  expect(again.key).not.toBe(key)
  expect(await t.keys.authenticate(again.key)).toBeDefined()
})

test('a revoked key is replaced at the next start', async () => {
  await using t = await makeMachine()
  const { key } = await t.start()
  await t.keys.delete(administrator, (await t.keys.authenticate(key))?.keyId ?? '')
  expect((await t.start()).key).not.toBe(key)
})
