import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, existsSync, lchownSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { silentLog } from '../kernel/index.ts'
import { openDb } from './db.ts'
import { findProgram } from './embedded-program.ts'
import { startEmbedded } from './embedded.ts'
import { sql } from './sql.ts'

const log = silentLog
const isRoot = process.getuid?.() === 0

/** A folder that its owner alone may enter, as root's home is: the hardest case. */
function makeDataDir() {
  const parent = mkdtempSync(join(tmpdir(), 'embedded-'))
  return { dataDir: join(parent, '.longhaul'), parent, [Symbol.dispose]: () => rmSync(parent, { recursive: true, force: true }) }
}

async function query<Row>(url: string, text: Parameters<typeof sql>[0]): Promise<Row[]> {
  const db = openDb({ url, log })
  try {
    return await db.rows<Row>(sql(text))
  } finally {
    await db.stop()
  }
}

/** Processes that work in the folder, by number. */
const processesOf = (dataDir: string) =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && execFileSync('readlink', [`/proc/${pid}/cwd`], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).startsWith(dataDir)
    } catch {
      return false
    }
  })

function startServer(dataDir: string, options: { uid?: number; detached?: boolean } = {}) {
  const script = join(import.meta.dirname, '../../test/support/embedded-process.ts')
  const child: ChildProcess = spawn(process.execPath, ['--conditions=longhaul-source', script, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...options,
    ...(options.uid && { gid: options.uid }),
  })
  const lines: string[] = []
  if (child.stdout) createInterface(child.stdout).on('line', (line) => lines.push(line))
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return {
    child,
    lines,
    exited,
    async nextLine(start: string) {
      await expect.poll(() => lines.find((line) => line.startsWith(start)), { timeout: 20_000 }).toBeTruthy()
    },
  }
}

test('the data survives stop and start, and stop leaves no process', async () => {
  using t = makeDataDir()
  const first = await startEmbedded({ dataDir: t.dataDir, log })
  expect(await query(first.url, ['create table kept (n int)'] as never)).toEqual([])
  expect(
    await query(first.url, [`select current_setting('fsync') as fsync, current_setting('server_encoding') as encoding, current_database() as name`] as never),
  ).toEqual([{ fsync: 'on', encoding: 'UTF8', name: 'longhaul' }])
  expect(first.phases.map(({ phase }) => phase)).toContain('postgres initdb')
  expect(processesOf(t.dataDir).length).toBeGreaterThan(3)
  await first.stop()
  expect(processesOf(t.dataDir)).toEqual([])

  const second = await startEmbedded({ dataDir: t.dataDir, log })
  expect(second.phases.map(({ phase }) => phase)).not.toContain('postgres initdb')
  expect(await query(second.url, ['select n from kept'] as never)).toEqual([])
  await second.stop()
})

test('nobody else may enter the data folder or the socket', async () => {
  using t = makeDataDir()
  const postgres = await startEmbedded({ dataDir: t.dataDir, log })
  for (const name of ['.', 'postgres', 'postgres/data', 'postgres/socket']) expect([name, statSync(join(t.dataDir, name)).mode & 0o777]).toEqual([name, 0o700])
  if (isRoot) expect(statSync(join(t.dataDir, 'postgres')).uid).not.toBe(0)
  expect(
    readFileSync(`/proc/${postgres.pid()}/environ`, 'utf8')
      .split('\0')
      .filter((entry) => entry && !/^(PATH|LC_ALL|TZ|PG\w+)=/.test(entry)),
  ).toEqual([])
  await postgres.stop()
})

test('a second server on the same data is refused and told whose it is', async () => {
  using t = makeDataDir()
  const postgres = await startEmbedded({ dataDir: t.dataDir, log })
  const other = startServer(t.dataDir)
  await other.nextLine('failed')
  expect(other.lines[0]).toContain(`in use by another server (process ${process.pid})`)
  await other.exited
  expect(await query(postgres.url, ['select 1 as one'] as never)).toEqual([{ one: 1 }])
  await postgres.stop()
})

test('PostgreSQL outlives a killed server, and the next one takes it over', async () => {
  using t = makeDataDir()
  const killed = startServer(t.dataDir)
  await killed.nextLine('ready')
  killed.child.kill('SIGKILL')
  await killed.exited
  const postgres = await startEmbedded({ dataDir: t.dataDir, log })
  expect(killed.lines).toEqual([`ready ${postgres.pid()}`])
  expect(await query(postgres.url, ['select 1 as one'] as never)).toEqual([{ one: 1 }])
  await postgres.stop()
  expect(processesOf(t.dataDir)).toEqual([])
})

test('a PostgreSQL left behind with other settings is stopped and started anew', async () => {
  using t = makeDataDir()
  const killed = startServer(t.dataDir)
  await killed.nextLine('ready')
  killed.child.kill('SIGKILL')
  await killed.exited
  writeFileSync(join(t.dataDir, 'postgres/command.json'), '[]')
  const postgres = await startEmbedded({ dataDir: t.dataDir, log })
  expect(killed.lines).not.toEqual([`ready ${postgres.pid()}`])
  expect(await query(postgres.url, ['select 1 as one'] as never)).toEqual([{ one: 1 }])
  await postgres.stop()
})

test.each(['own', 'taken over'])('a PostgreSQL that is killed is started again, and what was committed is there (%s)', async (kind) => {
  using t = makeDataDir()
  if (kind === 'taken over') {
    const killed = startServer(t.dataDir)
    await killed.nextLine('ready')
    killed.child.kill('SIGKILL')
    await killed.exited
  }
  let restarts = 0
  const postgres = await startEmbedded({ dataDir: t.dataDir, log, onRestart: () => restarts++ })
  await query(postgres.url, ['create table kept as select 1 as n'] as never)
  for (const expected of [1, 2]) {
    const before = postgres.pid()
    process.kill(Number(before), 'SIGKILL')
    await expect.poll(() => restarts, { timeout: 20_000 }).toBe(expected)
    expect(postgres.pid()).not.toBe(before)
    expect(await query(postgres.url, ['select n from kept'] as never)).toEqual([{ n: 1 }])
  }
  await postgres.stop()
  expect(processesOf(t.dataDir)).toEqual([])
})

test('stop works while PostgreSQL is being started again', async () => {
  using t = makeDataDir()
  const postgres = await startEmbedded({ dataDir: t.dataDir, log })
  const { pid } = postgres
  process.kill(Number(pid()), 'SIGKILL')
  await expect.poll(pid).toBe(undefined)
  await postgres.stop()
  await expect.poll(() => processesOf(t.dataDir)).toEqual([]) // Children of the killed one notice on their own.
  await (await startEmbedded({ dataDir: t.dataDir, log })).stop()
})

test('Ctrl-C reaches the server and not PostgreSQL, which works until the server stops it', async () => {
  using t = makeDataDir()
  const server = startServer(t.dataDir, { detached: true })
  await server.nextLine('ready')
  process.kill(-Number(server.child.pid), 'SIGINT') // To the whole process group, as a terminal does.
  await server.exited
  expect(server.lines.slice(1)).toEqual(['answers after SIGINT', 'stopped'])
  expect(processesOf(t.dataDir)).toEqual([])
})

test('an initdb that was interrupted is done again', async () => {
  using t = makeDataDir()
  mkdirSync(join(t.dataDir, 'postgres/data.draft/base'), { recursive: true })
  chmodSync(t.dataDir, 0o700)
  const postgres = await startEmbedded({ dataDir: t.dataDir, log })
  await postgres.stop()
  expect(existsSync(join(t.dataDir, 'postgres/data.draft'))).toBe(false)
})

test('a path too long for a socket is no hindrance', async () => {
  using t = makeDataDir()
  const dataDir = join(t.parent, 'x'.repeat(100), 'with space: and colon')
  const postgres = await startEmbedded({ dataDir, log })
  expect(await query(postgres.url, ['select 1 as one'] as never)).toEqual([{ one: 1 }])
  const socketFolder = String(new URL(postgres.url).searchParams.get('host'))
  expect(socketFolder.length).toBeLessThan(90)
  await postgres.stop()
  rmSync(socketFolder, { recursive: true })
})

test('a process number that another process has got since does not keep PostgreSQL from starting', async () => {
  using t = makeDataDir()
  const postgres = await startEmbedded({ dataDir: t.dataDir, log })
  const pidFile = join(t.dataDir, 'postgres/data/postmaster.pid')
  const written = readFileSync(pidFile, 'utf8')
  const { uid, gid } = statSync(pidFile)
  await postgres.stop()
  const stranger = spawn('sleep', ['60'], { uid, gid })
  writeFileSync(pidFile, written.replace(/^\d+/, String(stranger.pid)))
  lchownSync(pidFile, uid, gid)
  const again = await startEmbedded({ dataDir: t.dataDir, log })
  expect(await query(again.url, ['select 1 as one'] as never)).toEqual([{ one: 1 }])
  await again.stop()
  expect(stranger.kill()).toBe(true) // It is still there: nobody took it for PostgreSQL.
})

test('what stands in the way is named with its remedy, and nothing is changed', async () => {
  using t = makeDataDir()
  const postgres = await startEmbedded({ dataDir: t.dataDir, log })
  await postgres.stop()
  const refusal = () =>
    startEmbedded({ dataDir: t.dataDir, log }).then(
      (started) => started.stop(),
      (error: Error) => error.message,
    )
  const versionFile = join(t.dataDir, 'postgres/data/PG_VERSION')

  writeFileSync(versionFile, '17\n')
  expect(await refusal()).toMatch(/holds data of PostgreSQL 17, and this is PostgreSQL 18\..*pg_dump.*LONGHAUL_DATA_DIR/)
  rmSync(versionFile)
  expect(await refusal()).toMatch(/not PostgreSQL's, or not readable \(ENOENT.*Restore it/)
  writeFileSync(versionFile, '18\n')
  const control = join(t.dataDir, 'postgres/data/global/pg_control')
  const good = readFileSync(control)
  writeFileSync(control, Buffer.alloc(good.length))
  expect(await refusal()).toMatch(/PostgreSQL does not start\./)
  writeFileSync(control, good)
  expect(await refusal()).toBe(undefined) // And once it is all right again, it starts.
})

test('a data folder that is a file, or inside one, is refused', async () => {
  using t = makeDataDir()
  writeFileSync(join(t.parent, 'file'), '')
  for (const name of ['file', 'file/inside']) {
    await expect(startEmbedded({ dataDir: join(t.parent, name), log })).rejects.toThrow(/cannot be used: E(NOTDIR|EXIST).*LONGHAUL_DATA_DIR/)
  }
})

test.runIf(isRoot)('an ordinary user starts it too, and is told when the data is another’s', async () => {
  using t = makeDataDir()
  chmodSync(t.parent, 0o777)
  const user = startServer(t.dataDir, { uid: 65_534 })
  await user.nextLine('ready')
  user.child.kill('SIGINT')
  await user.exited
  expect(user.lines.slice(1)).toEqual(['answers after SIGINT', 'stopped'])

  const root = await startEmbedded({ dataDir: t.dataDir, log }) // Root goes on as the one whose data it is.
  expect(statSync(`/proc/${root.pid()}`).uid).toBe(65_534)
  await root.stop()

  chmodSync(t.dataDir, 0o777)
  const other = startServer(t.dataDir, { uid: 64_999 })
  await other.nextLine('failed')
  expect(other.lines[0]).toMatch(/cannot be locked \(.*All of it must belong to the user who starts the server/)
})

test.runIf(isRoot)('a full disk is named, and the data is intact once there is room', async () => {
  using t = makeDataDir()
  mkdirSync(t.dataDir, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', t.dataDir])
  try {
    await expect(startEmbedded({ dataDir: t.dataDir, log })).rejects.toThrow(/The database could not be made\. The disk is full/)
    execFileSync('mount', ['-o', 'remount,size=200m', t.dataDir])
    const postgres = await startEmbedded({ dataDir: t.dataDir, log })
    await postgres.stop()
    execFileSync('sh', ['-c', 'head -c 400m /dev/zero > "$0/filler" || true', t.dataDir], { stdio: 'ignore' })
    await expect(startEmbedded({ dataDir: t.dataDir, log })).rejects.toThrow(/disk is full|no space left|room/i)
    rmSync(join(t.dataDir, 'filler'))
    await (await startEmbedded({ dataDir: t.dataDir, log })).stop()
  } finally {
    execFileSync('umount', ['-l', t.dataDir])
  }
})

/** A package as npm unpacks it: without its links. */
function makePackage(root: string) {
  for (const name of ['bin', 'lib']) mkdirSync(join(root, 'native', name), { recursive: true })
  writeFileSync(join(root, 'native/bin/postgres'), '', { mode: 0o755 })
  writeFileSync(join(root, 'native/lib/libpq.so.5.18'), 'library')
  return { folder: join(root, 'native'), version: '18.4.0', major: '18', links: [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }] }
}

test('missing links are made where npm unpacked the programs, as often as one likes', async () => {
  using t = makeDataDir()
  const source = makePackage(t.parent)
  for (const _ of [1, 2]) expect((await findProgram('/nowhere', undefined, source)).folder).toBe(source.folder)
  expect(readFileSync(join(source.folder, 'lib/libpq.so.5'), 'utf8')).toBe('library')
})

test.runIf(isRoot)('programs that the other user cannot reach are copied once to where it can', async () => {
  using t = makeDataDir()
  using cache = makeDataDir()
  chmodSync(cache.parent, 0o755)
  const source = makePackage(t.parent) // Below a folder that is closed to others.
  const { folder } = await findProgram('/nowhere', 65_534, source, [join(cache.parent, 'programs')])
  expect(folder.startsWith(cache.parent)).toBe(true)
  expect(readFileSync(join(folder, 'lib/libpq.so.5'), 'utf8')).toBe('library')
  rmSync(source.folder, { recursive: true })
  expect((await findProgram('/nowhere', 65_534, makePackage(t.parent), [join(cache.parent, 'programs')])).folder).toBe(folder)
})

test.runIf(isRoot)('programs in a folder that cannot be written are copied to the data folder', async () => {
  using t = makeDataDir()
  const source = makePackage(join(t.parent, 'package'))
  chmodSync(t.parent, 0o777)
  process.seteuid?.(65_534)
  try {
    const { folder } = await findProgram(join(t.parent, 'mine'), undefined, source)
    expect(folder.startsWith(join(t.parent, 'mine'))).toBe(true)
    expect(readFileSync(join(folder, 'lib/libpq.so.5'), 'utf8')).toBe('library')
  } finally {
    process.seteuid?.(0)
  }
})
