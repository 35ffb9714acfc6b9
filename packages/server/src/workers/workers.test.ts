import { existsSync, readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { everyone, fact } from '../../test/support/engine.ts'
import { checkJournals } from '../../test/support/journal-checks.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { isRunning, startWithWorkers } from '../../test/support/workers.ts'
import { sql } from '../db/index.ts'

const good = `
  const a = await ctx.step('a', () => 1)
  await ctx.sleep('nap', 50)
  return [a, await ctx.step('b', () => new Promise((resolve) => setTimeout(resolve, 200, 2)))]`

test('a run that ends its worker again and again is parked after the third, all others end, and a retry takes it up', { timeout: 60_000 }, async () => {
  await using t = await makeDatabase()
  await using w = await startWithWorkers(t.db, {
    code: `
      if (input === 'good') { ${good} }
      const { existsSync } = await import('node:fs')
      await ctx.step('first', () => 1)
      await ctx.step('fatal', () => { if (!existsSync(ctx.dataDir + '/' + input)) process.exit(3) })
      return 'healed'`,
  })
  const bad = await w.start('code', `marker-${process.pid}-${performance.now()}`)
  const others = []
  for (let i = 0; i < 8; i++) others.push(await w.start('code', 'good'))
  const parked = await w.reaches(bad.id, 'waiting', 40_000)
  expect(parked.wait).toMatchObject({ kind: 'operator', reason: 'poison' })
  for (const { id } of others) expect(await w.ended(id, 25_000)).toMatchObject({ state: 'completed', output: [1, 2] })
  const events = await w.events(bad.id)
  expect(events.filter(({ type }) => type === 'run.interrupted')).toHaveLength(3)
  expect(events.filter(({ type }) => type === 'step.completed')).toHaveLength(1)
  expect(events.find(({ type }) => type === 'run.interrupted')?.data).toMatchObject({
    reason: 'worker_lost',
    isSuspect: true,
    message: expect.stringContaining('exited with 3') as string,
  })
  // No loop goes on behind it.
  const marker = join(dirname(w.folder), String(bad.input))
  await writeFile(marker, '')
  try {
    expect((await w.engine.retry(everyone, bad.id, 'operator')).wait).toBeNull()
    expect(await w.ended(bad.id, 25_000)).toMatchObject({ state: 'completed', output: 'healed' })
  } finally {
    await rm(marker)
  }
  await checkJournals(t.db)
})

test('a run that ends its worker while the server executes another of its steps is parked as well', { timeout: 60_000 }, async () => {
  await using t = await makeDatabase()
  await using w = await startWithWorkers(
    t.db,
    {
      // The last that its worker says before it ends is a question, so its code seems to wait.
      code: `
      await Promise.all([
        ctx.step('fatal', () => new Promise(() => setTimeout(() => process.exit(1), 30))),
        new Promise((resolve) => setTimeout(resolve, 5)).then(() => ctx.sandbox.list('.')),
      ])`,
    },
    { engine: { executors: { files: () => new Promise<never>(() => {}) } } },
  )
  const { id } = await w.start('code')
  expect((await w.reaches(id, 'waiting', 40_000)).wait).toMatchObject({ reason: 'poison' })
})

test('a worker whose code blocks the event loop is ended and replaced, and the other runs go on', async () => {
  await using t = await makeDatabase()
  await using w = await startWithWorkers(
    t.db,
    { code: `if (input === 'good') { ${good} }\n await ctx.step('hang', () => { for (;;); })` },
    { workers: { silenceMsMax: 1_500 } },
  )
  const good1 = await w.start('code', 'good')
  expect(await w.ended(good1.id)).toMatchObject({ output: [1, 2] })
  const [pid] = w.workers.pids()
  const bad = await w.start('code', 'bad')
  const good2 = await w.start('code', 'good')
  await fact(
    () => w.events(bad.id),
    (events) => events.some(({ type }) => type === 'run.interrupted'),
    'events',
    25_000,
  )
  expect((await w.events(bad.id)).find(({ type }) => type === 'run.interrupted')?.data).toMatchObject({ reason: 'worker_hung' })
  expect(isRunning(pid ?? 0)).toBe(false)
  await w.engine.cancel(everyone, bad.id, 'tester')
  expect(await w.ended(good2.id, 25_000)).toMatchObject({ output: [1, 2] })
})

test('code that no longer matches the history parks its runs with the first difference, and a retry under the right code goes on', async () => {
  await using t = await makeDatabase()
  await using w = await startWithWorkers(t.db, {
    code: "const a = await ctx.step('first', () => 1)\n await ctx.waitForSignal('go')\n return [a, await ctx.step('last', () => 2)]",
  })
  const { id } = await w.start('code')
  await w.reaches(id, 'waiting')
  const before = await w.events(id)
  await w.write('code', "const a = await ctx.step('renamed', () => 1)\n await ctx.waitForSignal('go')\n return a")
  process.kill(w.workers.pids()[0] ?? 0, 'SIGKILL')
  await w.engine.signal(everyone, id, 'tester', 'go', null)
  const parked = await fact(
    () => w.load(id),
    (run) => run.wait?.kind === 'operator',
    'run',
    20_000,
  )
  expect(parked).toMatchObject({
    state: 'waiting',
    wait: {
      reason: 'diverged',
      detail: { op: '0', recorded: expect.stringContaining('first') as string, asked: expect.stringContaining('renamed') as string },
    },
  })
  expect((await w.events(id)).slice(0, before.length)).toEqual(before)
  await w.write('code', "const a = await ctx.step('first', () => 99)\n await ctx.waitForSignal('go')\n return [a, await ctx.step('last', () => 3)]")
  process.kill(w.workers.pids()[0] ?? 0, 'SIGKILL')
  await w.engine.retry(everyone, id, 'operator')
  expect(await w.ended(id, 20_000)).toMatchObject({ state: 'completed', output: [1, 3] })
  await expect(w.engine.retry(everyone, id, 'operator')).rejects.toMatchObject({ code: 'conflict' })
  await checkJournals(t.db)
})

test('a version whose code does not load, and one that is not here, park their runs with the reason', async () => {
  await using t = await makeDatabase()
  await using w = await startWithWorkers(t.db, { broken: 'export default durable(((' })
  const broken = await w.start('broken')
  const missing = await w.start('nowhere')
  expect((await w.reaches(broken.id, 'waiting', 20_000)).wait).toMatchObject({
    kind: 'operator',
    reason: 'broken',
    detail: { message: expect.stringContaining('agent/agent.ts') as string },
  })
  expect((await w.reaches(missing.id, 'waiting')).wait).toMatchObject({
    kind: 'operator',
    reason: 'broken',
    detail: { message: expect.stringContaining('not on this machine') as string },
  })
  expect(w.loaded[0]).toMatchObject({ agent: 'broken', hello: { manifest: null, problem: expect.stringContaining('does not parse') as string } })
  await checkJournals(t.db)
})

test('a worker gets no database address and no key, and what its code writes with broken characters is kept from the journal', async () => {
  await using t = await makeDatabase()
  process.env['LONGHAUL_TEST_CANARY'] = 'canary'
  await using w = await startWithWorkers(t.db, {
    code: "if (input === 'env') return Object.keys(process.env).sort()\n process.stderr.write('x'.repeat(4050) + '\\u{1f600}'.repeat(999) + '\\0')\n await new Promise((resolve) => setTimeout(resolve, 50))\n process.exit(1)",
  })
  expect((await w.ended((await w.start('code', 'env')).id)).output).toEqual(['HOME', 'NODE_COMPILE_CACHE', 'PATH'])
  delete process.env['LONGHAUL_TEST_CANARY']
  const { id } = await w.start('code', 'exit')
  await fact(
    () => w.events(id),
    (events) => events.some(({ type }) => type === 'run.interrupted'),
    'events',
  )
  await w.engine.cancel(everyone, id, 'tester')
  expect(await w.ended(id)).toMatchObject({ state: 'cancelled' })
  expect(w.logged.filter(({ message }) => message.startsWith('the database refused'))).toEqual([])
})

test('a worker that was killed is replaced and its runs go on where they were, none of them suspected that only waited', async () => {
  await using t = await makeDatabase()
  await using w = await startWithWorkers(t.db, {
    code: "const a = await ctx.step('a', () => 1)\n return [a, await ctx.waitForSignal('go', { timeoutMs: input })]",
  })
  const runs = []
  for (let i = 0; i < 10; i++) runs.push(await w.start('code', 900 + i))
  for (const { id } of runs)
    await fact(
      () => w.events(id),
      (events) => events.some(({ type }) => type === 'wait.created'),
    )
  const [pid] = w.workers.pids()
  process.kill(pid ?? 0, 'SIGKILL')
  // Only once its end is known: a worker that has just been told something counts as executing.
  await fact(
    () => w.workers.pids(),
    (pids) => !pids.includes(pid ?? 0),
  )
  for (const { id } of runs) await w.engine.signal(everyone, id, 'tester', 'go', 'gone')
  for (const { id } of runs) {
    expect(await w.ended(id)).toMatchObject({ state: 'completed', output: [1, 'gone'] })
    expect((await w.events(id)).filter(({ type, data }) => type === 'run.interrupted' && 'isSuspect' in data && data.isSuspect)).toEqual([])
  }
  await checkJournals(t.db)
})

test('starting and stopping again and again leaves no process and no lease behind', async () => {
  await using t = await makeDatabase()
  const pids: number[] = []
  for (let i = 0; i < 5; i++) {
    await using w = await startWithWorkers(t.db, { code: "await ctx.step('s', () => new Promise(() => {}))" })
    await w.start('code')
    // At different stages of a worker's life: just spawned, connected, executing.
    if (i > 1)
      await fact(
        () => w.loaded,
        (found) => found.length > 0,
      )
    await fact(
      () => w.workers.pids(),
      (found) => found.length > 0,
    )
    pids.push(...w.workers.pids())
    await w.stop()
    expect(w.workers.pids()).toEqual([])
  }
  expect(pids.length).toBeGreaterThanOrEqual(5)
  expect(pids.filter(isRunning)).toEqual([])
  expect(await t.db.rows(sql`select id from runs where node_id is not null`)).toEqual([])
})

test('only a worker that was started here is let in, by a token of its own, and the socket is gone after the stop', async () => {
  await using t = await makeDatabase()
  await using w = await startWithWorkers(
    t.db,
    { code: 'return 1' },
    {
      workers: {
        command: [
          process.execPath,
          '-e',
          "require('fs').writeFileSync(process.env.HOME + '/seen', JSON.stringify([process.env.LONGHAUL_WORKER_URL, process.env.LONGHAUL_WORKER_TOKEN])); setInterval(() => {}, 1e6)",
        ],
      },
    },
  )
  await w.start('code')
  const seen = join(w.folder, 'seen')
  const [url, token] = JSON.parse(
    await fact(
      () => (existsSync(seen) ? readFileSync(seen, 'utf8') : ''),
      (text) => text.endsWith(']'),
      'what the worker was told',
    ),
  ) as [string, string]
  const knock = (authorization: string) => {
    const client = new WebSocket(url, { headers: { authorization } })
    return new Promise((resolve) =>
      client
        .on('unexpected-response', (_, response) => resolve(response.statusCode))
        .on('open', () => resolve('open'))
        .on('error', () => {}),
    )
  }
  expect(await knock('Bearer wrong')).toBe(401)
  expect(await knock('')).toBe(401)
  expect(await knock(`Bearer ${token}`)).toBe('open')
  const socket = url.slice('ws+unix://'.length, url.indexOf(':/v1'))
  expect(existsSync(socket)).toBe(true)
  await w.stop()
  expect(existsSync(dirname(socket))).toBe(false)
})

test('workers of a version that nobody wants end once they are idle, not before; a run that comes later gets new ones', { timeout: 60_000 }, async () => {
  await using t = await makeDatabase()
  await using w = await startWithWorkers(
    t.db,
    { code: `await ctx.waitForSignal('go', { timeoutMs: 60_000 }); return 1`, wanted: 'return 2' },
    { workers: { retireAfterMs: 0 }, engine: { pollMs: 20 } },
  )
  const unwanted = ({ agent }: { agent: string }) => agent === 'wanted'
  const first = await w.start('code')
  await w.ended((await w.start('wanted')).id)
  await fact(
    async () => w.workers.pids().length,
    (count) => count === 2,
    'two workers',
  )
  const before = w.workers.pids()
  // The one whose run waits in this process still carries it.
  await w.reaches(first.id, 'waiting')
  await w.workers.retire(unwanted)
  await fact(
    async () => before.filter(isRunning).length,
    (count) => count === 1,
    'one worker',
  )
  await w.engine.signal(everyone, first.id, 'tester', 'go', null)
  expect(await w.ended(first.id)).toMatchObject({ output: 1 })
  expect(await w.ended((await w.start('wanted')).id)).toMatchObject({ output: 2 })
  // Runs that come in the moment in which the workers end are executed all the same.
  for (let round = 0; round < 2; round++) {
    const runs = await Promise.all([w.start('wanted'), w.workers.retire(() => false), w.start('wanted'), w.workers.retire(() => false)])
    for (const run of runs) if (run) expect(await w.ended(run.id)).toMatchObject({ state: 'completed' })
  }
})
