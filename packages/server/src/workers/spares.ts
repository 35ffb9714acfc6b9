/**
 * Workers that have started before there is anything for them to load: while somebody writes an agent, one waits for its next version. Within its
 * walls lies a folder that is empty until then.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Log, after, monotonicMs } from '../kernel/index.ts'
import type { Hello, WorkerProcess } from './worker-process.ts'
import type { VersionPlace } from './workers.ts'

/** What becomes of a worker. */
export type WorkerEvents = { onHello(hello: Hello): void; onEnd(detail: string): void }

export type SparesOptions = {
  log: Log
  /** Of the workers, swept at each start of the server. */
  folder: string
  /** Puts the packages into a folder that every uploaded version has. */
  linkPackages(folder: string): Promise<void>
  /** Starts a worker that waits to be told that its code is there. */
  launch(place: VersionPlace, on: WorkerEvents): Promise<WorkerProcess>
  keptMs: number
}

export type Spares = {
  /** Has one wait for the agent's next version, for `keptMs` from now. */
  expect(place: VersionPlace): void
  /** The agent's, which loads the version's code now. Undefined when there is none. */
  take(place: VersionPlace, on: WorkerEvents): WorkerProcess | undefined
  /** Ends those that waited long enough. */
  balance(): void
  stop(): void
}

/** `worker` is absent while it is being started. */
type Spare = { untilMs: number; worker?: { process: WorkerProcess; folder: string; on: WorkerEvents | undefined } }

/** At this server. The one that was wanted least recently gives way. */
const sparesMax = 4
/** The version that has just been loaded goes first. */
const startAfterMs = 200

export function openSpares({ log, folder: runFolder, linkPackages, launch, keptMs }: SparesOptions): Spares {
  const spares = new Map<string, Spare>()
  let isStopping = false
  const keyOf = ({ tenantId, agent }: VersionPlace) => `${tenantId}/${agent}`

  function end(key: string, { worker }: Spare): void {
    spares.delete(key)
    void worker?.process.stop()
  }

  async function start(key: string, spare: Spare, place: VersionPlace): Promise<void> {
    const folder = await mkdtemp(join(runFolder, 'spare-'))
    const clear = () => void rm(folder, { recursive: true, force: true }).catch((error: unknown) => log.warn('a folder was left behind', { folder, error }))
    try {
      await linkPackages(folder)
      const worker: NonNullable<Spare['worker']> = {
        folder,
        on: undefined,
        process: await launch(
          { ...place, folder },
          {
            onHello: (hello) => worker.on?.onHello(hello),
            onEnd(detail) {
              clear()
              if (spares.get(key) === spare) spares.delete(key)
              worker.on?.onEnd(detail)
            },
          },
        ),
      }
      spare.worker = worker
      if (isStopping || spares.get(key) !== spare) void worker.process.stop()
    } catch (error) {
      clear()
      throw error
    }
  }

  return {
    expect(place) {
      const key = keyOf(place)
      const untilMs = monotonicMs() + keptMs
      const found = spares.get(key)
      const spare: Spare = found ?? { untilMs }
      spare.untilMs = untilMs
      spares.delete(key)
      spares.set(key, spare) // The last in the map is the one that was wanted last.
      if (found) return
      for (const [oldest, given] of [...spares].slice(0, -sparesMax)) end(oldest, given)
      after(
        startAfterMs,
        () => {
          if (isStopping || spares.get(key) !== spare) return
          start(key, spare, place).catch((error: unknown) => {
            if (spares.get(key) === spare) spares.delete(key)
            log.warn('no worker waits for the next version', { agent: place.agent, error })
          })
        },
        false,
      )
    },
    take(place, on) {
      const key = keyOf(place)
      const { worker } = spares.get(key) ?? {}
      if (!worker) return undefined
      spares.delete(key)
      worker.on = on
      // Its packages are there already.
      cp(place.folder, worker.folder, { recursive: true, filter: (path) => path !== join(place.folder, 'node_modules') }).then(
        () => worker.process.load(),
        (error: unknown) => worker.process.kill(`its code could not be laid out: ${error instanceof Error ? error.message : String(error)}`),
      )
      return worker.process
    },
    balance() {
      for (const [key, spare] of spares) if (spare.untilMs < monotonicMs()) end(key, spare)
    },
    stop() {
      isStopping = true
      for (const [key, spare] of spares) end(key, spare)
    },
  }
}
