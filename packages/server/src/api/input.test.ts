/** Bodies as a JSON parser's test suites have them: what is JSON comes through whole or is refused with why, what is none never does, and nothing is a fault of the server. */
import { jsonDepthMax } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { makeApi } from '../../test/support/fake-services.ts'

/** As the API took it, or the refusal. */
async function send(value: string | Uint8Array): Promise<{ status: number; input?: unknown; message?: string }> {
  const { ask, calls, app } = makeApi({ bodyBytesMax: 100_000 })
  const body =
    typeof value === 'string' ? `{"agent":"analyst","input":${value}}` : Buffer.concat([Buffer.from('{"agent":"analyst","input":'), value, Buffer.from('}')])
  const response =
    typeof body === 'string'
      ? await ask('POST', '/v1/runs', body)
      : await app.request('/v1/runs', { method: 'POST', headers: { authorization: 'Bearer lh_all' }, body: new Uint8Array(body) })
  const answer = (await response.json()) as { error?: { message: string } }
  const started = calls.find(([name]) => name === 'runs.start')
  const given = started?.find((each): each is { input: unknown } => typeof each === 'object' && each !== null && 'input' in each)
  return { status: response.status, input: given?.input, ...(answer.error && { message: answer.error.message }) }
}

test.each([
  ...['[]', '{}', '""', '[ ]', 'null', 'true', '"\\u0061\\u30af"', '"\\uD834\\uDD1E"', '"\u{1d11e}"', '"\\"\\\\\\/\\b\\f\\n\\r\\t"'],
  ...['0', '-0', '-1', '1e2', '1E+2', '1.5e-3', '123456789012345678', '0.1', '-123123e100000000'.replace('e100000000', 'e10')],
  ...[
    '{"a":[1,{"b":[]}]}',
    '{"":0}',
    '{"a":1,"b":1}',
    '"\u2028\u2029"',
    '"\\u0012"',
    '\t[1\n,2 ]\r',
    '"\u007f"',
    '{"__proto__":{"x":1}}',
    '{"constructor":1,"toString":2}',
  ],
])('JSON comes through whole: %s', async (text) => {
  const { status, input } = await send(text)
  expect(status).toBe(200)
  expect(JSON.stringify(input)).toBe(JSON.stringify(JSON.parse(text)))
})

test.each([
  ...[
    '[1,]',
    '[,1]',
    '[1 2]',
    '{"a":1,}',
    '{"a" 1}',
    "{'a':1}",
    '{a:1}',
    '{"a":}',
    '{1:1}',
    '[',
    '{',
    '"',
    '[1',
    '{"a":',
    'tru',
    'nul',
    'NaN',
    'Infinity',
    '-Infinity',
  ],
  ...[
    '+1',
    '01',
    '-01',
    '.5',
    '5.',
    '1e',
    '1e+',
    '0x10',
    '1_000',
    '--1',
    '- 1',
    '1.2.3',
    '１',
    "'a'",
    '"\\x41"',
    '"\\u12"',
    '"\\U0041"',
    '"a\nb"',
    '"a\tb"',
    '"\\',
    '"\u0000"',
  ],
  ...[
    '[1]//',
    '/* a */1',
    '1 // a',
    '\u00a01',
    '\u2060[]',
    '\ufeff1',
    '[]]',
    '{}}',
    '1,2',
    '[undefined]',
    '',
    '\f1',
    '<null>',
    '[\u000b1]',
    '"\\ud800" "',
    '\\u0031',
  ],
])('what is no JSON is refused: %j', async (text) => {
  const { status, message, input } = await send(text)
  expect({ status, input }).toEqual({ status: 400, input: undefined })
  expect(message).toMatch(/^The body is not JSON: /)
})

test.each([
  ['U+0000', '"\\u0000"'],
  ['U+0000 in a key', '{"a\\u0000":1}'],
  ['half of a pair', '"\\ud800"'],
  ['the other half', '"\\udc00"'],
  ['the halves the wrong way round', '"\\udd1e\\ud834"'],
  ['half of a pair in a key', '{"\\ud800":1}'],
  ['half a pair before text', '"\\ud834a"'],
  ['a number beyond all', '1e999'],
  ['such a number below', '[-1e999]'],
  ['one level too deep', `${'['.repeat(jsonDepthMax)}${']'.repeat(jsonDepthMax)}`],
  ['far too deep', `${'['.repeat(40_000)}${']'.repeat(40_000)}`],
  ['objects far too deep', `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`],
])('what could not be stored is refused: %s', async (_, text) => {
  expect(await send(text)).toMatchObject({ status: 400, message: expect.stringContaining('cannot be stored') })
})

test('what is as deep as it may be comes through', async () => {
  const depth = jsonDepthMax - 1 // The body is one level itself.
  expect((await send(`${'['.repeat(depth)}${']'.repeat(depth)}`)).status).toBe(200)
})

test('bytes that are no UTF-8 are refused: none is replaced by another', async () => {
  const quoted = (...bytes: number[]) => new Uint8Array([0x22, ...bytes, 0x22])
  expect(await send(quoted(0xe2, 0x82, 0xac))).toMatchObject({ status: 200, input: '€' })
  for (const bytes of [[0xff], [0xc0, 0x80], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x80], [0xf8, 0x88, 0x80, 0x80, 0x80]])
    expect(await send(quoted(...bytes)), bytes.join(' ')).toMatchObject({ status: 400 })
  expect(await send(new Uint8Array(Buffer.from('"a"', 'utf16le')))).toMatchObject({ status: 400 })
})

test('of a name that stands there twice the last counts, for the check of permissions as for what is done; no name reaches a prototype', async () => {
  const { ask, calls } = makeApi()
  expect((await ask('POST', '/v1/runs', '{"agent":"other","input":1,"agent":"analyst","input":2}')).status).toBe(200)
  expect(JSON.stringify(calls)).toContain('"analyst"')
  expect(JSON.stringify(calls)).not.toContain('"other"')
  expect((await ask('POST', '/v1/runs', '{"agent":"analyst","__proto__":{"input":1}}')).status).toBe(400)
  expect(({} as { input?: unknown }).input).toBeUndefined()
  for (const body of ['[]', '"a"', '1', 'null', 'true']) expect((await ask('POST', '/v1/runs', body)).status, body).toBe(400)
})
