/** A till for tests: a tenant, budgets set by statement, and a log of every state that a counter was ever committed in. */
import type { ModelReply, Prompt } from '@longhaul/protocol'
import { type Db, sql } from '../../src/db/index.ts'
import type { Gateway, GenerateOptions } from '../../src/gateway/index.ts'
import { type Admission, type Money, type TokenBuckets, openMoney, outcomeOfFailure } from '../../src/gateway/money/index.ts'
import { newId, silentLog, toFailure } from '../../src/kernel/index.ts'
import { pricedModel, tenantId } from './money-calls.ts'

export * from './money-calls.ts'

export type TestBudget = {
  name?: string
  scope?: string
  subject?: string
  per?: string
  unit?: string
  timeZone?: string
  /** Nanodollars, tokens or requests. */ limit: number
}

export async function setBudget(
  db: Db,
  { name = 'all', scope = 'tenant', subject = '*', per = 'total', unit = 'usd', timeZone = 'UTC', limit }: TestBudget,
): Promise<string> {
  const id = newId()
  await db.rows(sql`
    insert into budgets (tenant_id, id, name, scope, subject, per, time_zone, unit, limit_amount, set_by)
    values (${tenantId}, ${id}, ${name}, ${scope}, ${subject}, ${per}, ${timeZone}, ${unit}, ${limit}, 'test')`)
  return id
}

/** From here on each state of a counter is kept, as its transaction leaves it; also those that were rolled back are gone with it. */
export async function watchCounters(db: Db): Promise<void> {
  await db.rows(sql`create table watched (counter bigint, spent bigint, reserved bigint, limit_amount bigint, overrun bigint)`)
  await db.rows(sql`
    create function watch() returns trigger language plpgsql as $$
    begin
      insert into watched select new.id, new.spent, new.reserved, limit_amount, new.overrun from budgets where id = new.budget_id;
      return new;
    end $$`)
  await db.rows(sql`create trigger watched after insert or update on budget_counters for each row execute function watch()`)
}

export const watched = (db: Db): Promise<{ states: number; worst: number; most: number }[]> =>
  db.rows(sql`select count(*)::int as states, max(spent + reserved - limit_amount)::bigint as worst, max(spent + reserved)::bigint as most from watched`)

export type CounterRow = { subject: string; spent: number; reserved: number; overrun: number; granted: number }
export const counters = (db: Db): Promise<CounterRow[]> => db.rows(sql`select subject, spent, reserved, overrun, granted from budget_counters order by id`)
export const reservationCount = async (db: Db): Promise<number> => (await db.rows<{ n: number }>(sql`select count(*)::int as n from reservations`))[0]?.n ?? NaN
export type UsageRow = { cost: number | null; isEstimated: boolean; isFailed: boolean; op: string | null }
export const usageRows = (db: Db): Promise<UsageRow[]> =>
  db.rows(sql`select cost, is_estimated as "isEstimated", is_failed as "isFailed", op from usage order by at`)

export async function priceModel(db: Db): Promise<void> {
  await db.rows(sql`
    insert into model_overrides (tenant_id, model, since, facts, set_by)
    values (${tenantId}, ${pricedModel}, '2020-01-01', ${JSON.stringify({ price: { input: 1, output: 10 }, outputMax: 4_000 })}, 'test')`)
}

export function openTestMoney(db: Db, options: { leaseMs?: number; sweepMs?: number } = {}): Money & AsyncDisposable {
  const money = openMoney({ db, log: silentLog, sweepMs: 60_000, ...options })
  return { ...money, [Symbol.asyncDispose]: () => money.stop() }
}

export async function admitted(admission: Promise<Admission>): Promise<Extract<Admission, { isAdmitted: true }>> {
  const found = await admission
  if (!found.isAdmitted) throw new Error(`Refused: ${found.refusal.message}`)
  return found
}
export async function refused(admission: Promise<Admission>) {
  const found = await admission
  if (found.isAdmitted) throw new Error('It was admitted.')
  return found.refusal
}

export type Generate = (prompt: Prompt, options: GenerateOptions & { onUsage?(tokens: TokenBuckets): void }) => Promise<ModelReply>

/** A gateway with one model that answers as `generate` says, and asks for each call as the real one does. */
export function gatewayAnswering(generate: Generate, model = pricedModel): Gateway {
  return {
    defaultModel: model,
    isOffline: false,
    available: [],
    async generate(prompt, options) {
      const admission = await options.admit?.(model)
      const asking = admission?.outputTokensMax === undefined ? prompt : { ...prompt, outputTokensMax: admission.outputTokensMax }
      let tokens: TokenBuckets | undefined
      let outputBytes = 0
      const onText = (text: string) => {
        outputBytes += Buffer.byteLength(text)
        options.onText?.(text)
      }
      let reply: ModelReply
      try {
        reply = await generate(asking, { ...options, onText, onUsage: (found) => (tokens = found) })
      } catch (error) {
        await admission?.settle(outcomeOfFailure(toFailure(error).code, { tokens, outputBytes }), false)
        throw error
      }
      const bytes = Buffer.byteLength(JSON.stringify(reply.content))
      const costUsd = await admission?.settle(tokens ? { type: 'used', tokens } : { type: 'unknown', outputBytes: bytes }, true)
      return tokens && costUsd !== undefined ? { ...reply, usage: { ...reply.usage, costUsd } } : reply
    },
  }
}
