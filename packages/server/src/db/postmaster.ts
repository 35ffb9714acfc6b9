/** One PostgreSQL process: started, taken over, watched, stopped. */
import { execFileSync, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, readlinkSync, realpathSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AppError, sleep } from '../kernel/index.ts'
import type { Program } from './embedded-program.ts'
import type { User } from './embedded-user.ts'

/** Where everything of one cluster is. `folder` is how we see it, `folderThere` how PostgreSQL does. */
export type Place = {
  program: Program
  folder: string
  folderThere: string
  socketFolder: string
  socketFolderThere: string
  folderFd: number | undefined
  owner: User | undefined
}

export type Postmaster = { pid: number; /** Resolves when the process has ended, and with it all of its own. */ ended: Promise<void> }

/**
 * Durable (fsync, full_page_writes and synchronous_commit keep their defaults: on) and quiet. The memory is touched only when used.
 * Errors of statements are ours to log: their texts hold customers' data.
 */
const settings = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  max_connections: '100',
  shared_buffers: '256MB',
  max_wal_size: '2GB',
  min_wal_size: '160MB',
  checkpoint_timeout: '10min',
  jit: 'off',
  random_page_cost: '1.1',
  autovacuum_naptime: '15s',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
  log_error_verbosity: 'terse',
  log_min_messages: 'warning',
  log_min_error_statement: 'panic',
  cluster_name: 'longhaul',
}

const readyTimeoutMs = 600_000 // Recovery after a crash replays at most `max_wal_size`; a slow disk may take minutes.
const fastStopMs = 30_000

/** PostgreSQL's environment holds nothing of ours. */
export const environment = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }

/** Starts it, or takes over the one that a killed server left behind. Returns once it accepts connections. */
export async function startPostmaster(place: Place): Promise<Postmaster> {
  const command = [join(place.program.folder, 'bin', 'postgres'), '-D', `${place.folderThere}/data`, '-c', `unix_socket_directories=${place.socketFolderThere}`]
  for (const [name, value] of Object.entries(settings)) command.push('-c', `${name}=${value}`)
  const commandFile = join(place.folder, 'command.json')

  const left = findLeft(place)
  if (left !== undefined) {
    const isSame = existsSync(commandFile) && readFileSync(commandFile, 'utf8') === JSON.stringify(command)
    if (isSame && readStatus(place)?.status === 'ready') return { pid: left, ended: waitGone(left, Infinity).then(() => {}) }
    await stopPostmaster({ pid: left, ended: waitGone(left, Infinity).then(() => {}) }) // Older settings or programs, or half way through starting or stopping.
  }
  writeFileSync(commandFile, JSON.stringify(command))
  return start(place, command)
}

async function start(place: Place, [file, ...args]: string[]): Promise<Postmaster> {
  const logFile = join(place.folder, 'log')
  const log = openSync(logFile, isLarge(logFile) ? 'w' : 'a', 0o600)
  const logFrom = statSync(logFile).size
  // A session of its own: what the terminal sends to our process group does not reach it.
  const child = spawn(String(file), args, {
    detached: true,
    cwd: '/',
    env: environment,
    stdio: ['ignore', log, log, place.folderFd ?? 'ignore'],
    ...place.owner,
  })
  closeSync(log)
  let failure: Error | undefined
  let hasEnded = false
  const ended = new Promise<void>((resolve) => {
    const end = (error?: Error) => {
      hasEnded = true
      failure ??= error
      resolve()
    }
    child.on('error', end)
    child.on('exit', () => end())
  })
  for (let waitedMs = 0; !hasEnded; waitedMs += 5) {
    const status = readStatus(place)
    if (status?.pid === child.pid && status?.status === 'ready' && child.pid) {
      child.unref()
      return { pid: child.pid, ended }
    }
    if (waitedMs > readyTimeoutMs) {
      process.kill(-Number(child.pid), 'SIGKILL')
      failure = new Error(`not ready within ${readyTimeoutMs} ms`)
    }
    await Promise.race([sleep(5), ended])
  }
  throw explain('PostgreSQL does not start', readFileSync(logFile).subarray(logFrom).toString(), failure)
}

/** Ends it without losing anything: connections are cut, what is committed is written. Harder after `fastStopMs`; also then nothing committed is lost. */
export async function stopPostmaster({ pid, ended }: Postmaster): Promise<void> {
  for (const [signal, limitMs] of [
    ['SIGINT', fastStopMs],
    ['SIGQUIT', 5_000],
    ['SIGKILL', 5_000],
  ] as const) {
    if (!send(pid, signal)) break
    const enough = new AbortController()
    const isOver = await Promise.race([ended.then(() => true), sleep(limitMs, enough.signal).then(() => false)])
    enough.abort()
    if (isOver) return
  }
  await ended
}

function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false // It is gone.
  }
}

/** The running PostgreSQL of this place that is nobody's child any more, if there is one. */
function findLeft(place: Place): number | undefined {
  const pid = readStatus(place)?.pid
  if (pid === undefined || !isAlive(pid)) return undefined
  if (isOurs(pid, place)) return pid
  // The number has been given to some other process since. PostgreSQL would take that for itself and refuse to start; our number it
  // knows for its parent's, and so goes on to what tells for sure: whether the old shared memory is still in use.
  const file = pidFile(place)
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^\d+/, String(process.pid)))
  return undefined
}

const pidFile = (place: Place) => join(place.folder, 'data', 'postmaster.pid')

function readStatus(place: Place): { pid: number; status: string } | undefined {
  try {
    const lines = readFileSync(pidFile(place), 'utf8').split('\n')
    return { pid: Number(lines[0]), status: lines[7]?.trim() ?? '' }
  } catch {
    return undefined // Not running.
  }
}

async function waitGone(pid: number, limitMs: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < limitMs; waitedMs += 50) {
    if (!isAlive(pid)) return true
    await sleep(50)
  }
  return false
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !isZombie(pid)
  } catch {
    return false
  }
}

/** Dead but not buried: in a container whose first process buries nobody, it stays so. */
function isZombie(pid: number): boolean {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false // No /proc, as on macOS.
  }
}

/** PostgreSQL works in its data folder, which tells it from any other PostgreSQL that may have got the number. */
function isOurs(pid: number, { folder }: Place): boolean {
  const data = join(folder, 'data')
  try {
    if (process.platform === 'linux') return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(data)
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).includes(` -D ${data} `)
  } catch {
    return false // It ended while we looked, or is a process of another user and so not ours.
  }
}

const isLarge = (file: string) => existsSync(file) && statSync(file).size > 5_000_000

/** Which remedies go with what PostgreSQL says. Its words in English, since `environment` asks for them. */
const remedies: [RegExp, string][] = [
  [/No space left on device|disk quota exceeded/i, 'The disk is full: free some space and start again. Nothing committed is lost.'],
  [
    /pre-existing shared memory|lock file .* already exists|another server might be running/i,
    'Another PostgreSQL still uses this data folder: end it and start again.',
  ],
  [
    /could not (create|map|resize) (anonymous )?shared memory|out of memory|Cannot allocate memory/i,
    'Too little memory, or too little shared memory in the container (--shm-size).',
  ],
  [
    /Permission denied|has wrong ownership|has invalid permissions|Operation not permitted/i,
    'PostgreSQL may not use a file or folder: give all of the data folder to the user it runs as, with mode 0700.',
  ],
  [/Read-only file system/i, 'The file system is read-only: set LONGHAUL_DATA_DIR to a folder that can be written.'],
  [/database files are incompatible/i, 'The data was made by another version of PostgreSQL or for another kind of machine.'],
  [/error while loading shared libraries|GLIBC|not found \(required by/i, "This system's C library does not fit npm's PostgreSQL (musl instead of glibc?)."],
  [/could not locate a valid checkpoint|invalid checkpoint record|PANIC/i, 'The data is damaged. Restore a backup into an empty data folder.'],
]

export function explain(what: string, output: string, cause?: unknown): AppError {
  const remedy = remedies.find(([pattern]) => pattern.test(output))?.[1] ?? 'Use your own PostgreSQL by LONGHAUL_DATABASE_URL if this stays so.'
  return new AppError('unavailable', `${what}. ${remedy}\n${output.trim().split('\n').slice(-8).join('\n')}`, cause)
}
