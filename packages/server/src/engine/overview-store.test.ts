import { expect, test } from 'vitest'
import { everyone, startEngine } from '../../test/support/engine.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { countRuns, searchRuns } from './overview-store.ts'

const script = {
  ends: async () => 'done',
  waits: async (ctx: Parameters<Parameters<typeof startEngine>[1][string]>[0]) => ctx.signal('never'),
}

test('runs are found by what their input says, page by page, and by nothing else', async () => {
  await using t = await makeDatabase()
  await using a = await startEngine(t.db, script)
  const ids: string[] = []
  for (const input of ['Umsatz in "Köln"', 'ARR by region', { order: 'A-17', city: 'köln' }, '上季度的 ARR']) ids.push((await a.start('ends', input)).id)
  const found = async (search: string, more: { limit?: number; before?: string } = {}) => {
    const { items, next } = await searchRuns(t.db.forTenant(everyone.tenantId), everyone, { limit: 10, ...more, search })
    return [items.map(({ id }) => ids.indexOf(id)), next]
  }
  expect(await found('KÖLN')).toEqual([[2, 0], null])
  expect(await found('in "köln"')).toEqual([[0], null])
  expect(await found('arr', { limit: 1 })).toEqual([[3], ids[3]])
  expect(await found('arr', { limit: 1, before: ids[3]! })).toEqual([[1], null])
  expect(await found('100%')).toEqual([[], null])
  const other = await searchRuns(t.db.forTenant('other'), { tenantId: 'other', askerId: undefined }, { limit: 10, search: 'arr' })
  expect(other.items).toEqual([])
})

test('runs are counted by agent and state: those under way whenever they began, the others since an instant', async () => {
  await using t = await makeDatabase()
  await using a = await startEngine(t.db, script)
  const waiting = await a.start('waits', null)
  const ended = await a.start('ends', null)
  await a.ended(ended.id)
  await a.reaches(waiting.id, 'waiting')
  const count = (since: Date, audience = everyone) => countRuns(t.db.forTenant(audience.tenantId), audience, { since })
  const nothing = { cpuMs: 0, memoryMbS: 0 } // No worker executes them here.
  const hourAgo = new Date(Date.parse(waiting.createdAt) - 3_600_000)
  expect(await count(hourAgo)).toEqual({
    items: [
      { agent: 'ends', state: 'completed', count: 1, sinceCount: 1, sinceCompute: nothing },
      { agent: 'waits', state: 'waiting', count: 1, sinceCount: 1, sinceCompute: nothing },
    ],
    isCut: false,
  })
  expect(await count(new Date(Date.parse(ended.createdAt) + 3_600_000))).toEqual({
    items: [{ agent: 'waits', state: 'waiting', count: 1, sinceCount: 0, sinceCompute: nothing }],
    isCut: false,
  })
  expect((await count(hourAgo, { tenantId: 'other', askerId: undefined })).items).toEqual([])
})
