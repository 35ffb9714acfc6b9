/**
 * The embedded PostgreSQL: a real one from npm, in `<dataDir>/postgres`, reached by a Unix socket only.
 *
 * It is our child in a session of its own, so Ctrl-C reaches us and not it. When we are killed it lives on, and the next start
 * takes it over. When it is killed we start it again. One server per data folder: a lock that dies with its process sees to it.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, constants, existsSync, lstatSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { AppError, type Log, monotonicMs, sleep } from '../kernel/index.ts'
import { openDb } from './db.ts'
import { findProgram } from './embedded-program.ts'
import { type Users, chooseUsers, giveTo } from './embedded-user.ts'
import { type Place, type Postmaster, environment, explain, startPostmaster, stopPostmaster } from './postmaster.ts'
import { lockFolder } from './process-lock.ts'
import { identifier, sql } from './sql.ts'

export type EmbeddedOptions = {
  dataDir: string
  log: Log
  /** Called after PostgreSQL had ended on its own and works again. All connections are gone. */
  onRestart?(): void
}

export type Embedded = {
  url: string
  /** What the start was spent on. */
  phases: { phase: string; ms: number }[]
  /** PostgreSQL's process; undefined while it is being started again. */
  pid(): number | undefined
  /** Ends PostgreSQL without losing anything and returns when none of its processes is left; once is enough. Close all connections first. */
  stop(): Promise<void>
}

const database = 'longhaul'
const restartDelaysMs = [50, 200, 500, 1_000, 2_000]

export async function startEmbedded({ dataDir, log, onRestart = () => {} }: EmbeddedOptions): Promise<Embedded> {
  const phases: Embedded['phases'] = []
  const timed = async <Result>(phase: string, work: () => Result | Promise<Result>): Promise<Result> => {
    const from = monotonicMs()
    const result = await work()
    phases.push({ phase, ms: Math.round(monotonicMs() - from) })
    return result
  }
  const root = resolve(dataDir)
  makeFolder(root)
  const lock = lockFolder(root)
  let place: Place | undefined
  try {
    const { users, ...made } = await timed('postgres programs', () => makePlace(root))
    place = made
    if (!existsSync(join(place.folder, 'data'))) await timed('postgres initdb', () => initialise(made, users))
    assertVersion(place)
    const first = await timed('postgres start', () => startPostmaster(made))
    const url = urlOf(place, database)
    try {
      await timed('postgres database', () => ensureDatabase(made, log))
    } catch (error) {
      await stopPostmaster(first)
      throw error
    }
    const kept = keepRunning(place, first, log, onRestart)
    const close = () => closePlace(made, lock)
    let stopped: Promise<void> | undefined
    return { url, phases, pid: kept.pid, stop: () => (stopped ??= kept.stop().then(close)) }
  } catch (error) {
    if (place) closePlace(place, lock)
    else lock.release()
    throw error instanceof AppError ? error : explain(`${root} cannot be used`, error instanceof Error ? error.message : String(error), error)
  }
}

function closePlace({ folderFd }: Place, lock: { release(): void }): void {
  if (folderFd !== undefined) closeSync(folderFd)
  lock.release()
}

/** Starts PostgreSQL again whenever it ends, until stopped. */
function keepRunning(place: Place, first: Postmaster, log: Log, onRestart: () => void): { pid(): number | undefined; stop(): Promise<void> } {
  let current: Postmaster | undefined = first
  const stopping = new AbortController()

  async function startAgain(): Promise<Postmaster | undefined> {
    for (let attempt = 0; ; attempt++) {
      await sleep(restartDelaysMs[Math.min(attempt, restartDelaysMs.length - 1)] ?? 0, stopping.signal)
      if (stopping.signal.aborted) return undefined
      try {
        return await startPostmaster(place)
      } catch (error) {
        log.error('postgres does not start again', { error, attempt })
      }
    }
  }

  async function watch() {
    while (current) {
      await current.ended
      if (stopping.signal.aborted) return
      log.warn('postgres ended by itself', { pid: current.pid })
      current = undefined
      current = await startAgain()
      if (stopping.signal.aborted) return
      log.info('postgres started again', { pid: current?.pid })
      onRestart()
    }
  }
  const watching = watch()
  return {
    pid: () => current?.pid,
    async stop() {
      stopping.abort()
      if (current) await stopPostmaster(current)
      await watching
      if (current) await stopPostmaster(current) // It had just been started again when we were told to stop. Twice does no harm.
    },
  }
}

async function makePlace(root: string): Promise<Place & { users: Users }> {
  const folder = join(root, 'postgres')
  makeFolder(folder)
  const users = chooseUsers(folder)
  const program = await findProgram(folder, users.owner?.uid)
  // As another user PostgreSQL may not be let through the folders above its own. A descriptor that it inherits leads past them.
  const folderFd = users.owner && openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY)
  const folderThere = users.owner ? '/proc/self/fd/3' : folder
  return { program, folder, folderThere, folderFd, owner: users.owner, users, ...makeSocketFolder(folder, folderThere, users) }
}

/** The system allows 107 bytes for a socket's path (103 on macOS), so a deep data folder has its socket elsewhere. */
function makeSocketFolder(folder: string, folderThere: string, { owner }: Users): Pick<Place, 'socketFolder' | 'socketFolderThere'> {
  const inside = join(folder, 'socket')
  const isShort = Buffer.byteLength(join(inside, '.s.PGSQL.5432')) <= 103
  const socketFolder = isShort ? inside : join(tmpdir(), `longhaul-${createHash('sha256').update(folder).digest('hex').slice(0, 16)}`)
  if (!existsSync(socketFolder)) {
    mkdirSync(socketFolder, { mode: 0o700 })
    if (owner) giveTo(owner, socketFolder)
  }
  const found = lstatSync(socketFolder)
  // In a folder that everybody may write to, somebody may have been there first.
  if (!found.isDirectory() || (found.mode & 0o077) !== 0 || found.uid !== (owner?.uid ?? process.getuid?.() ?? found.uid)) {
    throw new AppError('unavailable', `${socketFolder} is not a folder for PostgreSQL alone. Remove it and start again.`)
  }
  return { socketFolder, socketFolderThere: isShort ? `${folderThere}/socket` : socketFolder }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    statSync(join(folder, '.'))
  } catch (cause) {
    throw new AppError(
      'unavailable',
      `${folder} cannot be used: ${cause instanceof Error ? cause.message : cause}. Set LONGHAUL_DATA_DIR to a folder that can be written.`,
      cause,
    )
  }
}

/** Made beside and renamed: a `data` that exists is whole. */
async function initialise(place: Place, { owner, initialiser }: Users): Promise<void> {
  const draft = join(place.folder, 'data.draft')
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { mode: 0o700 })
  if (initialiser) giveTo(initialiser, draft)
  const draftFd = openSync(draft, constants.O_RDONLY | constants.O_DIRECTORY)
  const args = [
    ...['-D', owner ? '/proc/self/fd/3' : draft, '-U', database, '--auth=trust', '--no-instructions'],
    // PostgreSQL's own collation by code point: the same on every system and after every upgrade of it.
    ...['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
  ]
  const child = spawn(join(place.program.folder, 'bin', 'initdb'), args, {
    cwd: '/',
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe', draftFd],
    ...initialiser,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const [code, cause] = await new Promise<[number | null, Error?]>((done) => {
    child.on('error', (error) => done([null, error]))
    child.on('close', (exitCode) => done([exitCode]))
  })
  closeSync(draftFd)
  if (code !== 0) {
    rmSync(draft, { recursive: true, force: true })
    throw explain('The database could not be made', output, cause)
  }
  if (owner) giveTo(owner, draft)
  renameSync(draft, join(place.folder, 'data'))
}

function assertVersion({ folder, program }: Place): void {
  const file = join(folder, 'data', 'PG_VERSION')
  let found: string
  try {
    found = readFileSync(file, 'utf8').trim()
  } catch (cause) {
    throw new AppError(
      'unavailable',
      `${join(folder, 'data')} is not PostgreSQL's, or not readable (${cause instanceof Error ? cause.message : cause}). Restore it, or move it away to begin with an empty database.`,
      cause,
    )
  }
  if (found !== program.major) {
    throw new AppError(
      'unavailable',
      `${folder} holds data of PostgreSQL ${found}, and this is PostgreSQL ${program.major}. Start the version of Longhaul that made it and move the data by pg_dump, or set LONGHAUL_DATA_DIR to an empty folder.`,
    )
  }
}

/** Also the proof that connections work and not only that the process does. */
async function ensureDatabase(place: Place, log: Log): Promise<void> {
  const db = openDb({ url: urlOf(place, 'postgres'), poolMax: 1, log })
  try {
    const found = await db.rows(sql`select from pg_database where datname = ${database}`)
    if (found.length === 0) await db.rows(sql`create database ${identifier(database)}`)
  } finally {
    await db.stop()
  }
}

const urlOf = ({ socketFolder }: Place, name: string) => `postgresql://${database}@localhost/${name}?host=${encodeURIComponent(socketFolder)}`
