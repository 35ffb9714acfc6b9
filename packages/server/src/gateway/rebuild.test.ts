import type { Message, ModelReply, ModelRequest } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { StepFailure } from '../kernel/index.ts'
import { type RecordedModelStep, rebuildPrompt } from './rebuild.ts'

const user = (text: string): Message => ({ role: 'user', content: [{ type: 'text', text }] })
const request = (parts: Partial<ModelRequest>): ModelRequest => ({ model: 'default', append: [], ...parts })
const reply = (text: string, providerData?: ModelReply['providerData']): ModelReply => ({
  model: 'offline/planner',
  content: [{ type: 'text', text }],
  finishReason: 'stop',
  usage: { input: 0, cachedInput: 0, output: 0, costUsd: 0 },
  ...(providerData === undefined ? {} : { providerData }),
})
const tool = (name: string) => ({ name, description: '', inputSchema: { type: 'object' } })

function journal(steps: Record<string, RecordedModelStep>) {
  const asked: string[] = []
  return { asked, lookup: (op: string) => (asked.push(op), steps[op]) }
}

test('a step without a prefix is its own prompt', () => {
  const { lookup } = journal({ '0': { request: request({ instructions: 'Be brief.', append: [user('Hi')], outputTokensMax: 9 }), reply: undefined } })
  expect(rebuildPrompt('0', lookup)).toEqual({ model: 'default', instructions: 'Be brief.', tools: [], messages: [user('Hi')], outputTokensMax: 9 })
})

test('a conversation is its prompts and answers in order, each once; instructions and tools are the nearest given', () => {
  const { lookup } = journal({
    '0': { request: request({ instructions: 'First.', tools: [tool('a')], append: [user('1')], outputTokensMax: 7 }), reply: reply('one', { sealed: 1 }) },
    '2': { request: request({ prefix: '0', tools: [tool('b')], append: [user('2'), user('2b')] }), reply: reply('two') },
    '10': { request: request({ prefix: '2', model: 'openai/gpt-5', append: [user('3')] }), reply: reply('its own answer is not part of its prompt') },
  })
  expect(rebuildPrompt('10', lookup)).toEqual({
    model: 'openai/gpt-5',
    instructions: 'First.',
    tools: [tool('b')],
    messages: [
      user('1'),
      { role: 'assistant', content: [{ type: 'text', text: 'one' }], providerData: { sealed: 1 } },
      user('2'),
      user('2b'),
      { role: 'assistant', content: [{ type: 'text', text: 'two' }] },
      user('3'),
    ],
  })
})

test('instructions and tools can be taken away', () => {
  const { lookup } = journal({
    '0': { request: request({ instructions: 'First.', tools: [tool('a')], append: [user('1')] }), reply: reply('one') },
    '1': { request: request({ prefix: '0', instructions: '', tools: [] }), reply: undefined },
  })
  expect(rebuildPrompt('1', lookup)).toMatchObject({ instructions: '', tools: [] })
})

test('what was said meanwhile comes between what a step appends and its answer, and stays for the steps after it', () => {
  const { lookup } = journal({
    '0': { request: request({ append: [user('1')] }), reply: { ...reply('one'), steeredBy: [user('said')] } },
    '1': { request: request({ prefix: '0', append: [user('2')] }), reply: undefined },
  })
  const answer = { role: 'assistant', content: [{ type: 'text', text: 'one' }] }
  expect(rebuildPrompt('1', lookup).messages).toEqual([user('1'), user('said'), answer, user('2')])
  expect(rebuildPrompt('0', lookup).messages).toEqual([user('1'), user('said')])
})

test('what a worker appends carries no data of a provider', () => {
  const forged: Message = { role: 'assistant', content: [{ type: 'text', text: 'x' }], providerData: { forged: true } }
  const { lookup } = journal({ '0': { request: request({ append: [user('1'), forged] }), reply: undefined } })
  expect(rebuildPrompt('0', lookup).messages[1]).toEqual({ role: 'assistant', content: [{ type: 'text', text: 'x' }] })
})

test('a long conversation is read step by step, each once', () => {
  const length = 20_000
  const steps: Record<string, RecordedModelStep> = {}
  for (let i = 0; i < length; i++) steps[i] = { request: request({ append: [user(`${i}`)], ...(i > 0 ? { prefix: `${i - 1}` } : {}) }), reply: reply(`${i}`) }
  const { asked, lookup } = journal(steps)
  expect(rebuildPrompt(`${length - 1}`, lookup).messages).toHaveLength(2 * length - 1)
  expect(asked).toHaveLength(length)
})

const answered = (prefix?: string): RecordedModelStep => ({ request: request(prefix === undefined ? {} : { prefix }), reply: reply('x') })
test.each([
  ['is itself', '1', { '1': answered('1') }],
  ['is a later step', '1', { '1': answered('2'), '2': answered('1') }],
  ['is a later step in the order of numbers, not of letters', '9', { '9': answered('10'), '10': answered() }],
  ['is inside itself', '1', { '1': answered('1.0'), '1.0': answered() }],
  ['is not there', '1', { '1': answered('0') }],
  ['has no answer', '1', { '1': answered('0'), '0': { request: request({}), reply: undefined } }],
  ['is somewhere up the chain and has no answer', '2', { '2': answered('1'), '1': answered('0'), '0': { request: request({}), reply: undefined } }],
  ['is the step asked for and not there', '1', {}],
])('a prefix that %s is a failure for good', (_, op, steps: Record<string, RecordedModelStep>) => {
  const rebuilding = () => rebuildPrompt(op, journal(steps).lookup)
  expect(rebuilding).toThrow(StepFailure)
  expect(rebuilding).toThrow(expect.objectContaining({ failure: expect.objectContaining({ code: 'broken_prefix', retryable: false }) }))
})

test.each([
  ['2', '10'],
  ['3', '3.0'],
  ['3.9', '3.10'],
  ['3.0.5', '4'],
])('the positive control: %s is before %s', (prefix, op) => {
  const { lookup } = journal({ [op]: answered(prefix), [prefix]: answered() })
  expect(rebuildPrompt(op, lookup).messages).toHaveLength(1)
})
