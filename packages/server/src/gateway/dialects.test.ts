/** One conversation in all four wire protocols: what reaches the provider, and what comes back. */
import type { Message, Prompt } from '@longhaul/protocol'
import { describe, expect, test } from 'vitest'
import { type Dialect, dialects } from '../../test/support/fake-dialects.ts'
import { ask, canaryKey, modelOf, openFakeGateway, promptOf } from '../../test/support/fake-gateway.ts'

const schema = { type: 'object', properties: { sql: { type: 'string', description: 'One SELECT.' } }, required: ['sql'], additionalProperties: false }
const tools = [{ name: 'query', description: 'Runs SQL.', inputSchema: schema }]
const user = (text: string): Message => ({ role: 'user', content: [{ type: 'text', text }] })

/** Two turns, parallel calls, one of them failed, in the messages of the journal. */
const messages: Message[] = [
  user('How many?'),
  {
    role: 'assistant',
    content: [
      { type: 'text', text: 'I look.' },
      { type: 'tool-call', toolCallId: 'call_a', toolName: 'query', input: { sql: 'select 1' } },
      { type: 'tool-call', toolCallId: 'call_b', toolName: 'query', input: { sql: 'selct 2' } },
    ],
  },
  { role: 'tool', content: [{ type: 'tool-result', toolCallId: 'call_a', toolName: 'query', output: { rows: [[1]] }, isError: false }] },
  { role: 'tool', content: [{ type: 'tool-result', toolCallId: 'call_b', toolName: 'query', output: 'syntax error at "selct"', isError: true }] },
  { role: 'assistant', content: [{ type: 'text', text: 'One.' }] },
  user('And now?'),
]
const conversation = (model: string): Prompt => promptOf(model, { instructions: 'Be brief.', tools, messages, outputTokensMax: 500 })

/** The whole body that each provider must receive: nothing more, nothing twice. */
const wire: Record<Dialect, unknown> = {
  openai: {
    model: 'gpt-5-mini',
    input: [
      { role: 'developer', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'input_text', text: 'How many?' }] },
      { role: 'assistant', content: 'I look.' },
      { type: 'function_call', call_id: 'call_a', name: 'query', arguments: '{"sql":"select 1"}' },
      { type: 'function_call', call_id: 'call_b', name: 'query', arguments: '{"sql":"selct 2"}' },
      { type: 'function_call_output', call_id: 'call_a', output: '{"rows":[[1]]}' },
      { type: 'function_call_output', call_id: 'call_b', output: '{"error":"syntax error at \\"selct\\""}' },
      { role: 'assistant', content: 'One.' },
      { role: 'user', content: [{ type: 'input_text', text: 'And now?' }] },
    ],
    tools: [{ type: 'function', name: 'query', description: 'Runs SQL.', parameters: schema, strict: false }],
    max_output_tokens: 500,
    store: false,
    include: ['reasoning.encrypted_content'],
    stream: true,
  },
  anthropic: {
    model: 'claude-sonnet-4-5',
    max_tokens: 500,
    system: [{ type: 'text', text: 'Be brief.' }],
    messages: [
      { role: 'user', content: [{ type: 'text', text: 'How many?' }] },
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'I look.' },
          { type: 'tool_use', id: 'call_a', name: 'query', input: { sql: 'select 1' } },
          { type: 'tool_use', id: 'call_b', name: 'query', input: { sql: 'selct 2' } },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'call_a', content: '{"rows":[[1]]}' },
          { type: 'tool_result', tool_use_id: 'call_b', content: 'syntax error at "selct"', is_error: true },
        ],
      },
      { role: 'assistant', content: [{ type: 'text', text: 'One.' }] },
      { role: 'user', content: [{ type: 'text', text: 'And now?' }] },
    ],
    tools: [{ name: 'query', description: 'Runs SQL.', input_schema: schema }],
    cache_control: { type: 'ephemeral' },
    stream: true,
  },
  google: {
    generationConfig: { maxOutputTokens: 500 },
    systemInstruction: { parts: [{ text: 'Be brief.' }] },
    contents: [
      { role: 'user', parts: [{ text: 'How many?' }] },
      {
        role: 'model',
        parts: [
          { text: 'I look.' },
          { functionCall: { id: 'call_a', name: 'query', args: { sql: 'select 1' } } },
          { functionCall: { id: 'call_b', name: 'query', args: { sql: 'selct 2' } } },
        ],
      },
      {
        role: 'user',
        parts: [
          { functionResponse: { id: 'call_a', name: 'query', response: { name: 'query', content: { rows: [[1]] } } } },
          { functionResponse: { id: 'call_b', name: 'query', response: { name: 'query', error: 'syntax error at "selct"' } } },
        ],
      },
      { role: 'model', parts: [{ text: 'One.' }] },
      { role: 'user', parts: [{ text: 'And now?' }] },
    ],
    tools: [{ functionDeclarations: [{ name: 'query', description: 'Runs SQL.', parametersJsonSchema: schema }] }],
  },
  compatible: {
    model: 'qwen3:8b',
    max_tokens: 500,
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'How many?' },
      {
        role: 'assistant',
        content: 'I look.',
        tool_calls: [
          { id: 'call_a', type: 'function', function: { name: 'query', arguments: '{"sql":"select 1"}' } },
          { id: 'call_b', type: 'function', function: { name: 'query', arguments: '{"sql":"selct 2"}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'call_a', content: '{"rows":[[1]]}' },
      { role: 'tool', tool_call_id: 'call_b', content: 'syntax error at "selct"' },
      { role: 'assistant', content: 'One.' },
      { role: 'user', content: 'And now?' },
    ],
    tools: [{ type: 'function', function: { name: 'query', description: 'Runs SQL.', parameters: schema } }],
    stream: true,
    stream_options: { include_usage: true },
  },
}

describe.each(dialects)('%s', (dialect) => {
  const model = modelOf[dialect]

  test('receives the conversation in its own words, with the key, once', async () => {
    await using t = await openFakeGateway([{ text: ['Two.'] }])
    const { reply } = await ask(t.gateway, conversation(model))
    expect(reply.content).toEqual([{ type: 'text', text: 'Two.' }])
    expect(t.fake.requests).toHaveLength(1)
    expect(t.fake.requests[0]).toMatchObject({ dialect, key: canaryKey, model: model.slice(model.indexOf('/') + 1) })
    expect(t.fake.requests[0]!.body).toEqual(wire[dialect])
  })

  test('streams text in order and answers with what it streamed', async () => {
    await using t = await openFakeGateway([{ text: ['Grüß ', 'Gott, ', '世界 ', '👋🏽', '.'], usage: { input: 100, cachedInput: 40, output: 12, reasoning: 3 } }])
    const { reply, deltas } = await ask(t.gateway, promptOf(model))
    expect(deltas.join('|')).toBe('Grüß |Gott, |世界 |👋🏽|.')
    expect(reply).toMatchObject({
      model,
      content: [{ type: 'text', text: 'Grüß Gott, 世界 👋🏽.' }],
      finishReason: 'stop',
      usage: { input: 100, cachedInput: 40, output: 12 },
    })
  })

  test('answers with text and parallel tool calls, arguments put together again', async () => {
    const input = { sql: 'select "é" from t -- {"a": [1]}' }
    await using t = await openFakeGateway([
      {
        text: ['I ', 'look.'],
        toolCalls: [
          { id: 'call_a', name: 'query', input },
          { id: 'call_b', name: 'query', input: {} },
        ],
      },
    ])
    const { reply } = await ask(t.gateway, promptOf(model, { tools }))
    expect(reply.finishReason).toBe('tool-calls')
    expect(reply.content).toEqual([
      { type: 'text', text: 'I look.' },
      { type: 'tool-call', toolCallId: 'call_a', toolName: 'query', input },
      { type: 'tool-call', toolCallId: 'call_b', toolName: 'query', input: {} },
    ])
  })

  test('gets its own answer back as it gave it, and goes on', async () => {
    await using t = await openFakeGateway([{ reasoning: 'hm', toolCalls: [{ id: 'call_a', name: 'query', input: { sql: 'select 1' } }] }, { text: ['One.'] }])
    const first = await ask(t.gateway, promptOf(model, { tools }))
    const { content, providerData } = first.reply
    const next: Message[] = [
      user('Hello'),
      { role: 'assistant', content, ...(providerData === undefined ? {} : { providerData }) },
      { role: 'tool', content: [{ type: 'tool-result', toolCallId: 'call_a', toolName: 'query', output: [1], isError: false }] },
    ]
    const second = await ask(t.gateway, promptOf(model, { tools, messages: next }))
    expect(second.reply.content).toEqual([{ type: 'text', text: 'One.' }])
    const sent = JSON.stringify(t.fake.requests[1]!.body)
    const sealed = { openai: 'sealed:hm', anthropic: 'signed:hm', google: 'signed:hm', compatible: '"reasoning_content":"hm"' }[dialect]
    expect(sent.split(sealed)).toHaveLength(2) // Exactly once.
  })

  test('reports a full output and a filtered answer as such, not as failures', async () => {
    await using t = await openFakeGateway([{ text: ['Once upon'], finish: 'length' }, { finish: 'content-filter' }])
    expect((await ask(t.gateway, promptOf(model))).reply).toMatchObject({ content: [{ type: 'text', text: 'Once upon' }], finishReason: 'length' })
    expect((await ask(t.gateway, promptOf(model))).reply).toMatchObject({ content: [], finishReason: 'content-filter' })
  })
})

test('signed reasoning is not shown to another model', async () => {
  await using t = await openFakeGateway([{ text: ['Yes.'] }])
  const providerData = { model: modelOf.anthropic, parts: [{ reasoning: 'secret thoughts', options: { anthropic: { signature: 'x' } } }, { content: 0 }] }
  const history: Message[] = [user('Hi'), { role: 'assistant', content: [{ type: 'text', text: 'Hello.' }], providerData }, user('Well?')]
  await ask(t.gateway, promptOf('anthropic/claude-opus-4-5', { messages: history }))
  await ask(t.gateway, promptOf(modelOf.anthropic, { messages: history }))
  expect(JSON.stringify(t.fake.requests[0]!.body)).not.toContain('secret thoughts')
  expect(JSON.stringify(t.fake.requests[1]!.body)).toContain('secret thoughts')
})

test('a tool call with an id that only its maker takes is renamed for others, in call and result alike', async () => {
  await using t = await openFakeGateway([{ text: ['Yes.'] }])
  const history: Message[] = [
    user('Hi'),
    { role: 'assistant', content: [{ type: 'tool-call', toolCallId: 'functions.query:0', toolName: 'query', input: {} }] },
    { role: 'tool', content: [{ type: 'tool-result', toolCallId: 'functions.query:0', toolName: 'query', output: 1, isError: false }] },
  ]
  // The fake refuses both a wrong id and a result without its call, as the real one does.
  expect((await ask(t.gateway, promptOf(modelOf.anthropic, { messages: history, tools }))).reply.content).toEqual([{ type: 'text', text: 'Yes.' }])
  await ask(t.gateway, promptOf(modelOf.compatible, { messages: history, tools }))
  expect(JSON.stringify(t.fake.requests[1]!.body)).toContain('"tool_call_id":"functions.query:0"')
})

test('messages without content are left out', async () => {
  await using t = await openFakeGateway([{ text: ['Yes.'] }])
  const history: Message[] = [user('Hi'), { role: 'assistant', content: [{ type: 'text', text: '' }] }, user(''), { role: 'tool', content: [] }, user('Well?')]
  await ask(t.gateway, promptOf(modelOf.compatible, { messages: history }))
  expect(t.fake.requests[0]!.body).toMatchObject({
    messages: [
      { role: 'user', content: 'Hi' },
      { role: 'user', content: 'Well?' },
    ],
  })
  await expect(ask(t.gateway, promptOf(modelOf.compatible, { messages: [user('')] }))).rejects.toMatchObject({
    failure: { code: 'empty_prompt', retryable: false },
  })
})
