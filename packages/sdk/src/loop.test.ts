import type { Answer, Json, Message, ModelReply, Prompt } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { makeAgent } from '../test/support/loop-agent.ts'
import { TerminalFailure, shown, tool } from './agent.ts'
import type { LoadedAgent } from './folder.ts'
import { describeExec, stockTools } from './stock-tools.ts'
import { calls, runAgent, runWithCrashes, says } from './testing.ts'

const add = tool({ description: 'adds', input: z.strictObject({ a: z.number(), b: z.number() }), run: ({ a, b }) => ({ sum: a + b }) })
const table = (title: string) => ({ type: 'table' as const, title, columns: [{ name: 'n', type: 'number' as const }], rows: [[1]], rowCount: 1 })
const file = (name: string) => ({ type: 'file' as const, fileId: '00000000-0000-7000-8000-000000000009', name, mediaType: 'image/png', bytes: 3 })
const lastResults = (prompt: Prompt | undefined) => {
  const last = prompt?.messages.at(-1)
  return last?.role === 'tool' ? last.content : []
}
const resultText = (prompt: Prompt | undefined, index = 0) => String(lastResults(prompt)[index]?.output)

test('the model calls tools until it answers, and the answer counts what all calls used', async () => {
  const run = await runAgent(makeAgent({ tools: { add } }), { input: 'What is 1 + 2?', model: [calls(['add', { a: 1, b: 2 }]), says('It is 3.')] })
  expect(run.output).toEqual({
    text: 'It is 3.',
    parts: [],
    model: 'scripted/model',
    usage: { input: 200, cachedInput: 0, output: 40, costUsd: 0.002 },
  } satisfies Answer)
  expect(run.prompts[1]?.messages).toEqual([
    { role: 'user', content: [{ type: 'text', text: 'What is 1 + 2?' }] },
    { role: 'assistant', content: [{ type: 'tool-call', toolCallId: 'call-0', toolName: 'add', input: { a: 1, b: 2 } }] },
    { role: 'tool', content: [{ type: 'tool-result', toolCallId: 'call-0', toolName: 'add', output: { sum: 3 }, isError: false }] },
  ])
  expect(run.history.map((entry) => `${entry.op} ${entry.kind} ${entry.name}`)).toEqual(['0 model default', '1.0.0 tool add', '2 model default'])
})

test('a later model call sends only what is new', async () => {
  const run = await runAgent(makeAgent({ tools: { add } }), { input: 'x', model: [calls(['add', { a: 1, b: 2 }]), says('3')] })
  expect(run.prompts[1]?.instructions).toBe(run.prompts[0]?.instructions)
  expect(run.prompts[1]?.tools.map((one) => one.name)).toEqual(['add'])
  // The in-memory server rebuilt both from the first call; the loop itself does not repeat them.
  const requests: Json[] = []
  const program = makeAgent({ tools: { add } }).program
  const spied = {
    ...makeAgent({}),
    program: ((ctx, head) =>
      program({ ...ctx, model: (request) => (requests.push(request as never), ctx.model(request)) }, head)) satisfies LoadedAgent['program'],
  }
  await runAgent(spied, { input: 'x', model: [calls(['add', { a: 1, b: 2 }]), says('3')] })
  expect(requests[1]).not.toHaveProperty('instructions')
  expect(requests[1]).not.toHaveProperty('tools')
  expect(requests[1]).toMatchObject({ after: { op: '0' }, append: [{ role: 'tool' }] })
})

test('what a model did wrong is told to it: unknown tool, arguments that do not fit, a tool that fails', async () => {
  const bad = tool({ description: 'fails', input: z.strictObject({}), run: () => Promise.reject(new TerminalFailure('the disk is full')) })
  const run = await runAgent(makeAgent({ tools: { add, bad } }), {
    input: 'x',
    model: [calls(['nothing', {}], ['add', { a: 'one', c: 1 }], ['add', '{"a":'], ['bad', {}], ['add', { a: 1, b: 1 }]), says('done')],
  })
  expect(run.state).toBe('completed')
  const results = lastResults(run.prompts[1])
  expect(results.map((result) => result.isError)).toEqual([true, true, true, true, false])
  expect(results[0]?.output).toBe('There is no tool "nothing". The tools are: add, bad.')
  expect(results[1]?.output).toMatch(/do not fit the tool add.*\n- a: .*number.*\n- b: .*\n.*"c"/s)
  expect(results[2]?.output).toContain('expected object')
  expect(results[3]?.output).toBe('The tool bad failed: the disk is full')
  expect(results[4]?.output).toEqual({ sum: 2 })
})

test('tools called in one turn run side by side, and their results keep the order of the calls', async () => {
  const finished: number[] = []
  const wait = tool({
    description: 'waits',
    input: z.strictObject({ ms: z.number() }),
    run: async ({ ms }) => (await new Promise((resolve) => setTimeout(resolve, ms)), finished.push(ms), ms),
  })
  const run = await runAgent(makeAgent({ tools: { wait } }), { input: 'x', model: [calls(['wait', { ms: 40 }], ['wait', { ms: 1 }]), says('done')] })
  expect(finished).toEqual([1, 40])
  expect(lastResults(run.prompts[1]).map((result) => result.output)).toEqual([40, 1])
})

test('a tool that takes too long fails with a time-out, its signal aborts, and the model is told', async () => {
  let isAborted = false
  const hang = tool({
    description: 'hangs',
    input: z.strictObject({}),
    timeoutMs: 20,
    run: (_, ctx) => new Promise(() => ctx.signal.addEventListener('abort', () => (isAborted = true))),
  })
  const run = await runAgent(makeAgent({ tools: { hang } }), { input: 'x', model: [calls(['hang', {}]), says('sorry')] })
  expect(resultText(run.prompts[1])).toBe('The tool hang failed: The tool hang took longer than 0.02 s.')
  expect(isAborted).toBe(true)
  expect(run.history.find((entry) => entry.kind === 'tool')).toMatchObject({ type: 'failed', failure: { code: 'timeout' } })
})

test('a tool’s clock stands still while it waits for a person, and the run may be released meanwhile', async () => {
  let executions = 0
  const careful = tool({
    description: 'asks first',
    input: z.strictObject({}),
    timeoutMs: 60,
    run: async (_, ctx) => {
      executions++
      await ctx.sandbox.exec({ cmd: 'prepare' })
      const { approved, by } = await ctx.approval('Really?')
      await ctx.sleep('cool down', 86_400_000)
      return `${approved} by ${by}`
    },
  })
  const run = await runAgent(makeAgent({ tools: { careful } }), {
    input: 'x',
    model: [calls(['careful', {}]), says('done')],
    exec: () => ({}),
    approve: () => ({ approved: true, by: 'ann' }),
  })
  expect(resultText(run.prompts[1])).toBe('true by ann')
  expect(run.elapsedMs).toBe(86_400_000)
  expect(executions).toBe(2) // Once more after it was released for the sleep; what is recorded is not done again.
  expect(run.history.filter((entry) => entry.kind === 'exec')).toHaveLength(1)
})

test.each<[string, Json, string]>([
  ['a string', 'Hello', 'Hello'],
  ['a message', { message: 'Hello' }, 'Hello'],
  ['a question', { question: 'Why?' }, 'Why?'],
  ['other JSON', { n: 1 }, '{\n  "n": 1\n}'],
])('the input can be %s', async (_, input, text) => {
  const run = await runAgent(makeAgent({}), { input, model: [says('ok')] })
  expect(run.prompts[0]?.messages).toEqual([{ role: 'user', content: [{ type: 'text', text }] }])
})

test('the session’s messages come before the new one', async () => {
  const messages: Message[] = [
    { role: 'user', content: [{ type: 'text', text: 'earlier' }] },
    { role: 'assistant', content: [{ type: 'text', text: 'yes' }] },
  ]
  const run = await runAgent(makeAgent({}), { input: 'now', messages, model: [says('ok')] })
  expect(run.prompts[0]?.messages).toEqual([...messages, { role: 'user', content: [{ type: 'text', text: 'now' }] }])
})

test('the instructions are the file, what the agent computes, its skills, who asks, and the date', async () => {
  const made = makeAgent({
    instructions: 'Be brief.\n',
    options: { instructions: ({ asker }) => `Regions: ${asker.access.regions?.length ?? 'all'}` },
    skills: [{ name: 'charts', description: 'How to draw', text: '# Charts\nUse few colours.' }],
  })
  const asker = { id: 'k', name: 'emea-sales', access: { regions: ['EU', 'UK'], personalData: false } }
  const run = await runAgent(made, {
    input: 'x',
    asker,
    createdAt: new Date('2026-03-04T05:06:07Z'),
    model: [calls(['read_skill', { name: 'charts' }]), says('ok')],
  })
  expect(run.prompts[0]?.instructions).toBe(
    [
      'Be brief.',
      'Regions: 2',
      'There is written know-how for some tasks. Before you do one of these, read it with the tool read_skill:\n- charts: How to draw',
      'You are asked by emea-sales, who may see only data of EU, UK, but no personal data. This run began on 2026-03-04 (UTC), which is today unless another day is named above.',
    ].join('\n\n'),
  )
  expect(resultText(run.prompts[1])).toBe('# Charts\nUse few colours.')
})

test('the answer shows what each tool last had to show, tables first', async () => {
  const query = tool({
    description: 'q',
    input: z.strictObject({ n: z.number() }),
    run: ({ n }) => (n === 9 ? Promise.reject(new Error('bad SQL')) : n === 0 ? 'nothing to show' : shown({ rows: n }, table(`t${n}`))),
  })
  const chart = tool({ description: 'c', input: z.strictObject({}), run: () => shown('drawn', file('a.svg'), file('a.png')) })
  const run = await runAgent(makeAgent({ tools: { query, chart } }), {
    input: 'x',
    model: [calls(['query', { n: 1 }], ['chart', {}]), calls(['query', { n: 2 }]), calls(['query', { n: 9 }], ['query', { n: 0 }]), says('Here.')],
  })
  expect((run.output as Answer).parts).toEqual([table('t2'), file('a.svg'), file('a.png')])
  expect(lastResults(run.prompts[1])[0]?.output).toEqual({ rows: 1 })
})

test('parts that cannot be shown fail the call by the place of the fault', async () => {
  const broken = tool({
    description: 'b',
    input: z.strictObject({}),
    run: () => ({ output: 1, parts: [{ type: 'table', columns: [], rows: 'none', rowCount: 0 }] }) as never,
  })
  const run = await runAgent(makeAgent({ tools: { broken } }), { input: 'x', model: [calls(['broken', {}]), says('ok')] })
  expect(resultText(run.prompts[1])).toMatch(/parts that cannot be shown: parts\.0\.rows/)
})

test('a large result reaches the model with both its ends, and the journal whole', async () => {
  const big = tool({ description: 'b', input: z.strictObject({}), run: () => `START${'x'.repeat(200_000)}END` })
  const run = await runAgent(makeAgent({ tools: { big } }), { input: 'x', model: [calls(['big', {}]), says('ok')] })
  const seen = resultText(run.prompts[1])
  expect(seen.length).toBeLessThan(61_000)
  expect(seen).toMatch(/^START.*\[140008 of 200008 characters are left out here.*END$/s)
  expect(run.history.find((entry) => entry.kind === 'tool')).toMatchObject({ output: { output: `START${'x'.repeat(200_000)}END` } })
})

test('a run that has not answered after turnsMax model calls fails and says so', async () => {
  let n = 0
  const run = await runAgent(makeAgent({ tools: { add }, options: { turnsMax: 3 } }), { input: 'x', model: () => calls(['add', { a: n++, b: 1 }]) })
  expect(run.failure).toMatchObject({ code: 'turns_max', message: "No answer after 3 model calls, which is this agent's limit (turnsMax)." })
  expect(run.prompts).toHaveLength(3)
})

test('the same call with the same result is pointed out the third time and ends the run the fourth', async () => {
  const run = await runAgent(makeAgent({ tools: { add } }), { input: 'x', model: () => calls(['add', { a: 1, b: 1 }]) })
  expect(lastResults(run.prompts[2])[0]?.output).toEqual({ sum: 2 })
  expect(resultText(run.prompts[3])).toMatch(/^\{"sum":2\}\n\n\[This is the same call with the same result for the 3rd time/)
  expect(run.failure).toMatchObject({ code: 'repetition' })
  expect(run.prompts).toHaveLength(4)
})

test('the same call with another result is no repetition', async () => {
  let n = 0
  const poll = tool({ description: 'p', input: z.strictObject({}), run: () => ++n })
  const run = await runAgent(makeAgent({ tools: { poll } }), { input: 'x', model: (_, turn) => (turn < 8 ? calls(['poll', {}]) : says('ok')) })
  expect(run.state).toBe('completed')
})

test('an empty reply is asked again once, without it in the conversation', async () => {
  const run = await runAgent(makeAgent({}), { input: 'x', model: [says(''), says('There.')] })
  expect((run.output as Answer).text).toBe('There.')
  expect(run.prompts[1]?.messages.map((message) => message.role)).toEqual(['user', 'user'])
  expect(run.prompts[1]?.instructions).toBe(run.prompts[0]?.instructions)
  const twice = await runAgent(makeAgent({}), { input: 'x', model: [says(''), says(' \n')] })
  expect(twice.failure).toMatchObject({ code: 'empty_reply' })
})

test.each<[string, ModelReply[], object]>([
  ['a reply that is cut off is continued', [says('One, ', { finishReason: 'length' }), says('two.')], { state: 'completed', output: { text: 'One, two.' } }],
  ['one that never ends fails', Array.from({ length: 4 }, () => says('more ', { finishReason: 'length' })), { failure: { code: 'length' } }],
  ['one that is cut off before it says anything fails', [says('', { finishReason: 'length' })], { failure: { code: 'length' } }],
  [
    'one that was withheld fails',
    [says('par', { finishReason: 'content-filter' })],
    { failure: { code: 'content_filter', message: expect.stringContaining('content filter') } },
  ],
  [
    'one without a known price makes the sum unknown',
    [says('ok', { usage: { input: 1, cachedInput: 0, output: 1, costUsd: null } })],
    { output: { usage: { costUsd: null } } },
  ],
])('%s', async (_, model, expected) => {
  expect(await runAgent(makeAgent({}), { input: 'x', model })).toMatchObject(expected)
})

test('a model that fails fails the run with what the server said', async () => {
  const run = await runAgent(makeAgent({}), { input: 'x', model: [] })
  expect(run).toMatchObject({ state: 'failed', failure: { code: 'script' } })
})

test('an agent killed around any of its facts gives the same answer, and no tool that was recorded runs again', async () => {
  const executed = new Map<string, number>()
  const look = tool({
    description: 'l',
    input: z.strictObject({ at: z.string() }),
    run: async ({ at }, ctx) => {
      executed.set(at, (executed.get(at) ?? 0) + 1)
      const { stdout } = await ctx.sandbox.exec({ cmd: 'cat', args: [at] })
      const kept = await ctx.artifact({ name: `${at}.txt`, mediaType: 'text/plain', content: stdout })
      return shown(stdout, kept)
    },
  })
  const made = makeAgent({ tools: { look, add } })
  const { undisturbed, crashed } = await runWithCrashes(made, () => ({
    input: 'x',
    exec: (command) => ({ stdout: `content of ${'args' in command ? command.args[0] : ''}` }),
    model: [calls(['look', { at: 'a' }], ['look', { at: 'b' }], ['add', { a: 1, b: 2 }]), calls(['look', { at: 'c' }]), says('Seen.')],
  }))
  expect((undisturbed.output as Answer).parts).toHaveLength(1)
  expect(crashed.length).toBeGreaterThan(40)
  for (const run of crashed)
    expect({ crash: run.crash, state: run.state, text: (run.output as Answer | undefined)?.text }).toEqual({
      crash: run.crash,
      state: 'completed',
      text: 'Seen.',
    })
  // One execution each and one more where the crash fell between its start and its record, of which there are few.
  const total = [...executed.values()].reduce((sum, count) => sum + count, 0)
  expect(total).toBeLessThan((crashed.length + 1) * 3 + crashed.length)
})

const execResult = {
  exitCode: 0,
  signal: null,
  stdout: 'out\n',
  stderr: '',
  isTruncated: false,
  isTimedOut: false,
  durationMs: 1,
  driver: 'test',
  notEnforced: [],
}

test('a folder is listed, and the time is told in any zone; what is none is said', async () => {
  const model = [
    calls(['list_files', {}]),
    calls(['list_files', { path: 'a' }]),
    calls(['time', { zone: 'Asia/Shanghai' }], ['time', { zone: 'Moon' }]),
    says('done'),
  ]
  const run = await runAgent(makeAgent({ tools: stockTools }), { model, files: { 'a/b.txt': 'four', 'c.txt': 'x' } })
  const told = run.prompts.at(-1)?.messages.flatMap(({ role, content }) => (role === 'tool' ? content.map(({ output }) => output) : [])) ?? []
  expect(told[0]).toContain('c.txt 1')
  expect(told[1]).toBe('b.txt 4')
  expect(told[2]).toMatchObject({ utc: expect.stringMatching(/^\d{4}-.*Z$/), zone: 'Asia/Shanghai', local: expect.stringContaining('GMT+8') })
  expect(told[3]).toContain('There is no time zone')
})

test('the stock tools work in the sandbox', async () => {
  const commands: unknown[] = []
  const run = await runAgent(makeAgent({ tools: stockTools }), {
    input: 'x',
    exec: (command) => (commands.push(command), 'script' in command ? { stdout: 'hi\n', stderr: 'careful\n', exitCode: 3 } : { stdout: '4\n' }),
    model: [
      calls(['write_file', { path: 'notes/a.txt', content: 'Grüße' }]),
      calls(['read_file', { path: 'notes/a.txt' }], ['read_file', { path: 'gone' }], ['bash', { script: 'echo hi' }], ['python', { code: 'print(2 + 2)' }]),
      says('done'),
    ],
  })
  expect(resultText(run.prompts[1])).toBe('Wrote 7 bytes to notes/a.txt.')
  expect(lastResults(run.prompts[2]).map((result) => result.output)).toEqual([
    'Grüße',
    'The tool read_file failed: No file gone.',
    'hi\n[stderr]\ncareful\n[exit code 3]',
    '4\n[exit code 0]',
  ])
  expect(commands).toEqual([
    { script: 'echo hi', timeoutMs: 120_000 },
    { cmd: 'python3', args: ['-'], stdin: 'print(2 + 2)', timeoutMs: 120_000 },
  ])
})

test('files that are not text are refused, and long ones say that they go on', async () => {
  const run = await runAgent(makeAgent({ tools: stockTools }), {
    input: 'x',
    files: { binary: 'a\u0000b', long: 'x'.repeat(300_000) },
    model: [calls(['read_file', { path: 'binary' }], ['read_file', { path: 'long' }]), says('done')],
  })
  expect(resultText(run.prompts[1], 0)).toBe('The tool read_file failed: binary is not a text file.')
  expect(resultText(run.prompts[1], 1)).toContain('characters are left out')
  expect(resultText(run.prompts[1], 1)).toContain('The file goes on after 200000 bytes')
})

test.each([
  ['a time-out', { isTimedOut: true, exitCode: null, signal: 'SIGKILL' }, 'out\n[It was stopped after 120 s.]\n[exit code none, ended by SIGKILL]'],
  ['output that was cut', { isTruncated: true }, 'out\n[The output was longer than the sandbox keeps; its end is missing.]\n[exit code 0]'],
  ['no output', { stdout: '' }, '[exit code 0]'],
])('the result of a command tells %s', (_, change, expected) => {
  expect(describeExec({ ...execResult, ...change })).toBe(expected)
})
