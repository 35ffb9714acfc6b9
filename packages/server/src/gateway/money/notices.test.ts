/** Events of budgets told to webhooks: each once, signed, until it is taken, and nothing where nobody asked. */
import { expect, test } from 'vitest'
import { admitted, callOf, openTestMoney, priceModel, refused } from '../../../test/support/money.ts'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { type Answer, type Received, openReceiver, secret } from '../../../test/support/receiver.ts'
import { type Db, sql } from '../../db/index.ts'
import { silentLog, wallClock } from '../../kernel/index.ts'
import { postWebhook } from '../../outcomes/index.ts'
import { openBoard } from './board.ts'
import { noTokens } from './buckets.ts'
import { openNotices } from './notices.ts'

const by = { tenantId: 'acme', name: 'ops' }

const started = async (db: Db, more: { attemptsMax?: number } = {}) => {
  const notices = openNotices({
    ...{ db, log: silentLog, pollMs: 20, backoff: { attemptsMax: 5, delayMsMin: 10, delayMsMax: 20, ...more } },
    send: (webhook) => postWebhook({ ...webhook, secret, reach: 'loopback', nowMs: wallClock().getTime() }),
  })
  await notices.start()
  return notices
}

async function openBed(answer?: (count: number, received: Received) => Answer, attemptsMax?: number) {
  const t = await makeDatabase()
  await priceModel(t.db)
  const money = openTestMoney(t.db)
  const board = openBoard({ db: t.db, money })
  const receiver = await openReceiver(answer)
  // Two servers look.
  const services = [await started(t.db, attemptsMax ? { attemptsMax } : {}), await started(t.db, attemptsMax ? { attemptsMax } : {})]
  return {
    ...{ db: t.db, money, board, receiver },
    /** Spends so many dollars. */
    async spend(usd: number) {
      const { reservation } = await admitted(money.admit(callOf({ outputTokensMax: 100 })))
      await money.settle(reservation, { type: 'used', tokens: { ...noTokens, input: usd * 1e6 } })
    },
    events: async () => (await board.listEvents('acme', { limit: 50 })).items.toReversed(),
    async [Symbol.asyncDispose]() {
      for (const service of services) await service.stop()
      await receiver[Symbol.asyncDispose]()
      await money[Symbol.asyncDispose]()
      await t[Symbol.asyncDispose]()
    },
  }
}

test('50, 80 and 100 %, the first refusal and an overrun are told once each, signed', async () => {
  await using t = await openBed()
  await t.board.setBudget(by, { name: 'all', limit: 1, per: 'day', webhookUrl: t.receiver.url })
  await t.board.setBudget(by, { name: 'quiet', limit: 1 })
  await t.spend(0.49)
  await t.spend(0.02)
  await t.spend(0.01) // Says nothing new.
  await t.spend(0.3)
  await t.spend(0.3)
  await refused(t.money.admit(callOf()))
  await refused(t.money.admit(callOf()))
  const told = () => t.receiver.received.map(({ body }) => `${body.type} ${String(body.data['percent'])}`).toSorted()
  await expect.poll(told).toEqual(['budget.overrun 100', 'budget.refused 100', 'budget.warning 100', 'budget.warning 50', 'budget.warning 80'])
  expect(t.receiver.received.every(({ isSigned }) => isSigned)).toBe(true)
  const [first] = t.receiver.received
  expect(first?.body).toMatchObject({
    data: { budget: 'all', scope: 'tenant', subject: '*', unit: 'usd', limit: 1, per: 'day', refillsAt: expect.any(String) as string },
  })
  await expect.poll(async () => (await t.events()).filter(({ notice }) => notice?.state === 'delivered').length).toBe(5)
  expect((await t.events()).filter(({ budget }) => budget === 'quiet').map(({ notice }) => notice)).toContain(null)
})

test('one that is not taken is tried again under the same id, and given up in the end', async () => {
  const tries = new Map<string, number>()
  await using t = await openBed((_, { id }) => {
    tries.set(id, (tries.get(id) ?? 0) + 1)
    return { status: (tries.get(id) ?? 0) < 3 ? 503 : 204 }
  })
  await t.board.setBudget(by, { name: 'all', limit: 1, webhookUrl: t.receiver.url })
  await t.spend(0.6)
  await expect.poll(async () => (await t.events())[0]?.notice).toMatchObject({ state: 'delivered', attempt: 3 })
  const [first] = await t.events()
  expect(t.receiver.received.filter(({ id }) => id === `msg_${first?.id}`)).toHaveLength(3)
  await using other = await openBed(() => ({ status: 500, text: 'Not today.' }), 2)
  await other.board.setBudget(by, { name: 'all', limit: 1, webhookUrl: other.receiver.url })
  await other.spend(0.6)
  await expect
    .poll(async () => (await other.events())[0]?.notice)
    .toEqual({ state: 'failed', attempt: 2, failure: expect.stringContaining('500: Not today.') as string })
})

test('a webhook is kept when only the limit changes, and taken away with null; without a secret none can be set', async () => {
  await using t = await openBed()
  await t.board.setBudget(by, { name: 'all', limit: 1, webhookUrl: t.receiver.url })
  expect(await t.board.setBudget(by, { name: 'all', limit: 2 })).toMatchObject({ webhookUrl: t.receiver.url })
  expect(await t.board.setBudget(by, { name: 'all', limit: 2, webhookUrl: null })).toMatchObject({ webhookUrl: null })
  const mute = openBoard({ db: t.db, money: t.money, whyNoWebhooks: 'There is no secret.' })
  await expect(mute.setBudget(by, { name: 'all', limit: 2, webhookUrl: t.receiver.url })).rejects.toThrow('There is no secret.')
  await t.spend(1.5)
  await expect.poll(async () => (await t.events()).length).toBeGreaterThan(0)
  expect(await t.db.rows(sql`select notice_state from budget_events where notice_state is not null`)).toEqual([])
})
