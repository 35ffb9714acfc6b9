/** Requests made by chance from the operations' own schemas, right and wrong ones, to the API on a real database: each gets an answer of its contract, none is a fault of the server. */
import { ErrorBody, type Operation, operations } from '@longhaul/protocol'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type JsonSchema, jsonSchema } from '../src/api/json-schema.ts'
import { type Bed, type BedCaller, openBed } from './support/api-bed.ts'

let bed: Bed
let callers: BedCaller[]
beforeAll(async () => {
  bed = await openBed({ answers: ({ run }) => [{ type: 'run.completed', run, output: 'canary of acme' }] })
  const access = { personalData: true }
  const acme = await bed.caller('acme', access)
  callers = [acme, await bed.caller('globex', access, { tenantId: 'globex' })]
  await acme.start('answers', { input: 'canary of acme' })
}, 60_000)
afterAll(async () => bed[Symbol.asyncDispose](), 60_000)

const odd: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(
    '',
    '0',
    '-1',
    'null',
    '../..',
    '%00',
    '\u0000',
    '\ud800',
    "'; drop table runs; --",
    '🙂',
    'a'.repeat(5_000),
    '00000000-0000-0000-0000-000000000000',
  ),
  fc.constantFrom(null, true, 0, -1, 1.5, 1e308, -0, 2 ** 53),
  fc.jsonValue({ maxDepth: 3 }),
)

/** Mostly what the schema asks for, now and then something else in its place. */
function valueOf(schema: JsonSchema, $defs: Record<string, JsonSchema>, depth = 0): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 12, arbitrary: rightValue(schema, $defs, depth) }, { weight: 1, arbitrary: odd })
}

function rightValue(schema: JsonSchema, $defs: Record<string, JsonSchema>, depth: number): fc.Arbitrary<unknown> {
  const { $ref, anyOf, oneOf, type, properties, required = [], items } = schema
  const inner = (each: JsonSchema) => valueOf(each, $defs, depth + 1)
  if ($ref) return inner($defs[$ref.slice('#/$defs/'.length)] ?? {})
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.enum) return fc.constantFrom(...schema.enum)
  const choices = anyOf ?? oneOf
  if (choices) return fc.oneof(...choices.map(inner))
  if (depth > 6) return fc.constant(null)
  switch (Array.isArray(type) ? type[0] : type) {
    case 'string':
      return textOf(schema)
    case 'integer':
      return fc.integer({ min: Math.max(schema.minimum ?? -10, -(2 ** 31)), max: Math.min(schema.maximum ?? 1_000, 2 ** 31 - 1) })
    case 'number':
      return fc.double({ min: schema.minimum ?? 0, max: schema.maximum ?? 1_000, noNaN: true })
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    case 'array':
      return fc.array(inner(items ?? {}), { minLength: schema.minItems ?? 0, maxLength: (schema.minItems ?? 0) + 2 })
    case 'object':
      return properties
        ? fc.record(Object.fromEntries(Object.entries(properties).map(([name, field]) => [name, inner(field)])), { requiredKeys: required })
        : fc.dictionary(fc.constantFrom('a', 'b'), typeof schema.additionalProperties === 'object' ? inner(schema.additionalProperties) : fc.jsonValue())
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

function textOf({ format, minLength = 0, maxLength = 40 }: JsonSchema): fc.Arbitrary<string> {
  if (format === 'uuid') return fc.uuid({ version: 7 })
  if (format === 'date-time') return fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2100-01-01') }).map((at) => at.toISOString())
  if (format === 'email') return fc.constantFrom('ada@example.com', 'x@y.z')
  if (format === 'uri') return fc.webUrl()
  const text = fc.string({ minLength, maxLength: Math.min(maxLength, Math.max(minLength, 40)), unit: 'grapheme' })
  return fc.oneof(fc.constantFrom('answers', 'default', 'canary', 'v1'), text)
}

/** What would end the test itself, by what it is there to do, waits for what does not come, or is not set up here. */
const apart = new Set(['system.get', 'stops.create', 'tenants.update', 'limits.set', 'keys.delete', 'namespaces.put', 'policies.put', 'queues.receive'])
/** What needs something from outside, and says that it is not there. */
const mayBeUnavailable = new Set(['sso.set', 'sandboxes.create', 'sandboxes.egress'])

test.each(operations.filter(({ id }) => !apart.has(id)).map((operation) => [operation.id, operation] as const))(
  '%s answers whatever it is asked',
  async (_, { id, http: [method, template], input, output }: Operation) => {
    const schema = jsonSchema(input, method === 'POST' ? 'input' : 'output')
    const someInput = valueOf(schema, schema.$defs ?? {})
    const statuses = new Set<number>()
    await fc.assert(
      fc.asyncProperty(someInput, fc.nat(1), async (given, who) => {
        const fields = typeof given === 'object' && given !== null && !Array.isArray(given) ? (given as Record<string, unknown>) : {}
        const rest = new Map(Object.entries(fields))
        const path = template.replaceAll(/\{(\w+)\}/g, (__, name: string) => {
          const value = rest.get(name)
          rest.delete(name)
          return encodeURIComponent(toWellFormed(value) || 'x')
        })
        const query = new URLSearchParams([...rest].map(([name, value]): [string, string] => [name, toWellFormed(value)]))
        const body = method === 'POST' ? (Object.is(given, fields) ? Object.fromEntries(rest) : given) : undefined
        const url = method === 'POST' || rest.size === 0 ? path : `${path}?${query}`
        const response = await callers[who]?.ask(method, url, ...(body === undefined ? [] : [body as never]))
        const text = (await response?.text()) ?? ''
        const status = response?.status ?? 0
        statuses.add(status)
        const isExplained = status === 503 && mayBeUnavailable.has(id)
        expect(isExplained ? 0 : status, `${method} ${url} ${JSON.stringify(body)?.slice(0, 500)}: ${text.slice(0, 300)}`).toBeLessThan(500)
        const answer: unknown = JSON.parse(text)
        const shape = status === 200 ? output : ErrorBody
        expect(shape.safeParse(answer).error, text.slice(0, 300)).toBeUndefined()
        if (who === 1) expect(text.replaceAll(JSON.stringify(body) ?? '', '')).not.toContain('canary of acme')
      }),
      { numRuns: 25, interruptAfterTimeLimit: 20_000 },
    )
    expect(statuses.size).toBeGreaterThan(0)
  },
  60_000,
)

const toWellFormed = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? '')).toWellFormed()

/** Texts at the edges of JSON: what parsers are known to disagree about. `right`: it is JSON, and an object. */
const corpus: [text: string | Uint8Array<ArrayBuffer>, right: boolean][] = [
  ['{}', true],
  [' \t\r\n{}\n', true],
  ['{"agent":"answers","agent":"answers"}', true],
  ['{"a":1}', true], // JSON, and a field that is not listed.
  ['\ufeff{}', true], // A decoder drops it.
  ['{"__proto__":{"isAdmin":true}}', true],
  ['{"constructor":{"prototype":{}}}', true],
  ['', true], // Nothing at all is no field.
  ...[
    '{"a":1,}',
    "{'a':1}",
    '{a:1}',
    '{"a":01}',
    '{"a":+1}',
    '{"a":.5}',
    '{"a":1.}',
    '{"a":0x1}',
    '{"a":NaN}',
    '{"a":Infinity}',
    '{"a":1}x',
    '{"a":"\n"}',
    '{"a":"\\x00"}',
  ].map((text): [string, boolean] => [text, false]),
  ...['[]', 'null', '1', '"x"', 'true', '[1', '{"a"', '{"a":', '{"a":"'].map((text): [string, boolean] => [text, false]),
  [new Uint8Array([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]), false], // UTF-16.
  [new Uint8Array([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d]), false], // No UTF-8.
  ['['.repeat(100_000), false],
  ['{"a":'.repeat(50_000), false],
  [`{"agent":"answers","input":${'['.repeat(300)}${']'.repeat(300)}}`, false],
  [`{"agent":"answers","input":1e999}`, false], // No number.
  [`{"agent":"answers","input":123456789012345678901234567890}`, true],
  [`{"agent":"answers","input":"\\u0000"}`, false],
  [`{"agent":"answers","input":"\\ud83d"}`, false],
  [`{"agent":"answers","input":"\\ud83d\\ude00"}`, true],
]

test.each(corpus)('JSON at its edges: %j', async (text, isRight) => {
  const secret = callers[0]?.secret ?? ''
  const response = await bed.app.request('/v1/runs', { method: 'POST', headers: { authorization: `Bearer ${secret}` }, body: text })
  const answer: unknown = await response.json()
  const isStart = typeof text === 'string' && text.includes('"agent"') && isRight
  if (isStart) return expect(response.status, JSON.stringify(answer)).toBe(200)
  expect(response.status).toBe(400)
  // What was JSON is refused for what it lacks, not for what it is.
  const { message } = ErrorBody.parse(answer).error
  if (isRight) expect(message).toMatch(/^agent: /)
  else expect(message).not.toMatch(/^agent: /)
  expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined()
})
