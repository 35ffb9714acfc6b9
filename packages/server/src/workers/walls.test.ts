import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { fact } from '../../test/support/engine.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { isRunning, startWithWorkers } from '../../test/support/workers.ts'
import { type Walls, openWalls } from './walls.ts'

const modules = fileURLToPath(new URL('../../../../node_modules', import.meta.url))
const opened = await openWalls([modules])
const whyNot = 'whyNot' in opened ? opened.whyNot : undefined
const walls = whyNot === undefined ? (opened as Walls) : undefined
if (whyNot !== undefined) process.stderr.write(`Skipped: walls around workers. ${whyNot}\n`)

const look = `
  const { existsSync, readFileSync, writeFileSync, readdirSync } = await import('node:fs')
  return await ctx.step('look', () => {
    const can = (work) => { try { work(); return true } catch { return false } }
    return {
      reads: Object.fromEntries(input.map((path) => [path, can(() => readFileSync(path))])),
      findsPackages: can(() => readFileSync(new URL('../node_modules/yaml/package.json', import.meta.url))),
      writesCode: can(() => writeFileSync(new URL('./mine', import.meta.url), '')),
      writesData: can(() => writeFileSync(ctx.dataDir + '/mine', 'x')),
      writesTmp: can(() => writeFileSync('/tmp/mine', 'x')),
      processes: readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).length,
      token: Object.keys(process.env).filter((name) => name.startsWith('LONGHAUL_')),
    }
  })`

test.skipIf(!walls)(
  'A worker within walls runs its code, and sees its version, its packages and its data, and nothing else of this machine',
  { timeout: 60_000 },
  async () => {
    await using t = await makeDatabase()
    const secret = join(await mkdtemp(join(tmpdir(), 'longhaul-secret-')), 'credentials.json')
    await writeFile(secret, 'key')
    const paths = [secret, '/etc/shadow', '/root/.bashrc', '/etc/hosts', join(modules, 'zod/package.json')]
    const seen = async (within: Walls | undefined) => {
      await using w = await startWithWorkers(
        t.db,
        { code: look },
        {
          workers: {
            walls: within,
            findVersion: async (tenantId, agent, version) => ({ tenantId, agent, version, folder: join(w.folder, agent), dataDir: join(w.folder, 'data') }),
          },
        },
      )
      await mkdir(join(w.folder, 'data'), { recursive: true })
      // By way of another link, as the folder of somebody's agents may have one.
      await symlink(modules, join(w.folder, 'packages'))
      await symlink(join(w.folder, 'packages'), join(w.folder, 'code', 'node_modules'))
      const { output } = await w.ended((await w.start('code', paths)).id, 30_000)
      return output as { reads: Record<string, boolean>; writesCode: boolean; writesData: boolean; processes: number; token: string[] }
    }
    const inside = await seen(walls)
    expect(inside).toMatchObject({ findsPackages: true, writesCode: false, writesData: true, writesTmp: true, processes: 2, token: [] })
    expect(inside.reads).toEqual({ [secret]: false, '/etc/shadow': false, '/root/.bashrc': false, '/etc/hosts': true, [paths[4]!]: true })
    // Without them the same code sees what this process may see: the look itself works.
    const outside = await seen(undefined)
    expect(outside.reads[secret]).toBe(true)
    expect(outside).toMatchObject({ writesCode: true, writesData: true })
    expect(outside.processes).toBeGreaterThan(1)
    expect(await readFile(secret, 'utf8')).toBe('key')
    await rm(dirname(secret), { recursive: true })
  },
)

test.skipIf(!walls)('Its process is known, ended at once with all that it started, and replaced', { timeout: 60_000 }, async () => {
  await using t = await makeDatabase()
  await using w = await startWithWorkers(
    t.db,
    {
      code: `
      const { spawn } = await import('node:child_process')
      const { existsSync } = await import('node:fs')
      if (existsSync(ctx.dataDir + '/once')) return 'again'
      await ctx.step('child', () => { spawn('sh', ['-c', 'touch ' + ctx.dataDir + '/once; while :; do date > ' + ctx.dataDir + '/alive; sleep 0.05; done'], { detached: true, stdio: 'ignore' }); return new Promise(() => {}) })`,
    },
    {
      workers: {
        walls,
        findVersion: async (tenantId, agent, version) => ({ tenantId, agent, version, folder: join(w.folder, agent), dataDir: join(w.folder, 'data') }),
      },
    },
  )
  await symlink(modules, join(w.folder, 'code', 'node_modules'))
  const { id } = await w.start('code')
  const alive = join(w.folder, 'data', 'alive')
  await fact(
    () => existsSync(alive),
    (is) => is,
    'that its child runs',
    30_000,
  )
  const [pid] = w.workers.pids()
  process.kill(pid!, 'SIGKILL')
  expect(await w.ended(id, 30_000)).toMatchObject({ output: 'again' })
  expect(isRunning(pid!)).toBe(false)
  const before = await readFile(alive, 'utf8')
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  expect(await readFile(alive, 'utf8')).toBe(before)
})

test.skipIf(!walls)(
  'One that lets go of its connection before it ends is told of by its own exit, not by the end that it would be put to',
  { timeout: 60_000 },
  async () => {
    const leave = `
    const { LONGHAUL_WORKER_URL: url, LONGHAUL_WORKER_TOKEN: token } = process.env
    const [socketPath, path] = url.slice('ws+unix://'.length).split(':')
    const headers = { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==', authorization: 'Bearer ' + token }
    require('http').request({ socketPath, path, headers }).on('upgrade', (_, socket) => { socket.destroy(); setTimeout(() => process.exit(3), 200) }).end()`
    await using t = await makeDatabase()
    await using w = await startWithWorkers(
      t.db,
      { code: 'return 1' },
      {
        workers: {
          walls,
          command: [process.execPath, '-e', leave],
          findVersion: async (tenantId, agent, version) => ({ tenantId, agent, version, folder: join(w.folder, agent), dataDir: join(w.folder, 'data') }),
        },
      },
    )
    const { id } = await w.start('code')
    expect((await w.reaches(id, 'waiting', 30_000)).wait).toMatchObject({
      kind: 'operator',
      reason: 'broken',
      detail: { message: expect.stringContaining('exited with 3') as string },
    })
  },
)

test.skipIf(!walls)('A package that is linked by a relative way, in a folder that is a link itself, is shown where it lies', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-links-'))
  const link = join(folder, 'packages', '@longhaul', 'sdk')
  await symlink(modules, join(folder, 'packages'))
  await mkdir(join(folder, 'code', 'node_modules'), { recursive: true })
  await symlink(link, join(folder, 'code', 'node_modules', 'sdk'))
  const shown = await walls?.around({ folder: join(folder, 'code'), dataDir: join(folder, 'data') }, folder, [])
  expect(shown?.join(' ')).toContain(`--ro-bind ${await realpath(link)} ${link}`)
  await rm(folder, { recursive: true })
})
