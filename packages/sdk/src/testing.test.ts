/** The runs that a run starts, in memory: they are executed as well, and one worker has all of them. */
import type { Answer } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { makeAgentFolder } from '../test/support/agent-folder.ts'
import { makeAgent } from '../test/support/loop-agent.ts'
import { durable } from './agent.ts'
import { calls, loadAgent, runAgent, runWithCrashes, says } from './testing.ts'

const office = (effect: string) =>
  makeAgentFolder(
    {
      'agent/agent.ts': `import { agent } from '@longhaul/sdk'\nexport default agent({ description: 'Leads.', stockTools: [] })`,
      'agent/subagents/cashier/agent.ts': `import { agent } from '@longhaul/sdk'\nexport default agent({ description: 'Pays', stockTools: [] })`,
      'agent/subagents/cashier/tools/pay.ts': `import { tool } from '@longhaul/sdk'
import { z } from 'zod'
export default tool({ description: 'Pays.', ${effect} input: z.strictObject({}), run: async (_, ctx) => (await ctx.approval('Pay?')).approved })`,
    },
    { isInstalled: true },
  )
const options = () => ({
  input: 'x',
  model: [calls(['cashier', { task: 'one' }], ['cashier', { task: 'two' }]), says('Done.')],
  subagents: { cashier: { model: [calls(['pay', {}]), says('Paid.')] } },
})

test('a crash strikes at every fact of a subagent’s run as well, and what it does to a tool there changes how the run of all ends', async () => {
  await using sound = await office("effect: 'idempotent',")
  const { undisturbed, crashed } = await runWithCrashes(await loadAgent(sound.folder), options)
  expect(undisturbed.children.map(({ name, state, prompts }) => [name, state, prompts.length])).toEqual([
    ['cashier', 'completed', 2],
    ['cashier', 'completed', 2],
  ])
  const own = undisturbed.history.length
  const inside = undisturbed.children.reduce((count, { history }) => count + history.length, 0)
  expect(undisturbed.factCount).toBeGreaterThan(own + inside)
  for (const run of crashed) {
    expect({ crash: run.crash, state: run.state, output: run.output }).toEqual({ crash: run.crash, state: 'completed', output: undisturbed.output })
    expect(run.children.map(({ state }) => state)).toEqual(['completed', 'completed'])
  }
  await using careless = await office('')
  const interrupted = (await runWithCrashes(await loadAgent(careless.folder), options)).crashed.flatMap(({ children }) =>
    children.flatMap(({ history }) => history.filter((entry) => entry.type === 'failed' && entry.failure.code === 'interrupted')),
  )
  expect(interrupted.length).toBeGreaterThan(0)
})

test('other agents are run as well, by their names, for the same asker, and hand back to the one that they came from', async () => {
  const asker = { id: 'a', name: 'Ada', access: { personalData: false } }
  const billing = makeAgent({ options: { handoffs: { front: 'For all else' } } })
  const front = makeAgent({ options: { handoffs: { billing: 'For invoices' } } })
  const clerk = durable('Counts.', async (ctx, input) => `${ctx.run.agent} counted ${(input as { message: string }).message.length > 0} for ${ctx.asker.name}`)
  const run = await runAgent(front, {
    name: 'front',
    input: 'x',
    asker,
    model: [calls(['hand_off_to_billing', { note: 'a' }])],
    agents: {
      billing: { agent: billing, model: (prompt) => (expect(prompt.instructions).toContain('asked by Ada'), calls(['hand_off_to_front', { note: 'b' }])) },
      front: { agent: clerk },
    },
  })
  expect((run.output as Answer).text).toBe('front counted true for Ada')
  expect(run.output).not.toHaveProperty('handedTo')
  expect(run.children.map(({ name, children }) => [name, children.map(({ name }) => name)])).toEqual([['billing', ['front']]])
})
