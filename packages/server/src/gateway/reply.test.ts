import type { LanguageModelV4FinishReason, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import { ModelReply } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { StepFailure } from '../kernel/index.ts'
import { collectReply } from './reply.ts'

const at = new Date('2026-11-15T00:00:00Z')
const finish = (unified: LanguageModelV4FinishReason['unified'] = 'stop'): LanguageModelV4StreamPart => ({
  type: 'finish',
  finishReason: { unified, raw: unified },
  usage: { inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 }, outputTokens: { total: 1, text: 1, reasoning: 0 } },
})
const delta = (id: string, text: string): LanguageModelV4StreamPart => ({ type: 'text-delta', id, delta: text })
const call = (input: string, toolName = 'query'): LanguageModelV4StreamPart => ({ type: 'tool-call', toolCallId: 'a', toolName, input })

function collect(parts: LanguageModelV4StreamPart[]) {
  const deltas: string[] = []
  const collector = collectReply('openai/gpt-5', (text) => deltas.push(text))
  for (const part of parts) collector.add(part)
  return { deltas, reply: ModelReply.parse(collector.finish(at)) }
}

test('blocks that grow at the same time stay apart, in the order in which they began', () => {
  expect(collect([delta('a', 'A'), delta('b', 'B'), delta('a', 'a'), delta('b', 'b'), finish()]).reply.content).toEqual([
    { type: 'text', text: 'Aa' },
    { type: 'text', text: 'Bb' },
  ])
})

test('an id that is used again after its end is another block', () => {
  const { reply } = collect([delta('a', 'one'), { type: 'text-end', id: 'a' }, call('{}'), delta('a', 'two'), finish()])
  expect(reply.content.map((part) => (part.type === 'text' ? part.text : part.type))).toEqual(['one', 'tool-call', 'two'])
  expect(reply.finishReason).toBe('tool-calls')
})

test('a character is never split between two deltas', () => {
  const [high, low] = '👋'.split('') as [string, string]
  const { deltas, reply } = collect([delta('a', `x${high}`), delta('a', `${low}y`), delta('a', high), delta('a', low), finish()])
  expect(deltas).toEqual(['x', '👋y', '👋'])
  expect(reply.content).toEqual([{ type: 'text', text: 'x👋y👋' }])
})

test('what the journal cannot store is replaced, in text and in arguments', () => {
  const { reply } = collect([delta('a', 'a\u0000b\ud800c'), call('{"x": "\\u0000 \\ud83d", "list": ["\\u0000"]}'), finish()])
  expect(reply.content).toMatchObject([{ text: 'a\ufffdb\ufffdc' }, { input: { x: '\ufffd \ufffd', list: ['\ufffd'] } }])
})

test.each([
  ['', {}],
  ['  ', {}],
  ['null', {}],
  ['{"a":1}', { a: 1 }],
  ['{"__proto__":{"x":1}}', JSON.parse('{"__proto__":{"x":1}}')],
])('arguments %j are %j', (text, input) => {
  expect(collect([call(text), finish()]).reply.content).toEqual([{ type: 'tool-call', toolCallId: 'a', toolName: 'query', input }])
})

test.each([['{'], ['{"a":1}{"a":1}'], ['['.repeat(100_000)], [`${'['.repeat(5_000)}${']'.repeat(5_000)}`], ['{"a\\u0000":1}'], ["{'a':1}"]])(
  'arguments that begin with %.10s are a bad reply',
  (text) => {
    expect(() => collect([call(text), finish()])).toThrow(expect.objectContaining({ failure: expect.objectContaining({ code: 'bad_reply', retryable: true }) }))
  },
)

test('reasoning is kept for its model and shown to nobody', () => {
  const signed = { anthropic: { signature: 's' } }
  const { reply, deltas } = collect([
    { type: 'reasoning-start', id: '0' },
    { type: 'reasoning-delta', id: '0', delta: 'think' },
    { type: 'reasoning-delta', id: '0', delta: '', providerMetadata: signed },
    { type: 'reasoning-end', id: '0', providerMetadata: { anthropic: { more: 1 } } },
    delta('0', 'Hi'), // The same id as the reasoning, as some providers do.
    finish(),
  ])
  expect(deltas).toEqual(['Hi'])
  expect(reply.content).toEqual([{ type: 'text', text: 'Hi' }])
  expect(reply.providerData).toEqual({
    model: 'openai/gpt-5',
    parts: [{ reasoning: 'think', options: { anthropic: { signature: 's', more: 1 } } }, { content: 0 }],
  })
})

test('an answer that nobody annotated carries no data of the provider', () => {
  expect(collect([delta('a', 'Hi'), finish()]).reply).not.toHaveProperty('providerData')
})

test.each([
  ['stop', 'stop'],
  ['tool-calls', 'stop'],
  ['other', 'other'],
  ['length', 'length'],
  ['content-filter', 'content-filter'],
] as const)('text that ended with %s is %s', (said, recorded) => {
  expect(collect([delta('a', 'Hi'), finish(said)]).reply.finishReason).toBe(recorded)
})

test.each([
  ['nothing but an end', [finish()], 'empty_reply'],
  ['text without an end', [delta('a', 'Hi')], 'interrupted'],
  ['nothing at all', [], 'interrupted'],
  ['an interruption', [delta('a', 'Hi'), finish('interrupted')], 'interrupted'],
  ['a failure', [delta('a', 'Hi'), finish('error')], 'provider_error'],
])('%s is not a reply', (_, parts: LanguageModelV4StreamPart[], code) => {
  const collecting = () => collect(parts)
  expect(collecting).toThrow(StepFailure)
  expect(collecting).toThrow(expect.objectContaining({ failure: expect.objectContaining({ code, retryable: true }) }))
})
