import type { Answer, Json } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { makeAgent } from '../test/support/loop-agent.ts'
import { calls, runAgent, runWithCrashes, says } from './testing.ts'

const front = makeAgent({ options: { handoffs: { billing: 'For invoices and refunds' } } })
const answer = (text: string, more: { handedTo?: string; usage?: Answer['usage'] } = {}): Json => ({
  text,
  parts: [],
  model: 'other/model',
  usage: { input: 1, cachedInput: 0, output: 1, costUsd: 0.01 },
  ...more,
})

test('the conversation is handed over: the other agent has what was said, answers in this one’s place, and is named in the answer', async () => {
  const told: Json[] = []
  const options = () => ({
    input: 'I want my money back',
    messages: [
      { role: 'user' as const, content: [{ type: 'text' as const, text: 'Hello' }] },
      { role: 'assistant' as const, content: [{ type: 'text' as const, text: 'How can I help?' }] },
    ],
    model: [calls(['hand_off_to_billing', { note: 'Order 7' }])],
    agents: { billing: (input: Json) => (told.push(input), answer('It is on its way.')) },
  })
  const run = await runAgent(front, options())
  expect(run.prompts[0]?.tools.map(({ name }) => name)).toEqual(['hand_off_to_billing'])
  expect(run.output).toEqual(answer('It is on its way.', { handedTo: 'billing', usage: { input: 101, cachedInput: 0, output: 21, costUsd: 0.011 } }))
  const { message } = told[0] as { message: string }
  expect(message).toContain('User: Hello\n\nAgent: How can I help?')
  expect(message).toContain('Order 7')
  expect(message.endsWith('[What the user says now:]\nI want my money back')).toBe(true)
  const { crashed } = await runWithCrashes(front, options)
  expect(crashed.map(({ output }) => (output as Answer).text)).toEqual(crashed.map(() => 'It is on its way.'))
})

test('what is said next goes to the agent that has the conversation, without asking this one’s model, until it hands it back', async () => {
  const again = await runAgent(front, { input: 'When?', handedTo: 'billing', model: [], agents: { billing: () => answer('Tomorrow.') } })
  expect([again.state, (again.output as Answer).text, (again.output as Answer).handedTo]).toEqual(['completed', 'Tomorrow.', 'billing'])
  expect(again.prompts).toEqual([])
  // Another hop, and back to this agent, whose name here is "test".
  const further = await runAgent(front, {
    input: 'x',
    handedTo: 'billing',
    model: [],
    agents: { billing: () => answer('Refunds here.', { handedTo: 'refunds' }) },
  })
  expect(further.output).toMatchObject({ text: 'Refunds here.', handedTo: 'refunds' })
  const back = await runAgent(front, { input: 'x', handedTo: 'billing', model: [], agents: { billing: () => answer('Front again.', { handedTo: 'test' }) } })
  expect(back.output).toMatchObject({ text: 'Front again.' })
  expect(back.output).not.toHaveProperty('handedTo')
  // An agent that hands nothing over has no such conversations, whatever a run before it said.
  const alone = await runAgent(makeAgent({}), { input: 'x', handedTo: 'billing', model: [says('mine')], agents: { billing: () => answer('not mine') } })
  expect(alone.output).toMatchObject({ text: 'mine' })
})

test('where the other agent fails, this one has the conversation; a handoff beside other calls is none', async () => {
  const failing = await runAgent(front, {
    input: 'x',
    handedTo: 'billing',
    model: [
      calls(['hand_off_to_billing', { note: 'a' }], ['hand_off_to_billing', { note: 'b' }]),
      calls(['hand_off_to_billing', { note: 'c' }]),
      says('I am sorry.'),
    ],
    agents: { billing: () => Promise.reject(new Error('it is closed')) },
  })
  expect(failing.output).toMatchObject({ text: 'I am sorry.' })
  expect(failing.output).not.toHaveProperty('handedTo')
  const results = failing.prompts.slice(1).map(({ messages }) => messages.at(-1))
  expect(JSON.stringify(results[0])).toContain('must be called alone')
  expect(JSON.stringify(results[1])).toContain('billing failed: it is closed')
})

test('the other agent gets a share of what this run may spend', async () => {
  const shares: unknown[] = []
  const run = await runAgent(front, {
    input: 'x',
    costUsdMax: 1,
    model: [calls(['hand_off_to_billing', { note: 'a' }])],
    agents: { billing: (_, { costUsdMax }) => (shares.push(costUsdMax), answer('ok')) },
  })
  expect(shares).toEqual([(1 - 0.001) / 2])
  expect(run.output).toMatchObject({ usage: { costUsd: 0.011 } })
})
