import type { Answer, ModelReply, Prompt } from '@longhaul/protocol'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { makeAgent } from '../test/support/loop-agent.ts'
import { makeAgentFolder } from '../test/support/agent-folder.ts'
import { StepFailed, tool } from './agent.ts'
import { failure } from './failure.ts'
import { calls, loadAgent, runAgent, runWithCrashes, says } from './testing.ts'

const Invoice = z.strictObject({ number: z.string(), total: z.number() })
const note = tool({ description: 'notes', input: z.strictObject({ n: z.number() }), effect: 'none', run: ({ n }) => `noted ${n}` })
const lastText = (prompt: Prompt | undefined): string => JSON.stringify(prompt?.messages.at(-1)?.content)
const priced = (costUsd: number | null, input = 100) => ({ usage: { input, cachedInput: 0, output: 20, costUsd } })

test('an answer with a shape is given by a tool, checked, and told what is wrong with it', async () => {
  const run = await runAgent(makeAgent({ options: { output: Invoice } }), {
    input: 'Read it.',
    model: [calls(['give_answer', { number: 7 }]), calls(['give_answer', { number: 'R-7', total: 12.5 }])],
  })
  expect(run.prompts[0]?.tools.map(({ name }) => name)).toEqual(['give_answer'])
  expect(run.prompts[0]?.instructions).toContain('calling the tool give_answer')
  expect(lastText(run.prompts[1])).toMatch(/does not have the shape.*- number: .*- total: /)
  expect(run.output).toMatchObject({ text: '{"number":"R-7","total":12.5}', output: { number: 'R-7', total: 12.5 } })
})

test('an answer that is given beside other calls is not taken, and those are made', async () => {
  const run = await runAgent(makeAgent({ tools: { note }, options: { output: Invoice } }), {
    input: 'x',
    model: [calls(['note', { n: 1 }], ['give_answer', { number: 'a', total: 1 }]), calls(['give_answer', { number: 'b', total: 2 }])],
  })
  expect(lastText(run.prompts[1])).toMatch(/noted 1.*must be called alone/)
  expect(run.output).toMatchObject({ output: { number: 'b' } })
})

test('JSON as text is an answer when it has the shape; prose is reminded twice, and fails the run then', async () => {
  const options = { output: Invoice }
  const fenced = await runAgent(makeAgent({ options }), { input: 'x', model: [says('```json\n{"number":"a","total":1}\n```')] })
  expect(fenced.output).toMatchObject({ output: { number: 'a', total: 1 } })
  const reminded = await runAgent(makeAgent({ options }), { input: 'x', model: [says('It is 1.'), calls(['give_answer', { number: 'a', total: 1 }])] })
  expect(lastText(reminded.prompts[1])).toContain('Call the tool give_answer')
  expect(reminded.state).toBe('completed')
  expect((await runAgent(makeAgent({ options }), { input: 'x', model: () => says('It is 1.') })).failure).toMatchObject({ code: 'no_structured_answer' })
})

test('no model is asked once a run has cost what it may', async () => {
  let n = 0
  const run = await runAgent(makeAgent({ tools: { note }, options: { costUsdMax: 0.25 } }), {
    input: 'x',
    model: () => ({ ...calls(['note', { n: n++ }]), ...priced(0.1) }),
  })
  expect(run.failure).toMatchObject({ code: 'cost_max', message: expect.stringContaining('$0.25 (costUsdMax), and has cost $0.3') })
  expect(run.prompts).toHaveLength(3)
})

test('a run with a limit of money is not carried on by a model without a price, and one without a limit is', async () => {
  const model = (): ModelReply[] => [{ ...calls(['note', { n: 1 }]), ...priced(null) }, says('ok')]
  expect((await runAgent(makeAgent({ tools: { note }, options: { costUsdMax: 1 } }), { input: 'x', model: model() })).failure).toMatchObject({
    code: 'unpriced_model',
  })
  expect((await runAgent(makeAgent({ tools: { note } }), { input: 'x', model: model() })).state).toBe('completed')
})

test('when a model fails the next is asked, with the same conversation, to the end of the run', async () => {
  const asked: string[] = []
  const model = (prompt: Prompt, turn: number): ModelReply => {
    asked.push(prompt.model)
    if (prompt.model === 'a/one' && turn > 0) throw new StepFailed(failure('overloaded', 'busy'))
    return turn === 0 ? calls(['note', { n: 1 }]) : turn === 2 ? calls(['note', { n: 2 }]) : says('ok')
  }
  const options = { model: 'a/one', fallbackModels: ['b/two'] }
  const run = await runAgent(makeAgent({ tools: { note }, options }), { input: 'x', model })
  expect(asked).toEqual(['a/one', 'a/one', 'b/two', 'b/two'])
  expect(lastText(run.prompts[2])).toContain('noted 1')
  expect(run.state).toBe('completed')
})

test('the last model’s failure fails the run, and a budget’s refusal is not tried on another', async () => {
  const failing = (code: string) => (prompt: Prompt) => Promise.reject(new StepFailed(failure(code, `no ${prompt.model}`)))
  const made = makeAgent({ options: { model: 'a/one', fallbackModels: ['b/two'] } })
  expect(await runAgent(made, { input: 'x', model: failing('down') })).toMatchObject({ failure: { message: 'no b/two' }, prompts: { length: 2 } })
  expect(await runAgent(made, { input: 'x', model: failing('over_budget') })).toMatchObject({ failure: { message: 'no a/one' }, prompts: { length: 1 } })
})

test('a long conversation is summed up by a model call, and goes on from the summary and the request', async () => {
  const made = makeAgent({ tools: { note }, instructions: 'Be brief.', options: { contextTokensMax: 1_000 } })
  const model = (prompt: Prompt, turn: number): ModelReply =>
    lastText(prompt).includes('Write a summary')
      ? says('Noted 0, 1 and 2; 3 is left.', priced(0.001, 2_000))
      : turn < 3
        ? { ...calls(['note', { n: turn }]), ...priced(0.001, turn === 2 ? 2_000 : 500) }
        : turn === 4
          ? calls(['note', { n: 3 }])
          : says('ok')
  const options = () => ({ input: 'Note 0 to 3.', messages: [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'Hello' }] }], model })
  const run = await runAgent(made, options())
  expect(run.state).toBe('completed')
  expect(lastText(run.prompts[3])).toContain('Write a summary')
  expect(run.prompts[3]?.messages.at(-2)).toMatchObject({ role: 'tool', content: [{ output: 'noted 2' }] })
  expect(run.prompts[4]).toMatchObject({ instructions: run.prompts[0]?.instructions, tools: [{ name: 'note' }] })
  expect(run.prompts[4]?.messages).toEqual([
    {
      role: 'user',
      content: [
        { type: 'text', text: 'Note 0 to 3.' },
        { type: 'text', text: expect.stringMatching(/summed up.*\n\nNoted 0, 1 and 2; 3 is left\.$/s) },
      ],
    },
  ])
  expect((run.output as Answer).usage.input).toBe(500 + 500 + 2_000 + 2_000 + 100 + 100)
  const { crashed } = await runWithCrashes(made, options)
  expect(crashed.length).toBeGreaterThan(20)
  for (const one of crashed) expect({ crash: one.crash, output: one.output }).toEqual({ crash: one.crash, output: run.output })
})

test('what is said meanwhile reaches the model at its next turn, and stays in the conversation', async () => {
  const run = await runAgent(makeAgent({ tools: { note } }), {
    input: 'x',
    steer: (turn) => (turn === 1 ? ['In euros, please.'] : []),
    model: [calls(['note', { n: 1 }]), calls(['note', { n: 2 }]), says('ok')],
  })
  expect(run.prompts[1]?.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'user'])
  expect(lastText(run.prompts[1])).toContain('In euros, please.')
  expect(run.prompts[2]?.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'user', 'assistant', 'tool'])
})

const subagentFolder = (options = '') =>
  makeAgentFolder(
    {
      'agent/agent.ts': `import { agent } from '@longhaul/sdk'\nexport default agent({ description: 'Leads.', stockTools: [], agents: { billing: 'Knows invoices.' }, ${options} })`,
      'agent/subagents/researcher/agent.ts': `import { agent } from '@longhaul/sdk'\nexport default agent({ description: 'Finds things out', stockTools: [] })`,
      'agent/subagents/researcher/instructions.md': 'Search well.',
    },
    { isInstalled: true },
  )

test('subagents and other agents are tools: each call is a run, and the answer counts what they used', async () => {
  await using made = await subagentFolder()
  const loaded = await loadAgent(made.folder)
  expect(loaded.manifest).toMatchObject({ tools: [{ name: 'researcher' }, { name: 'ask_billing' }], subagents: [{ name: 'researcher', tools: [] }] })
  const options = () => ({
    input: 'x',
    model: [calls(['researcher', { task: 'Find it.' }], ['ask_billing', { task: 'Which invoice?' }]), says('Both done.')],
    subagents: { researcher: { model: [says('Found.')] } },
    agents: { billing: (input: unknown) => ({ about: input as { message: string } }) },
  })
  const run = await runAgent(loaded, options())
  expect(lastText(run.prompts[1])).toContain('"output":"Found."')
  expect(lastText(run.prompts[1])).toContain('{"about":{"message":"Which invoice?"}}')
  expect(run.output).toMatchObject({ text: 'Both done.', usage: { input: 300 } })
  const { crashed } = await runWithCrashes(loaded, options)
  expect(crashed.length).toBeGreaterThan(15)
  for (const one of crashed) expect({ crash: one.crash, output: one.output }).toEqual({ crash: one.crash, output: run.output })
})

test('a subagent’s run executes that part alone, with its share of the money', async () => {
  await using made = await subagentFolder('costUsdMax: 1')
  const loaded = await loadAgent(made.folder)
  const shares: (number | undefined)[] = []
  const spied = { ...loaded, program: ((ctx, head) => (shares.push(head.costUsdMax), loaded.program(ctx, head))) satisfies typeof loaded.program }
  const run = await runAgent(spied, {
    input: 'x',
    model: [{ ...calls(['researcher', { task: 'a' }], ['researcher', { task: 'b' }]), ...priced(0.1) }, says('ok')],
    subagents: { researcher: { model: (prompt) => (expect(prompt.instructions).toContain('Search well.'), { ...says('Found.'), ...priced(0.2) }) } },
  })
  expect(shares[0]).toBeUndefined()
  expect(shares.filter((share) => share !== undefined)).toEqual([0.3, 0.3].map((share) => expect.closeTo(share)))
  expect((run.output as Answer).usage.costUsd).toBeCloseTo(0.1 + 0.2 + 0.2 + 0.001)
  expect((await runAgent(loaded, { input: 'x', part: 'nobody', model: [says('ok')] })).failure?.message).toContain('no subagent "nobody"')
})

test('a subagent that fails counts as all that it was given, and the model is told', async () => {
  await using made = await subagentFolder('costUsdMax: 1')
  const loaded = await loadAgent(made.folder)
  const run = await runAgent(loaded, {
    input: 'x',
    model: (_, turn) => ({ ...calls(['researcher', { task: `try ${turn}` }]), ...priced(0) }),
    subagents: { researcher: { model: [] } },
  })
  expect(lastText(run.prompts[1])).toContain('researcher failed: The scripted model has no reply')
  // Half of what is left each time, so it never comes to the limit by this alone; the turns do.
  expect(run.failure).toMatchObject({ code: 'turns_max' })
})

test('faults of subagents and of the answer’s shape are told with their files', async () => {
  await using made = await makeAgentFolder(
    {
      'agent/agent.ts': `import { agent } from '@longhaul/sdk'\nimport { z } from 'zod'\nexport default agent({ description: 'x', stockTools: [], output: z.string(), connections: ['crm'] })`,
      'agent/subagents/one/agent.ts': `import { durable } from '@longhaul/sdk'\nexport default durable('x', async () => 1)`,
      'agent/subagents/two/agent.ts': `import { agent } from '@longhaul/sdk'\nexport default agent({ description: 'x', allowedHosts: ['a.example'] })`,
    },
    { isInstalled: true },
  )
  const { folder } = made
  await mkdir(join(folder, 'agent/subagents/bad name'), { recursive: true })
  await writeFile(join(folder, 'agent/subagents/bad name/agent.ts'), '')
  const problem = await loadAgent(folder).catch((error: Error) => error.message)
  expect(problem).toContain('agent/agent.ts: its output must be an object schema')
  expect(problem).toContain('names the connection "crm"')
  expect(problem).toContain('subagents/one/agent.ts: is a durable function')
  expect(problem).toContain('subagents/two/agent.ts: has allowedHosts')
  expect(problem).toContain('subagents/bad name: its name')
})

test('an operator’s limits of a call are kept where the code has wider ones, and what is cut is recorded so', async () => {
  const big = tool({ description: 'b', input: z.strictObject({}), run: () => 'x'.repeat(500) })
  const slow = tool({ description: 's', input: z.strictObject({}), run: () => new Promise(() => {}) })
  const run = await runAgent(makeAgent({ tools: { big, slow } }), {
    input: 'x',
    callLimits: { timeoutMs: 20, resultCharactersMax: 100 },
    model: [calls(['big', {}], ['slow', {}]), says('ok')],
  })
  expect(lastText(run.prompts[1])).toMatch(/x{100}\\n\[400 of 500 characters are left out.*took longer than 0\.02 s/)
  expect(run.history.find(({ name }) => name === 'big')).toMatchObject({ output: { output: expect.stringMatching(/^x{100}\n\[400/) } })
})

test('a tool that may be repeated is tried again before the model is told, and one that declares nothing is not', async () => {
  let tries = 0
  const run = () => (++tries < 3 ? Promise.reject(new Error('busy')) : Promise.resolve('there'))
  const flaky = { description: 'f', input: z.strictObject({}), run }
  const model = () => [calls(['flaky', {}]), says('ok')]
  const repeated = await runAgent(makeAgent({ tools: { flaky: tool({ ...flaky, effect: 'none', retry: { attemptsMax: 3, delayMsMin: 1 } }) } }), {
    input: 'x',
    model: model(),
  })
  expect([tries, lastText(repeated.prompts[1])]).toEqual([3, expect.stringContaining('there')])
  tries = 0
  const once = await runAgent(makeAgent({ tools: { flaky: tool(flaky) } }), { input: 'x', model: model() })
  expect([tries, lastText(once.prompts[1])]).toEqual([1, expect.stringContaining('flaky failed: busy')])
})

test('what a tool brings from outside is recorded as that', async () => {
  const inbox = tool({ description: 'i', input: z.strictObject({}), isOutside: true, run: () => 'Dear all' })
  const run = await runAgent(makeAgent({ tools: { inbox } }), { input: 'x', model: [calls(['inbox', {}]), says('ok')] })
  expect(run.history.find(({ name }) => name === 'inbox')).toMatchObject({ output: { output: 'Dear all', source: 'tool_server' } })
})

test.each([
  [true, 'sent to ann'],
  [false, 'A person did not allow this call of mail__send. They said: not her'],
])('a call that a person may allow is put to one with its exact arguments: %s', async (approved, told) => {
  await using made = await makeAgentFolder(
    {
      'agent/agent.ts': `import { agent } from '@longhaul/sdk'\nexport default agent({ description: 'x', stockTools: [] })`,
      'agent/connections/mail.json': '{ "kind": "mcp", "url": "https://mail.example/mcp" }',
    },
    { isInstalled: true },
  )
  let isAllowed = false
  const asked: unknown[] = []
  const run = await runAgent(made.folder, {
    input: 'x',
    connected: [{ connection: 'mail', name: 'mail__send', description: 'sends', inputSchema: { type: 'object' } }],
    call: (_, input) => {
      if (!isAllowed) throw new StepFailed(failure('needs_approval', 'forbidden by the policy sending'))
      return `sent to ${(input as { to: string }).to}`
    },
    approve: (title, detail) => (asked.push(title, detail), (isAllowed = approved), { approved, comment: 'not her' }),
    model: [calls(['mail__send', { to: 'ann' }]), says('ok')],
  })
  expect(asked).toEqual(['Call mail__send?', { tool: 'mail__send', input: { to: 'ann' }, why: 'forbidden by the policy sending' }])
  expect(lastText(run.prompts[1])).toContain(told)
})
