import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { fact, tenantId } from '../../test/support/engine.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { endLeftovers, openServerProcess } from '../../test/support/server-process.ts'
import { type TestWorkers, isRunning, startWithWorkers } from '../../test/support/workers.ts'
import { openWalls } from './walls.ts'

const modules = fileURLToPath(new URL('../../../../node_modules', import.meta.url))
const opened = await openWalls([modules])
const walls = 'whyNot' in opened ? undefined : opened
if ('whyNot' in opened) process.stderr.write(`Skipped: walls around spare workers. ${opened.whyNot}\n`)

const durable = (body: string) => `import { durable } from '@longhaul/sdk'\nexport default durable('Versions.', async () => { ${body} })\n`

/** A version of the agent beside the others of it. */
async function place(w: TestWorkers, agent: string, version: string, code: string) {
  const folder = join(w.folder, `${agent}-${version}`)
  await mkdir(join(folder, 'agent'), { recursive: true })
  await mkdir(join(w.folder, 'data'), { recursive: true })
  await writeFile(join(folder, 'agent/agent.ts'), code)
  return { tenantId, agent, version, folder, dataDir: join(w.folder, 'data') }
}

const pid = async (w: TestWorkers, count: number) =>
  (
    await fact(
      async () => w.workers.pids(),
      (pids) => pids.length === count,
      `${count} workers`,
      20_000,
    )
  ).at(-1)!

const loaded = (w: TestWorkers, count: number) =>
  fact(
    async () => w.loaded,
    (all) => all.length === count,
    `${count} versions loaded`,
    20_000,
  )

test('A worker that was started ahead loads the next version of its agent and of no other, and executes its runs', { timeout: 60_000 }, async () => {
  await using t = await makeDatabase()
  await using w = await startWithWorkers(t.db, { code: 'return 1' })
  w.workers.expect(await place(w, 'code', '0', ''))
  const spare = await pid(w, 1)
  expect(w.loaded).toEqual([])
  w.workers.warm(await place(w, 'other', '1', durable('return 1')))
  await loaded(w, 1)
  expect(w.workers.pids()).toHaveLength(2)
  // The version is that of the run to come.
  const run = await w.start('code')
  await loaded(w, 2)
  expect(w.workers.pids()).toHaveLength(2)
  expect(w.workers.pids()).toContain(spare)
  expect(await w.ended(run.id)).toMatchObject({ output: 1 })
  // It is that version's for good: the next one gets another.
  w.workers.warm(await place(w, 'code', 'next', durable('return 2')))
  await loaded(w, 3)
  expect(w.workers.pids()).toHaveLength(3)
})

test.skipIf(!walls)('Within walls it sees its own code and packages, and no other version of its agent', { timeout: 60_000 }, async () => {
  await using t = await makeDatabase()
  await using w = await startWithWorkers(t.db, { code: '' }, { workers: { walls, findVersion: async () => next } })
  const old = await place(w, 'code', '0', durable('return 0'))
  const look = `
    const { existsSync, writeFileSync } = await import('node:fs')
    const can = (work) => { try { work(); return true } catch { return false } }
    return {
      own: existsSync(new URL('./agent.ts', import.meta.url)),
      packages: existsSync(new URL('../node_modules/yaml/package.json', import.meta.url)),
      other: existsSync(${JSON.stringify(join(old.folder, 'agent/agent.ts'))}),
      writes: can(() => writeFileSync(new URL('./agent.ts', import.meta.url), '')),
    }`
  const next = await place(w, 'code', 'v1', durable(look))
  w.workers.expect(old)
  const spare = await pid(w, 1)
  expect((await w.ended((await w.start('code')).id, 30_000)).output).toEqual({ own: true, packages: true, other: false, writes: false })
  expect(w.workers.pids()).toEqual([spare])
})

test('What does not load in it is told as ever, with its place', { timeout: 60_000 }, async () => {
  await using t = await makeDatabase()
  await using w = await startWithWorkers(t.db, {})
  w.workers.expect(await place(w, 'code', '0', ''))
  const spare = await pid(w, 1)
  w.workers.warm(await place(w, 'code', '1', '\nexport default 1 +'))
  const all = await loaded(w, 2) // As the worker said, and as the version is given up.
  expect(all[0]?.hello.problem).toMatch(/^agent\/agent\.ts: does not parse/)
  await fact(
    async () => isRunning(spare),
    (is) => !is,
    'the end of the worker',
  )
})

test('It ends when it has waited long enough, as one of too many, and with the server; its folder goes with it', { timeout: 60_000 }, async () => {
  await using t = await makeDatabase()
  await using w = await startWithWorkers(t.db, {}, { workers: { spareMsMax: 1_500 } })
  w.workers.expect(await place(w, 'code', '0', ''))
  const spare = await pid(w, 1)
  await fact(
    async () => isRunning(spare),
    (is) => !is,
    'its end',
    20_000,
  )
  await using many = await startWithWorkers(t.db, {}, { workers: { command: [process.execPath, '-e', 'process.stdin.resume(); setInterval(() => {}, 1e6)'] } })
  for (const agent of ['a', 'b', 'c', 'd', 'e']) many.workers.expect(await place(many, agent, '0', ''))
  await fact(
    async () => many.workers.pids().length,
    (count) => count === 4,
    'four of five',
  )
  const pids = many.workers.pids()
  const folders = pids.map((each) => /LONGHAUL_AGENT_FOLDER=([^\0]+)/.exec(readFileSync(`/proc/${each}/environ`, 'utf8'))?.[1] ?? '')
  expect(folders.map(existsSync)).toEqual([true, true, true, true])
  await many.stop()
  expect(pids.filter(isRunning)).toEqual([])
  await fact(
    async () => folders.filter(existsSync),
    (left) => left.length === 0,
    'no folder',
  )
})

test('What the workers of a server have on its disk is gone at the next start, after a kill -9 as well', { timeout: 120_000 }, async () => {
  const temp = await mkdtemp(join(tmpdir(), 'lh'))
  await chmod(temp, 0o755) // PostgreSQL may be another user.
  const far = join(temp, 'a-data-folder-whose-path-is-too-long-for-a-socket'.repeat(2))
  for (const dataDir of [join(temp, 'd'), far]) {
    const elsewhere = join(temp, 't')
    await mkdir(elsewhere)
    await using server = await openServerProcess({ env: { LONGHAUL_DATA_DIR: dataDir, TMPDIR: elsewhere, LONGHAUL_WORKER_WALLS: 'off' } })
    const left = () => ({
      spares: readdirSync(join(dataDir, 'workers')).filter((name) => name.startsWith('spare-')).length,
      sockets: readdirSync(elsewhere).filter((name) => name.startsWith('lh-')).length,
    })
    await server.start()
    const files = [{ path: 'agent/agent.ts', base64: Buffer.from(durable('return 1')).toString('base64') }]
    expect(await server.client.versions.create({ agent: 'written', files, expectsMore: true })).toMatchObject({ status: 'ready' })
    const there = { spares: 1, sockets: dataDir === far ? 1 : 0 }
    await fact(
      async () => left(),
      ({ spares }) => spares === 1,
      'a spare worker',
      20_000,
    )
    expect(left()).toEqual(there)
    server.life().kill('SIGKILL')
    await server.ended()
    expect(left()).toEqual(there)
    await server.start()
    expect(left()).toEqual({ ...there, spares: 0 })
    await server.stop()
    expect(existsSync(join(dataDir, 'workers'))).toBe(false)
    expect(readdirSync(elsewhere).filter((name) => name.startsWith('lh-'))).toEqual([])
    await endLeftovers(dataDir)
    await rm(elsewhere, { recursive: true })
  }
  await rm(temp, { recursive: true, force: true })
})
