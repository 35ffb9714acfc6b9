/** Live events of the real program: nothing is lost and nothing comes twice, whatever happens to the server; and nobody is told of what is another tenant's. */
import { spawn } from 'node:child_process'
import { type Run, type RunEvent, liveCloses } from '@longhaul/protocol'
import { openLive } from '@longhaul/sdk/client'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { addressCheck, listen, openLive as serveLive } from '../src/api/index.ts'
import { sql } from '../src/db/index.ts'
import { silentLog } from '../src/kernel/index.ts'
import { openBed } from './support/api-bed.ts'
import { makeDatabase } from './support/postgres.ts'
import { openServerProcess, until } from './support/server-process.ts'

const backoff = { delayMsMin: 20, delayMsMax: 200 }

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'who follows lists and runs misses nothing and hears nothing twice, also when the server is ended (%s) and started again',
  async (signal) => {
    await using database = await makeDatabase()
    await using server = await openServerProcess({
      env: { LONGHAUL_DATABASE_URL: database.url, LONGHAUL_AGENTS_DIR: join(import.meta.dirname, 'fixtures/start-agents') },
    })
    await server.start()
    let lostCount = 0
    const live = openLive({
      // Its port is another after each start.
      get url() {
        return server.url()
      },
      key: () => server.key(),
      backoff,
      onConnection: ({ state }) => void (state === 'lost' && lostCount++),
    })
    onTestFinished(() => live.close())
    const told: Run[] = []
    const cursors: string[] = []
    const list = (async () => {
      for await (const { event, data, cursor } of live.follow('runs.list', { agent: 'good' })) {
        expect(event).toBe('run')
        if (data) told.push(data)
        if (cursor) cursors.push(cursor)
      }
    })()
    const first = await server.client.runs.start({ agent: 'good', input: { waits: true } })
    const events: RunEvent[] = []
    const run = (async () => {
      for await (const { data } of live.follow('runs.events', { runId: first.id })) if (data && 'seq' in data) events.push(data)
    })()
    await until('the list to tell of it', 10_000, () => (told.some(({ id, state }) => id === first.id && state === 'waiting') ? true : undefined))

    await server.stop(signal)
    await server.start()
    // What happens now, before the client is back or after, is told all the same.
    const more = await Promise.all(Array.from({ length: 20 }, (_, i) => server.client.runs.start({ agent: 'good', input: i })))
    await server.client.runs.signal({ runId: first.id, name: 'go' })
    await run
    const ids = [first, ...more].map(({ id }) => id)
    await until('all to have been told of', 20_000, () =>
      ids.every((id) => told.some((each) => each.id === id && each.state === 'completed')) ? true : undefined,
    )
    expect(lostCount).toBeGreaterThan(0)
    expect(events).toEqual((await server.client.runs.events({ runId: first.id })).items)
    expect(new Set(cursors).size).toBe(cursors.length)
    // Each time a run is told, something about it is new.
    for (const tellings of Map.groupBy(told, ({ id }) => id).values()) {
      const states = tellings.map(({ state, wait }) => `${state} ${JSON.stringify(wait)}`)
      expect(states.filter((state, at) => state === states[at - 1])).toEqual([])
    }
    live.close()
    await list
  },
  180_000,
)

test('another tenant, namespace, agent or asker is told of nothing that is not theirs', async () => {
  await using bed = await openBed({
    asks: ({ run }) => [
      { type: 'op.wait', run, op: '0', kind: 'approval', name: 'canary title', timeoutMs: null },
      { type: 'run.idle', run, ops: ['0'] },
    ],
    fails: ({ run }) => [{ type: 'run.failed', run, failure: { message: 'canary failure', retryable: false } }],
    answers: ({ run }) => [{ type: 'run.completed', run, output: 'canary' }],
  })
  const server = serveLive({ pipeline: bed.pipeline, checkAddress: addressCheck('127.0.0.1'), perKeyMax: 10, log: silentLog })
  const listening = await listen(bed.app, { host: '127.0.0.1', port: 0, direct: [server] })
  await bed.deploy('globex')
  const access = { personalData: true }
  const acme = await bed.caller('acme', access)
  const callers = {
    acme,
    globex: await bed.caller('globex', access, { tenantId: 'globex' }),
    elsewhere: await bed.caller('elsewhere', access, { namespaces: ['dev'] }),
    otherAgent: await bed.caller('other agent', access, { agents: ['answers'] }),
    masked: await bed.caller('masked', { personalData: false }),
  }
  const start = new AbortController()
  const heard: Record<string, string[]> = {}
  const following = Object.entries(callers).map(async ([name, { secret }]) => {
    const live = openLive({ url: listening.url, key: secret, backoff })
    const own: string[] = (heard[name] = [])
    await Promise.all(
      (['runs.list', 'approvals.list', 'attention.list'] as const).map(async (operation) => {
        for await (const { data } of live.follow(operation, {}, { signal: start.signal })) if (data) own.push(`${operation} ${data.agent}`)
      }),
    ).catch((error: unknown) => {
      if (!start.signal.aborted) throw error
    })
  })
  await until('all to listen', 10_000, () => (server.connectionCount() === 5 ? true : undefined))
  await new Promise((resolve) => setTimeout(resolve, 500)) // Subscribed: each from now on.
  const run = await acme.start('asks')
  await acme.start('fails')
  await callers.globex.start('answers')
  await callers.masked.start('answers')
  const has = (name: keyof typeof callers, ...wanted: string[]) =>
    until(`${name} to hear`, 10_000, () => (wanted.every((each) => heard[name]?.includes(each)) ? true : undefined))
  await has('acme', 'runs.list asks', 'approvals.list asks', 'attention.list fails')
  await has('globex', 'runs.list answers') // They can hear: of their own.
  await has('otherAgent', 'runs.list answers')
  await has('masked', 'runs.list answers')
  expect(heard['globex']?.filter((each) => !each.endsWith(' answers'))).toEqual([])
  expect(heard['otherAgent']?.filter((each) => !each.endsWith(' answers'))).toEqual([])
  expect(heard['masked']?.filter((each) => !each.endsWith(' answers'))).toEqual([])
  expect(heard['elsewhere']).toEqual([])

  const foreign = openLive({ url: listening.url, key: callers.globex.secret, backoff })
  await expect(foreign.follow('runs.events', { runId: run.id }).next()).rejects.toMatchObject({ code: 'not_found' })
  const own = openLive({ url: listening.url, key: acme.secret, backoff })
  expect((await own.follow('runs.events', { runId: run.id }).next()).value).toMatchObject({ event: 'run.started' })
  own.close()
  foreign.close()

  // A key that is revoked hears nothing more.
  const brief = await bed.caller('brief', access)
  const revoked = new WebSocket(`${listening.url.replace('http', 'ws')}/v1/live`)
  const closed = new Promise<number>((resolve) => revoked.addEventListener('close', ({ code }) => resolve(code)))
  await new Promise((resolve) => revoked.addEventListener('open', resolve))
  const welcome = new Promise((resolve) => revoked.addEventListener('message', resolve))
  revoked.send(JSON.stringify({ type: 'hello', key: brief.secret }))
  await welcome
  await bed.owner.rows(sql`delete from keys where id = ${brief.id}`)
  expect(await closed).toBe(liveCloses.unauthenticated)

  start.abort()
  await Promise.all(following)
  await Promise.all([server.stop(), listening.stop()])
}, 180_000)

test('what commits late is told, in its place, and not passed over', async () => {
  await using bed = await openBed({ answers: ({ run }) => [{ type: 'run.completed', run, output: 1 }] })
  const acme = await bed.caller('acme', { personalData: true })
  const run = await acme.start('answers')
  const page = async (cursor?: string) => {
    const response = await bed.app.request(`/v1/runs`, {
      headers: { authorization: `Bearer ${acme.secret}`, accept: 'text/event-stream', ...(cursor && { 'last-event-id': cursor }) },
    })
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (!text.includes('event: mark')) text += (await reader.read()).value ?? ''
    await reader.cancel()
    return {
      runs: [...text.matchAll(/event: run\ndata: (.*)/g)].map(([, data]) => (JSON.parse(String(data)) as Run).id),
      cursor: [...text.matchAll(/id: (.*)\nevent: mark/g)].at(-1)?.[1],
    }
  }
  /** Page by page until these are told: a transaction of any other database of this PostgreSQL holds them back as well. */
  const pagesUntil = async (wanted: string[], from?: string) => {
    const runs: string[] = []
    let cursor = from
    await until('them to be told', 30_000, async () => {
      const next = await page(cursor)
      runs.push(...next.runs)
      cursor = next.cursor
      return wanted.every((id) => runs.includes(id)) || undefined
    })
    return { runs, cursor }
  }
  const { cursor } = await page()
  const late = await bed.startDirectly('answers', 1)
  await until('it to end', 5_000, async () => ((await acme.read<Run>(`/v1/runs/${late.id}`)).state === 'completed' ? true : undefined))
  const held = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  // A transaction that changes one run and stays open while others come and go.
  const open = bed.db.transaction(async (tx) => {
    await tx.rows(sql`update runs set state = 'failed' where id = ${run.id}`)
    begun.resolve()
    await held.promise
  })
  await begun.promise
  const after = await bed.startDirectly('answers', 2)
  await until('it to end', 5_000, async () => ((await acme.read<Run>(`/v1/runs/${after.id}`)).state === 'completed' ? true : undefined))
  const before = await pagesUntil([late.id], cursor)
  held.resolve()
  await open
  expect(before.runs).toEqual([late.id]) // What came after the open one was not told: its place is behind it.
  const rest = await pagesUntil([run.id, after.id], before.cursor)
  expect(rest.runs.toSorted()).toEqual([run.id, after.id].toSorted())
  expect((await page(rest.cursor)).runs).toEqual([])
}, 90_000)

test('a cursor of another life of the database begins anew and says so', async () => {
  await using bed = await openBed({ answers: ({ run }) => [{ type: 'run.completed', run, output: 1 }] })
  const acme = await bed.caller('acme', { personalData: true })
  const response = await acme.ask('GET', '/v1/runs', undefined, {
    accept: 'text/event-stream',
    'last-event-id': '7.00000000-0000-0000-0000-000000000000.1234567890:00000001',
  })
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  while (!text.includes('event: mark')) text += (await reader.read()).value ?? ''
  await reader.cancel()
  expect(text).toMatch(/event: reset\ndata: \{\}\n\nid: \d+\.[0-9a-f-]+\.\d+:[0-9A-F]{8}\nevent: mark/)
})

test('longhaul runs tail tells each state of the runs that are asked for, and Ctrl-C ends it', async () => {
  await using database = await makeDatabase()
  await using server = await openServerProcess({
    env: { LONGHAUL_DATABASE_URL: database.url, LONGHAUL_AGENTS_DIR: join(import.meta.dirname, 'fixtures/start-agents') },
  })
  await server.start()
  const program = join(import.meta.dirname, '../../cli/bin/longhaul.js')
  const child = spawn(process.execPath, ['--conditions=longhaul-source', program, 'runs', 'tail', '--state', 'completed', '--json'], {
    env: { PATH: process.env['PATH'], LONGHAUL_URL: server.url(), LONGHAUL_API_KEY: server.key() },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  const told = () => out.split('\n').flatMap((line): Run[] => (line === '' ? [] : [JSON.parse(line) as Run]))
  // From when it listens on: it is asked for until it has heard of one.
  await until('a run to be told of', 20_000, async () => {
    await server.client.runs.start({ agent: 'good', input: 1 })
    await new Promise((resolve) => setTimeout(resolve, 300))
    return told().length > 0 || undefined
  })
  expect(told().every(({ agent, state }) => agent === 'good' && state === 'completed')).toBe(true)
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGINT')
  expect(await ended).toBe(0)
})
