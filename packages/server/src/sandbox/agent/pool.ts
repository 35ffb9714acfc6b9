import { join } from 'node:path'
import { after, newId } from '../../kernel/index.ts'
import type { OpenImage, SandboxLimits } from '../driver.ts'
import { poolPrefix } from '../paths.ts'
import { removeTree } from '../remove-tree.ts'
import { type LiveAgent, type Place, prepareWorkspace, startAgent } from './agent-life.ts'
import { runCommand } from './command.ts'
import type { AgentHost } from './host.ts'

/** Processes and an empty workspace that nobody has used yet. */
export type Warm = { place: Place; live: LiveAgent; user: number | undefined }

export type Pool = {
  /** A warm sandbox, still in a folder of the pool's, which the sweep after a crash deletes; undefined when there is none. Its place is filled a little later. */
  take(): Warm | undefined
  /** Starts what is missing, one after the other. Resolves when the pool is full or could not be filled. */
  fill(): Promise<void>
  /** Ends all of it and deletes its folders. */
  stop(): Promise<void>
}

export type PoolOptions = { host: AgentHost; size: number; limits: SandboxLimits; image?: OpenImage | undefined; onDropped(folder: string): void }

const warmUpMs = 10_000
/** Whoever took one has its processors for its first command: the next one is started after that. */
const refillDelayMs = 150

/** Sandboxes started ahead of time. Each has run one command, so that everything in its agent which is made at first use is made. */
export function createPool({ host, size, limits, image, onDropped }: PoolOptions): Pool {
  const ready = new Set<Warm>()
  let filling: Promise<void> | undefined
  let isStopped = false
  let cancelRefill: (() => void) | undefined

  async function makeOne(): Promise<void> {
    const place = { folder: join(host.root.path, `${poolPrefix}${newId()}`) }
    try {
      const { user } = await prepareWorkspace(host, place.folder, limits, undefined)
      const live = await startAgent(host, place, user, limits, { image })
      const warm = { place, live, user }
      await runCommand({ ...live, driver: host.driver, limits }, { cmd: 'true', args: [], timeoutMs: warmUpMs }, { signal: new AbortController().signal })
        .result
      ready.add(warm)
      void live.gone.finally(() => ready.delete(warm) && drop(place.folder))
    } catch (error) {
      await drop(place.folder)
      throw error
    }
  }

  async function drop(folder: string): Promise<void> {
    onDropped(folder)
    await removeTree(folder).catch((error: unknown) => host.log.warn('a folder of the pool was not deleted', { folder, error }))
  }

  function fill(): Promise<void> {
    filling ??= (async () => {
      while (!isStopped && ready.size < size) await makeOne()
    })()
      .catch((error: unknown) => host.log.warn('the pool of sandboxes could not be filled; new ones start cold', { error }))
      .finally(() => (filling = undefined))
    return filling
  }

  return {
    fill,
    take() {
      cancelRefill ??= after(
        refillDelayMs,
        () => {
          cancelRefill = undefined
          void fill()
        },
        false,
      )
      for (const warm of ready) {
        ready.delete(warm)
        if (!warm.live.isEnding()) return warm
      }
      return undefined
    },
    async stop() {
      isStopped = true
      cancelRefill?.()
      await filling
      const all = [...ready]
      ready.clear()
      await Promise.all(
        all.map(async ({ live, place }) => {
          live.kill('the server is stopping')
          await live.gone
          await drop(place.folder)
        }),
      )
    },
  }
}
