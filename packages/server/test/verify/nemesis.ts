/** What happens to two servers, their workers and their PostgreSQL, one thing after the other, by chance alone. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, createClient } from '@longhaul/sdk/client'
import { type Db, type Embedded, openDb, sql, startEmbedded } from '../../src/db/index.ts'
import { addressOf } from '../../src/db/home.ts'
import { crashPoints, silentLog } from '../../src/kernel/index.ts'
import { type Cuttable, makeCuttable } from '../support/cuttable.ts'
import { type Direction, type Namespace, canMakeNamespaces, makeNamespace } from '../support/namespace.ts'
import { type ServerProcess, openServerProcess, processesOf, until } from '../support/server-process.ts'

const leaseMs = 4_000
export const acts = [
  'server killed',
  'both servers killed',
  'server killed at a crash point',
  'server paused',
  'worker killed',
  'worker paused',
  'postgres killed',
  'postgres restarted',
  'backends terminated',
  'way to the database cut',
  'way from the database cut',
  'database cut off',
  'clock set',
] as const
export type Act = (typeof acts)[number]

/** Points that only one kind of end passes, which this world does not have. */
const unreachable = new Set<string>(['delivery.after'])
export const reachablePoints = crashPoints.filter((point) => !unreachable.has(point))

/** Where the kernel allows it a node is in a network of its own, whose packets are lost; else what lies between loses the bytes. */
type Node = { server: ServerProcess; way: Cuttable; namespace: Namespace | undefined; crashFile: string; clockFile: string }

export type World = AsyncDisposable & {
  /** Reaches whichever server answers, as through a load balancer. */
  client: Client
  /** What is cut: a cable between namespaces, or a way through a program of ours. */
  network: 'namespaces' | 'proxy'
  /** Straight to PostgreSQL, past everything that is cut. */
  db: Db
  ledgerOf(runId: string): string
  /** Returns when it is over; false where there was nobody to do it to. */
  perform(act: Act, random: () => number): Promise<boolean>
  passedPoints(): Set<string>
}

export async function openWorld(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'longhaul-world-'))
  const postgres = await startEmbedded({ dataDir: join(folder, 'database'), log: silentLog })
  const db = openDb({ url: postgres.url, poolMax: 4, log: silentLog })
  const ledgers = join(folder, 'ledger')
  mkdirSync(ledgers)
  const masterKey = randomBytes(32).toString('base64')
  const nodes: Node[] = []
  const network = canMakeNamespaces() ? 'namespaces' : 'proxy'
  for (const name of ['a', 'b']) {
    const namespace = network === 'namespaces' ? makeNamespace(name) : undefined
    const way = await makeCuttable(postgres.url, namespace && { host: namespace.outside })
    const crashFile = join(folder, `crash-${name}`)
    const clockFile = join(folder, `clock-${name}`)
    const server = await openServerProcess({
      through: namespace?.through ?? [],
      env: {
        LONGHAUL_HTTP_HOST: namespace?.inside,
        LONGHAUL_DATABASE_URL: way.url,
        LONGHAUL_DATABASE_ADOPT: addressOf(way.url),
        LONGHAUL_MASTER_KEY: masterKey,
        LONGHAUL_LEASE_MS: String(leaseMs),
        LONGHAUL_WORKER_WALLS: 'off', // The books of both servers' workers are in neither's data.
        LONGHAUL_LOG_LEVEL: 'warn',
        LONGHAUL_TEST_CRASH_FILE: crashFile,
        LONGHAUL_TEST_CLOCK_FILE: clockFile,
        NODE_OPTIONS: `--import=${join(import.meta.dirname, '../support/clock.mjs')}`,
      },
    })
    // One set of books: a run goes on at the other server.
    const agentDir = join(server.dataDir, 'data', 'default', 'crash')
    mkdirSync(agentDir, { recursive: true })
    symlinkSync(ledgers, join(agentDir, 'ledger'))
    await server.start()
    nodes.push({ server, way, namespace, crashFile, clockFile })
  }
  let turn = 0
  const name = 'http://longhaul.test'
  const client = createClient({
    url: name,
    key: () => nodes[0]?.server.key() ?? '',
    timeoutMs: 60_000, // On a machine that is short of time, requests that are given up and made again are all that it has time for.
    fetch: async (input, init) => {
      const ready = () => nodes.filter(({ server }) => server.isReady())
      // A balancer holds a request while it has nobody to give it to. Hundreds of clients that try again at full speed would take the machine from those who start.
      while (ready().length === 0 && !init?.signal?.aborted) await pause(200)
      const well = ready()
      const node = well[turn++ % Math.max(1, well.length)] ?? nodes[0]
      return fetch(String(input).replace(name, node?.server.url() ?? ''), init)
    },
  })
  return {
    client,
    network,
    db,
    ledgerOf: (runId) => join(ledgers, runId),
    perform: (act, random) => perform(act, { nodes, postgres, db, random }),
    passedPoints: () => new Set(nodes.flatMap(({ crashFile }) => read(`${crashFile}.passed`).split('\n'))),
    async [Symbol.asyncDispose]() {
      for (const node of nodes) mend(node)
      await Promise.all(nodes.map(({ server }) => server[Symbol.asyncDispose]()))
      for (const { way, namespace } of nodes) {
        await way[Symbol.asyncDispose]()
        namespace?.[Symbol.dispose]()
      }
      await db.stop()
      await postgres.stop()
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

type Stage = { nodes: Node[]; postgres: Embedded; db: Db; random: () => number }

async function perform(act: Act, { nodes, postgres, db, random }: Stage): Promise<boolean> {
  const node = nodes[Math.floor(random() * nodes.length)]
  if (!node) return false
  const { server } = node
  switch (act) {
    case 'server killed':
      server.life().kill('SIGKILL')
      return startAgain(server)
    case 'both servers killed': // Nobody is left to take over: the first to start finds what its last life has left.
      for (const { server: each } of nodes) each.life().kill('SIGKILL')
      for (const { server: each } of nodes) await startAgain(each)
      return true
    case 'server killed at a crash point': {
      const points = reachablePoints.filter((point) => !point.startsWith('burial')) // Passed by a start alone.
      const point = points[Math.floor(random() * points.length)] ?? 'flush.after'
      writeFileSync(node.crashFile, `${point} ${1 + Math.floor(random() * 5)}`)
      const end = await Promise.race([server.ended(), pause(4_000)])
      rmSync(node.crashFile, { force: true })
      return end !== undefined && startAgain(server)
    }
    case 'server paused':
      // Longer than its lease as often as not: the other one takes over, and it wakes up as somebody who is dead.
      return hold(server.life().pid, 300 + random() * 1.5 * leaseMs)
    case 'worker killed':
    case 'worker paused': {
      const workers = processesOf(server.dataDir).filter(isWorker)
      const pid = workers[Math.floor(random() * workers.length)]
      if (pid === undefined) return false
      return act === 'worker killed' ? signal(pid, 'SIGKILL') : hold(pid, 300 + random() * 3_000)
    }
    case 'postgres killed':
    case 'postgres restarted': {
      const pid = postgres.pid()
      if (pid === undefined || !signal(pid, act === 'postgres killed' ? 'SIGKILL' : 'SIGINT')) return false
      await until('PostgreSQL', 300_000, async () => (postgres.pid() !== pid && (await answers(db))) || undefined)
      return true
    }
    case 'backends terminated': {
      const ended = await db.rows(sql`
        select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'longhaul%' and pid <> pg_backend_pid() and random() < ${0.2 + random()}`)
      return ended.length > 0
    }
    case 'way to the database cut':
    case 'way from the database cut':
    case 'database cut off': {
      const ways = { 'way to the database cut': 'to the database', 'way from the database cut': 'from the database', 'database cut off': 'both' } as const
      cut(node, ways[act])
      await pause(300 + random() * 1.5 * leaseMs)
      mend(node)
      return true
    }
    case 'clock set': {
      writeFileSync(node.clockFile, String(Math.round((random() - 0.5) * 7_200_000)))
      await pause(500)
      return true
    }
  }
}

function cut({ way, namespace }: Node, direction: Direction): void {
  if (namespace) namespace.cut(Number(new URL(way.url).port), direction)
  else way.cut(direction)
}

function mend({ way, namespace }: Node): void {
  if (namespace) namespace.mend()
  else way.mend()
}

/** As whatever looks after programs does it: until it stays. A database that does not answer yet is a reason to end. */
async function startAgain(server: ServerProcess): Promise<boolean> {
  await server.ended()
  await until('a server to start', 300_000, () =>
    server.start().then(
      () => true,
      () => {
        server.life().kill('SIGKILL') // If it is only slow.
        return server.ended().then(() => undefined)
      },
    ),
  )
  return true
}

async function hold(pid: number, ms: number): Promise<boolean> {
  if (!signal(pid, 'SIGSTOP')) return false
  await pause(ms)
  return signal(pid, 'SIGCONT')
}

function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name)
    return true
  } catch {
    return false // It was between two lives.
  }
}

function isWorker(pid: number): boolean {
  return read(`/proc/${pid}/cmdline`).includes('worker-main')
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // It is not there, or not any more.
  }
}

const answers = (db: Db) =>
  db.rows(sql`select 1`).then(
    () => true,
    () => false,
  )

const pause = (ms: number) => new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), ms))
