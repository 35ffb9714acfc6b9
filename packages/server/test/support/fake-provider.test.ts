/** The fake is as strict as what it stands for: otherwise a test that passes against it says little. */
import { expect, test } from 'vitest'
import { whyRefused } from './fake-requests.ts'
import { startFakeProvider } from './fake-provider.ts'

const post = (url: string, body: unknown) => fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
const hello = [{ role: 'user', content: 'Hello' }]
const call = { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'f', input: {} }] }

test('steps are given in order, and the last one ever after', async () => {
  await using fake = await startFakeProvider([{ text: ['one'] }, { status: 503 }])
  const ask = () => post(`${fake.url}/v1/chat/completions`, { model: 'm', messages: hello, stream: true })
  const [first, second, third] = [await ask(), await ask(), await ask()]
  expect([first.status, second.status, third.status]).toEqual([200, 503, 503])
  expect(await first.text()).toMatch(/"content":"one".*\n\ndata: \[DONE\]\n\n$/s)
  expect(fake.requests.map(({ dialect, model }) => [dialect, model])).toEqual(Array.from({ length: 3 }, () => ['compatible', 'm']))
})

test('a path that no provider has is not found', async () => {
  await using fake = await startFakeProvider([{ text: ['one'] }])
  expect((await post(`${fake.url}/chat/completions`, {})).status).toBe(404)
})

test.each([
  ['anthropic', 'no limit of the output', { messages: hello }],
  ['anthropic', 'a call without its result', { max_tokens: 1, messages: [...hello, call, { role: 'user', content: [{ type: 'text', text: 'Well?' }] }] }],
  ['anthropic', 'two messages of one role', { max_tokens: 1, messages: [...hello, ...hello] }],
  ['anthropic', 'an empty text', { max_tokens: 1, messages: [{ role: 'user', content: [{ type: 'text', text: '' }] }] }],
  ['openai', 'a result without its call', { model: 'm', input: [{ type: 'function_call_output', call_id: 'a', output: '' }] }],
  ['compatible', 'a call without its result', { messages: [...hello, { role: 'assistant', content: null, tool_calls: [{ id: 'a' }] }] }],
  [
    'google',
    'results in two messages',
    { contents: [{ parts: [{ functionCall: {} }, { functionCall: {} }] }, { parts: [{ functionResponse: {} }] }, { parts: [{ functionResponse: {} }] }] },
  ],
] as const)('%s refuses %s', (dialect, _, body) => expect(whyRefused(dialect, body)).toBeDefined())

test.each([
  ['anthropic', { max_tokens: 1, messages: [...hello, call, { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a', content: '' }] }] }],
  [
    'openai',
    {
      model: 'm',
      input: [
        { type: 'function_call', call_id: 'a' },
        { type: 'function_call_output', call_id: 'a', output: '' },
      ],
    },
  ],
  ['compatible', { messages: [...hello, { role: 'assistant', content: null, tool_calls: [{ id: 'a' }] }, { role: 'tool', tool_call_id: 'a', content: '' }] }],
  ['google', { contents: [{ parts: [{ functionCall: {} }, { functionCall: {} }] }, { parts: [{ functionResponse: {} }, { functionResponse: {} }] }] }],
] as const)('the positive control: %s takes a call with its result', (dialect, body) => expect(whyRefused(dialect, body)).toBeUndefined())
