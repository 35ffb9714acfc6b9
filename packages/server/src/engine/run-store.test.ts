import { expect, test } from 'vitest'
import { makeDatabase } from '../../test/support/postgres.ts'
import { sql } from '../db/index.ts'
import { listRuns } from './run-store.ts'

test('a list of the few runs in a state does not walk over those that have completed', async () => {
  await using database = await makeDatabase()
  await database.db.rows(sql`
    insert into runs (id, tenant_id, agent, version, state, input, asker)
    select (lpad(to_hex(n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid, 'acme', 'a', 'v1', case when n % 2000 = 1 then 'failed' else 'completed' end, '1', '{}'
    from generate_series(1, 20000) n`)
  await database.owner.rows(sql`analyze runs`)
  const audience = { tenantId: 'acme', askerId: undefined }
  const [listed, read] = await database.db.forTenant('acme').transaction(async (tx) => {
    const runs = await listRuns(tx, audience, { limit: 50, state: 'failed' })
    const [rows] = await tx.rows<{ count: number }>(sql`
      select (seq_tup_read + idx_tup_fetch)::int as count from pg_stat_xact_user_tables where relname = 'runs'`)
    return [runs, rows?.count]
  })
  expect(listed).toHaveLength(10)
  expect(listed.every(({ state }) => state === 'failed')).toBe(true)
  expect(read).toBe(10)
})
