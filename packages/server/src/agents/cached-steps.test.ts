/** Model steps that ask for kept answers: free, marked, and nothing else than what was asked before. */
import type { Json, ModelReply, Prompt } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { type ScriptContext, startEngine } from '../../test/support/engine.ts'
import { counters, gatewayAnswering, openTestMoney, priceModel, pricedModel, setBudget } from '../../test/support/money.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { sql } from '../db/index.ts'
import { openAnswers } from '../gateway/cache/answers.ts'
import { cachePrompts } from '../gateway/cache/cache-prompts.ts'
import { databaseStore } from '../gateway/cache/stores.ts'
import { bookingSql, noTokens } from '../gateway/money/index.ts'
import { silentLog } from '../kernel/index.ts'
import { generateWithinBudget } from './model-step.ts'

const promptOf = (text: string, more: Partial<Prompt> = {}): Prompt => ({
  ...{ model: pricedModel, instructions: 'Be brief.', tools: [], outputTokensMax: 100, cacheSeconds: 60 },
  messages: [{ role: 'user', content: [{ type: 'text', text }] }],
  ...more,
})
const said = (content: ModelReply['content'], finishReason: ModelReply['finishReason'] = 'stop'): ModelReply => ({
  ...{ model: pricedModel, content, finishReason },
  usage: { input: 10, cachedInput: 0, output: 5, costUsd: null },
})

async function openBed(replies: ModelReply[]) {
  const t = await makeDatabase()
  await priceModel(t.db)
  await setBudget(t.db, { limit: 1_000_000_000 })
  const money = openTestMoney(t.db)
  const asked: Prompt[] = []
  const base = gatewayAnswering(async (prompt, { onUsage }) => {
    asked.push(prompt)
    onUsage?.({ ...noTokens, input: 10, output: 5 })
    return replies[asked.length - 1] ?? replies.at(-1) ?? expect.fail()
  })
  const answers = openAnswers({ store: databaseStore(t.db), log: silentLog })
  const gateway = { ...base, generate: cachePrompts(base.generate, answers, pricedModel) }
  const code = (ctx: ScriptContext) => ctx.serve('model', pricedModel, ctx.input)
  const node = await startEngine(
    t.db,
    { code },
    {
      booking: bookingSql,
      executors: {
        async model(input, context) {
          const reply = await generateWithinBudget(input as Prompt, context, { gateway, money })
          return { output: reply as Json, usage: reply.usage }
        },
      },
    },
  )
  return {
    ...{ asked, db: t.db },
    async run(prompt: Prompt) {
      const ended = await node.ended((await node.start('code', prompt as Json)).id)
      return ended.output as ModelReply
    },
    async [Symbol.asyncDispose]() {
      await node[Symbol.asyncDispose]()
      await money[Symbol.asyncDispose]()
      await t[Symbol.asyncDispose]()
    },
  }
}

test('the same prompt of another run gets the answer for nothing, marked in its journal and in the usage', async () => {
  await using t = await openBed([said([{ type: 'text', text: 'Blue.' }])])
  expect(await t.run(promptOf('Why is the sky blue?'))).not.toHaveProperty('isKept')
  const [spent] = await counters(t.db)
  const again = await t.run(promptOf('Why is the sky blue?'))
  expect(again).toMatchObject({ isKept: true, content: [{ text: 'Blue.' }], usage: { input: 0, output: 0, costUsd: 0 } })
  expect(t.asked).toHaveLength(1)
  expect(t.asked[0]).not.toHaveProperty('cacheSeconds')
  expect(await counters(t.db)).toEqual([spent])
  expect(await t.db.rows(sql`select cost, agent, tags ->> 'cache' as cache from usage order by at`)).toMatchObject([
    { agent: 'code', cache: null },
    { agent: 'code', cache: 'hit', cost: 0 },
  ])
})

test('what is not asked for, is another prompt, or answered with a call of a tool, is asked of a model', async () => {
  const call = said([{ type: 'tool-call', toolCallId: '1', toolName: 'pay', input: {} }], 'tool-calls')
  await using t = await openBed([call, call, said([{ type: 'text', text: 'Done.' }])])
  const tools = [{ name: 'pay', description: '', inputSchema: { type: 'object' } }]
  await t.run(promptOf('Pay', { tools }))
  expect(await t.run(promptOf('Pay', { tools }))).toMatchObject({ finishReason: 'tool-calls' })
  expect(t.asked).toHaveLength(2)
  await t.run(promptOf('One'))
  const { cacheSeconds: _, ...unasked } = promptOf('One')
  for (const prompt of [unasked as Prompt, promptOf('Two'), promptOf('One', { instructions: 'Be wordy.' }), promptOf('One', { tools })])
    expect(await t.run(prompt)).not.toHaveProperty('isKept')
  expect(t.asked).toHaveLength(7)
  expect(await t.run(promptOf('One'))).toMatchObject({ isKept: true }) // The control.
})
