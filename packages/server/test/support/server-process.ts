/** The real program in a process of its own, with a data folder of its own, so that tests can kill it, start it again, and look at what is left. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, createClient } from '@longhaul/sdk/client'

const root = join(import.meta.dirname, '../../../..')
/** Dozens of processes load the same code: what Node has made of it is kept beside the packages. */
export const compileCache = join(root, 'node_modules/.cache/node')
export const fixtureAgents = join(import.meta.dirname, '../fixtures/agents')

/** One life of the server. */
export type Life = {
  pid: number
  /** What it has written, both streams. */
  output(): string
  /** Its code, or the signal that ended it. */
  exited: Promise<number | NodeJS.Signals>
  isRunning(): boolean
  kill(signal: NodeJS.Signals): void
}

export type LaunchOptions = {
  env: Record<string, string | undefined>
  /** In a process group of its own, which a test can signal as a terminal does. */
  ownGroup?: boolean
  /** A program that starts it, with its arguments. */
  through?: readonly string[]
}

/** Starts the program with exactly these settings. */
export function launch({ env, ownGroup = false, through = [] }: LaunchOptions): Life {
  const [program, ...args] = [...through, process.execPath, '--conditions=longhaul-source', join(root, 'packages/server/src/main.ts')]
  const child: ChildProcess = spawn(program, args, {
    cwd: root,
    detached: ownGroup,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], NODE_COMPILE_CACHE: compileCache, NODE_ENV: 'test', ...env },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-200_000)))
  let hasExited = false
  const exited = new Promise<number | NodeJS.Signals>((resolve) =>
    // `close` comes when the last word has been read. A worker that outlives the server for a moment has pipes of its own.
    child.on('close', (code, signal) => {
      hasExited = true
      resolve(signal ?? code ?? 0)
    }),
  )
  const { pid } = child
  if (pid === undefined) throw new Error('The server could not be started.')
  return {
    pid,
    exited,
    output: () => output,
    isRunning: () => !hasExited,
    kill(signal) {
      if (!hasExited) process.kill(ownGroup ? -pid : pid, signal)
    },
  }
}

/** Waits until the server has said that it is ready. */
export async function untilReady(life: Life, limitMs = 60_000): Promise<{ url: string; key: string }> {
  const found = await until('the server to be ready', limitMs, () => {
    const [, url, key] = /Console +(\S+)\/#key=(\S+)/.exec(life.output()) ?? []
    if (url !== undefined && key !== undefined) return { url, key }
    if (!life.isRunning()) throw new Error(`The server ended at its start:\n${life.output()}`)
    return undefined
  }).catch((error: unknown) => {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${life.output()}`)
  })
  return found
}

export type ServerProcess = AsyncDisposable & {
  /** Knows the server under one name through all its lives, as people know it through their proxy. */
  client: Client
  dataDir: string
  life(): Life
  /** Its present life has said that it is ready, and has not ended. */
  isReady(): boolean
  url(): string
  key(): string
  start(): Promise<void>
  /** Waits for the end of the present life. */
  ended(): Promise<number | NodeJS.Signals>
  stop(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals>
}

/** A server that can be started again and again over the same data. */
export async function openServerProcess({
  env = {},
  through = [],
}: { env?: Record<string, string | undefined>; through?: readonly string[] } = {}): Promise<ServerProcess> {
  const parent = mkdtempSync(join(tmpdir(), 'longhaul-server-'))
  const dataDir = join(parent, '.longhaul')
  let life: Life | undefined
  let ready: Life | undefined
  let place = { url: 'http://127.0.0.1:1', key: '' }
  const name = 'http://longhaul.test'
  const client = createClient({
    url: name,
    key: () => place.key,
    timeoutMs: 20_000,
    fetch: (input, init) => fetch(String(input).replace(name, place.url), init),
  })
  const current = () => {
    if (!life) throw new Error('The server was never started.')
    return life
  }
  const server: ServerProcess = {
    client,
    dataDir,
    life: current,
    isReady: () => ready !== undefined && ready === life && ready.isRunning(),
    url: () => place.url,
    key: () => place.key,
    async start() {
      life = launch({
        through,
        env: {
          LONGHAUL_HTTP_PORT: '0',
          LONGHAUL_DATA_DIR: dataDir,
          LONGHAUL_AGENTS_DIR: fixtureAgents,
          LONGHAUL_SANDBOX_DRIVER: 'virtual',
          LONGHAUL_LOG_FORMAT: 'json',
          LONGHAUL_DRAIN_MS: '500',
          ...env,
        },
      })
      place = await untilReady(life)
      ready = life
    },
    ended: () => current().exited,
    async stop(signal = 'SIGTERM') {
      current().kill(signal)
      return current().exited
    },
    async [Symbol.asyncDispose]() {
      if (life?.isRunning()) await server.stop()
      await endLeftovers(dataDir)
      rmSync(parent, { recursive: true, force: true, maxRetries: 5 })
    },
  }
  return server
}

/** Processes that work in or were started for this folder, by number: PostgreSQL, workers, sandboxes. */
export function processesOf(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && belongsTo(pid, folder))
}

function belongsTo(pid: number, folder: string): boolean {
  try {
    if (/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) return false
    return (
      readlinkSync(`/proc/${pid}/cwd`).startsWith(folder) ||
      ['environ', 'cmdline'].some((file) => readFileSync(`/proc/${pid}/${file}`, 'utf8').includes(folder))
    )
  } catch {
    return false // It has just ended.
  }
}

/** The number of the PostgreSQL that a server has started for itself; undefined while there is none. */
export function postmasterPid(dataDir: string): number | undefined {
  try {
    return Number(readFileSync(join(dataDir, 'postgres', 'data', 'postmaster.pid'), 'utf8').split('\n')[0])
  } catch {
    return undefined
  }
}

/** Where it is reached. PostgreSQL itself says in which folder its socket is. */
export function postgresUrlOf(dataDir: string): string {
  return `postgresql://longhaul@localhost/longhaul?host=${encodeURIComponent(join(dataDir, 'postgres', 'socket'))}`
}

/** Ends what is still running of a folder. */
export async function endLeftovers(folder: string): Promise<void> {
  for (const pid of processesOf(folder)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended meanwhile.
    }
  }
  await until('processes to end', 10_000, () => processesOf(folder).length === 0 || undefined)
}

/** Asks until there is an answer. Throws what `ask` throws, and when the time is up. */
export async function until<Result>(what: string, limitMs: number, ask: () => Promise<Result | undefined> | Result | undefined): Promise<Result> {
  for (const from = performance.now(); ;) {
    const found = await ask()
    if (found !== undefined) return found
    if (performance.now() - from > limitMs) throw new Error(`Waited ${limitMs} ms for ${what}.`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
