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

/** A gateway that pays, and says so when the tool did. */
async function openGateway() {
  const requests: string[] = []
  const server = createServer(async (request: IncomingMessage, response) => {
    let text = ''
    for await (const piece of request) text += String(piece)
    requests.push(text)
    const message = text.includes('"paid')
      ? { content: 'Paid.' }
      : { content: null, tool_calls: [{ id: 'c', type: 'function', function: { name: 'pay', arguments: '{"amount":7}' } }] }
    response.end(JSON.stringify({ model: 'fake', choices: [{ message, finish_reason: 'stop' }], usage: { prompt_tokens: 1, completion_tokens: 1 } }))
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
