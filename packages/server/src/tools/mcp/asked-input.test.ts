/** What a tool server asks a person for: servers of both generations, made with the official package. */
import type { CallAnswered, InputNeeded } from '@longhaul/protocol'
import { type ElicitRequestFormParams, type ServerContext, acceptedContent, inputRequired } from '@modelcontextprotocol/server'
import { afterAll, expect, test } from 'vitest'
import { type Dialect, type FakeTool, openMcpServer, text } from '../../../test/support/mcp-server.ts'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { failureOf, openToolsBed } from '../../../test/support/tools-bed.ts'

const database = await makeDatabase()
afterAll(() => database[Symbol.asyncDispose]())

type Schema = ElicitRequestFormParams['requestedSchema']
const schema: Schema = {
  type: 'object',
  properties: {
    seats: { type: 'integer', title: 'Seats', minimum: 1, maximum: 9 },
    class: { type: 'string', enum: ['second', 'first'], enumNames: ['Second', 'First'], default: 'second' },
  },
  required: ['seats'],
}
const fields = [
  { name: 'seats', kind: 'integer', title: 'Seats', isRequired: true, min: 1, max: 9 },
  {
    name: 'class',
    kind: 'choice',
    title: 'class',
    isRequired: false,
    default: 'second',
    options: [
      { value: 'second', title: 'Second' },
      { value: 'first', title: 'First' },
    ],
  },
]

/** Asks as its generation does, and counts how often it was called and how often it booked. */
function booking(requestedSchema: Schema = schema, message = 'How many seats?') {
  const seen = { calls: 0, booked: [] as unknown[], states: [] as unknown[] }
  const tool: FakeTool = {
    name: 'book',
    async call({ train }, { mcpReq }: ServerContext) {
      seen.calls++
      if (mcpReq.envelope) {
        seen.states.push(mcpReq.requestState())
        const answer = mcpReq.inputResponses?.['seats'] as { action: string } | undefined
        if (!answer)
          return inputRequired({ inputRequests: { seats: inputRequired.elicit({ message, requestedSchema }) }, requestState: `hold ${String(train)}` })
        if (answer.action !== 'accept') return text('Nothing was booked.')
        return (seen.booked.push(acceptedContent(mcpReq.inputResponses, 'seats')), text('Booked.'))
      }
      const answer = await mcpReq.elicitInput({ message, requestedSchema })
      return answer.action === 'accept' ? (seen.booked.push(answer.content), text('Booked.')) : text(`Nothing was booked (${answer.action}).`)
    },
  }
  return { tool, seen }
}

const bedFor = (server: { url: string; host: string }) =>
  openToolsBed({ db: database.db, connections: { rail: { kind: 'mcp', url: server.url } }, privateHosts: [server.host] })
const neededBy = async (call: Promise<unknown>): Promise<InputNeeded> => {
  const failure = await failureOf(call)
  expect(failure).toMatchObject({ code: 'needs_input', retryable: false })
  return failure.detail as InputNeeded
}
const answering = ({ asks, state, kept }: InputNeeded, response: CallAnswered['responses'][string]): CallAnswered => ({
  responses: { ...kept, [asks[0]?.key ?? '']: response },
  state,
})

test.each<Dialect>(['both', 'sessions'])('a server that speaks %s asks, and is called again with the answer and nothing else', async (dialect) => {
  const { tool, seen } = booking()
  await using server = await openMcpServer({ dialect, tools: [tool] })
  await using bed = await bedFor(server)
  const needed = await neededBy(bed.call('rail__book', { train: 'ICE 1' }))
  expect(needed.asks).toEqual([{ key: expect.any(String), message: 'How many seats?', fields }])
  expect(needed.said).toBe(dialect === 'both' ? null : 'Nothing was booked (cancel).') // An older one was put off, and has said so.
  expect(seen.booked).toEqual([])
  const again = answering(needed, { action: 'accept', content: { seats: 2, class: 'first' } })
  expect(await bed.call('rail__book', { train: 'ICE 1' }, undefined, again)).toMatchObject({ output: 'Booked.', source: 'tool_server', origin: server.host })
  expect(seen).toEqual({ calls: 2, booked: [{ seats: 2, class: 'first' }], states: dialect === 'both' ? [undefined, 'hold ICE 1'] : [] })
})

test.each<Dialect>(['both', 'sessions'])('that a person says no is told to a server that speaks %s', async (dialect) => {
  const { tool, seen } = booking()
  await using server = await openMcpServer({ dialect, tools: [tool] })
  await using bed = await bedFor(server)
  const needed = await neededBy(bed.call('rail__book'))
  expect((await bed.call('rail__book', {}, undefined, answering(needed, { action: 'decline' }))).output).toMatch(/^Nothing was booked/)
  expect(seen.booked).toEqual([])
})

test('calls at the same time, of which an older server asks in its response, are each asked their own question', async () => {
  const { tool, seen } = booking()
  const both = Promise.withResolvers<void>()
  let arrived = 0
  const asksByTrain: FakeTool = {
    name: 'book',
    async call({ train }, { mcpReq }) {
      if (++arrived === 2) both.resolve()
      await both.promise
      const { action } = await mcpReq.send({
        method: 'elicitation/create',
        params: { mode: 'form', message: `Seats in ${String(train)}?`, requestedSchema: schema },
      })
      return text(action)
    },
  }
  await using server = await openMcpServer({ dialect: 'sessions', tools: [asksByTrain, { ...tool, name: 'other' }] })
  await using bed = await bedFor(server)
  await bed.connect('rail')
  const [one, other] = await Promise.all(['A', 'B'].map((train) => neededBy(bed.call('rail__book', { train }))))
  expect([one, other].map((needed) => needed?.asks.map(({ message }) => message))).toEqual([['Seats in A?'], ['Seats in B?']])
  expect(seen.calls).toBe(0)
})

test('of several calls that are under way, none is asked what an older server asks beside its responses', async () => {
  const both = Promise.withResolvers<void>()
  let arrived = 0
  const vague: FakeTool = {
    name: 'book',
    async call(_, { mcpReq }) {
      if (++arrived === 2) both.resolve()
      await both.promise
      return text((await mcpReq.elicitInput({ message: 'Whose seats?', requestedSchema: schema })).action)
    },
  }
  await using server = await openMcpServer({ dialect: 'sessions', tools: [vague] })
  await using bed = await bedFor(server)
  await bed.connect('rail')
  const results = await Promise.all(['A', 'B'].map((train) => bed.call('rail__book', { train })))
  expect(results.map(({ output }) => output)).toEqual(['cancel', 'cancel'])
})

test('a page to visit is shown with its whole address, and only where a person can be sent', async () => {
  const visit = (url: string): FakeTool => ({
    name: 'visit',
    call: (_, { mcpReq }) =>
      mcpReq.inputResponses?.['page']
        ? text('Thanks.')
        : inputRequired({ inputRequests: { page: inputRequired.elicitUrl({ message: 'Sign in there.', url }) } }),
  })
  await using server = await openMcpServer({ tools: [visit('https://login.example.com/in?for=you')] })
  await using bed = await bedFor(server)
  const needed = await neededBy(bed.call('rail__visit'))
  expect(needed.asks).toEqual([{ key: 'page', message: 'Sign in there.', url: 'https://login.example.com/in?for=you' }])
  expect((await bed.call('rail__visit', {}, undefined, answering(needed, { action: 'accept' }))).output).toBe('Thanks.')
  for (const bad of ['javascript:alert(1)', 'file:///etc/passwd', 'https://ada:secret@login.example.com/']) {
    server.state.tools = [visit(bad)]
    expect(await failureOf(bed.call('rail__visit'))).toMatchObject({ code: 'refused', message: expect.stringContaining('nobody is sent to') })
  }
})

test.each<[Dialect, object]>([
  ['both', { apiKey: { type: 'string' } }],
  ['both', { answer: { type: 'string', title: 'Your password' } }],
  ['sessions', { card: { type: 'string', description: 'Credit card number' } }],
])('a form that asks for a secret is shown to nobody (%s, %j)', async (dialect, properties) => {
  const { tool, seen } = booking({ type: 'object', properties: properties as Schema['properties'] })
  await using server = await openMcpServer({ dialect, tools: [tool] })
  await using bed = await bedFor(server)
  expect(await failureOf(bed.call('rail__book'))).toMatchObject({ code: 'refused', message: expect.stringContaining('looks like a secret') })
  expect(seen.booked).toEqual([])
})

test('what the words of a question hide from people is not in them', async () => {
  const { tool } = booking({ type: 'object', properties: { seats: { type: 'string', description: 'how\u202emany' } } }, 'How\u200b many?')
  await using server = await openMcpServer({ tools: [tool] })
  await using bed = await bedFor(server)
  expect((await neededBy(bed.call('rail__book'))).asks).toMatchObject([{ message: 'How many?', fields: [{ description: 'howmany' }] }])
})

test('a server that asks for a model of ours, or for folders, gets neither', async () => {
  const greedy: FakeTool = {
    name: 'think',
    call: () =>
      ({
        resultType: 'input_required',
        inputRequests: { m: { method: 'sampling/createMessage', params: { messages: [], maxTokens: 9 } } },
      }) as unknown as ReturnType<typeof inputRequired>,
  }
  await using server = await openMcpServer({ tools: [greedy] })
  await using bed = await bedFor(server)
  expect((await failureOf(bed.call('rail__think'))).code).not.toBe('needs_input')
})

test('a server that only wants to be called again is, with its state', async () => {
  const states: unknown[] = []
  const busy: FakeTool = {
    name: 'wait',
    call: (_, { mcpReq }) => (states.push(mcpReq.requestState()), states.length < 3 ? inputRequired({ requestState: `${states.length}` }) : text('Ready.')),
  }
  await using server = await openMcpServer({ tools: [busy] })
  await using bed = await bedFor(server)
  expect((await bed.call('rail__wait')).output).toBe('Ready.')
  expect(states).toEqual([undefined, '1', '2'])
})
