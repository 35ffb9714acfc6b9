/** The vendors' own clients, unchanged but for their base URL and key, in every combination of face and provider. */
import type Anthropic from '@anthropic-ai/sdk'
import type OpenAI from 'openai'
import { describe, expect, test } from 'vitest'
import { type FacesBed, openFacesBed } from '../../../test/support/faces-bed.ts'
import { canaryKey } from '../../../test/support/fake-gateway.ts'
import type { FakeStep } from '../../../test/support/fake-provider.ts'

const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
const image = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

/** One of each kind of provider: some are passed through, the others translated. */
const models = ['compatible/qwen3:8b', 'openai/gpt-5-mini', 'anthropic/claude-sonnet-4-5', 'google/gemini-2.5-pro'] as const
const pdf = `data:application/pdf;base64,${Buffer.from('%PDF-1.7 a small one').toString('base64')}`
const wave = Buffer.from('RIFF....WAVEfmt a sound').toString('base64')
/** One call of a tool in each answer. Google's own language has no word for it; its chat completions have. */
const oneCall = /"(?:parallel_tool_calls":false|disable_parallel_tool_use":true)/
const saysOneCall = (model: string) => (model.startsWith('google/') ? expect.not.stringMatching(oneCall) : expect.stringMatching(oneCall))
const bodyOf = (t: FacesBed, index = 0) => JSON.stringify(t.fake.requests[index]?.body)
const usage = { input: 100, cachedInput: 40, output: 12 }

describe.each(models)('OpenAI’s chat completions of %s', (model) => {
  const messages: OpenAI.ChatCompletionMessageParam[] = [
    { role: 'system', content: 'Be short.' },
    { role: 'user', content: 'Hello' },
  ]

  test('whole', async () => {
    await using t = await openFacesBed([{ text: ['Good ', 'day.'], usage }])
    const answer = await t.openai.chat.completions.create({ model, messages, max_completion_tokens: 50, temperature: 0.5 })
    expect(answer.choices[0]).toMatchObject({ finish_reason: 'stop', message: { role: 'assistant', content: 'Good day.' } })
    expect(answer.usage).toMatchObject({ prompt_tokens: 100, completion_tokens: 12, total_tokens: 112, prompt_tokens_details: { cached_tokens: 40 } })
    expect(t.booked).toMatchObject([
      {
        call: { tenantId: 'acme', keyId: 'key-caller', model, outputTokensMax: 50 },
        outcome: { type: 'used', tokens: { input: 60, cacheRead: 40, output: 12 } },
      },
    ])
    expect(t.fake.requests).toMatchObject([{ key: canaryKey }])
  })

  test.each([true, false])('streamed, with usage wanted: %s', async (wanted) => {
    await using t = await openFacesBed([{ text: ['Good ', 'day.'], usage }])
    const stream = await t.openai.chat.completions.create({ model, messages, stream: true, ...(wanted ? { stream_options: { include_usage: true } } : {}) })
    const chunks = await Array.fromAsync(stream)
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe('Good day.')
    expect(chunks.flatMap((chunk) => chunk.choices[0]?.finish_reason ?? [])).toEqual(['stop'])
    const counted = chunks.filter((chunk) => chunk.usage)
    expect(counted.map((chunk) => [chunk.choices.length, chunk.usage?.prompt_tokens])).toEqual(wanted ? [[0, 100]] : [])
    if (!wanted) expect(chunks.every((chunk) => chunk.choices.length > 0)).toBe(true)
    await expect.poll(() => t.booked).toMatchObject([{ outcome: { type: 'used', tokens: { input: 60, cacheRead: 40, output: 12 } } }])
  })

  test('calls of tools, in a stream and back', async () => {
    await using t = await openFacesBed([
      {
        toolCalls: [
          { id: 'call_1', name: 'weather', input: { city: 'Paris' } },
          { id: 'call_2', name: 'weather', input: { city: 'Rome' } },
        ],
      },
      { text: ['Sunny.'] },
    ])
    const tools: OpenAI.ChatCompletionTool[] = [{ type: 'function', function: { name: 'weather', description: 'Weather', parameters: schema } }]
    const first = await t.openai.chat.completions.stream({ model, messages, tools }).finalChatCompletion()
    const calls = first.choices[0]?.message.tool_calls ?? []
    expect(first.choices[0]?.finish_reason).toBe('tool_calls')
    expect(calls.map((call) => call.type === 'function' && [call.id, call.function.name, JSON.parse(call.function.arguments)])).toEqual([
      ['call_1', 'weather', { city: 'Paris' }],
      ['call_2', 'weather', { city: 'Rome' }],
    ])
    const results = calls.map((call) => ({ role: 'tool' as const, tool_call_id: call.id, content: 'sunny' }))
    // The fake refuses calls without results and results without calls, as the real ones do.
    const second = await t.openai.chat.completions.create({ model, tools, messages: [...messages, first.choices[0]!.message, ...results] })
    expect(second.choices[0]?.message.content).toBe('Sunny.')
  })

  test('an image and a JSON Schema reach the provider', async () => {
    await using t = await openFacesBed([{ text: ['{"city":"Oslo"}'] }])
    const answer = await t.openai.chat.completions.create({
      model,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Where?' },
            { type: 'image_url', image_url: { url: image } },
          ],
        },
      ],
      response_format: { type: 'json_schema', json_schema: { name: 'place', schema, strict: true } },
    })
    expect(JSON.parse(answer.choices[0]?.message.content ?? '')).toEqual({ city: 'Oslo' })
    const sent = JSON.stringify(t.fake.requests[0]?.body)
    expect(sent).toContain(image.slice(-40))
    expect(sent).toContain('"required":["city"]')
  })

  test('a file and a sound reach a provider that takes them', async () => {
    await using t = await openFacesBed([{ text: ['A contract.'] }])
    const ask = (part: OpenAI.ChatCompletionContentPart) =>
      t.openai.chat.completions.create({ model, messages: [{ role: 'user', content: [{ type: 'text', text: 'What is it?' }, part] }] })
    await ask({ type: 'file', file: { filename: 'a.pdf', file_data: pdf } })
    expect(bodyOf(t)).toContain(pdf.slice(-24))
    if (model.startsWith('anthropic/')) return // It hears nothing.
    await ask({ type: 'input_audio', input_audio: { data: wave, format: 'wav' } })
    expect(bodyOf(t, 1)).toContain(wave)
  })

  test('which tool, and how many', async () => {
    await using t = await openFacesBed([{ toolCalls: [{ id: 'call_1', name: 'weather', input: { city: 'Paris' } }] }])
    const tools: OpenAI.ChatCompletionTool[] = [{ type: 'function', function: { name: 'weather', parameters: schema } }]
    const tool_choice = { type: 'function' as const, function: { name: 'weather' } }
    await t.openai.chat.completions.create({ model, messages, tools, tool_choice, parallel_tool_calls: false })
    expect(bodyOf(t)).toMatch(oneCall)
    expect(bodyOf(t)).toMatch(/"(tool_choice|toolConfig)":\{.{0,80}weather/)
    await t.openai.chat.completions.create({ model, messages, tools })
    expect(bodyOf(t, 1)).not.toMatch(oneCall)
  })

  test('reasoning and the limit of output', async () => {
    await using t = await openFacesBed([{ reasoning: 'Let me think.', text: ['Half an ans'], finish: 'length' }])
    const chunks = await Array.fromAsync(await t.openai.chat.completions.create({ model, messages, stream: true, reasoning_effort: 'low' }))
    expect(chunks.flatMap((chunk) => chunk.choices[0]?.finish_reason ?? [])).toEqual(['length'])
    const reasoning = chunks.map((chunk) => (chunk.choices[0]?.delta as { reasoning_content?: string } | undefined)?.reasoning_content ?? '').join('')
    expect(reasoning).toBe('Let me think.')
  })
})

describe.each(models)('Anthropic’s messages of %s', (model) => {
  const messages: Anthropic.MessageParam[] = [{ role: 'user', content: 'Hello' }]

  test('whole', async () => {
    await using t = await openFacesBed([{ text: ['Good ', 'day.'], usage }])
    const answer = await t.anthropic.messages.create({ model, max_tokens: 50, system: 'Be short.', messages })
    expect(answer).toMatchObject({ type: 'message', role: 'assistant', stop_reason: 'end_turn', content: [{ type: 'text', text: 'Good day.' }] })
    expect(answer.usage).toMatchObject({ input_tokens: 60, cache_read_input_tokens: 40, output_tokens: 12 })
    expect(t.booked).toMatchObject([{ outcome: { type: 'used', tokens: { input: 60, cacheRead: 40, output: 12 } } }])
  })

  test('streamed', async () => {
    await using t = await openFacesBed([{ text: ['Good ', 'day.'], usage }])
    const stream = t.anthropic.messages.stream({ model, max_tokens: 50, messages })
    const words: string[] = []
    stream.on('text', (delta) => words.push(delta))
    const answer = await stream.finalMessage()
    expect(words).toEqual(['Good ', 'day.'])
    expect(answer).toMatchObject({ stop_reason: 'end_turn', usage: { input_tokens: 60, cache_read_input_tokens: 40, output_tokens: 12 } })
    await expect.poll(() => t.booked).toMatchObject([{ outcome: { type: 'used', tokens: { input: 60, cacheRead: 40, output: 12 } } }])
  })

  test('an image, a file and a JSON Schema reach the provider', async () => {
    await using t = await openFacesBed([{ text: ['{"city":"Oslo"}'] }])
    const content: Anthropic.ContentBlockParam[] = [
      { type: 'text', text: 'Where?' },
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data: image.slice(image.indexOf(',') + 1) } },
      { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: pdf.slice(pdf.indexOf(',') + 1) } },
    ]
    const answer = await t.anthropic.messages.create({
      model,
      max_tokens: 50,
      messages: [{ role: 'user', content }],
      output_config: { format: { type: 'json_schema', schema: { ...schema, additionalProperties: false } } },
    })
    expect(answer.content).toMatchObject([{ type: 'text', text: '{"city":"Oslo"}' }])
    for (const part of [image.slice(-40), pdf.slice(-24), '"required":["city"]']) expect(bodyOf(t)).toContain(part)
  })

  test('which tool, and how many', async () => {
    await using t = await openFacesBed([{ toolCalls: [{ id: 'toolu_1', name: 'weather', input: { city: 'Paris' } }] }])
    const tools: Anthropic.Tool[] = [{ name: 'weather', input_schema: { ...schema, type: 'object' } }]
    const asked = { model, max_tokens: 50, messages, tools }
    await t.anthropic.messages.create({ ...asked, tool_choice: { type: 'tool', name: 'weather', disable_parallel_tool_use: true } })
    expect(bodyOf(t)).toEqual(saysOneCall(model))
    expect(bodyOf(t)).toMatch(/"(tool_choice|toolConfig)":\{.{0,80}weather/)
    await t.anthropic.messages.create({ ...asked, tool_choice: { type: 'auto' } })
    expect(bodyOf(t, 1)).not.toMatch(oneCall)
  })

  test('calls of tools, in a stream and back, with an image as a result', async () => {
    await using t = await openFacesBed([
      {
        text: ['Looking.'],
        toolCalls: [
          { id: 'toolu_1', name: 'weather', input: { city: 'Paris' } },
          { id: 'toolu_2', name: 'weather', input: { city: 'Rome' } },
        ],
      },
      { text: ['Sunny.'] },
    ])
    const tools: Anthropic.Tool[] = [{ name: 'weather', description: 'Weather', input_schema: { ...schema, type: 'object' } }]
    const first = await t.anthropic.messages.stream({ model, max_tokens: 50, messages, tools }).finalMessage()
    expect(first.stop_reason).toBe('tool_use')
    const calls = first.content.filter((block) => block.type === 'tool_use')
    expect(calls.map(({ id, name, input }) => [id, name, input])).toEqual([
      ['toolu_1', 'weather', { city: 'Paris' }],
      ['toolu_2', 'weather', { city: 'Rome' }],
    ])
    const results: Anthropic.ToolResultBlockParam[] = calls.map(({ id }, i) => ({
      type: 'tool_result',
      tool_use_id: id,
      content:
        i === 0
          ? 'sunny'
          : [
              { type: 'text', text: 'hot' },
              { type: 'image', source: { type: 'base64', media_type: 'image/png', data: image.slice(image.indexOf(',') + 1) } },
            ],
    }))
    const second = await t.anthropic.messages.create({
      model,
      max_tokens: 50,
      tools,
      messages: [...messages, { role: 'assistant', content: first.content }, { role: 'user', content: results }],
    })
    expect(second.content).toMatchObject([{ type: 'text', text: 'Sunny.' }])
    expect(bodyOf(t, 1)).toContain(image.slice(-40))
  })

  test('what a model thought goes back to it, whoever made the signature', async () => {
    await using t = await openFacesBed([{ reasoning: 'Let me think.', text: ['Yes.'] }, { text: ['As I said.'] }])
    const first = await t.anthropic.messages.stream({ model, max_tokens: 5_000, thinking: { type: 'enabled', budget_tokens: 2_000 }, messages }).finalMessage()
    await t.anthropic.messages.create({
      model,
      max_tokens: 50,
      messages: [...messages, { role: 'assistant', content: first.content }, { role: 'user', content: 'Really?' }],
    })
    const sent = JSON.stringify(t.fake.requests[1]?.body)
    if (model.startsWith('openai/')) expect(sent).toContain('sealed:Let me think.')
    if (model.startsWith('anthropic/')) expect(sent).toContain('signed:Let me think.')
    if (model.startsWith('compatible/')) expect(first.content[0]).toMatchObject({ type: 'thinking', thinking: 'Let me think.' })
  })
})

describe.each(models)('OpenAI’s responses of %s', (model) => {
  test('whole', async () => {
    await using t = await openFacesBed([{ text: ['Good ', 'day.'], usage }])
    const answer = await t.openai.responses.create({ model, instructions: 'Be short.', input: 'Hello', max_output_tokens: 50 })
    expect(answer).toMatchObject({
      status: 'completed',
      output_text: 'Good day.',
      usage: { input_tokens: 100, output_tokens: 12, input_tokens_details: { cached_tokens: 40 } },
    })
    expect(t.booked).toMatchObject([{ outcome: { type: 'used', tokens: { input: 60, cacheRead: 40, output: 12 } } }])
  })

  test('streamed: numbered events, and the last says how it ended', async () => {
    await using t = await openFacesBed([{ text: ['Good ', 'day.'], usage }])
    const events = await Array.fromAsync(await t.openai.responses.create({ model, input: 'Hello', stream: true }))
    expect(events.flatMap((event) => (event.type === 'response.output_text.delta' ? event.delta : [])).join('')).toBe('Good day.')
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, i) => i))
    expect(events.at(-1)).toMatchObject({ type: 'response.completed', response: { usage: { input_tokens: 100 } } })
    await expect.poll(() => t.booked).toMatchObject([{ outcome: { type: 'used', tokens: { input: 60, cacheRead: 40, output: 12 } } }])
  })

  test('calls of tools, in a stream and back', async () => {
    await using t = await openFacesBed([{ toolCalls: [{ id: 'call_1', name: 'weather', input: { city: 'Paris' } }] }, { text: ['Sunny.'] }])
    const tools: OpenAI.Responses.Tool[] = [{ type: 'function', name: 'weather', description: 'Weather', parameters: schema, strict: true }]
    const events = await Array.fromAsync(await t.openai.responses.create({ model, input: 'Hello', tools, stream: true }))
    const call = events.flatMap((event) => (event.type === 'response.output_item.done' && event.item.type === 'function_call' ? event.item : []))[0]
    expect([call?.call_id, call?.name, JSON.parse(call?.arguments ?? '')]).toEqual(['call_1', 'weather', { city: 'Paris' }])
    const second = await t.openai.responses.create({
      model,
      tools,
      input: [{ role: 'user', content: 'Hello' }, call!, { type: 'function_call_output', call_id: 'call_1', output: 'sunny' }],
    })
    expect(second.output_text).toBe('Sunny.')
  })

  test('an image, a file and a JSON Schema reach the provider', async () => {
    await using t = await openFacesBed([{ text: ['{"city":"Oslo"}'] }])
    const content: OpenAI.Responses.ResponseInputContent[] = [
      { type: 'input_text', text: 'Where?' },
      { type: 'input_image', image_url: image, detail: 'auto' },
      { type: 'input_file', filename: 'a.pdf', file_data: pdf },
    ]
    const format = { type: 'json_schema' as const, name: 'place', schema, strict: true }
    const answer = await t.openai.responses.create({ model, input: [{ role: 'user', content }], text: { format } })
    expect(JSON.parse(answer.output_text)).toEqual({ city: 'Oslo' })
    for (const part of [image.slice(-40), pdf.slice(-24), '"required":["city"]']) expect(bodyOf(t)).toContain(part)
  })

  test('which tool, and how many', async () => {
    await using t = await openFacesBed([{ toolCalls: [{ id: 'call_1', name: 'weather', input: { city: 'Paris' } }] }])
    const tools: OpenAI.Responses.Tool[] = [{ type: 'function', name: 'weather', parameters: schema, strict: true }]
    await t.openai.responses.create({ model, input: 'Hello', tools, tool_choice: { type: 'function', name: 'weather' }, parallel_tool_calls: false })
    expect(bodyOf(t)).toEqual(saysOneCall(model))
    expect(bodyOf(t)).toMatch(/"(tool_choice|toolConfig)":\{.{0,80}weather/)
    await t.openai.responses.create({ model, input: 'Hello', tools })
    expect(bodyOf(t, 1)).not.toMatch(oneCall)
  })

  test('reasoning goes back to the model that made it; a full output is incomplete', async () => {
    await using t = await openFacesBed([
      { reasoning: 'Let me think.', text: ['Yes.'] },
      { text: ['Half an ans'], finish: 'length' },
    ])
    const asked = { model, reasoning: { effort: 'low' as const }, include: ['reasoning.encrypted_content' as const], store: false }
    const events = await Array.fromAsync(await t.openai.responses.create({ ...asked, input: 'Sure?', stream: true }))
    const items = events.flatMap((event) => (event.type === 'response.output_item.done' ? event.item : []))
    expect(items.map(({ type }) => type)).toEqual(model.startsWith('google/') ? ['message'] : ['reasoning', 'message']) // Google signs calls alone.
    const input = [
      { role: 'user' as const, content: 'Sure?' },
      ...(items as OpenAI.Responses.ResponseInputItem[]),
      { role: 'user' as const, content: 'Really?' },
    ]
    const second = await t.openai.responses.create({ ...asked, input })
    expect(second).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' }, output_text: 'Half an ans' })
    if (model.startsWith('openai/')) expect(bodyOf(t, 1)).toContain('sealed:Let me think.')
    if (model.startsWith('anthropic/')) expect(bodyOf(t, 1)).toContain('signed:Let me think.')
  })
})

describe('Google’s signatures of calls', () => {
  const model = 'google/gemini-3-pro'
  const call: FakeStep = { reasoning: 'Let me think.', text: ['Looking.'], toolCalls: [{ id: 'call_1', name: 'weather', input: { city: 'Paris' } }] }
  const sent = '"thoughtSignature":"signed:Let me think."'

  test.each([true, false])('go back with them in Anthropic’s messages; streamed: %s', async (isStreamed) => {
    await using t = await openFacesBed([call, { text: ['Sunny.'] }])
    const messages: Anthropic.MessageParam[] = [{ role: 'user', content: 'Hello' }]
    const asked = { model, max_tokens: 50, messages, tools: [{ name: 'weather', input_schema: { ...schema, type: 'object' as const } }] }
    const { content } = await (isStreamed ? t.anthropic.messages.stream(asked).finalMessage() : t.anthropic.messages.create(asked))
    expect(content.map(({ type }) => type)).toEqual(['text', 'thinking', 'tool_use'])
    const results: Anthropic.ToolResultBlockParam[] = [{ type: 'tool_result', tool_use_id: 'call_1', content: 'sunny' }]
    await t.anthropic.messages.create({ ...asked, messages: [...messages, { role: 'assistant', content }, { role: 'user', content: results }] })
    expect(bodyOf(t, 1)).toContain(`${sent}}`)
    expect(bodyOf(t, 1)).not.toMatch(/"thought":true|skip_thought_signature_validator/)
    // Another model is not given what is none of its own.
    const other = [...messages, { role: 'assistant' as const, content }, { role: 'user' as const, content: results }]
    await t.anthropic.messages.create({ ...asked, model: 'compatible/m', messages: other })
    expect(bodyOf(t, 2)).not.toContain('signed:')
  })

  test.each([true, false])('go back with them in OpenAI’s responses; streamed: %s', async (isStreamed) => {
    await using t = await openFacesBed([call, { text: ['Sunny.'] }])
    const tools: OpenAI.Responses.Tool[] = [{ type: 'function', name: 'weather', parameters: schema, strict: true }]
    const asked = { model, tools, include: ['reasoning.encrypted_content' as const], store: false }
    const { output } = isStreamed
      ? await t.openai.responses.stream({ ...asked, input: 'Hello' }).finalResponse()
      : await t.openai.responses.create({ ...asked, input: 'Hello' })
    expect(output.map(({ type }) => type)).toEqual(['message', 'reasoning', 'function_call'])
    const items = output as OpenAI.Responses.ResponseInputItem[]
    await t.openai.responses.create({
      ...asked,
      input: [{ role: 'user', content: 'Hello' }, ...items, { type: 'function_call_output', call_id: 'call_1', output: 'sunny' }],
    })
    expect(bodyOf(t, 1)).toContain(`${sent}}`)
    expect(bodyOf(t, 1)).not.toMatch(/"thought":true|skip_thought_signature_validator/)
  })
})
