import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fact } from '../../../test/support/engine.ts'
import { counters, priceModel, reservationCount, setBudget, watchCounters, watched, worstOfCall } from '../../../test/support/money.ts'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { sql } from '../../db/index.ts'

const program = join(import.meta.dirname, '../../../test/support/money-process.ts')

function startNode(url: string, callers: number) {
  const child = spawn(process.execPath, ['--conditions=longhaul-source', program, url, String(callers)], { stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)))
  return { ended, kill: () => child.kill('SIGKILL') }
}

test('nodes killed in the middle of everything never pass a limit, lose no call that was billed, and leave nothing held', { timeout: 180_000 }, async () => {
  await using t = await makeDatabase()
  await priceModel(t.db)
  const limit = 900 * worstOfCall
  await setBudget(t.db, { limit })
  await setBudget(t.db, { name: 'agents', scope: 'agent', subject: '*', limit: limit / 2 })
  await watchCounters(t.db)
  await t.db.rows(sql`create table provider_meter (id uuid primary key, cost bigint not null)`)
  const billed = async () => (await t.db.rows<{ n: number }>(sql`select count(*)::int as n from provider_meter`))[0]?.n ?? 0
  const callers = 70

  let nodes = [startNode(t.url, callers), startNode(t.url, callers), startNode(t.url, callers)]
  let killCount = 0
  for (let round = 0; round < 4; round++) {
    const before = await billed()
    await fact(billed, (count) => count > before + 100, 'number of billed calls', 60_000)
    const [victim, ...others] = nodes
    victim?.kill()
    if ((await victim?.ended) === 'SIGKILL') killCount++
    nodes = [...others, startNode(t.url, callers)]
  }
  expect(killCount).toBe(4) // They were at it when they were killed.
  expect(await Promise.all(nodes.map((node) => node.ended))).toEqual([0, 0, 0])
  // What the last one held when it was killed is swept by those that lived on, or by this one.
  const last = startNode(t.url, 1)
  await fact(
    () => reservationCount(t.db),
    (count) => count === 0,
  )
  expect(await last.ended).toBe(0)

  const [seen] = await watched(t.db)
  expect(seen?.worst).toBeLessThanOrEqual(0)
  const [all, ...agents] = await counters(t.db)
  expect(all).toMatchObject({ reserved: 0, overrun: 0 })
  expect(agents.map(({ reserved }) => reserved)).toEqual([0, 0, 0])
  const [ledger] = await t.db.rows(sql`
    select sum(usage.cost)::bigint as cost, count(*) filter (where meter.id is not null and usage.id is null)::int as "billedNotBooked",
      count(*) filter (where not is_estimated and meter.cost is distinct from usage.cost)::int as "bookedOtherwise",
      count(*) filter (where meter.cost > usage.cost)::int as "booked too low", count(*) filter (where is_estimated)::int > 0 as "killed in a call"
    from usage full join provider_meter meter on meter.id = usage.id`)
  expect(ledger).toEqual({ cost: all?.spent, billedNotBooked: 0, bookedOtherwise: 0, 'booked too low': 0, 'killed in a call': true })
  expect(agents.reduce((sum, { spent }) => sum + spent, 0)).toBe(all?.spent)
  expect(all?.spent).toBeGreaterThan(limit - worstOfCall)
})
