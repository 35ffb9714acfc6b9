/** Budgets: what admitting and settling a call costs, alone and when two hundred callers share one budget; what it adds to a step of a run. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Json, ModelReply, Prompt } from '@longhaul/protocol'
import { generateWithinBudget } from '../packages/server/src/agents/model-step.ts'
import { type Db, migrate, openDb, sql, startEmbedded } from '../packages/server/src/db/index.ts'
import { bookingSql, noTokens, openMoney } from '../packages/server/src/gateway/money/index.ts'
import { newId, silentLog } from '../packages/server/src/kernel/index.ts'
import { startEngine } from '../packages/server/test/support/engine.ts'
import { gatewayAnswering } from '../packages/server/test/support/money.ts'
import type { Line } from './line.ts'

type Emit = (line: Line) => void
const tenantId = 'acme'
const model = 'openai/gpt-5'

export async function budgetsBench(emit: Emit): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'longhaul-bench-'))
  const postgres = await startEmbedded({ dataDir, log: silentLog })
  const db = openDb({ url: postgres.url, log: silentLog, poolMax: 10 })
  try {
    await migrate(db, { log: silentLog })
    const baseline = await steps(db, 'without_budget', emit)
    await admissions(db, 1, 'without_budget', emit)
    for (const scope of ['tenant', 'agent', 'key'])
      await db.rows(sql`
        insert into budgets (tenant_id, id, name, scope, subject, per, time_zone, unit, limit_amount, set_by)
        values (${tenantId}, ${newId()}, ${scope}, ${scope}, '*', 'month', 'UTC', 'usd', 9e15::bigint, 'bench')`)
    for (const callers of [1, 200]) await admissions(db, callers, `${callers}_callers`, emit)
    await oneByOne(db, emit)
    emit({ figure: 'step_with_3_budgets_ratio', value: (await steps(db, 'with_3_budgets', emit)) / baseline, unit: 'ratio', n: 400 })
  } finally {
    await db.stop()
    await postgres.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}

/** Each caller admits and settles, over and over, on the same three counters. */
async function admissions(db: Db, callers: number, name: string, emit: Emit): Promise<void> {
  const money = openMoney({ db, log: silentLog, sweepMs: 3_600_000 })
  const count = callers === 1 ? 400 : 6_000
  const admit: number[] = []
  const settle: number[] = []
  const round = async (left: { count: number }, isTimed: boolean) => {
    while (left.count-- > 0) {
      const from = performance.now()
      const admission = await money.admit({ tenantId, agent: 'bench', keyId: 'bench', model, inputBytes: 2_000, outputTokensMax: 500 })
      const between = performance.now()
      if (!admission.isAdmitted) throw new Error(admission.refusal.message)
      await money.settle(admission.reservation, { type: 'used', tokens: { ...noTokens, input: 500, output: 100 } })
      if (isTimed) {
        admit.push(between - from)
        settle.push(performance.now() - between)
      }
    }
  }
  await round({ count: 50 }, false)
  const left = { count }
  const from = performance.now()
  await Promise.all(Array.from({ length: callers }, () => round(left, true)))
  const seconds = (performance.now() - from) / 1_000
  await money.stop()
  for (const [what, times] of [
    ['admit', admit],
    ['settle', settle],
  ] as const)
    for (const [at, q] of [
      ['p50', 0.5],
      ['p99', 0.99],
    ] as const)
      emit({ figure: `${what}_${at}_${name}`, value: quantile(times, q), unit: 'ms', n: times.length })
  emit({ figure: `calls_per_second_${name}`, value: count / seconds, unit: 'calls/s', n: count })
}

/** What it would be without the desk: two hundred callers, each with a transaction of its own on the same row. */
async function oneByOne(db: Db, emit: Emit): Promise<void> {
  const left = { count: 1_500 }
  const from = performance.now()
  await Promise.all(
    Array.from({ length: 200 }, async () => {
      while (left.count-- > 0) await db.rows(sql`update budget_counters set reserved = reserved + 0 where id = 1 and spent + reserved <= granted + overrun`)
    }),
  )
  emit({ figure: 'single_updates_per_second_200_callers', value: 1_500 / ((performance.now() - from) / 1_000), unit: 'updates/s', n: 1_500 })
}

/** A run of model steps that are answered at once; p50 of a step in ms. */
async function steps(db: Db, name: string, emit: Emit): Promise<number> {
  const count = 400
  const money = openMoney({ db, log: silentLog, sweepMs: 3_600_000 })
  const prompt: Prompt = {
    model,
    instructions: '',
    tools: [],
    messages: [{ role: 'user', content: [{ type: 'text', text: 'x'.repeat(2_000) }] }],
    outputTokensMax: 500,
  }
  const reply: ModelReply = {
    model,
    content: [{ type: 'text', text: 'Hi' }],
    finishReason: 'stop',
    usage: { input: 500, cachedInput: 0, output: 100, costUsd: null },
  }
  const times: number[] = []
  const gateway = gatewayAnswering(async (_, { onUsage }) => {
    onUsage?.({ ...noTokens, input: 500, output: 100 })
    return reply
  }, model)
  const node = await startEngine(
    db,
    {
      async code(ctx) {
        for (let n = 0; n < count + 50; n++) {
          const from = performance.now()
          await ctx.serve('model', model, null)
          if (n >= 50) times.push(performance.now() - from)
        }
        return null
      },
    },
    {
      booking: bookingSql,
      executors: { model: async (_, context) => ({ output: (await generateWithinBudget(prompt, context, { gateway, money })) as Json }) },
    },
  )
  const { id } = await node.start('code')
  await node.ended(id, 120_000)
  await node.stop()
  await money.stop()
  emit({ figure: `model_step_p50_${name}`, value: quantile(times, 0.5), unit: 'ms', n: times.length })
  emit({ figure: `model_step_p99_${name}`, value: quantile(times, 0.99), unit: 'ms', n: times.length })
  return quantile(times, 0.5)
}

function quantile(values: number[], at: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? NaN
}
