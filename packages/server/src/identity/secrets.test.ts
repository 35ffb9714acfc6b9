import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeDatabase } from '../../test/support/postgres.ts'
import { sql } from '../db/index.ts'
import { secretBytes, silentLog } from '../kernel/index.ts'
import { openAudit } from './audit.ts'
import type { Caller } from './keys.ts'
import { openMasterKeys, openSecrets } from './secrets.ts'
import { openSigner } from './signer.ts'

const boss: Caller = { tenantId: 'acme', askerId: undefined, keyId: 'k', name: 'boss', permissions: ['secrets:manage'], access: { personalData: true } }
const use = { who: { id: 'k', name: 'boss' }, purpose: 'a test' }

async function makeSecrets() {
  const t = await makeDatabase()
  const masterKeys = { current: secretBytes(32) }
  return { ...t, masterKeys, secrets: openSecrets({ db: t.db, masterKeys, log: silentLog }) }
}

test('a value that depends on the newest version is not stored when another has come meanwhile', async () => {
  await using t = await makeSecrets()
  const { version } = await t.secrets.set(boss, { name: 'tokens', value: 'first' })
  await t.secrets.set(boss, { name: 'tokens', value: 'second', ifVersion: version })
  await expect(t.secrets.set(boss, { name: 'tokens', value: 'late', ifVersion: version })).rejects.toMatchObject({ code: 'conflict' })
  expect(await t.secrets.use('acme', 'tokens', use)).toBe('second')
})

test('a secret is used by its newest version, and no answer but that use has its value', async () => {
  await using t = await makeSecrets()
  const answers = [
    await t.secrets.set(boss, { name: 'crm', value: 'first-käse', description: 'of the CRM' }),
    await t.secrets.set(boss, { name: 'crm', value: 'second-käse' }),
    await t.secrets.list('acme'),
    await t.secrets.versions('acme', 'crm'),
  ]
  expect(answers[1]).toMatchObject({ version: 2, description: 'of the CRM', lastUsedAt: null, useCount: 0 })
  expect(await t.secrets.use('acme', 'crm', use)).toBe('second-käse')
  expect(await t.secrets.list('acme')).toMatchObject([{ version: 2, useCount: 1, lastUsedAt: expect.any(String) }])
  await expect(t.secrets.use('globex', 'crm', use)).rejects.toMatchObject({ code: 'not_found' })
  answers.push(await t.secrets.delete(boss, 'crm'))
  await expect(t.secrets.use('acme', 'crm', use)).rejects.toMatchObject({ code: 'not_found' })
  expect(JSON.stringify(answers)).not.toContain('käse')
})

test('whoever is limited to agents sets, changes and deletes only secrets that are for those alone', async () => {
  await using t = await makeSecrets()
  const limited: Caller = { ...boss, name: 'limited', agents: ['mine', 'mine-too'] }
  const set = (caller: Caller, name: string, agents?: string[] | null) => t.secrets.set(caller, { name, value: 'v', ...(agents !== undefined && { agents }) })
  await set(boss, 'of-all', null)
  await set(boss, 'of-another', ['other'])
  for (const [name, agents] of [
    ['new', undefined],
    ['new', null],
    ['new', ['mine', 'other']],
    ['of-all', ['mine']],
    ['of-another', ['mine']],
  ] as const)
    await expect(set(limited, name, agents && [...agents])).rejects.toMatchObject({ code: 'forbidden' })
  for (const name of ['of-all', 'of-another']) await expect(t.secrets.delete(limited, name)).rejects.toMatchObject({ code: 'forbidden' })
  expect(await t.secrets.list('acme')).toMatchObject([
    { name: 'of-all', version: 1, agents: null },
    { name: 'of-another', version: 1, agents: ['other'] },
  ])
  await set(limited, 'own', ['mine'])
  expect(await set(limited, 'own')).toMatchObject({ version: 2, agents: ['mine'] })
  expect(await t.secrets.delete(limited, 'own')).toMatchObject({ name: 'own' })
})

test('every use is in the audit log with what for, one that failed too', async () => {
  await using t = await makeSecrets()
  const dataDir = await mkdtemp(join(tmpdir(), 'secrets-'))
  const audit = openAudit({ db: t.db, signer: await openSigner(dataDir), log: silentLog })
  await t.secrets.set(boss, { name: 'crm', value: 'v' })
  await t.secrets.use('acme', 'crm', { ...use, runId: 'run-1' })
  await t.secrets.use('acme', 'nothing', use).catch(() => {})
  await audit.append()
  expect((await audit.read('acme', 0, 10)).map(({ action, target, outcome, detail }) => [action, target, outcome, detail])).toEqual([
    ['secrets.set', 'crm', 'done', { version: 1, hosts: [], agents: null }],
    ['secrets.use', 'crm', 'done', { purpose: 'a test', version: 1, runId: 'run-1' }],
    ['secrets.use', 'nothing', 'failed', { purpose: 'a test' }],
  ])
  await rm(dataDir, { recursive: true })
})

test('what was changed in the database, or put in another’s place, is not taken for a value', async () => {
  await using t = await makeSecrets()
  await t.secrets.set(boss, { name: 'low', value: 'low-value' })
  await t.secrets.set(boss, { name: 'high', value: 'high-value' })
  await t.owner.rows(sql`update secrets set (ciphertext, wrapped_key) = (select ciphertext, wrapped_key from secrets where name = 'high') where name = 'low'`)
  await expect(t.secrets.use('acme', 'low', use)).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('changed outside') })
  expect(await t.secrets.use('acme', 'high', use)).toBe('high-value') // The control.
  await t.owner.rows(sql`update secrets set ciphertext = set_byte(ciphertext, 14, get_byte(ciphertext, 14) # 1) where name = 'high'`)
  await expect(t.secrets.use('acme', 'high', use)).rejects.toMatchObject({ code: 'unavailable' })
})

test('a new master key takes over from the old one, which is then good for nothing', async () => {
  await using t = await makeSecrets()
  for (const name of ['a', 'b', 'c']) await t.secrets.set(boss, { name, value: `value-${name}` })
  const next = { current: secretBytes(32), previous: t.masterKeys.current }
  const [without, during] = [{ current: next.current }, next].map((masterKeys) => openSecrets({ db: t.db, masterKeys, log: silentLog }))
  await expect(without?.use('acme', 'a', use)).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('LONGHAUL_MASTER_KEY_PREVIOUS') })
  await expect(without?.rewrapAll()).rejects.toMatchObject({ code: 'unavailable' }) // Nothing is lost by it.
  expect(await during?.use('acme', 'a', use)).toBe('value-a')
  expect(await during?.rewrapAll()).toBe(3)
  expect(await during?.rewrapAll()).toBe(0)
  expect(await without?.use('acme', 'b', use)).toBe('value-b')
  await expect(t.secrets.use('acme', 'b', use)).rejects.toMatchObject({ code: 'unavailable' })
})

test('a master key is made once, with a file that nobody else may read', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'secrets-'))
  const file = join(dataDir, 'master.key')
  const [first, second] = await Promise.all([openMasterKeys(dataDir, {}), openMasterKeys(dataDir, {})])
  expect(first).toEqual(second)
  expect([(await stat(file)).mode & 0o777, (await readFile(file, 'utf8')).trim().length]).toEqual([0o600, 44])
  const given = secretBytes(32)
  expect(await openMasterKeys(dataDir, { current: given.toString('base64') })).toEqual({ current: given, previous: undefined })
  await expect(openMasterKeys(dataDir, { current: 'short' })).rejects.toThrow('LONGHAUL_MASTER_KEY')
  await chmod(file, 0o644)
  await expect(openMasterKeys(dataDir, {})).rejects.toThrow('chmod 600')
  await rm(dataDir, { recursive: true })
})
