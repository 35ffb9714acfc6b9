import { expect, test } from 'vitest'
import { makeDatabase } from '../../test/support/postgres.ts'
import { newId, silentLog } from '../kernel/index.ts'
import { openLoginNews } from './login-news.ts'
import { tellLoginsChanged } from './person-store.ts'

test('every server hears whose logins have changed once that is committed, and forgets all whenever it begins to listen', async () => {
  await using t = await makeDatabase()
  const heard: (string | undefined)[][] = [[], []]
  const servers = heard.map((each) => openLoginNews({ db: t.db, log: silentLog, logins: { forget: (personId) => void each.push(personId) } }))
  await Promise.all(servers.map((server) => server.start()))
  await expect.poll(() => heard).toEqual([[undefined], [undefined]])

  const [committed, undone] = [newId(), newId()]
  const tenant = t.db.forTenant('acme')
  await expect(
    tenant.transaction(async (tx) => {
      await tellLoginsChanged(tx, undone)
      throw new Error('undone')
    }),
  ).rejects.toThrow('undone')
  await tenant.transaction((tx) => tellLoginsChanged(tx, committed))
  await expect
    .poll(() => heard)
    .toEqual([
      [undefined, committed],
      [undefined, committed],
    ])
  await Promise.all(servers.map((server) => server.stop()))
})
