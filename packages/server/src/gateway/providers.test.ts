import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openFacesBed } from '../../test/support/faces-bed.ts'
import { scriptedModel } from '../../test/support/fake-gateway.ts'
import { keyedProviders } from './provider-table.ts'
import { configureProviders } from './providers.ts'

/** Answers every chat completion and every message, and remembers where it was asked and with what. */
async function startAnywhere() {
  const seen: { url: string | undefined; headers: Record<string, unknown>; body: { model?: string } }[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (piece: Buffer) => (text += piece.toString()))
    request.on('end', () => {
      seen.push({ url: request.url, headers: request.headers, body: JSON.parse(text) as { model?: string } })
      const isMessages = request.url?.endsWith('/messages')
      const answer = isMessages
        ? {
            id: 'm',
            type: 'message',
            role: 'assistant',
            model: 'm',
            content: [{ type: 'text', text: 'Hi.' }],
            stop_reason: 'end_turn',
            usage: { input_tokens: 1, output_tokens: 1 },
          }
        : { id: 'c', object: 'chat.completion', choices: [{ index: 0, message: { role: 'assistant', content: 'Hi.' }, finish_reason: 'stop' }] }
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(answer))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => server.closeAllConnections())
  onTestFinished(() => void server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

describe.each(Object.entries(keyedProviders))('%s', (name, row) => {
  test.each((['chat', 'messages'] as const).filter((dialect) => row.speaks[dialect] !== undefined))(
    'is asked for %s at its address, with its key in its header',
    async (dialect) => {
      const anywhere = await startAnywhere()
      await using t = await openFacesBed([], { keys: { [name]: 'the-key' }, baseUrls: { [name]: `${anywhere.url}/base` }, compatible: undefined })
      const messages = [{ role: 'user' as const, content: 'Hello' }]
      if (dialect === 'chat') await t.openai.chat.completions.create({ model: `${name}/some/model`, messages })
      else await t.anthropic.messages.create({ model: `${name}/some/model`, messages, max_tokens: 5 })
      expect(anywhere.seen).toMatchObject([
        { url: `/base${row.speaks[dialect]}${dialect === 'chat' ? '/chat/completions' : '/messages'}`, body: { model: 'some/model' } },
      ])
      expect(anywhere.seen[0]?.headers[row.keyHeader]).toBe(row.keyHeader === 'authorization' ? 'Bearer the-key' : 'the-key')
    },
  )

  test('has an address that is https, or none', () => {
    expect(row.baseUrl.replace('{region}', 'us-east-1')).toMatch(/^(https:\/\/[^?#]+[^/?#])?$/)
  })
})

test('the beginning of a name belongs to one provider', () => {
  const all = Object.values(keyedProviders).flatMap(({ prefixes }) => [...prefixes])
  const doubtful = all.filter((prefix, i) => all.some((other, j) => i !== j && prefix.startsWith(other)))
  expect(doubtful).toEqual([])
})

test('servers have names of their own', async () => {
  const anywhere = await startAnywhere()
  const server = { baseUrl: `${anywhere.url}/v1`, model: 'qwen3:8b' }
  await using t = await openFacesBed([], {
    keys: {},
    compatible: undefined,
    servers: { vllm: { ...server, apiKey: 'k' }, ollama: { ...server, model: 'llama' } },
  })
  for (const model of ['vllm/other', 'ollama/llama', 'llama', 'qwen3:8b'])
    await t.openai.chat.completions.create({ model, messages: [{ role: 'user', content: 'x' }] })
  expect(anywhere.seen.map(({ body, headers }) => [body.model, headers['authorization']])).toEqual([
    ['other', 'Bearer k'],
    ['llama', undefined],
    ['llama', undefined],
    ['qwen3:8b', 'Bearer k'],
  ])
  const offline = scriptedModel([])
  for (const name of ['openai', 'offline', 'default', 'compatible', 'Big', 'a/b'])
    expect(() => configureProviders({ keys: {}, offline, servers: { [name]: server } })).toThrow(/cannot be the name/)
  expect(() => configureProviders({ keys: { azure: 'k' }, offline })).toThrow(/LONGHAUL_PROVIDER_BASE_URLS/)
  expect(() => configureProviders({ keys: {}, offline, servers: { x: { ...server, baseUrl: 'http://user:secret@host/v1' } } })).toThrow(/must not hold a user/)
})
