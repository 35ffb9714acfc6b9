/** `longhaul test`: what passes, what a crash changes, recordings, and results for CI. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type IncomingMessage, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { templates } from '../src/templates.ts'
import { command } from './support/run-command.ts'

let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(import.meta.dirname, 'agents-')))) // Here, so that code finds its packages.
afterAll(() => rm(folder, { recursive: true }))

const write = async (path: string, content: string) => {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), content)
}
const agentTs = "import { agent } from '@longhaul/sdk'\nexport default agent({ description: 'Helps.', stockTools: [] })\n"
const pay = (effect: string) => `import { tool } from '@longhaul/sdk'
import { z } from 'zod'
export default tool({ description: 'Pays.', ${effect}input: z.strictObject({ amount: z.number() }), run: ({ amount }) => ({ paid: amount }) })
`
const paying = `- name: pays
  input: Pay 7.
  model:
    - calls: [[pay, { amount: 7 }]]
    - says: Paid.
  expect: { contains: [Paid], tools: [pay] }
`
const run = (args: string[], env: Record<string, string> = {}) => command(undefined, ['test', ...args], { folder, env })

test('the tests of templates pass, with a crash at every moment', async () => {
  expect(Object.keys(templates)).toContain('tools')
  await command(undefined, ['init', 'shop', '--template', 'tools'], { folder })
  const { exit, out } = await run(['shop'])
  expect([exit, out]).toEqual([0, expect.stringMatching(/✓ open-orders +\d+ crashes.*2 tests, all passed; \d\d+ crashes\./s)])
})

test('a tool that does not say what it does outside changes the end after a crash, and the test says where and why', async () => {
  await write('silent/agent/agent.ts', agentTs)
  await write('silent/agent/tools/pay.ts', pay(''))
  // What the model says depends on what it was told, as real ones do.
  await write('silent/agent/instructions.md', 'Pay what you are told to.')
  await write('silent/tests/pay.yaml', paying)
  await write('silent/tests/recorded.yaml', '- name: recorded\n  input: Pay 7.\n  expect: { contains: [Paid] }\n')
  await using gateway = await openGateway()
  const env = { LONGHAUL_URL: gateway.url, LONGHAUL_API_KEY: 'lh_test' }
  const recorded = await run(['silent', '--only', 'recorded', '--record'], env)
  expect(recorded.exit).toBe(1)
  expect(recorded.out).toMatch(
    /✗ recorded.*A crash (before|after) the recording of fact \d+ changes how it ends, first at tool "pay".*does not say what it does outside/s,
  )
  // The control: with an effect the same recording passes, without the gateway.
  await write('sound/agent/agent.ts', agentTs)
  await write('sound/agent/instructions.md', 'Pay what you are told to.')
  await write('sound/agent/tools/pay.ts', pay("effect: 'idempotent', "))
  await write('sound/tests/recorded.yaml', '- name: recorded\n  input: Pay 7.\n  expect: { contains: [Paid] }\n')
  await mkdir(join(folder, 'sound/tests/recordings'))
  await writeFile(join(folder, 'sound/tests/recordings/recorded.json'), await readFile(join(folder, 'silent/tests/recordings/recorded.json')))
  const asked = gateway.requests.length
  expect(await run(['sound'])).toMatchObject({ exit: 0, out: expect.stringContaining('all passed') })
  expect(gateway.requests.length).toBe(asked)
  // Another prompt was never recorded.
  await write('sound/agent/instructions.md', 'Pay nothing.')
  expect(await run(['sound'])).toMatchObject({ exit: 1, out: expect.stringContaining('Record it again: longhaul test <folder> --record') })
})

/** An agent with a subagent that pays, and another one that it hands over to. */
async function writeOffice(name: string, effect: string) {
  const options = "description: 'Leads.', stockTools: [], handoffs: { complaints: 'For complaints' }"
  await write(`${name}/agent/agent.ts`, `import { agent } from '@longhaul/sdk'\nexport default agent({ ${options} })\n`)
  await write(`${name}/agent/instructions.md`, 'You lead the office.')
  await write(`${name}/agent/subagents/cashier/agent.ts`, agentTs)
  await write(`${name}/agent/subagents/cashier/instructions.md`, 'You are the cashier.')
  await write(`${name}/agent/subagents/cashier/tools/pay.ts`, pay(effect))
}

test('what subagents and other agents are told by their models is recorded and replayed with the run, which crashes in each of them', async () => {
  await write('complaints/agent/agent.ts', agentTs)
  await write('complaints/agent/instructions.md', 'You hear complaints.')
  const asked: string[] = []
  await using gateway = await openGateway((text) => {
    asked.push(text)
    if (text.includes('You are the cashier.')) return payer(text)
    if (text.includes('You hear complaints.')) return { content: 'We are sorry.' }
    return text.includes('Paid.') ? call('hand_off_to_complaints', { note: 'Seven were paid.' }) : call('cashier', { task: 'Pay 7.' })
  })
  const env = { LONGHAUL_URL: gateway.url, LONGHAUL_API_KEY: 'lh_test' }
  const tests = `- name: whole
  input: Pay 7, it took too long.
  agents: { complaints: { folder: ../complaints } }
  expect: { contains: [We are sorry], tools: [cashier] }
`
  await writeOffice('office', "effect: 'idempotent', ")
  await write('office/tests/a.yaml', tests)
  expect(await run(['office', '--record'], env)).toMatchObject({ exit: 0, out: expect.stringContaining('all passed') })
  expect(asked.length).toBe(5)
  const recorded = await readFile(join(folder, 'office/tests/recordings/whole.json'), 'utf8')
  expect(Object.keys(JSON.parse(recorded) as object).length).toBe(5)
  // Without the gateway: the same, with a crash at every moment of all three runs.
  const { exit, json } = await run(['office', '--json'])
  expect(exit).toBe(0)
  expect(json()[0]).toMatchObject({ name: 'whole', isPassed: true })
  expect((json()[0] as { crashCount: number }).crashCount).toBeGreaterThan(30)
  expect(asked.length).toBe(5)
  // The subagent's tool is not repeated after a crash of the worker when it says nothing of what it does: this is found inside of its run.
  await writeOffice('careless', '')
  await write('careless/tests/a.yaml', tests)
  await write('careless/tests/recordings/whole.json', recorded)
  expect((await run(['careless'])).out).toMatch(/✗ whole.*first at tool "pay" \(step [\d.]+\) of cashier.*The tool pay does not say what it does outside/s)
  // What a subagent was never asked so fails the test, and is told as its own.
  await write('office/agent/subagents/cashier/instructions.md', 'You are the new cashier.')
  expect((await run(['office'])).out).toMatch(/✗ whole.*cashier ended as failed: The recording has no reply for this prompt/s)
})

test('a prompt that two runs have is asked once, so that the recording is what was said', async () => {
  await writeOffice('twins', "effect: 'idempotent', ")
  await write('twins/tests/a.yaml', '- name: twins\n  input: Ask twice.\n  expect: { contains: [The same.] }\n')
  let askedCount = 0
  await using gateway = await openGateway((text) => {
    if (text.includes('You are the cashier.')) return { content: `Reply ${++askedCount}.` }
    if (!text.includes('Reply 1.')) return call('cashier', { task: 'Say it.' }, { task: 'Say it.' })
    return { content: text.includes('Reply 2.') ? 'Not the same.' : 'The same.' }
  })
  const env = { LONGHAUL_URL: gateway.url, LONGHAUL_API_KEY: 'lh_test' }
  expect(await run(['twins', '--record', '--no-crashes'], env)).toMatchObject({ exit: 0 })
  expect(askedCount).toBe(1)
  expect(await run(['twins', '--no-crashes'])).toMatchObject({ exit: 0 })
})

test('a script for each agent needs no recording; the end of another agent may be given as it is', async () => {
  await writeOffice('scripted', "effect: 'idempotent', ")
  await write('complaints/agent/agent.ts', agentTs)
  await write(
    'scripted/tests/a.yaml',
    `- name: both
  input: Pay 7.
  model:
    - calls: [[cashier, { task: Pay 7. }]]
    - calls: [[hand_off_to_complaints, { note: It took too long. }]]
  subagents:
    cashier: [{ calls: [[pay, { amount: 7 }]] }, { says: Paid. }]
  agents:
    complaints: { folder: ../complaints, model: [{ says: We are sorry. }] }
  expect: { contains: [We are sorry] }
- name: given
  input: I complain.
  model: [{ calls: [[hand_off_to_complaints, { note: It took too long. }]] }]
  agents: { complaints: { answer: We heard you. } }
  expect: { contains: [We heard you] }
- name: unscripted
  input: Pay 7.
  model: [{ calls: [[cashier, { task: Pay 7. }]] }, { says: It did not work. }]
  expect: { contains: [Paid] }
`,
  )
  const { exit, json } = await run(['scripted', '--json'])
  expect(exit).toBe(1)
  expect(json()).toMatchObject([
    { name: 'both', isPassed: true },
    { name: 'given', isPassed: true },
    { name: 'unscripted', isPassed: false, problems: [expect.anything(), expect.stringContaining('cashier ended as failed: Nothing was recorded')] },
    { failedCount: 1 },
  ])
})

test('what was never recorded says so; a failure is named for people, machines and JUnit', async () => {
  await write('plain/agent/agent.ts', agentTs)
  await write(
    'plain/tests/a.yaml',
    '- name: unheard\n  input: Hello\n  expect: { contains: [hi] }\n- name: wrong\n  input: Hello\n  model: [{ says: "<bye>" }]\n  expect: { contains: [hi] }\n',
  )
  const { exit, json } = await run(['plain', '--json', '--junit', 'results.xml'])
  expect(exit).toBe(1)
  expect(json()).toMatchObject([
    { type: 'test', name: 'unheard', isPassed: false, problems: [expect.stringContaining('Nothing was recorded for unheard'), expect.anything()] },
    { type: 'test', name: 'wrong', isPassed: false, problems: [expect.stringContaining('lacks "hi"')] },
    { type: 'tests', count: 2, failedCount: 2, isOk: false },
  ])
  const xml = await readFile(join(folder, 'results.xml'), 'utf8')
  expect(xml).toContain('<testsuite name="plain" tests="2" failures="2"')
  expect(xml).toContain('&lt;bye&gt;')
})

test('what is wrong with a test is told with file and line; a folder without tests says what to write', async () => {
  await write('faulty/agent/agent.ts', agentTs)
  expect(await run(['faulty'])).toMatchObject({ exit: 5, err: expect.stringContaining('There is no folder') })
  await write('faulty/tests/a.yaml', '- name: one\n  input: Hello\n  expect: { contian: [x] }\n')
  expect(await run(['faulty'])).toMatchObject({ exit: 2, err: expect.stringContaining('tests/a.yaml:3') })
})

type Message = { content: string } | { content: null; tool_calls: { id: string; type: 'function'; function: { name: string; arguments: string } }[] }
const call = (name: string, ...inputs: object[]): Message => ({
  content: null,
  tool_calls: inputs.map((input, at) => ({ id: `c${at}`, type: 'function', function: { name, arguments: JSON.stringify(input) } })),
})
/** Pays, and says so when the tool did. */
const payer = (asked: string): Message => (asked.includes('"paid') ? { content: 'Paid.' } : call('pay', { amount: 7 }))

/** A gateway whose model replies to what it is asked. */
async function openGateway(reply: (asked: string) => Message = payer) {
  const requests: string[] = []
  const server = createServer(async (request: IncomingMessage, response) => {
    let text = ''
    for await (const piece of request) text += String(piece)
    requests.push(text)
    response.end(
      JSON.stringify({ model: 'fake', choices: [{ message: reply(text), finish_reason: 'stop' }], usage: { prompt_tokens: 1, completion_tokens: 1 } }),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
