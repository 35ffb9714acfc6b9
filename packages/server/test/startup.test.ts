/** Starting and stopping as its user sees them: what is printed, how it ends, what is left. */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@longhaul/sdk/client'
import { expect, inject, test } from 'vitest'
import { makeDatabase } from './support/postgres.ts'
import { type Life, endLeftovers, launch, postmasterPid, processesOf, until, untilReady } from './support/server-process.ts'

const agentsDir = join(import.meta.dirname, 'fixtures/start-agents')

/** A place to start servers in, and nothing of them left at the end of the block. */
function makePlace() {
  const parent = mkdtempSync(join(tmpdir(), 'startup-'))
  const dataDir = join(parent, 'data')
  const lives: Life[] = []
  return {
    parent,
    dataDir,
    launch(env: Record<string, string | undefined> = {}, options: { ownGroup?: boolean; through?: readonly string[] } = {}): Life {
      const life = launch({
        env: {
          LONGHAUL_HTTP_PORT: '0',
          LONGHAUL_DATA_DIR: dataDir,
          LONGHAUL_AGENTS_DIR: agentsDir,
          LONGHAUL_SANDBOX_DRIVER: 'virtual',
          LONGHAUL_LOG_FORMAT: 'json',
          ...env,
        },
        ...options,
      })
      lives.push(life)
      return life
    },
    async [Symbol.asyncDispose]() {
      for (const life of lives) life.kill('SIGKILL')
      await Promise.all(lives.map((life) => life.exited))
      await endLeftovers(parent)
      rmSync(parent, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

async function listenOnFreePort(onConnection: (socket: Socket) => void = () => {}): Promise<{ port: number; server: Server } & Disposable> {
  const server = createServer(onConnection)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, server, [Symbol.dispose]: () => void server.close() }
}

/** It must have ended by itself, soon, with words and without a stack. */
async function expectRefusal(life: Life, words: RegExp[], limitMs = 45_000): Promise<void> {
  await until('the server to give up', limitMs, () => !life.isRunning() || undefined)
  expect(await life.exited).toBe(1)
  const said = life.output().split('Longhaul cannot start.')[1]
  expect(said, life.output()).toBeDefined()
  for (const word of words) expect(said).toMatch(word)
  expect(said).not.toMatch(/^\s+at .*\(?file:/m)
}

test('a taken port is named with the setting that changes it, and nothing is left running', async () => {
  await using t = await makeDatabase()
  await using place = makePlace()
  using taken = await listenOnFreePort()
  await expectRefusal(place.launch({ LONGHAUL_DATABASE_URL: t.url, LONGHAUL_HTTP_PORT: String(taken.port) }), [
    new RegExp(`Port ${taken.port}.*taken`),
    /LONGHAUL_HTTP_PORT/,
  ])
  expect(processesOf(place.parent)).toEqual([])
  await untilReady(place.launch({ LONGHAUL_DATABASE_URL: t.url })) // The same place, another port: the state is whole.
})

test('a data folder that cannot be made is named with the setting that changes it', async () => {
  await using t = await makeDatabase()
  await using place = makePlace()
  writeFileSync(join(place.parent, 'file'), '')
  const dataDir = join(place.parent, 'file', 'data')
  await expectRefusal(place.launch({ LONGHAUL_DATA_DIR: dataDir }), [/file\/data/, /LONGHAUL_DATA_DIR/])
  await expectRefusal(place.launch({ LONGHAUL_DATA_DIR: dataDir, LONGHAUL_DATABASE_URL: t.url }), [/file\/data/, /LONGHAUL_DATA_DIR/])
  expect(processesOf(place.parent)).toEqual([])
})

test('every wrong setting is named at once, without its value', async () => {
  await using place = makePlace()
  const life = place.launch({
    LONGHAUL_HTTP_PROT: '80',
    LONGHAUL_LEASE_MS: 'soon-and-secret',
    LONGHAUL_SANDBOX_DRIVER: 'docker-and-secret',
    LONGHAUL_DATABASE_URL: 'mysql://me:secret@host/db',
  })
  await expectRefusal(life, [
    /LONGHAUL_HTTP_PROT is not a setting.*LONGHAUL_HTTP_PORT/,
    /LONGHAUL_LEASE_MS: must be a whole number/,
    /LONGHAUL_SANDBOX_DRIVER: /,
    /LONGHAUL_DATABASE_URL: must look like postgresql:/,
    /docs\/reference\/config\.md/,
  ])
  expect(life.output()).not.toContain('secret')
  expect(existsSync(place.dataDir)).toBe(false)
})

test('the way in which tests end a server is closed outside of tests', async () => {
  await using place = makePlace()
  await expectRefusal(place.launch({ LONGHAUL_TEST_CRASH_FILE: join(place.parent, 'crash'), NODE_ENV: 'production' }), [
    /LONGHAUL_TEST_CRASH_FILE: .*NODE_ENV=test/,
  ])
})

test('a database that refuses, is another program, or knows no such database or user is named, its password not', async () => {
  await using place = makePlace()
  let freed = 0
  {
    using free = await listenOnFreePort()
    freed = free.port
  }
  await expectRefusal(place.launch({ LONGHAUL_DATABASE_URL: `postgresql://me:secret@127.0.0.1:${freed}/db` }), [
    /127\.0\.0\.1:\d+, database db, does not answer/,
    /LONGHAUL_DATABASE_URL/,
  ])
  using other = await listenOnFreePort((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await expectRefusal(place.launch({ LONGHAUL_DATABASE_URL: `postgresql://me:secret@127.0.0.1:${other.port}/db` }), [
    new RegExp(`127.0.0.1:${other.port}`),
    /LONGHAUL_DATABASE_URL/,
  ])
  using silent = await listenOnFreePort()
  await expectRefusal(place.launch({ LONGHAUL_DATABASE_URL: `postgresql://me:secret@127.0.0.1:${silent.port}/db` }), [
    new RegExp(`127.0.0.1:${silent.port}.*does not answer`),
    /LONGHAUL_DATABASE_URL/,
  ])
  const missing = new URL(inject('postgresUrl'))
  missing.pathname = '/no_such_database'
  await expectRefusal(place.launch({ LONGHAUL_DATABASE_URL: missing.href }), [/no database of that name/, /LONGHAUL_DATABASE_URL/])
  expect(processesOf(place.parent)).toEqual([])
})

test('a database that wants a password names the setting that holds it', async () => {
  await using place = makePlace()
  // Speaks as a PostgreSQL does whose user has another password: error, 28P01.
  const field = (code: string, text: string) => Buffer.concat([Buffer.from(code), Buffer.from(text), Buffer.from([0])])
  const body = Buffer.concat([
    field('S', 'FATAL'),
    field('V', 'FATAL'),
    field('C', '28P01'),
    field('M', 'password authentication failed for user "me"'),
    Buffer.from([0]),
  ])
  const refusal = Buffer.concat([Buffer.from('E'), Buffer.from(Uint32Array.of(body.length + 4).buffer).reverse(), body])
  using server = await listenOnFreePort((socket) => socket.on('error', () => {}).once('data', () => socket.end(refusal)))
  const life = place.launch({ LONGHAUL_DATABASE_URL: `postgresql://me:secret@127.0.0.1:${server.port}/db` })
  await expectRefusal(life, [/refuses this user or password/, /LONGHAUL_DATABASE_URL/])
  expect(life.output()).not.toContain('secret')
})

test('an agents’ folder that is not there is named with the setting that changes it', async () => {
  await using t = await makeDatabase()
  await using place = makePlace()
  await expectRefusal(place.launch({ LONGHAUL_DATABASE_URL: t.url, LONGHAUL_AGENTS_DIR: join(place.parent, 'nowhere') }), [/nowhere/, /LONGHAUL_AGENTS_DIR/])
  expect(processesOf(place.parent)).toEqual([])
})

/** In a view of the file system in which `/usr/bin`, and so bubblewrap, is empty. */
const withoutPrograms = [
  'unshare',
  ...(process.getuid?.() === 0 ? [] : ['--map-root-user']),
  '--mount',
  'sh',
  '-c',
  'mount -t tmpfs none /usr/bin && exec "$@"',
  'sh',
]
const mayHide = spawnSync(String(withoutPrograms[0]), [...withoutPrograms.slice(1), process.execPath, '--version']).status === 0

test.skipIf(!mayHide)(
  `a sandbox that was asked for by name and is not installed is no reason for a weaker one${mayHide ? '' : ' (this host lets nobody mount, so bubblewrap cannot be hidden)'}`,
  async () => {
    await using t = await makeDatabase()
    await using place = makePlace()
    const life = place.launch({ LONGHAUL_DATABASE_URL: t.url, LONGHAUL_SANDBOX_DRIVER: 'bwrap' }, { through: withoutPrograms })
    await expectRefusal(life, [/sandbox driver bwrap cannot work here/, /the program bwrap\n +→ apt-get install bubblewrap/])
    expect(processesOf(place.parent)).toEqual([])
  },
)

test('agents whose code does not load are shown with the reason, take no runs, and keep no other from working', async () => {
  await using t = await makeDatabase()
  await using place = makePlace()
  const agents = join(place.parent, 'agents')
  cpSync(agentsDir, agents, { recursive: true })
  mkdirSync(join(agents, 'bad-syntax', 'agent'), { recursive: true })
  writeFileSync(join(agents, 'bad-syntax', 'agent', 'agent.ts'), 'export default durable(')
  const { url, key } = await untilReady(place.launch({ LONGHAUL_DATABASE_URL: t.url, LONGHAUL_AGENTS_DIR: agents }))
  const client = createClient({ url, key })
  const reasons = {
    'bad-syntax': /agent\.ts: does not parse/,
    'no-default': /agent\.ts: .*default export/,
    'crashes-at-load': /exited with 3\. .*Mend it and deploy again/,
  }
  for (const [name, reason] of Object.entries(reasons)) {
    const agent = await until(`${name} to be shown as broken`, 30_000, async () => {
      const found = (await client.agents.list({})).items.find((one) => one.name === name)
      return found?.status === 'broken' ? found : undefined
    })
    expect(agent.problem).toMatch(reason)
    const refused = await client.runs.start({ agent: name, input: null }).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'conflict', message: expect.stringMatching(reason) })
  }
  const run = await client.runs.start({ agent: 'good', input: 'hello' })
  await until('the good one to complete', 10_000, async () => (await client.runs.get({ runId: run.id })).state === 'completed' || undefined)
})

test(
  'its whole life on its own PostgreSQL: first start, refusal of a second one, Ctrl-C as npm passes it on, kill -9, and the next start',
  { timeout: 120_000 },
  async () => {
    await using place = makePlace()
    const first = place.launch({}, { ownGroup: true })
    const { url, key } = await untilReady(first)
    expect(first.output()).toMatch(/ready\. +[\d.]+ s: .*postgres \d+.* ms/)

    await expectRefusal(place.launch(), [/in use by another server \(process \d+\)/, new RegExp(`process ${first.pid}\\b`), /LONGHAUL_DATA_DIR/])
    expect((await fetch(`${url}/healthz`)).status).toBe(200) // The first one has taken no notice.

    const client = createClient({ url, key })
    const run = await client.runs.start({ agent: 'good', input: { waits: true } })
    await until('the run to wait', 10_000, async () => (await client.runs.get({ runId: run.id })).state === 'waiting' || undefined)
    first.kill('SIGINT')
    await new Promise((resolve) => setTimeout(resolve, 100)) // npm passes on what the terminal has sent already.
    first.kill('SIGINT')
    expect(await first.exited).toBe(0)
    expect(first.output()).toContain('Stopped. Runs that were under way go on at the next start.')
    expect(processesOf(place.parent)).toEqual([])

    const second = place.launch()
    const place2 = await untilReady(second)
    expect(place2.key).toBe(key)
    const workers = () => processesOf(place.parent).filter((pid) => /sdk.*worker/.test(cmdline(pid)))
    await until('workers', 10_000, () => workers().length > 0 || undefined)
    const postgres = postmasterPid(place.dataDir) ?? Number.NaN
    second.kill('SIGKILL')
    expect(await second.exited).toBe('SIGKILL')
    await until('its workers to end by themselves', 5_000, () => workers().length === 0 || undefined)
    expect(() => process.kill(postgres, 0)).not.toThrow() // PostgreSQL lives on,

    const third = place.launch()
    const place3 = await untilReady(third)
    expect(postmasterPid(place.dataDir)).toBe(postgres) // and is taken over.
    const later = createClient(place3)
    await later.runs.signal({ runId: run.id, name: 'go' })
    await until('the run to complete', 10_000, async () => (await later.runs.get({ runId: run.id })).state === 'completed' || undefined)
    third.kill('SIGTERM')
    expect(await third.exited).toBe(0)
    expect(processesOf(place.parent)).toEqual([])

    writeFileSync(join(place.dataDir, 'postgres', 'data', 'PG_VERSION'), '9\n')
    await expectRefusal(place.launch(), [/9/, /version/i])
    writeFileSync(join(place.dataDir, 'postgres', 'data', 'PG_VERSION'), '18\n')
    const fourth = place.launch()
    const { url: url4, key: key4 } = await untilReady(fourth)
    expect((await createClient({ url: url4, key: key4 }).runs.get({ runId: run.id })).state).toBe('completed')
  },
)

const cmdline = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return '' // It has just ended.
  }
}

test('while PostgreSQL is away the server says so at once, and goes on when it is back', { timeout: 90_000 }, async () => {
  await using place = makePlace()
  const life = place.launch()
  const { url, key } = await untilReady(life)
  const client = createClient({ url, key, timeoutMs: 20_000 })
  const run = await client.runs.start({ agent: 'good', input: { waits: true } })
  const postgres = postmasterPid(place.dataDir) ?? Number.NaN
  const health = async () => (await fetch(`${url}/healthz`)).status
  expect(await health()).toBe(200)
  process.kill(postgres, 'SIGSTOP')
  // A process that stands still is the worst kind of away: connections stay open and nothing is ever answered.
  const children = processesOf(place.dataDir).filter((pid) => pid !== postgres && cmdline(pid).startsWith('postgres: '))
  for (const pid of children) process.kill(pid, 'SIGSTOP')
  try {
    expect(await health()).toBe(503)
    const asked = performance.now()
    const failures = await Promise.all([
      client.runs.get({ runId: run.id }).catch((error: unknown) => error),
      client.runs.start({ agent: 'good', input: null }).catch((error: unknown) => error),
      client.runs.list({}).catch((error: unknown) => error),
    ])
    for (const failure of failures) expect(failure).toMatchObject({ code: 'unavailable', status: 503 })
    expect(performance.now() - asked).toBeLessThan(20_000)
  } finally {
    for (const pid of [postgres, ...children]) process.kill(pid, 'SIGCONT')
  }
  await until('health again', 10_000, async () => (await health()) === 200 || undefined)
  process.kill(postgres, 'SIGKILL')
  await until('health again after a kill', 5_000, async () => (postmasterPid(place.dataDir) !== postgres && (await health()) === 200) || undefined)
  await client.runs.signal({ runId: run.id, name: 'go' })
  await until('the run to complete', 10_000, async () => (await client.runs.get({ runId: run.id })).state === 'completed' || undefined)
  life.kill('SIGTERM')
  expect(await life.exited).toBe(0)
  expect(processesOf(place.parent)).toEqual([])
})
