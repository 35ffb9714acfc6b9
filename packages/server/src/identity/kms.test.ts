import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startVault } from '../../test/support/fake-vault.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { loadConfig, vaultSettings } from '../config.ts'
import { sql } from '../db/index.ts'
import { createLog, secretBytes, silentLog } from '../kernel/index.ts'
import { openVault } from './kms.ts'
import type { Caller } from './keys.ts'
import { openSecrets, openServiceKeys } from './secrets.ts'

const boss: Caller = { tenantId: 'acme', askerId: undefined, keyId: 'k', name: 'boss', permissions: ['secrets:manage'], access: { personalData: true } }
const use = { who: { id: 'k', name: 'boss' }, purpose: 'a test' }

async function makeBed() {
  const [t, vault, dataDir] = await Promise.all([makeDatabase(), startVault(), mkdtemp(join(tmpdir(), 'kms-'))])
  const lines: string[] = []
  const log = createLog((_, message, data) => void lines.push(JSON.stringify([message, data])), 'debug')
  return {
    ...t,
    ...{ vault, dataDir, lines },
    async start(more: { previous?: string; since?: string; key?: string; token?: string; url?: string } = {}) {
      const { url = vault.url, token = vault.token, key = 'longhaul', ...rest } = more
      const masterKeys = await openServiceKeys(dataDir, { db: t.db, log, vault: { url, token, mount: 'transit', key, timeoutMs: 2_000 }, ...rest })
      const secrets = openSecrets({ db: t.db, masterKeys, log: silentLog })
      return { masterKeys, secrets, count: await secrets.rewrapAll() }
    },
    async [Symbol.asyncDispose]() {
      await t[Symbol.asyncDispose]()
      await vault[Symbol.asyncDispose]()
      await rm(dataDir, { recursive: true })
    },
  }
}

test('the master key is made by the service at the first start, is the same at every other, and stands nowhere as it is', async () => {
  await using bed = await makeBed()
  const all = await Promise.all([bed.start(), bed.start(), bed.start()])
  const [first] = all
  expect(new Set(all.map(({ masterKeys }) => masterKeys.current.toString('hex'))).size).toBe(1)
  await first!.secrets.set(boss, { name: 'crm', value: 'käse' })
  expect(await (await bed.start()).secrets.use('acme', 'crm', use)).toBe('käse')
  const key = first!.masterKeys.current
  const stored = JSON.stringify(await bed.db.rows(sql`select * from master_keys`))
  expect(stored).toContain('vault:v1:')
  for (const text of [stored, ...bed.lines]) for (const form of ['hex', 'base64', 'base64url'] as const) expect(text).not.toContain(key.toString(form))
  await expect(bed.db.forTenant('acme').rows(sql`select * from master_keys`)).rejects.toThrow(/permission denied/)
})

test('a new version of the service’s key is taken at the next start, after which the old one may go', async () => {
  await using bed = await makeBed()
  const { secrets } = await bed.start()
  await secrets.set(boss, { name: 'crm', value: 'käse' })
  bed.vault.rotate()
  await bed.start()
  expect(await bed.db.rows(sql`select left(wrapped, 9) as wrapped from master_keys`)).toEqual([{ wrapped: 'vault:v2:' }])
  bed.vault.forgetOld()
  expect(await (await bed.start()).secrets.use('acme', 'crm', use)).toBe('käse')
  // Had nobody started in between, it would be refused and not be lost.
  bed.vault.rotate()
  bed.vault.forgetOld()
  await expect(bed.start()).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('min_decryption_version') })
})

test('a master key that is too old is replaced, and everything taken over', async () => {
  await using bed = await makeBed()
  const before = await bed.start()
  await before.secrets.set(boss, { name: 'crm', value: 'käse' })
  const since = new Date(Date.now() + 1_000).toISOString()
  expect(await bed.start({ since: '2020-01-01T00:00:00Z' })).toMatchObject({ count: 0 })
  const after = await bed.start({ since })
  expect(after.count).toBe(1)
  expect(after.masterKeys.current.equals(before.masterKeys.current)).toBe(false)
  expect(await after.secrets.use('acme', 'crm', use)).toBe('käse')
})

test('what was under a key of the settings or of the data folder is taken over', async () => {
  await using bed = await makeBed()
  const [given, file] = [secretBytes(32), secretBytes(32)]
  await openSecrets({ db: bed.db, masterKeys: { current: given }, log: silentLog }).set(boss, { name: 'one', value: 'eins' })
  await openSecrets({ db: bed.db, masterKeys: { current: file }, log: silentLog }).set(boss, { name: 'two', value: 'zwei' })
  await expect(bed.start()).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('LONGHAUL_MASTER_KEY_PREVIOUS') })
  await writeFile(join(bed.dataDir, 'master.key'), `${file.toString('base64')}\n`, { mode: 0o600 })
  const { secrets, count } = await bed.start({ previous: given.toString('base64') })
  expect(count).toBe(2)
  await rm(join(bed.dataDir, 'master.key'))
  expect([await secrets.use('acme', 'one', use), await (await bed.start()).secrets.use('acme', 'two', use)]).toEqual(['eins', 'zwei'])
})

test('a service that does not open keeps the server from starting, with what to do', async () => {
  await using bed = await makeBed()
  await bed.start()
  const why = async (more: Parameters<typeof bed.start>[0]) =>
    bed.start(more).then(
      () => '',
      ({ code, message }: { code: string; message: string }) => `${code}: ${message}`,
    )
  expect(await why({ url: 'http://127.0.0.1:1' })).toMatch(
    /^unavailable: The key service at http:\/\/127\.0\.0\.1:1 does not answer \(.+\).*LONGHAUL_VAULT_URL/,
  )
  expect(await why({ token: 'hvs.wrong' })).toMatch(/^unavailable: .*403.*permission denied.*LONGHAUL_VAULT_TOKEN/)
  expect(await why({ key: 'other' })).toMatch(/^unavailable: .*vault transit\/longhaul.*LONGHAUL_VAULT_KEY/)
  bed.vault.seal()
  expect(await why({})).toMatch(/^unavailable: .*503.*sealed.*unseal it/)
  bed.vault.seal(false)
  expect(await why({})).toBe('')
  await expect(openVault({ url: bed.vault.url, token: bed.vault.token, mount: 'kv', key: 'longhaul' }).makeKey()).rejects.toMatchObject({
    message: expect.stringContaining('vault secrets enable transit'),
  })
  expect([...bed.lines, await why({ token: 'hvs.wrong' })].join()).not.toContain('hvs.wrong')
})

test('the settings of the service go together, and without a master key beside it', () => {
  const both = { LONGHAUL_VAULT_URL: 'https://vault.example:8200', LONGHAUL_VAULT_TOKEN: 'hvs.0123456789' }
  expect(vaultSettings(loadConfig(both))).toEqual({ url: both.LONGHAUL_VAULT_URL, token: both.LONGHAUL_VAULT_TOKEN, mount: 'transit', key: 'longhaul' })
  expect(vaultSettings(loadConfig({}))).toBeUndefined()
  expect(() => loadConfig({ LONGHAUL_VAULT_URL: both.LONGHAUL_VAULT_URL })).toThrow(/LONGHAUL_VAULT_TOKEN/)
  expect(() => loadConfig({ ...both, LONGHAUL_MASTER_KEY: 'x'.repeat(44) })).toThrow(/LONGHAUL_MASTER_KEY_PREVIOUS/)
})
