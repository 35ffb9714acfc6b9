/** Custom agents with the real program: instances by session, what their door gives and refuses, and what becomes of a run when its program, its server or a person ends it. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Json, ModelReply, isTerminal } from '@longhaul/protocol'
import { createClient } from '@longhaul/sdk/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from './support/api-bed.ts'
import { startFakeProvider } from './support/fake-provider.ts'
import { isHere } from './support/sandbox-modes.ts'
import { openShop } from './support/shop.ts'
import { openServerProcess } from './support/server-process.ts'

const canRun = isHere('bwrap', 'custom agents')
const limitMs = 120_000
const provider = await startFakeProvider([{ text: ['Hello.'] }])
const server = await openServerProcess({
  env: {
    LONGHAUL_AGENTS_DIR: join(import.meta.dirname, 'fixtures/program-agents'),
    LONGHAUL_SANDBOX_DRIVER: canRun ? 'bwrap' : 'virtual',
    LONGHAUL_SANDBOX_ACCEPT: 'memory,cpu,disk',
    LONGHAUL_OPENAI_COMPATIBLE_BASE_URL: provider.compatibleUrl,
    LONGHAUL_OPENAI_COMPATIBLE_MODEL: 'fake',
    LONGHAUL_LEASE_MS: '2000',
    LONGHAUL_TOOLS_PRIVATE_HOSTS: '127.0.0.1',
  },
})
beforeAll(async () => canRun && (await server.start()), limitMs)
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await provider[Symbol.asyncDispose]()
})

const { client } = server
const start = (input: string, session?: string) => client.runs.start({ agent: 'program', input, ...(session !== undefined && { session }) })
const settled = (runId: string) =>
  until(
    () => client.runs.get({ runId }),
    ({ state, wait }) => isTerminal(state) || wait?.kind === 'operator', // A step that is tried again makes it wait, too.
    60_000,
  )
const ask = async (input: string, session?: string) => settled((await start(input, session)).id)
const outputOf = (run: { output: Json; failure: unknown }) => {
  expect(run.failure).toBeNull()
  return (run.output as { output: Record<string, Json> }).output
}
/** The instance that answers this session. */
const idIn = async (session: string) => String(outputOf(await ask('id', session))['response'])
const invoked = (runId: string) =>
  until(
    () => client.runs.events({ runId }),
    ({ items }) => items.some(({ type, op }) => type === 'step.started' && op === '0'),
    30_000,
  )

test.runIf(canRun)('the runs of a session find the same instance, and no other run does', { timeout: limitMs }, async () => {
  const first = await ask('id', 'one')
  expect(first).toMatchObject({ state: 'completed', output: { output: { turns: 1, session: 'one' }, parts: [] } })
  expect(outputOf(await ask('id', 'one'))).toMatchObject({ response: outputOf(first)['response'], turns: 2 })
  expect(await idIn('two')).not.toBe(outputOf(first)['response'])
  expect(outputOf(await ask('id'))).toMatchObject({ turns: 1 })
})

test.runIf(canRun)(
  'models, tools and MCP are at its door and in its trace; nothing else can be reached, and no key is inside',
  { timeout: limitMs },
  async () => {
    const model = await ask('model', 'door')
    expect(outputOf(model)).toMatchObject({ status: 200, text: expect.stringContaining('Hello.') })
    const step = await client.runs.step({ runId: model.id, op: '0.0' })
    expect(step).toMatchObject({ kind: 'model', name: 'default', input: { messages: [{ content: 'hello' }] } })
    expect(ModelReply.parse(step.output)).toMatchObject({
      model: 'compatible/fake',
      content: [{ type: 'text', text: 'Hello.' }],
      usage: { input: 10, output: 5 },
    })
    expect(model.usage).toMatchObject({ input: 10, output: 5 })
    const usage = await client.usage.list({ agent: 'program' })
    expect(usage.items).toContainEqual(expect.objectContaining({ agent: 'program', runId: model.id, model: 'compatible/fake' }))
    expect(outputOf(await ask('tool', 'door'))).toMatchObject({ status: 200, text: expect.stringContaining('42') })
    expect(outputOf(await ask('mcp', 'door'))).toMatchObject({ status: 200, text: expect.stringContaining('"calculator"') })
    expect(outputOf(await ask('no tool', 'door'))).toMatchObject({ status: 404, text: expect.stringContaining('no tool web_search') })
    expect(outputOf(await ask('wrong', 'door'))).toMatchObject({ status: 401 })
    expect(outputOf(await ask('outside', 'door'))).not.toMatchObject({ text: 'it got out' })
    const inside = String(outputOf(await ask('environment', 'door'))['response'])
    expect(inside).toContain('LONGHAUL_TOKEN')
    expect(inside).not.toMatch(/lh_|postgres|LONGHAUL_DATABASE|LONGHAUL_MASTER/)
    // Its run has the call; the log of calls has those that were made outside of runs, as the one below.
    const direct = await fetch(`${server.url()}/openai/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.key()}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'compatible/fake', messages: [{ role: 'user', content: 'hello' }] }),
    })
    expect(direct.status).toBe(200)
    const logged = () => client.calls.list({})
    await until(logged, ({ items }) => items.length > 0, 10_000)
    expect((await logged()).items).toMatchObject([{ model: 'compatible/fake' }])
  },
)

test.runIf(canRun)(
  'databases and calendars that its declaration names are read for it, and what it is not told stays with the server',
  { timeout: limitMs },
  async () => {
    await using shop = await openShop()
    const busy = [
      'BEGIN:VCALENDAR',
      'VERSION:2.0',
      'BEGIN:VEVENT',
      'UID:a',
      'SUMMARY:dentist',
      'DTSTART:20261019T070000Z',
      'DTEND:20261019T120000Z',
      'END:VEVENT',
      'END:VCALENDAR',
      '',
    ]
    const calendar = createServer((_, response) => response.writeHead(200, { 'content-type': 'text/calendar' }).end(busy.join('\r\n')))
    await new Promise<void>((resolve) => calendar.listen(0, '127.0.0.1', resolve))
    try {
      const { port } = calendar.address() as AddressInfo
      await client.secrets.set({ name: 'shop-database', value: shop.address, hosts: ['127.0.0.1'], agents: ['program'] })
      await client.secrets.set({ name: 'calendar-of-ada', value: `http://127.0.0.1:${port}/ada.ics`, hosts: ['127.0.0.1'], agents: ['program'] })
      const query = await ask('query', 'sources')
      expect(outputOf(query)).toMatchObject({ status: 200, text: expect.stringContaining('[["customer 1"],["customer 2"]]') })
      expect(query.labels).toEqual([`tool_server:${new URL(shop.address).host}`])
      const found = outputOf(await ask('free time', 'sources'))
      expect(found).toMatchObject({ status: 200, text: expect.stringContaining('"from":"2026-10-19T14:00:00+02:00","to":"2026-10-19T17:00:00+02:00"') })
      expect(found['text']).not.toContain('dentist')
      const { manifest } = await client.agents.get({ name: 'program' })
      expect(manifest?.tools.map(({ name, description }) => `${name}: ${description.split('. ').at(-1)}`)).toEqual([
        expect.stringMatching(/^calculator/),
        'sql: There are: shop.',
        'free_time: There are: ada.',
      ])
      const inside = String(outputOf(await ask('environment', 'sources'))['response'])
      expect(inside).not.toMatch(/postgres:|ada\.ics/)
    } finally {
      calendar.close()
    }
  },
)

test.runIf(canRun)('the files of its conversation lie in its workspace, and of those of others it gets no path', { timeout: limitMs }, async () => {
  const upload = async (name: string, content: string) => (await client.attachments.create({ name, base64: Buffer.from(content).toString('base64') })).id
  const first = await upload('figures.csv', 'a,b\n1,2\n')
  const asking = async (input: Json, more: { attachments?: string[]; session?: string }) => {
    const { id } = await client.runs.start({ agent: 'program', input, ...more })
    return outputOf(await settled(id))
  }
  const given = { name: 'figures.csv', mediaType: 'text/csv', path: '/workspace/attachments/figures.csv', content: 'a,b\n1,2\n' }
  expect(await asking('files', { attachments: [first], session: 'files' })).toMatchObject({ given: [given], lying: ['figures.csv'] })
  // One more file; what was sent before is still there.
  const second = await upload('more.txt', 'more')
  const later = await asking('files', { attachments: [second], session: 'files' })
  expect(later).toMatchObject({ given: [{ name: 'more.txt', content: 'more' }], lying: ['figures.csv', 'more.txt'] })
  // A new instance has the files of the conversation as well.
  await ask('die', 'files')
  expect(await asking('files', { session: 'files' })).toMatchObject({ turns: 1, given: [], lying: ['figures.csv', 'more.txt'] })
  // Who writes somebody else's into an input does not get the file.
  const forged = { prompt: 'files', message: 'files', attachments: [{ id: first, name: 'figures.csv', mediaType: 'text/csv', bytes: 8, digest: 'x' }] }
  const { secret } = await client.keys.create({ name: 'mallory', permissions: ['runs:write', 'runs:read'] })
  const { id } = await createClient({ url: server.url(), key: secret }).runs.start({ agent: 'program', input: forged })
  const stolen = outputOf(await settled(id))
  expect(stolen).toMatchObject({ given: [{ name: 'figures.csv' }], lying: [] })
  expect(JSON.stringify(stolen)).not.toContain('path')
})

test.runIf(canRun)('what was said is a text under `prompt`, whatever else the input says', { timeout: limitMs }, async () => {
  const askedOf = async (input: Json) => outputOf(await settled((await client.runs.start({ agent: 'program', input, session: 'echo' })).id))['asked']
  expect(await askedOf('echo')).toEqual({ prompt: 'echo' })
  expect(await askedOf({ prompt: 'echo', rows: [1] })).toEqual({ prompt: 'echo', rows: [1] })
  // The input of a run that begins with a prompt of a tool server, and the task that another agent gives.
  expect(await askedOf({ message: 'echo', prompt: { connection: 'rail', name: 'trip' } })).toEqual({ message: 'echo', prompt: 'echo' })
  expect(await askedOf({ message: 'echo' })).toEqual({ message: 'echo', prompt: 'echo' })
})

test.runIf(canRun)('its token is worth nothing while no run asks it, and never for anything but models', { timeout: limitMs }, async () => {
  const token = String(outputOf(await ask('token', 'token'))['response'])
  const call = (path: string, body?: object) =>
    fetch(server.url() + path, {
      method: body ? 'POST' : 'GET',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    })
  const hello = { model: 'default', messages: [{ role: 'user', content: 'hello' }] }
  const refused = await call('/openai/v1/chat/completions', hello)
  expect(refused.status).toBe(403)
  expect(await refused.text()).toContain('No run asks this program')
  const { id } = await start('hang', 'token')
  await invoked(id)
  expect((await call('/openai/v1/chat/completions', hello)).status).toBe(200) // The control: for this run it is good.
  expect((await call('/v1/runs')).status).toBe(401)
  await client.runs.cancel({ runId: id })
  await until(
    () => call('/openai/v1/chat/completions', hello),
    ({ status }) => status === 401,
    10_000,
  )
})

test.runIf(canRun)('a budget holds for what it asks: over it, the call is refused before it is made, and the trace says so', { timeout: limitMs }, async () => {
  const before = provider.requests.length
  await client.budgets.set({ name: 'program', scope: 'agent', subject: 'program', per: 'day', unit: 'requests', limit: 0 })
  const run = await ask('model', 'budget')
  expect(outputOf(run)).toMatchObject({ status: expect.any(Number), text: expect.stringContaining('budget') })
  expect(outputOf(run)['status']).not.toBe(200)
  expect(provider.requests.length).toBe(before)
  const { items } = await client.runs.events({ runId: run.id })
  expect(items).toContainEqual(
    expect.objectContaining({
      type: 'step.failed',
      op: '0.0',
      data: expect.objectContaining({ kind: 'model', failure: expect.objectContaining({ code: 'over_budget' }) }),
    }),
  )
  await client.budgets.delete({ name: 'program' })
})

test.runIf(canRun)('one that dies is told with what it said, is not asked again on a guess, and the next run has a new one', { timeout: limitMs }, async () => {
  const before = await idIn('death')
  const run = await ask('die', 'death')
  expect(run).toMatchObject({ state: 'failed', failure: { code: 'instance_lost', message: expect.stringMatching(/ended with code 7.*disk is on fire/s) } })
  const { items } = await client.runs.events({ runId: run.id })
  expect(items.filter(({ type, op }) => type === 'step.started' && op === '0')).toHaveLength(1)
  expect(await idIn('death')).not.toBe(before)
  expect(await ask('refuse', 'death')).toMatchObject({ state: 'failed', failure: { message: expect.stringContaining('422: not like that') } })
})

test.runIf(canRun)('one that never answers is told as that, with how long it had and what it said', { timeout: limitMs }, async () => {
  const { id } = await client.runs.start({ agent: 'silent', input: 'hello?' })
  const run = await settled(id)
  expect(run).toMatchObject({
    state: 'failed',
    failure: { code: 'not_started', message: expect.stringMatching(/does not start\. It did not answer GET \/ping within 1000 ms.*still loading the model/s) },
  })
})

test.runIf(canRun)('a run that is cancelled takes its instance along, and the session goes on with another', { timeout: limitMs }, async () => {
  const before = await idIn('cancel')
  const { id } = await start('hang', 'cancel')
  await invoked(id)
  await client.runs.cancel({ runId: id })
  expect(await settled(id)).toMatchObject({ state: 'cancelled' })
  expect(await idIn('cancel')).not.toBe(before)
})

test.runIf(canRun)('an idle instance is released; one that says that it is busy is not', { timeout: limitMs }, async () => {
  const [idle, busy] = [await idIn('idle'), String(outputOf(await ask('busy', 'busy'))['response'])]
  await until(
    async () => server.life().output(),
    (said) => said.split('Nobody needed it any more').length > 1,
    30_000,
  )
  // Its time was up as well, for it was asked at the same time.
  await new Promise((resolve) => setTimeout(resolve, 3_000))
  expect(await idIn('busy')).toBe(busy)
  expect(await idIn('idle')).not.toBe(idle)
})

test.runIf(canRun)('an invocation that a kill -9 of the server interrupted waits for a person, and goes on as they decide', { timeout: limitMs }, async () => {
  const { id } = await start('hang', 'kill')
  await invoked(id)
  server.life().kill('SIGKILL')
  await server.ended()
  await server.start()
  expect(await settled(id)).toMatchObject({ state: 'waiting', wait: { reason: 'in_doubt', op: '0' } })
  await client.runs.decide({ runId: id, op: '0', decision: 'completed', output: { text: 'as it was' } })
  expect(await settled(id)).toMatchObject({ state: 'completed', output: { text: 'as it was' } })
})
