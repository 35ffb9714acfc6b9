/** A key with limited access sees and touches only the runs that it asked for itself. Everybody else's are not there. */
import type { Approval, DataAccess, Json, Run } from '@longhaul/protocol'
import { operations } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { sql } from '../src/db/index.ts'
import { type Bed, type BedCaller, openBed } from './support/api-bed.ts'

const openings: Parameters<typeof openBed>[0] = {
  answers: ({ run, input }) => [{ type: 'run.completed', run, output: { text: `answer to ${JSON.stringify(input)}` } }],
  listens: ({ run }) => [
    { type: 'op.wait', run, op: '0', kind: 'signal', name: 'news', timeoutMs: null },
    { type: 'run.idle', run, ops: ['0'] },
  ],
  asks: ({ run }) => [
    { type: 'op.wait', run, op: '0', kind: 'approval', name: 'Send it?', timeoutMs: null },
    { type: 'run.idle', run, ops: ['0'] },
  ],
  diverges: ({ run }) => [{ type: 'run.diverged', run, op: '0', recorded: 'step a', asked: 'step b' }],
  doubts: ({ run }) => [
    { type: 'op.begin', run, op: '0', kind: 'step', name: 'pay', attempt: 1, input: null, effect: 'write' },
    { type: 'op.doubt', run, op: '0', kind: 'step', name: 'pay', attempt: 1, needs: 'person', message: 'The answer was lost.' },
    { type: 'run.idle', run, ops: ['0'] },
  ],
  draws: ({ run }) => [
    {
      type: 'op',
      run,
      op: '0',
      kind: 'artifact',
      name: 'a.txt',
      input: { name: 'a.txt', mediaType: 'text/plain', base64: Buffer.from('content').toString('base64') },
    },
  ],
}

const everything: DataAccess = { personalData: true }
const emea: DataAccess = { regions: ['EMEA'], personalData: true }
const anonymous: DataAccess = { personalData: false }

/** One request about a run, and the agent whose runs it can be made about. */
type Request = { id: string; agent: string; make(caller: BedCaller, run: Run): Promise<Response> }

const about = (id: string, agent: string, method: string, path: (run: Run) => string, body?: Json, headers?: Record<string, string>): Request => ({
  id,
  agent,
  make: (caller, run) => caller.ask(method, path(run), body, headers),
})
const approvalOf = (run: Run): string => run.wait?.approvalId ?? expect.fail('The run waits for no approval.')
const fileOf = (run: Run): string => (run.output as { fileId: string }).fileId

const requests: Request[] = [
  about('runs.get', 'answers', 'GET', ({ id }) => `/v1/runs/${id}`),
  about('runs.events', 'answers', 'GET', ({ id }) => `/v1/runs/${id}/events`),
  about('runs.events as a stream', 'answers', 'GET', ({ id }) => `/v1/runs/${id}/events`, undefined, { accept: 'text/event-stream' }),
  about('runs.connections', 'answers', 'GET', ({ id }) => `/v1/runs/${id}/connections`),
  about('runs.mails', 'answers', 'GET', ({ id }) => `/v1/runs/${id}/mails`),
  about('runs.resendMails', 'answers', 'POST', ({ id }) => `/v1/runs/${id}/mails/resend`, {}),
  about('runs.export', 'answers', 'GET', ({ id }) => `/v1/runs/${id}/journal`),
  about('runs.step', 'draws', 'GET', ({ id }) => `/v1/runs/${id}/steps/0`),
  about('runs.cancel', 'listens', 'POST', ({ id }) => `/v1/runs/${id}/cancel`, {}),
  about('runs.retry', 'diverges', 'POST', ({ id }) => `/v1/runs/${id}/retry`, {}),
  about('runs.decide', 'doubts', 'POST', ({ id }) => `/v1/runs/${id}/steps/0/decision`, { decision: 'execute' }),
  about('runs.signal', 'listens', 'POST', ({ id }) => `/v1/runs/${id}/signals/news`, { payload: 1 }),
  about('runs.fork', 'draws', 'POST', ({ id }) => `/v1/runs/${id}/fork`, { op: '0' }),
  about('runs.compare', 'answers', 'GET', ({ id }) => `/v1/runs/${id}/compare/${id}`),
  about('approvals.get', 'asks', 'GET', (run) => `/v1/approvals/${approvalOf(run)}`),
  about('approvals.decide', 'asks', 'POST', (run) => `/v1/approvals/${approvalOf(run)}`, { approved: true }),
  about('files', 'draws', 'GET', (run) => `/v1/files/${fileOf(run)}`),
]

async function openHouse() {
  const bed = await openBed(openings)
  const [admin, auditor, north, east, masked] = await Promise.all([
    bed.caller('admin', everything),
    bed.caller('auditor', everything),
    bed.caller('north', emea),
    bed.caller('east', emea),
    bed.caller('masked', anonymous),
  ])
  return { bed, admin, auditor, north, east, masked, [Symbol.asyncDispose]: () => bed[Symbol.asyncDispose]() }
}

test('every operation on one run or approval is among those tried here', () => {
  const ofOne = operations.filter(({ http: [, path] }) => path.includes('{runId}') || path.includes('{approvalId}')).map(({ id }) => id)
  expect(requests.map(({ id }) => id)).toEqual(expect.arrayContaining(ofOne))
  expect(ofOne).toHaveLength(15)
})

test.each(requests)("$id: a limited key has its own, an unlimited one everybody's", async ({ agent, make }) => {
  await using t = await openHouse()
  const { admin, auditor, north, east, masked } = t
  const cases: { asker: BedCaller; strangers: BedCaller[]; reader: BedCaller }[] = [
    { asker: north, strangers: [east, masked], reader: north },
    { asker: masked, strangers: [north], reader: masked },
    { asker: north, strangers: [masked], reader: admin },
    { asker: admin, strangers: [north, masked], reader: auditor },
  ]
  for (const { asker, strangers, reader } of cases) {
    const run = await asker.start(agent)
    const before = await stateOf(t.bed, run.id)
    for (const stranger of strangers) {
      const response = await make(stranger, run)
      expect({ stranger: stranger.name, status: response.status, body: await response.json() }).toMatchObject({
        stranger: stranger.name,
        status: 404,
        body: { error: { code: 'not_found' } },
      })
    }
    expect(await stateOf(t.bed, run.id)).toEqual(before)
    const response = await make(reader, run) // The control: the very same request, by somebody who may.
    expect({ reader: reader.name, status: response.status }).toEqual({ reader: reader.name, status: 200 })
    await response.body?.cancel()
  }
})

/** Everything that a request could have changed. */
async function stateOf({ db }: Bed, runId: string): Promise<unknown> {
  return db.rows(sql`
    select state, inbox_count, epoch, (select count(*)::int from events where run_id = runs.id) as events, (select count(*)::int from inbox where run_id = runs.id) as messages,
      (select json_agg(approvals) from approvals where run_id = runs.id)::text as approvals
    from runs where id = ${runId}`)
}

type Page = { items: { id: string }[]; next: string | null }

/** The sizes of all pages, and the ids on them. */
async function pages(caller: BedCaller, path: string): Promise<{ sizes: number[]; ids: string[] }> {
  const sizes: number[] = []
  const ids: string[] = []
  for (let next: string | null = ''; next !== null;) {
    const page: Page = await caller.read(`${path}?limit=2${next && `&cursor=${next}`}`)
    sizes.push(page.items.length)
    ids.push(...page.items.map(({ id }) => id))
    next = page.next
  }
  return { sizes, ids }
}

test('lists leave out what is not there for a limited key, and their pages are full all the same', async () => {
  await using t = await openHouse()
  const { admin, north, masked } = t
  const runs: Run[] = []
  for (const asker of [north, admin, admin, north, masked, admin, north, admin]) runs.push(await asker.start('asks'))
  const newest = runs.toReversed()
  const own = newest.filter(({ asker }) => asker.id === north.id)
  expect(await pages(north, '/v1/runs')).toEqual({ sizes: [2, 1], ids: own.map(({ id }) => id) })
  expect(await pages(admin, '/v1/runs')).toEqual({ sizes: [2, 2, 2, 2], ids: newest.map(({ id }) => id) })
  expect(await pages(north, '/v1/approvals')).toEqual({ sizes: [2, 1], ids: own.map(approvalOf) })
  expect(await pages(admin, '/v1/approvals')).toEqual({ sizes: [2, 2, 2, 2], ids: newest.map(approvalOf) })
  const waiting = await masked.read<{ items: Approval[] }>('/v1/approvals?state=pending')
  expect(waiting.items.map(({ runId }) => runId)).toEqual(runs.filter(({ asker }) => asker.id === masked.id).map(({ id }) => id))
})

test("earlier turns of a session come along only as far as the new run's asker may read them", async () => {
  await using t = await openHouse()
  const { admin, north, east } = t
  const say = async (asker: BedCaller, message: string) => {
    const { id } = await asker.start('answers', { input: { message }, session: 's' })
    const start = t.bed.starts.find(({ run }) => run === id)
    return start?.messages.filter(({ role }) => role === 'user').map(({ content: [part] }) => (part && 'text' in part ? part.text : undefined))
  }
  expect(await say(admin, 'admin 1')).toEqual([])
  expect(await say(north, 'north 1')).toEqual([])
  expect(await say(east, 'east 1')).toEqual([])
  expect(await say(north, 'north 2')).toEqual(['north 1'])
  expect(await say(admin, 'admin 2')).toEqual(['admin 1', 'north 1', 'east 1', 'north 2'])
})

test.each([undefined, 's'])("an idempotency key gives nobody another asker's run (session %j)", async (session) => {
  await using t = await openHouse()
  const { admin, north, east } = t
  const request = { agent: 'answers', input: { question: 'why' }, idempotencyKey: 'k', ...(session && { session }) }
  const send = async (caller: BedCaller, idempotencyKey: string) => {
    const response = await caller.ask('POST', '/v1/runs', { ...request, idempotencyKey })
    return { status: response.status, text: await response.text() }
  }
  for (const [key, asker, strangers] of [
    ['of admin', admin, [north]],
    ['of north', north, [east]],
  ] as const) {
    const { id } = await asker.start('answers', { ...request, idempotencyKey: key })
    expect((await send(asker, key)).text).toContain(id) // The control: the same request of the same asker is the same run.
    for (const stranger of strangers) {
      const { status, text } = await send(stranger, key)
      expect(status).toBe(409)
      expect(text).not.toContain(id)
    }
  }
  const { id } = await north.start('answers', { ...request, idempotencyKey: 'seen' })
  const refused = await send(admin, 'seen')
  expect([refused.status, refused.text.includes(id)]).toEqual([409, true]) // Who may see the run is told which one it is.
})
