import { jsonDepthMax } from '@longhaul/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { everyone, type ScriptContext, startEngine } from '../../test/support/engine.ts'
import { checkJournals } from '../../test/support/journal-checks.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import type { Json } from '@longhaul/protocol'

const echo = async (ctx: ScriptContext) => [
  ctx.input,
  await ctx.step('s', () => ctx.input),
  await ctx.signal('news'),
  await ctx.serve('exec', 'x', ctx.input),
  await ctx.tool('t', ctx.input, () => ctx.input),
]
const executors = { exec: async (input: Json) => ({ output: input }) }

/** Any JSON, with texts and keys that the database would like to change: `__proto__`, numbers as keys, order, escapes, emoji. */
const anyJson = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (Object.is(n, -0) ? 0 : n)),
    fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\u0000', '')),
    fc.array(tie('value'), { maxLength: 4 }),
    fc
      .array(
        fc.tuple(
          fc.oneof(
            fc.constantFrom('', '2', '1', '__proto__', 'constructor', 'toJSON', '\\u0000', '"'),
            fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\u0000', '')),
          ),
          tie('value'),
        ),
        { maxLength: 4 },
      )
      .map((entries) => JSON.parse(`{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`) as Json),
  ),
})).value

test('whatever JSON goes in as input, step result, signal, server step or tool comes out the same, keys in their order', { timeout: 60_000 }, async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { echo }, { executors })
  await fc.assert(
    fc.asyncProperty(fc.array(anyJson, { minLength: 8, maxLength: 8 }), async (values) => {
      await Promise.all(
        values.map(async (value) => {
          const text = JSON.stringify(value)
          const { id } = await e.start('echo', value)
          await e.engine.signal(everyone, id, 'tester', 'news', value)
          const run = await e.ended(id)
          expect(JSON.stringify(run.output)).toBe(JSON.stringify([value, value, value, value, value]))
          expect(JSON.stringify(run.input)).toBe(text)
          const recorded = (await e.events(id)).flatMap(({ data }) => ('output' in data ? [data.output] : []))
          expect(recorded.slice(0, -1).map((output) => JSON.stringify(output))).toEqual(Array.from({ length: 4 }, () => text))
        }),
      )
    }),
    { numRuns: 25 },
  )
  await checkJournals(t.db)
})

test('a replay gives the code the very values that were recorded', async () => {
  await using t = await makeDatabase()
  const value = { z: 1, a: [{ '10': 'x', '9': 'y' }], é: '\u2028 😀 \\ "', deep: JSON.parse('{"__proto__":{"x":1}}') as Json }
  await using e = await startEngine(t.db, { code: async (ctx) => [await ctx.step('s', () => value), await ctx.sleep('nap', 1_200)] })
  const { id } = await e.start('code')
  expect(JSON.stringify((await e.ended(id)).output)).toBe(JSON.stringify([value, null]))
  expect(e.executions).toHaveLength(2)
})

const nested = (depth: number): Json => (depth === 0 ? 'leaf' : [nested(depth - 1)])
const notJson: [string, unknown][] = [
  ['U+0000', 'a\u0000b'],
  ['U+0000 in a key', { 'a\u0000': 1 }],
  ['half a pair', 'x\ud83d'],
  ['the other half', ['\ude00']],
  ['NaN', NaN],
  ['Infinity', [Infinity]],
  ['a Date', new Date(0)],
  ['a bigint', 1n],
  ['undefined in an array', [undefined]],
  ['a Map', new Map()],
  ['a function', { f: () => 1 }],
  ['a symbol', Symbol('s')],
  ['an Error', new Error('x')],
  ['bytes', new Uint8Array(1)],
  ['too deep', nested(jsonDepthMax + 1)],
]

test.each(notJson)('%s is refused at the call: as input, as signal, as result of a step, of a server step and of the run', async (_, bad) => {
  await using t = await makeDatabase()
  await using e = await startEngine(
    t.db,
    {
      waits: (ctx) => ctx.signal('news'),
      step: (ctx) => ctx.step('s', () => bad as Json),
      serve: (ctx) => ctx.serve('exec', 'x', null),
      input: (ctx) => ctx.serve('exec', 'x', bad as Json),
      tool: (ctx) => ctx.tool('t', bad as Json, () => 1),
      output: async () => bad as Json,
    },
    { executors: { exec: async () => ({ output: bad as Json }) } },
  )
  await expect(e.start('waits', bad as Json)).rejects.toMatchObject({ code: 'invalid' })
  const waits = await e.start('waits')
  await expect(e.engine.signal(everyone, waits.id, 'tester', 'news', bad as Json)).rejects.toMatchObject({ code: 'invalid' })
  for (const agent of ['step', 'serve', 'input', 'tool', 'output']) {
    expect(await e.ended((await e.start(agent)).id)).toMatchObject({ state: 'failed', failure: { code: 'not_json', retryable: false } })
  }
  // The engine is none the worse for it.
  await e.engine.signal(everyone, waits.id, 'tester', 'news', 'fine')
  expect(await e.ended(waits.id)).toMatchObject({ output: 'fine' })
  await checkJournals(t.db)
})

test('a property that is undefined is absent afterwards, and the deepest value that is allowed comes back', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: async (ctx) => ctx.input })
  expect((await e.ended((await e.start('code', { a: undefined, b: 1 } as unknown as Json)).id)).output).toEqual({ b: 1 })
  expect((await e.ended((await e.start('code', nested(jsonDepthMax - 1))).id)).output).toEqual(nested(jsonDepthMax - 1))
})

test('an input that is too large is refused with the limit', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: async () => 1 })
  await expect(e.start('code', 'x'.repeat(1_000_001))).rejects.toMatchObject({ code: 'too_large', message: expect.stringContaining('1000000') as string })
  expect(await e.ended((await e.start('code', 'x'.repeat(900_000))).id)).toMatchObject({ state: 'completed' })
})
