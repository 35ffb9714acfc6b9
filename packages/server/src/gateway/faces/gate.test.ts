/** Streamed answers that are not as asked: seen before anything has left, they are asked of the next target; what has left stays. */
import { describe, expect, test } from 'vitest'
import { openFacesBed } from '../../../test/support/faces-bed.ts'
import { pickedOf } from '../../../test/support/fake-gateway.ts'
import type { FakeRequest, FakeStep } from '../../../test/support/fake-provider.ts'

const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
const tool = { name: 'look_up', description: '', schema: { type: 'object', properties: { id: { type: 'number' } }, required: ['id'] } }
const messages = [{ role: 'user', content: 'Where?' }]

/** Each face with its own words for a schema and for a tool. */
const faces = [
  {
    path: '/openai/v1/chat/completions',
    shaped: { messages, response_format: { type: 'json_schema', json_schema: { name: 'place', schema } } },
    tooled: { messages, tools: [{ type: 'function', function: { name: tool.name, parameters: tool.schema } }] },
  },
  {
    path: '/openai/v1/responses',
    shaped: { input: 'Where?', text: { format: { type: 'json_schema', name: 'place', schema } } },
    tooled: { input: 'Where?', tools: [{ type: 'function', name: tool.name, parameters: tool.schema }] },
  },
  {
    path: '/anthropic/v1/messages',
    shaped: { messages, max_tokens: 50, output_config: { format: { type: 'json_schema', schema } } },
    tooled: { messages, max_tokens: 50, tools: [{ name: tool.name, input_schema: tool.schema }] },
  },
]
/** The small model is passed through in the first two faces' languages, and translated for the third; and the other way round. */
const pairs = [
  ['openai/small', 'openai/large'],
  ['anthropic/small', 'anthropic/large'],
] as const
const cases = faces.flatMap((face) => pairs.map(([small, large]) => ({ ...face, small, large })))

async function openBed(answer: (request: FakeRequest) => FakeStep, [small, large]: readonly [string, string], holdsStreams = false) {
  const bed = await openFacesBed(answer, { pickTargets: async () => ({ ...pickedOf([small, large]), climbs: 2, holdsStreams }) })
  return {
    ...bed,
    async ask(path: string, body: object) {
      const response = await bed.post(path, { model: 'auto', stream: true, ...body })
      return { status: response.status, model: response.headers.get('x-longhaul-model'), text: await response.text() }
    },
    models: () => bed.fake.requests.map(({ model }) => model),
  }
}
const good = { text: ['{"ci', 'ty":"Oslo"}'] }
const smallSays = (step: FakeStep) => (request: FakeRequest) => (request.model === 'small' ? step : good)

describe.each(cases)('$path, $small', ({ path, shaped, tooled, small, large }) => {
  test('one that begins with prose instead of JSON is asked of the next, and nobody has seen it; both are booked', async () => {
    await using t = await openBed(smallSays({ text: ['  \n', 'Oslo, ', 'I think.'] }), [small, large])
    const answer = await t.ask(path, shaped)
    expect(answer).toMatchObject({ status: 200, model: large })
    expect(answer.text).not.toContain('I think')
    expect(answer.text).not.toContain('not what was asked for')
    expect(t.models()).toEqual(['small', 'large'])
    expect(t.booked).toMatchObject([{ outcome: { verdict: 'misfits' } }, {}])
    expect(t.booked[1]?.outcome).toMatchObject({ type: 'used' })
  })

  test('one that begins as JSON is given as it comes, even if it turns out wrong; held, it is asked of the next', async () => {
    const wrong = { text: ['{"to', 'wn":"Oslo"}'] }
    await using t = await openBed(smallSays(wrong), [small, large])
    expect(await t.ask(path, shaped)).toMatchObject({ model: small })
    expect(t.models()).toEqual(['small'])
    await using held = await openBed(smallSays(wrong), [small, large], true)
    const answer = await held.ask(path, shaped)
    expect(answer).toMatchObject({ status: 200, model: large })
    expect(answer.text).not.toContain('wn')
    expect(held.models()).toEqual(['small', 'large'])
    expect(held.booked[0]?.outcome).toMatchObject({ type: 'used', verdict: 'misfits', tokens: { output: 5 } })
    await using fits = await openBed(smallSays(good), [small, large], true)
    expect(await fits.ask(path, shaped)).toMatchObject({ status: 200, model: small })
    expect(fits.booked).toMatchObject([{ outcome: { type: 'used', verdict: 'fits' } }])
  })

  test('a tool that was not offered is asked of the next; one that was is called', async () => {
    const calls = (toolName: string): FakeStep => ({ toolCalls: [{ id: 'call_1', name: toolName, input: { id: 1 } }] })
    await using t = await openBed((request) => (request.model === 'small' ? calls('drop_table') : calls('look_up')), [small, large])
    const answer = await t.ask(path, tooled)
    expect(answer).toMatchObject({ status: 200, model: large })
    expect(answer.text).toContain('look_up')
    expect(answer.text).not.toContain('drop_table')
    await using offered = await openBed(() => calls('look_up'), [small, large])
    expect(await offered.ask(path, tooled)).toMatchObject({ model: small })
  })
})

test('a held stream that breaks off goes on to the next target; one that has begun to leave ends with its error', async () => {
  const broken: FakeStep = { text: ['{"ci', 'ty":"Oslo"}'], fault: { type: 'reset', afterEvents: 3 } }
  const [face] = faces
  const pair = ['openai/small', 'openai/large'] as const
  await using held = await openBed(smallSays(broken), pair, true)
  const answer = await held.ask(face?.path ?? '', face?.shaped ?? {})
  expect(answer).toMatchObject({ status: 200, model: 'openai/large' })
  expect(answer.text).not.toContain('broke off')
})

test('without a shape that was asked for, and for the last target, nothing is held or judged', async () => {
  await using t = await openBed(smallSays({ text: ['Oslo.'] }), ['openai/small', 'openai/large'])
  expect(await t.ask('/openai/v1/chat/completions', { messages })).toMatchObject({ model: 'openai/small' })
  await using last = await openBed(() => ({ text: ['Oslo.'] }), ['openai/small', 'openai/large'], true)
  const answer = await last.ask('/openai/v1/chat/completions', faces[0]?.shaped ?? {})
  expect(answer).toMatchObject({ status: 200, model: 'openai/large' })
  expect(answer.text).toContain('Oslo.')
})
