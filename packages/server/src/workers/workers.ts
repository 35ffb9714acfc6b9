/**
 * The worker processes of this server, by version. Workers connect to a Unix socket with a token that names them; they get no
 * database address, no provider key, and nothing of this process's environment but what a program needs to run.
 */
import { type Server, createServer } from 'node:http'
import { join } from 'node:path'
import { messageBytesMax } from '@longhaul/protocol'
import { WebSocketServer } from 'ws'
import type { Assignment } from '../engine/index.ts'
import { type Log, type Service, after, loop, monotonicMs } from '../kernel/index.ts'
import { openRunFolder, socketName } from './run-folder.ts'
import { type Scaling, excess, planWorkers } from './scaling.ts'
import { type WorkerEvents, openSpares } from './spares.ts'
import type { Walls } from './walls.ts'
import { type Hello, WorkerProcess } from './worker-process.ts'

/** Where a version's code lies. */
export type VersionPlace = { tenantId: string; agent: string; version: string; folder: string; dataDir: string }

export type WorkersOptions = {
  log: Log
  /** For what they have on the disk while this server runs; nobody else uses it. */
  folder: string
  /** Program and arguments of the SDK's worker. */
  command: readonly [string, ...string[]]
  /** Environment that workers get. */
  env: Record<string, string>
  scaling: Scaling
  /** Around each worker. Absent: it sees what this process may see. */
  walls?: Walls | undefined
  silenceMsMax?: number
  /** How long the workers of a version that nobody wants are kept for runs that may come. */
  retireAfterMs?: number
  /** How long a worker waits for a version that is expected. */
  spareMsMax?: number
  findVersion(tenantId: string, agent: string, version: string): Promise<VersionPlace | undefined>
  /** Puts the packages into a folder that every uploaded version has. */
  linkPackages(folder: string): Promise<void>
  /** A worker of the version has loaded its code, or could not. */
  onLoaded(place: VersionPlace, hello: Hello): void
}

export type Workers = Service & {
  /** Finds a worker for the run, starting one when there is none. */
  execute(assignment: Assignment): void
  /** `isStopped`: whatever its code is doing must end now. Resolves when it has. */
  release(runId: string, isStopped?: boolean): Promise<void> | void
  /** Starts the version's workers before anybody needs them. */
  warm(place: VersionPlace): void
  /** More versions of this agent are about to come: for a while a worker that has started waits for the next one. */
  expect(place: VersionPlace): void
  /** Ends the workers of versions that nobody wants any more, once they have been idle for a while. */
  retire(isWanted: (place: VersionPlace) => boolean): Promise<void>
  /** Pids of all worker processes. */
  pids(): number[]
}

type Pool = {
  place: VersionPlace
  /** With the walls around it. */
  command: readonly [string, ...string[]]
  workers: Set<WorkerProcess>
  /** They get no run any more, and are ended when they have none. */
  draining: Set<WorkerProcess>
  /** Runs that wait for a worker. */
  queue: Assignment[]
  failureCount: number
  problem: string | undefined
  isRestartDue: boolean
  /** Its workers are ended, and no others come in their place. */
  isRetired: boolean
  /** When it last had something to do, on the process's clock. */
  usedAtMs: number
}

/** Workers that each execute one suspect run. More wait. */
const soloMax = 2
const startFailuresMax = 3
/** A run for which there was no worker goes back after this long, so that it does not come round at full speed. */
const retryAfterMs = 1_000
const idleMsMax = 30_000
const balanceEveryMs = 1_000

export function openWorkers(options: WorkersOptions): Workers {
  const { log, command, env, scaling, walls, silenceMsMax = 10_000, retireAfterMs = idleMsMax, spareMsMax = 600_000 } = options
  const pools = new Map<string, Promise<Pool | undefined>>()
  const byToken = new Map<string, WorkerProcess>()
  const owners = new Map<string, WorkerProcess>()
  const solos = new Map<string, WorkerProcess>()
  /** Those in `solos` and those being made. */
  let soloCount = 0
  let soloQueue: Assignment[] = []
  let isStopping = false
  let socketFolder = ''
  let clearFolder = async () => {}
  let server: Server | undefined
  const sockets = new WebSocketServer({ noServer: true, maxPayload: messageBytesMax, perMessageDeflate: false })

  const keyOf = (tenantId: string, agent: string, version: string) => `${tenantId}/${agent}/${version}`

  type Launched = Pick<Pool, 'place' | 'command'> & { isSpare?: boolean }
  function launch({ place, command: around, isSpare = false }: Launched, on: WorkerEvents): WorkerProcess {
    const worker: WorkerProcess = new WorkerProcess({
      command: around,
      isWalled: walls !== undefined,
      silenceMsMax,
      log: log.child({ agent: place.agent, ...(isSpare ? { isSpare } : { version: place.version }) }),
      env: { ...env, LONGHAUL_AGENT_FOLDER: place.folder, LONGHAUL_AGENT_DATA_DIR: place.dataDir, ...(isSpare && { LONGHAUL_WORKER_SPARE: '1' }) },
      url: `ws+unix://${join(socketFolder, socketName)}:/v1/worker`,
      onHello: on.onHello,
      onEnd(detail) {
        byToken.delete(worker.token)
        for (const [runId, owner] of owners) if (owner === worker) owners.delete(runId)
        on.onEnd(detail)
      },
    })
    byToken.set(worker.token, worker)
    return worker
  }

  const around = async (place: VersionPlace): Promise<Pool['command']> => (walls ? walls.around(place, socketFolder, command) : command)
  const spares = openSpares({
    log,
    folder: options.folder,
    linkPackages: options.linkPackages,
    keptMs: spareMsMax,
    launch: async (place, on) => launch({ place, command: await around(place), isSpare: true }, on),
  })

  function give(worker: WorkerProcess, assignment: Assignment, isAlone = false): void {
    if (assignment.isOver()) return
    owners.set(assignment.id, worker)
    worker.assign(assignment, isAlone)
  }

  function poolOf(tenantId: string, agent: string, version: string, known?: VersionPlace): Promise<Pool | undefined> {
    const key = keyOf(tenantId, agent, version)
    let pool = pools.get(key)
    if (!pool) {
      pool = Promise.resolve(known ?? options.findVersion(tenantId, agent, version)).then(
        async (place) =>
          place && {
            place,
            command: await around(place),
            workers: new Set(),
            draining: new Set(),
            queue: [],
            failureCount: 0,
            problem: undefined,
            isRestartDue: false,
            isRetired: false,
            usedAtMs: monotonicMs(),
          },
      )
      pools.set(key, pool)
      void pool.then(
        (found) => found ?? pools.delete(key),
        () => pools.delete(key),
      )
    }
    return pool
  }

  /** As many workers as `scaling` says. `isWanted`: the version is to be loaded though no run waits. */
  function fill(pool: Pool, isWanted = pool.queue.length > 0): void {
    if (isStopping || pool.isRestartDue || pool.isRetired || pool.problem !== undefined) return
    const { add, drain, end } = planWorkers([...pool.workers], isWanted, scaling)
    for (const worker of end) worker.kill(tooLarge(worker))
    for (const worker of drain) {
      pool.workers.delete(worker)
      pool.draining.add(worker)
      log.info('worker is drained', { ...nameOf(pool), pid: worker.pid, memoryBytes: worker.memoryBytes, runs: worker.runCount })
    }
    for (let i = 0; i < add; i++) startWorker(pool)
    if (pool.workers.size > 1 && add > 0) log.info('worker added', { ...nameOf(pool), workers: pool.workers.size })
  }

  const nameOf = ({ place }: Pool) => ({ agent: place.agent, version: place.version })

  const notStarting = ({ place }: Pool, detail: string) =>
    `The worker of ${place.agent} does not start: ${detail.replace(/\.$/, '')}. What runs when the agent's files are loaded must neither end the process nor need what a worker does not have. Mend it and deploy again.`

  function startWorker(pool: Pool): void {
    let isReady = false
    const on: WorkerEvents = {
      onHello(hello) {
        options.onLoaded(pool.place, hello)
        if (hello.problem !== null) return giveUp(pool, hello.problem)
        isReady = true
        pool.failureCount = 0
        for (const assignment of pool.queue.splice(0)) assign(pool, assignment)
      },
      onEnd(detail) {
        if (pool.draining.delete(worker)) return
        pool.workers.delete(worker)
        if (isStopping || pool.isRetired || pool.problem !== undefined) return
        log.warn('worker ended', { ...nameOf(pool), pid: worker.pid, detail: detail.slice(0, 2_000) })
        if (!isReady && ++pool.failureCount >= startFailuresMax) return giveUp(pool, notStarting(pool, detail))
        restart(pool, isReady ? 0 : 300 * 2 ** pool.failureCount)
      },
    }
    const worker: WorkerProcess = spares.take(pool.place, on) ?? launch(pool, on)
    pool.workers.add(worker)
  }

  const tooLarge = ({ memoryBytes = 0 }: WorkerProcess) =>
    `it held ${Math.round(memoryBytes / 1e6)} MB of memory, and may hold ${Math.round(scaling.memoryBytesMax / 1e6)} (LONGHAUL_WORKER_MEMORY_MB)`

  /** Looks at what the workers do, and has as many as that takes. */
  async function balance(): Promise<void> {
    spares.balance()
    for (const worker of solos.values()) if ((worker.memoryBytes ?? 0) > scaling.memoryBytesMax * excess) worker.kill(tooLarge(worker))
    for (const opening of pools.values()) {
      const pool = await opening.catch(() => undefined) // Whoever wanted it has been told.
      if (!pool || pool.workers.size + pool.draining.size + pool.queue.length === 0) continue
      fill(pool)
      for (const worker of pool.draining) {
        if (worker.runCount === 0) void worker.stop()
        else if ((worker.memoryBytes ?? 0) > scaling.memoryBytesMax * excess) worker.kill(tooLarge(worker))
      }
    }
  }

  function restart(pool: Pool, ms: number): void {
    if (ms === 0) return fill(pool)
    pool.isRestartDue = true
    after(
      ms,
      () => {
        pool.isRestartDue = false
        fill(pool)
      },
      false,
    )
  }

  /** The version's code does not load. Its runs wait for an operator; the next one that comes tries again. */
  function giveUp(pool: Pool, problem: string): void {
    pool.problem = problem
    options.onLoaded(pool.place, { manifest: null, problem })
    for (const assignment of pool.queue.splice(0)) assignment.park(problem)
    for (const worker of pool.workers) worker.kill()
    pool.workers.clear()
    after(10_000, () => pools.delete(keyOf(pool.place.tenantId, pool.place.agent, pool.place.version)), false)
  }

  function assign(pool: Pool, assignment: Assignment): void {
    if (assignment.isOver()) return
    if (pool.problem !== undefined) return assignment.park(pool.problem)
    const ready = [...pool.workers].filter((worker) => worker.isReady)
    const least = ready.reduce<WorkerProcess | undefined>((best, worker) => (best && best.runCount <= worker.runCount ? best : worker), undefined)
    pool.usedAtMs = monotonicMs()
    if (least) return give(least, assignment)
    pool.queue.push(assignment)
    fill(pool)
  }

  async function executeAlone(assignment: Assignment): Promise<void> {
    if (soloCount >= soloMax) return void soloQueue.push(assignment)
    soloCount++
    const pool = await poolOf(assignment.tenantId, assignment.agent, assignment.version).catch((error: unknown) => {
      nextSolo()
      throw error
    })
    if (!pool || isStopping || assignment.isOver()) {
      nextSolo()
      if (pool) return assignment.handBack()
      return assignment.park(missingCode(assignment))
    }
    let isGiven = false
    const worker = launch(pool, {
      onHello(hello) {
        isGiven = true
        if (hello.problem === null) return give(worker, assignment, true)
        assignment.park(hello.problem)
        worker.kill()
      },
      onEnd(detail) {
        if (solos.get(assignment.id) === worker) solos.delete(assignment.id)
        if (!isGiven) assignment.interrupt('worker_lost', `The worker process is gone: ${detail}`, true)
        nextSolo()
      },
    })
    solos.set(assignment.id, worker)
  }

  const balancing = loop({ everyMs: balanceEveryMs, work: balance, onError: (error) => log.error('workers were not balanced', { error }) })

  const missingCode = ({ agent, version }: Assignment) => `The code of ${agent} version ${version} is not on this machine. Deploy it again, then retry the run.`

  function nextSolo(): void {
    soloCount--
    const next = isStopping ? undefined : soloQueue.shift()
    if (next) executeOrHandBack(next)
  }

  async function execute(assignment: Assignment): Promise<void> {
    if (isStopping) return assignment.handBack()
    if (assignment.isSuspect) return executeAlone(assignment)
    const { tenantId, agent, version } = assignment
    const pool = await poolOf(tenantId, agent, version)
    if (!pool) return assignment.park(missingCode(assignment))
    if (pool.isRetired) return execute(assignment) // Ended in this very moment; the next one is new.
    assign(pool, assignment)
  }

  function executeOrHandBack(assignment: Assignment): void {
    execute(assignment).catch((error: unknown) => {
      log.error('no worker for a run; it is tried again', { error, runId: assignment.id })
      after(retryAfterMs, () => assignment.handBack(), false)
    })
  }

  return {
    execute: executeOrHandBack,
    release(runId, isStopped = false) {
      const ended = owners.get(runId)?.release(runId, isStopped)
      owners.delete(runId)
      soloQueue = soloQueue.filter(({ id }) => id !== runId)
      solos.get(runId)?.kill()
      for (const pool of pools.values())
        void pool.then(
          (found) => found && (found.queue = found.queue.filter(({ id }) => id !== runId)),
          () => {},
        )
      return ended
    },
    warm: (place) =>
      void poolOf(place.tenantId, place.agent, place.version, place).then((pool) => pool && fill(pool, pool.workers.size === 0 || pool.queue.length > 0)),
    expect: spares.expect,
    async retire(isWanted) {
      for (const [key, opening] of pools) {
        const pool = await opening.catch(() => undefined) // It could not be opened: whoever wanted it has been told.
        if (!pool || isWanted(pool.place)) continue
        const isBusy = pool.queue.length > 0 || [...pool.workers, ...pool.draining].some((worker) => worker.runCount > 0)
        if (isBusy) pool.usedAtMs = monotonicMs()
        if (isBusy || monotonicMs() - pool.usedAtMs < retireAfterMs) continue
        pools.delete(key)
        const workers = [...pool.workers, ...pool.draining]
        pool.workers.clear()
        pool.isRetired = true
        await Promise.all(workers.map((worker) => worker.stop()))
        log.info('workers of a version that is not in use were ended', { agent: pool.place.agent, version: pool.place.version, count: workers.length })
      }
    },
    pids: () => [...byToken.values()].flatMap(({ pid }) => pid ?? []),
    async start() {
      ;({ socketFolder, clear: clearFolder } = await openRunFolder(options.folder))
      server = createServer((_, response) => response.writeHead(404).end())
      server.on('upgrade', (request, socket, head) => {
        socket.on('error', () => socket.destroy()) // A worker that ends while it connects must not take the server with it.
        const worker = byToken.get(request.headers.authorization?.replace(/^Bearer /, '') ?? '')
        if (!worker || request.url !== '/v1/worker') return socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n')
        sockets.handleUpgrade(request, socket, head, (connection) => worker.connect(connection))
      })
      await new Promise<void>((resolve) => server?.listen(join(socketFolder, socketName), resolve))
      await balancing.start()
    },
    async stop() {
      isStopping = true
      spares.stop()
      await balancing.stop()
      await Promise.all([...byToken.values()].map((worker) => worker.stop()))
      server?.close()
      server?.closeAllConnections()
      await clearFolder()
    },
  }
}
