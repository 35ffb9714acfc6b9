/** The real server, killed before and after the commits around its model calls: what the provider billed is what was booked. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { sql } from '../src/db/index.ts'
import { startFakeProvider } from './support/fake-provider.ts'
import { counters, reservationCount } from './support/money.ts'
import { makeDatabase } from './support/postgres.ts'
import { openServerProcess, until } from './support/server-process.ts'

const model = 'compatible/metered'
const stepCount = 2
/** One that is left alone, and one for each kill. */
const runCount = 5
/** 10 tokens in at $1, 5 out at $10 for a million: what the fake says of each answer. */
const costOfCall = 10 * 1_000 + 5 * 10_000

test('a server killed around its model calls books each call that the provider took, once, and holds nothing afterwards', { timeout: 300_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'money-crash-'))
  const crashFile = join(folder, 'crash')
  await using fake = await startFakeProvider([{ text: ['Hello'] }])
  await using t = await makeDatabase()
  await using server = await openServerProcess({
    env: {
      LONGHAUL_DATABASE_URL: t.url,
      LONGHAUL_TEST_CRASH_FILE: crashFile,
      LONGHAUL_OPENAI_COMPATIBLE_BASE_URL: fake.compatibleUrl,
      LONGHAUL_OPENAI_COMPATIBLE_MODEL: 'metered',
    },
  })
  await server.start()
  await server.client.models.set({ model, price: { input: 1, output: 10 } })
  await server.client.budgets.set({ name: 'everything', limit: 1 })
  await server.client.budgets.set({ name: 'each-run', per: 'run', limit: 0.1 })
  const run = async () => {
    const { id } = await server.client.runs.start({ agent: 'spender', input: stepCount, idempotencyKey: `${fake.requests.length} ${crashFile}` })
    return id
  }
  const ended = (runId: string) =>
    until('the run to end', 60_000, async () => {
      const found = await server.client.runs.get({ runId }).catch(() => undefined) // It is being started again.
      return found && ['completed', 'failed'].includes(found.state) ? found : undefined
    })
  expect(await ended(await run())).toMatchObject({ state: 'completed', usage: { costUsd: (stepCount * costOfCall) / 1e9 } })

  let killCount = 0
  for (const point of ['flush.before', 'flush.after'] as const)
    for (const n of [2, 3]) {
      writeFileSync(crashFile, `${point} ${n}`)
      const runId = await run()
      const end = await Promise.race([server.ended(), ended(runId)])
      if (end === 'SIGKILL') {
        killCount++
        await server.start()
      } else rmSync(crashFile, { force: true }) // Two commits fell into one this time.
      expect(await ended(runId), `${point} ${n}`).toMatchObject({ state: 'completed', usage: { costUsd: (stepCount * costOfCall) / 1e9 } })
    }
  expect(killCount).toBeGreaterThan(2)

  await until('nothing to be held', 60_000, async () => (await reservationCount(t.db)) === 0 || undefined)
  const [booked] = await t.db.rows<{ calls: number; sure: number; surely: number; cost: number }>(sql`
    select count(*)::int as calls, count(*) filter (where not is_estimated)::int as sure, sum(cost) filter (where not is_estimated)::bigint as surely, sum(cost)::bigint as cost
    from usage`)
  expect(booked?.calls).toBe(fake.requests.length)
  expect(booked?.sure).toBe(runCount * stepCount)
  expect(booked?.surely).toBe(runCount * stepCount * costOfCall)
  expect(fake.requests.length).toBeGreaterThan(runCount * stepCount) // Calls whose answer was lost, and that were made again.
  const found = await counters(t.db)
  expect(found.every(({ reserved, overrun }) => reserved === 0 && overrun === 0)).toBe(true)
  expect(found.map(({ spent }) => spent).toSorted((a, b) => b - a)[0]).toBe(booked?.cost)
  rmSync(folder, { recursive: true })
})
