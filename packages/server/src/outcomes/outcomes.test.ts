/** Where the end of a run is told, and what becomes of it when it cannot be; the one place for what does not go on by itself. */
import type { Destination, Json } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { type Scripts, type TestEngine, type TestOptions, asker, everyone, fact, startEngine, tenantId } from '../../test/support/engine.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { type Received, openReceiver, secret } from '../../test/support/receiver.ts'
import { type Audience, type Db, sql } from '../db/index.ts'
import type { WhyNotStart } from '../engine/index.ts'
import { newId, silentLog } from '../kernel/index.ts'
import { openAttention } from './attention.ts'
import { assertDestinations, openDeliveries } from './deliveries.ts'
import { insertDelivery, listDeliveries } from './delivery-store.ts'
import { type Queues, openQueues } from './queues.ts'

const quick = { attemptsMax: 4, delayMsMin: 10, delayMsMax: 40 }
const findVersion = async (_: string, agent: string) => (agent === 'nobody' ? { problem: 'No agent nobody.' } : { version: 'v1' })

type Bed = TestEngine & {
  queues: Queues
  stopping: AbortController
  deliveries: ReturnType<typeof openDeliveries>
  attention: ReturnType<typeof openAttention<Audience>>
  begin(agent: string, destinations: Destination[], input?: Json): Promise<string>
}

async function open(
  db: Db,
  scripts: Scripts,
  more: TestOptions & { isTelling?: boolean; webhooks?: Parameters<typeof openDeliveries>[0]['webhooks']; whyNotStart?: WhyNotStart } = {},
): Promise<Bed> {
  const { isTelling = true, webhooks = { secret, reach: 'loopback' as const }, whyNotStart, ...options } = more
  let deliveries: ReturnType<typeof openDeliveries> | undefined
  const stopping = new AbortController()
  const e = await startEngine(db, scripts, { findVersion, onEnded: async (runIds) => deliveries?.announce(runIds), ...options })
  const queues = openQueues({ db, stopping: stopping.signal })
  const opened = openDeliveries({
    publicUrl: 'https://longhaul.example.com',
    db,
    log: silentLog,
    engine: e.engine,
    findVersion,
    queues,
    webhooks,
    pollMs: 20,
    backoff: quick,
    ...(whyNotStart && { whyNotStart }),
  })
  deliveries = opened
  if (isTelling) await opened.start()
  const stop = async () => {
    await opened.stop()
    await e.stop()
  }
  return {
    ...e,
    stop,
    queues,
    stopping,
    deliveries: opened,
    attention: openAttention<Audience>({
      ...{ db, engine: e.engine, findVersion, ...(whyNotStart && { whyNotStart }) },
      forkRun: (audience, fork) => e.engine.forkRun({ audience, mayApprove: true, asker, ...fork }),
    }),
    begin: async (agent, destinations, input = null) => (await e.engine.startRun({ tenantId, agent, version: 'v1', input, asker, destinations })).id,
    [Symbol.asyncDispose]: stop,
  }
}

const ending: Scripts = {
  fine: async (ctx) => ({ answer: ctx.input }),
  bad: async () => {
    throw new Error('no use')
  },
}
const told = (db: Db, run: string) => listDeliveries(db, everyone, { limit: 50, run })
const settled = (db: Db, run: string, count = 1) =>
  fact(
    () => told(db, run),
    (found) => found.length === count && found.every(({ state }) => state !== 'pending'),
    `deliveries of ${run}`,
  )

test('the end of a run is posted, signed, where its starter wanted it, and only for the ends that it named', async () => {
  await using t = await makeDatabase()
  await using r = await openReceiver()
  await using e = await open(t.db, ending)
  const both: Destination = { type: 'webhook', url: r.url, on: ['completed', 'failed'] }
  const fine = await e.begin('fine', [both, { ...both, on: ['failed'] }], 42)
  const bad = await e.begin('bad', [both])
  const [delivery] = await settled(t.db, fine)
  await settled(t.db, bad)
  expect(delivery).toMatchObject({ state: 'delivered', attempt: 1, failure: null })
  const of = (run: string) => r.received.filter(({ body }) => body.data['runId'] === run)
  expect(of(fine)).toMatchObject([
    {
      id: `msg_${delivery?.id}`,
      isSigned: true,
      body: { type: 'run.completed', data: { agent: 'fine', state: 'completed', output: { answer: 42 }, failure: null } },
    },
  ])
  expect(of(bad)).toMatchObject([
    { isSigned: true, body: { type: 'run.failed', data: { output: null, failure: { message: 'Error: no use', retryable: false } } } },
  ])
  expect(JSON.stringify(r.received)).not.toContain('stack')
})

test('a receiver that fails is asked again under the same id, and one that is gone is not', async () => {
  await using t = await makeDatabase()
  await using flaky = await openReceiver((count) => (count === 1 ? { status: 503, text: 'busy' } : count === 2 ? 'hang up' : { status: 200 }))
  await using gone = await openReceiver(() => ({ status: 410 }))
  await using moved = await openReceiver(() => ({ status: 302, headers: { location: flaky.url } }))
  await using e = await open(t.db, ending)
  const hook = (url: string): Destination => ({ type: 'webhook', url, on: ['completed'] })
  const run = await e.begin('fine', [hook(flaky.url), hook(gone.url), hook(moved.url)])
  const found = (await settled(t.db, run, 3)).toSorted((a, b) => (a.id < b.id ? -1 : 1))
  expect(found).toMatchObject([
    { state: 'delivered', attempt: 3 },
    { state: 'failed', attempt: 1, failure: 'It answered 410' },
    { state: 'failed', attempt: 4, failure: 'It answered 302' },
  ])
  expect(new Set(flaky.received.map(({ id }) => id)).size).toBe(1)
  expect(flaky.received.every(({ isSigned }) => isSigned)).toBe(true)
})

test('an agent that policies keep from a destination is not started, which needs attention and is tried again by hand alone', async () => {
  await using t = await makeDatabase()
  const asked: unknown[] = []
  const whyNotStart: WhyNotStart = async ({ agent, startedBy }) => {
    asked.push({ agent, startedBy })
    return agent === 'held' ? 'forbidden by the policy rule' : undefined
  }
  await using e = await open(t.db, { ...ending, held: ending['fine']!, free: ending['fine']! }, { whyNotStart })
  const run = await e.begin(
    'fine',
    ['held', 'free'].map((agent): Destination => ({ type: 'run', agent, on: ['completed'] })),
  )
  const found = (await settled(t.db, run, 2)).toSorted((a, b) => (a.state < b.state ? -1 : 1))
  expect(found).toMatchObject([{ state: 'delivered' }, { state: 'failed', attempt: 1, failure: 'forbidden by the policy rule' }])
  expect(asked).toContainEqual({ agent: 'held', startedBy: { type: 'destination', name: 'fine' } })
  expect(await e.attention.list(everyone, { limit: 10 })).toMatchObject([{ kind: 'delivery', message: 'forbidden by the policy rule' }])
})

test('a webhook to this machine is refused unless it is allowed, whatever name it goes by, and is not tried again', async () => {
  await using t = await makeDatabase()
  await using r = await openReceiver()
  await using e = await open(t.db, ending, { webhooks: { secret, reach: 'public' } })
  const run = await e.begin(
    'fine',
    [r.url, r.url.replace('127.0.0.1', 'localhost')].map((url) => ({ type: 'webhook', url, on: ['completed'] })),
  )
  for (const delivery of await settled(t.db, run, 2))
    expect(delivery).toMatchObject({ state: 'failed', attempt: 1, failure: expect.stringContaining('is this machine') })
  expect(r.received).toEqual([])
})

test('an agent is run, and a run is signalled, once each with the notice', async () => {
  await using t = await makeDatabase()
  const inputs: Json[] = []
  await using e = await open(t.db, {
    ...ending,
    next: async (ctx) => inputs.push(ctx.input),
    waits: (ctx) => ctx.signal('done'),
  })
  const waiting = await e.begin('waits', [])
  const run = await e.begin('fine', [
    { type: 'run', agent: 'next', on: ['completed'] },
    { type: 'signal', runId: waiting, name: 'done', on: ['completed'] },
    { type: 'signal', runId: run0, name: 'done', on: ['completed'] },
    { type: 'run', agent: 'nobody', on: ['completed'] },
  ])
  const found = (await settled(t.db, run, 4)).toSorted((a, b) => (a.id < b.id ? -1 : 1))
  expect(found.map(({ state, attempt, failure }) => [state, attempt, failure])).toEqual([
    ['delivered', 1, null],
    ['delivered', 1, null],
    ['failed', 1, `No run ${run0}.`],
    ['failed', 4, 'No agent nobody.'],
  ])
  expect(await e.ended(waiting)).toMatchObject({ output: { type: 'run.completed', data: { runId: run } } })
  await fact(
    () => inputs.length,
    (count) => count === 1,
  )
  expect(inputs[0]).toMatchObject({ data: { runId: run, output: { answer: null } } })
})

test('whose words from outside a run has read goes along with the signal of its end', async () => {
  await using t = await makeDatabase()
  await using e = await open(t.db, { ...ending, waits: (ctx) => ctx.signal('done') })
  const labelsAfter = async (labels: string[]) => {
    const runId = await e.begin('waits', [])
    await e.engine.startRun({
      ...{ tenantId, agent: 'fine', version: 'v1', input: null, asker, labels },
      destinations: [{ type: 'signal', runId, name: 'done', on: ['completed'] }],
    })
    const { output, labels: read } = await e.ended(runId)
    const received = (await e.events(runId)).find(({ type }) => type === 'signal.received')
    return { output, read, by: received?.type === 'signal.received' ? received.data.by : undefined }
  }
  const output = expect.objectContaining({ type: 'run.completed' })
  const by = expect.stringMatching(/^run [0-9a-f-]{36}$/)
  expect(await labelsAfter(['hook:issues'])).toEqual({ output, by, read: ['hook:issues'] })
  expect(await labelsAfter([])).toEqual({ output, by, read: undefined })
})

test('whose words from outside a run has read goes along to the agent that its end starts, and those of its input to the run that begins it anew', async () => {
  await using t = await makeDatabase()
  await using e = await open(t.db, { ...ending, next: async () => null })
  const begin = async (agent: string, labels: string[]) =>
    (await e.engine.startRun({ tenantId, agent, version: 'v1', input: null, asker, labels, destinations: [{ type: 'run', agent: 'next', on: ['completed'] }] }))
      .id
  const labelsOf = async (agent: string) =>
    (
      await fact(
        () => t.db.rows<{ labels: string[] | null }>(sql`select labels from runs where agent = ${agent} and state in ('completed', 'failed') order by id`),
        (rows) => rows.length === 2,
      )
    ).map(({ labels }) => labels)
  await begin('fine', ['hook:issues'])
  await begin('fine', [])
  expect(await labelsOf('next')).toEqual(expect.arrayContaining([['hook:issues'], null]))
  const failed = await begin('bad', ['hook:issues'])
  await e.ended(failed)
  expect(await e.attention.retry(everyone, 'ann', { ids: [failed] })).toMatchObject({ done: [{ id: failed }] })
  expect(await labelsOf('bad')).toEqual([['hook:issues'], ['hook:issues']])
})
const run0 = '0195e0d6-5c1e-7000-8000-000000000001'

test('a delivery outlives the server that was about to make it: owed with the end, made by the next, at least once under one id', async () => {
  await using t = await makeDatabase()
  await using r = await openReceiver()
  const first = await open(t.db, ending, { isTelling: false })
  const run = await first.begin('fine', [{ type: 'webhook', url: r.url, on: ['completed'] }])
  await first.ended(run)
  await first.stop()
  expect(r.received).toEqual([])
  await using second = await open(t.db, ending)
  const [delivery] = await settled(t.db, run)
  expect(delivery?.state).toBe('delivered')
  // Made, and lost before it was recorded: what was claimed is due again when its time is over.
  await t.db.rows(sql`update deliveries set state = 'pending', due_at = clock_timestamp() where run_id = ${run}`)
  await fact(
    () => r.received.length,
    (count) => count === 2,
  )
  expect(new Set(r.received.map(({ id }: Received) => id)).size).toBe(1)
  expect((await told(t.db, run)).length).toBe(1)
  await second.deliveries.announce([run])
  expect((await told(t.db, run)).length).toBe(1)
})

test('a run that goes on as another is told of when the last of them ends', async () => {
  await using t = await makeDatabase()
  await using r = await openReceiver()
  await using e = await open(t.db, {
    async loop(ctx) {
      if (Number(ctx.input) >= 3) return 'the end'
      ctx.send({ type: 'run.continued', run: ctx.run.run, input: Number(ctx.input) + 1 })
      return new Promise(() => {})
    },
  })
  await e.begin('loop', [{ type: 'webhook', url: r.url, on: ['completed'] }], 1)
  await fact(
    () => r.received.length,
    (count) => count === 1,
  )
  expect(r.received).toMatchObject([{ body: { data: { output: 'the end' } } }])
  expect((await listDeliveries(t.db, everyone, { limit: 10 })).length).toBe(1)
})

test('webhooks are refused at the start when they could not be signed', () => {
  const hook: Destination = { type: 'webhook', url: 'https://example.com', on: ['completed'] }
  expect(() => assertDestinations([hook], { secret: undefined, reach: 'public' })).toThrow(/LONGHAUL_WEBHOOK_SECRET/)
  expect(() => assertDestinations([hook], { secret, reach: 'public' })).not.toThrow()
  expect(() => assertDestinations([{ type: 'run', agent: 'a', on: ['failed'] }], { secret: undefined, reach: 'public' })).not.toThrow()
})

test('what does not go on by itself is in one place with its reason, and is retried or dismissed there', async () => {
  await using t = await makeDatabase()
  let isMended = false
  await using e = await open(t.db, {
    async bad() {
      if (!isMended) throw new Error('no use')
      return 'mended'
    },
    async diverges(ctx) {
      if (!isMended) ctx.send({ type: 'run.diverged', run: ctx.run.run, op: '0', recorded: 'step a', asked: 'step b' })
      return isMended ? 'mended' : new Promise(() => {})
    },
    async parent(ctx) {
      const { runId } = (await ctx.serve('run', 'bad', { agent: 'bad' })) as { runId: string }
      await ctx.child(runId, 'bad')
      return 'handled'
    },
    fine: async () => 1,
  })
  const failed = await e.begin('bad', [], { n: 1 })
  await e.ended(failed)
  const parked = await e.begin('diverges', [])
  await e.reaches(parked, 'waiting')
  const told = await e.begin('fine', [{ type: 'run', agent: 'nobody', on: ['completed'] }])
  const [delivery] = await settled(t.db, told)
  const parent = await e.begin('parent', [])
  await e.ended(parent) // Its child's failure was its own business.

  const list = () => e.attention.list(everyone, { limit: 10 })
  expect((await list()).map(({ id, kind, runId, reason, message }) => ({ id, kind, runId, reason, message }))).toEqual([
    { id: delivery?.id, kind: 'delivery', runId: told, reason: 'undelivered', message: 'No agent nobody.' },
    { id: parked, kind: 'run', runId: parked, reason: 'diverged', message: 'asked for step b where the history has step a' },
    { id: failed, kind: 'run', runId: failed, reason: 'failed', message: 'Error: no use' },
  ])
  expect(await e.attention.list(everyone, { limit: 1, before: parked })).toMatchObject([{ id: failed }])
  expect(await e.attention.list(everyone, { limit: 5, reason: 'diverged' })).toMatchObject([{ id: parked }])
  expect(await e.attention.list({ tenantId: 'other', askerId: undefined }, { limit: 5 })).toEqual([])

  expect(await e.attention.dismiss(everyone, { ids: [parked, run0] })).toEqual({
    done: [],
    left: [
      { id: parked, problem: 'It still waits: retry, decide or cancel it.' },
      { id: run0, problem: 'Nothing of this id needs attention.' },
    ],
  })
  isMended = true
  const retried = await Promise.all([e.attention.retry(everyone, 'ann', { ids: [failed] }), e.attention.retry(everyone, 'bob', { ids: [failed] })])
  const again = retried.flatMap(({ done }) => done.map(({ runId }) => runId))
  expect(new Set(again).size).toBe(1)
  expect(await e.ended(again[0] ?? '')).toMatchObject({ state: 'completed', output: 'mended', input: { n: 1 }, asker })
  expect(await e.attention.retry(everyone, 'ann', {})).toMatchObject({
    done: expect.arrayContaining([
      { id: parked, runId: parked },
      { id: delivery?.id, runId: told },
    ]),
    left: [],
  })
  await e.ended(parked)
  await settled(t.db, told)
  expect((await list()).map(({ reason }) => reason)).toEqual(['undelivered'])
  expect(await e.attention.dismiss(everyone, { reason: 'undelivered' })).toMatchObject({ done: [{ id: delivery?.id }] })
  expect(await list()).toEqual([])
})

test('what stopped is forked from where it stopped, many at once; two who want it live get one, which takes its place', async () => {
  await using t = await makeDatabase()
  let isMended = false
  const done: string[] = []
  await using e = await open(t.db, {
    async stops(ctx) {
      await ctx.step('first', () => done.push('first'))
      return ctx.step('second', () => {
        if (!isMended) throw new Error('no use')
        return 'mended'
      })
    },
    fine: async () => 1,
  })
  const runs = [await e.begin('stops', []), await e.begin('stops', [])]
  for (const run of runs) await e.ended(run)
  const told = await e.begin('fine', [{ type: 'run', agent: 'nobody', on: ['completed'] }])
  const [delivery] = await settled(t.db, told)
  const listed = async () => (await e.attention.list(everyone, { limit: 10 })).map(({ id }) => id)
  const before = await listed()
  expect(new Set(before)).toEqual(new Set([...runs, delivery?.id]))

  isMended = true
  const how = { changes: {}, isLive: false }
  expect(await e.attention.fork({ tenantId: 'other', askerId: undefined }, { ids: runs }, how)).toMatchObject({ done: [], left: [{}, {}] })
  const tried = await e.attention.fork(everyone, {}, how)
  expect(tried.left).toEqual([{ id: delivery?.id, problem: 'A delivery has no steps to go on from: retry or dismiss it.' }])
  expect(tried.done.map(({ id }) => id).toSorted()).toEqual(runs.toSorted())
  for (const { runId } of tried.done) expect(await e.ended(runId)).toMatchObject({ fork: { op: '1', isLive: false } })
  expect(done).toEqual(['first', 'first'])
  expect(await listed()).toEqual(before)

  const [id = ''] = runs
  const both = await Promise.all([1, 2].map(() => e.attention.fork(everyone, { ids: [id] }, { changes: {}, isLive: true })))
  const forks = both.flatMap((outcome) => outcome.done)
  expect(forks).toHaveLength(1)
  expect(both.flatMap(({ left }) => left)).toMatchObject([{ id, problem: expect.stringMatching(/has a live fork|needs attention/) as string }])
  expect(await e.ended(forks[0]?.runId ?? '')).toMatchObject({ state: 'completed', output: 'mended', fork: { runId: id, op: '1', isLive: true } })
  expect(done).toEqual(['first', 'first'])
  expect((await listed()).toSorted()).toEqual(before.filter((each) => each !== id).toSorted())
})

const onQueue: Destination = { type: 'queue', queue: 'results', on: ['completed', 'failed'] }
const take = { queue: 'results', max: 10, visibilityMs: 60_000, waitMs: 0 }
const receive = (bed: Bed, more: Partial<typeof take> = {}, who: Audience = everyone) => bed.queues.receive(who, 'consumer', { ...take, ...more })

test('the end of a run is on its queue once, is given out until it is acknowledged, and to one at a time', async () => {
  await using t = await makeDatabase()
  await using bed = await open(t.db, ending)
  const ids = [await bed.begin('fine', [onQueue], 'one'), await bed.begin('bad', [onQueue])]
  for (const id of ids) await settled(t.db, id)
  // A server that did not live to say that it had delivered makes the delivery again.
  const [first] = await told(t.db, ids[0] ?? '')
  await t.db.rows(sql`update deliveries set state = 'pending', due_at = clock_timestamp(), ended_at = null where id = ${first?.id}`)
  await settled(t.db, ids[0] ?? '')
  const { items } = await receive(bed)
  expect(items.map(({ id }) => id).toSorted()).toEqual((await Promise.all(ids.map(async (id) => (await told(t.db, id))[0]?.id ?? ''))).toSorted())
  expect(items.find(({ runId }) => runId === ids[0])).toMatchObject({
    agent: 'fine',
    receiveCount: 1,
    body: { type: 'run.completed', data: { output: { answer: 'one' } } },
  })
  expect(items.find(({ runId }) => runId === ids[1])).toMatchObject({ body: { type: 'run.failed', data: { failure: { message: 'Error: no use' } } } })
  expect((await receive(bed)).items).toEqual([])
  expect(await bed.queues.list(everyone, { limit: 10 })).toMatchObject([{ name: 'results', readyCount: 0, takenCount: 2 }])
  // One is given back, comes again under the same id, and the receipt of before is void.
  const [a, b] = items
  expect(await bed.queues.extend(everyone, { queue: 'results', receipts: [a?.receipt ?? ''], visibilityMs: 0 })).toMatchObject({ left: [] })
  const again = (await receive(bed)).items
  expect(again).toMatchObject([{ id: a?.id, receiveCount: 2 }])
  const outcome = await bed.queues.acknowledge(everyone, { queue: 'results', receipts: [a?.receipt ?? '', b?.receipt ?? ''] })
  expect(outcome).toEqual({ done: [{ id: b?.id, receipt: b?.receipt }], left: [a?.receipt] })
  expect(await bed.queues.acknowledge(everyone, { queue: 'other', receipts: [again[0]?.receipt ?? ''] })).toMatchObject({ done: [] })
  expect(await bed.queues.acknowledge(everyone, { queue: 'results', receipts: [again[0]?.receipt ?? ''] })).toMatchObject({ left: [] })
  expect(await bed.queues.list(everyone, { limit: 10 })).toEqual([])
  expect(await t.db.rows(sql`select from audit_notes where action = 'queues.receive'`)).toHaveLength(2)
})

test('a message that is not acknowledged in time is given to another, and many who take at once take nothing twice', async () => {
  await using t = await makeDatabase({ poolMax: 10 })
  await using bed = await open(t.db, ending)
  const ids = await Promise.all(Array.from({ length: 40 }, () => bed.begin('fine', [onQueue])))
  for (const id of ids) await settled(t.db, id)
  const taken = (await Promise.all(Array.from({ length: 8 }, () => receive(bed, { max: 7 })))).flatMap(({ items }) => items.map(({ id }) => id))
  expect(new Set(taken).size).toBe(taken.length)
  const rest = (await receive(bed, { max: 100 })).items.map(({ id }) => id)
  expect(new Set([...taken, ...rest]).size).toBe(40)
  await t.db.rows(sql`update queue_messages set visible_at = clock_timestamp() - interval '1 ms'`) // Their time is up.
  expect((await receive(bed, { max: 100 })).items.every(({ receiveCount }) => receiveCount === 2)).toBe(true)
})

test('whoever waits for a message is given it as it comes, and nothing when the server stops', async () => {
  await using t = await makeDatabase()
  await using bed = await open(t.db, ending)
  const waiting = receive(bed, { waitMs: 20_000 })
  const id = await bed.begin('fine', [onQueue])
  expect((await waiting).items).toMatchObject([{ runId: id }])
  const late = receive(bed, { waitMs: 600_000 })
  bed.stopping.abort()
  expect(await late).toEqual({ items: [] })
})

test('a caller is given only messages of runs that it may see', async () => {
  await using t = await makeDatabase()
  await using bed = await open(t.db, ending)
  const id = await bed.begin('fine', [onQueue])
  await settled(t.db, id)
  const elsewhere: Audience = { ...everyone, namespaces: ['elsewhere'] }
  expect((await receive(bed, {}, elsewhere)).items).toEqual([])
  expect(await bed.queues.list(elsewhere, { limit: 10 })).toEqual([])
  const [item] = (await receive(bed)).items
  expect(await bed.queues.acknowledge(elsewhere, { queue: 'results', receipts: [item?.receipt ?? ''] })).toMatchObject({ done: [] })
  expect(await bed.queues.extend(elsewhere, { queue: 'results', receipts: [item?.receipt ?? ''], visibilityMs: 0 })).toMatchObject({ done: [] })
  expect(await bed.queues.acknowledge(everyone, { queue: 'results', receipts: [item?.receipt ?? ''] })).toMatchObject({ left: [] })
})

test('what a run asks of people is told to its webhook, once, also when a run that it has started asks, and not when it was decided already', async () => {
  await using t = await makeDatabase()
  await using r = await openReceiver()
  const asks: Scripts = {
    asks: async (ctx) => ctx.approval('Pay?'),
    starts: async (ctx) => ctx.child(((await ctx.serve('run', 'asks', { agent: 'asks' })) as { runId: string }).runId, 'asks'),
  }
  await using e = await open(t.db, asks, { isTelling: false })
  const both: Destination = { type: 'webhook', url: r.url, on: ['completed', 'approval'] }
  const [own, parent, silent, decided] = [
    await e.begin('asks', [both]),
    await e.begin('starts', [both]),
    await e.begin('asks', [{ ...both, on: ['completed'] }]),
    await e.begin('asks', [both]),
  ]
  const approvals = () => t.db.rows<{ id: string; runId: string }>(sql`select id, run_id as "runId" from approvals`)
  const all = await fact(approvals, (found) => found.length === 4, 'four approvals')
  await e.engine.decide(everyone, 'ann', { approvalId: all.find(({ runId }) => runId === decided)?.id ?? '', approved: true })
  // One that was decided between being put up and being told.
  const late = await e.begin('asks', [both])
  const [asked] = await fact(
    () => t.db.rows<{ id: string }>(sql`select id from approvals where run_id = ${late}`),
    (found) => found.length === 1,
    'its approval',
  )
  await insertDelivery(t.db, { tenantId, id: newId(), runId: late, n: 0, agent: 'asks', destination: both, approvalId: asked?.id })
  await e.engine.decide(everyone, 'ann', { approvalId: asked?.id ?? '', approved: false })
  await e.deliveries.start()
  await settled(t.db, own)
  await settled(t.db, parent)
  await settled(t.db, late, 2)
  const childs = all.find(({ runId }) => ![own, silent, decided, late].includes(runId))
  const told = r.received.map(({ body }) => body as { type: string; data: { runId: string; approvalId: string } })
  expect(
    told
      .filter(({ type }) => type === 'approval.asked')
      .map(({ data }) => data.runId)
      .toSorted(),
  ).toEqual([own, childs?.runId ?? ''].toSorted())
  expect(told.find(({ data }) => data.runId === own)).toMatchObject({
    type: 'approval.asked',
    data: { approvalId: all.find(({ runId }) => runId === own)?.id, agent: 'asks', title: 'Pay?', link: `https://longhaul.example.com/runs/${own}` },
  })
  // The end is told as well, by a delivery of its own.
  await e.engine.decide(everyone, 'ann', { approvalId: all.find(({ runId }) => runId === own)?.id ?? '', approved: true })
  await settled(t.db, own, 2)
  expect(r.received.map(({ body }) => (body as { type: string }).type)).toContain('run.completed')
})
