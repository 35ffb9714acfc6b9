import type { ExecRequest, ExecResult, FilesRequest, FilesResult } from '@longhaul/protocol'
import { join } from 'node:path'
import type { Duplex, Readable } from 'node:stream'
import { after, monotonicMs, StepFailure } from '../../kernel/index.ts'
import type { ExecOptions, Sandbox, SandboxLimits, SandboxStats, TreeStream, Trees } from '../driver.ts'
import { failure } from '../failures.ts'
import { commandsAtOnceMax } from '../limits.ts'
import { familyOf, memoryBytesOf } from '../processes.ts'
import { checkCommand, checkFiles } from '../requests.ts'
import { removeTree } from '../remove-tree.ts'
import { createTurns } from '../turns.ts'
import { type LiveAgent, type Place, type Shown, prepareWorkspace, startAgent } from './agent-life.ts'
import { memoryNote, type RunningCommand, runCommand } from './command.ts'
import { dial } from './dial.ts'
import type { AgentHost } from './host.ts'
import { type DiskHost, hasImage } from '../host/disk-image.ts'
import { type DiskUse, measureDisk, nextMeasureMs, passedLimit } from '../host/disk-watch.ts'
import { transferFiles } from './files.ts'
import { watch } from './watch.ts'
import { type TreePlace, copyDisk, copyTree, packTree, unpackTree } from './tree.ts'

export type AgentSandboxOptions = {
  host: AgentHost
  folder: string
  limits: SandboxLimits
  seed: string | undefined
  /** Shown inside whenever it is started. */
  shown: Shown
  idleMs: number
  onStopped(): void
  onDestroyed(): void
  /** From the pool: its processes run already, in a workspace that nobody has used. */
  warm?: { place: Place; live: LiveAgent; user: number | undefined }
}

/** What may be copied from, by what the outside has of it. */
const sources = new WeakMap<Trees, { place(): TreePlace; held(work: () => Promise<void>): Promise<void>; measure(): Promise<DiskUse> }>()

const memoryWatchMs = 50
/** What is deleted may take up so much of the host's disk before it is given back. */
const looseBytesMax = 8 * 1024 * 1024
/** The first look at the disk after a command began. */
const diskWatchMs = 250
/** Room for an archive's own bookkeeping. */
const archiveSlackBytes = 8 * 1024 * 1024
/** After the last command: late enough not to slow down a series of them. */
const settleMs = 500

/**
 * A sandbox whose processes come and go while its workspace stays: they are started for the first request, ended
 * after `idleMs` without one, and started anew after whatever death.
 */
export async function createAgentSandbox({ host, folder, limits, seed, shown, idleMs, onStopped, onDestroyed, warm }: AgentSandboxOptions): Promise<Sandbox> {
  const { isNew, user } = warm ? { isNew: true, user: warm.user } : await prepareWorkspace(host, folder, limits, seed)
  const place = warm?.place ?? { folder }
  /** The kernel holds the limits of bytes and files; nobody needs to look. */
  const disk = (await hasImage(folder)) ? host.disks : undefined
  const workspace = join(folder, 'workspace')
  const turns = createTurns(commandsAtOnceMax)
  const running = new Set<RunningCommand>()
  let starting: Promise<LiveAgent> | undefined
  let current: LiveAgent | undefined
  let isStopped = false
  let busyCount = 0
  let cancelIdle = () => {}
  /** What still goes on after the last command: it must not outlast the folder. */
  let resting: Promise<void> = Promise.resolve()
  let isMeasureDue = false
  let isWatchingDisk = false
  let isWatchingMemory = false
  let diskUse: DiskUse | undefined = isNew ? { bytes: 0, files: 0 } : undefined
  /** Of the host's disk beyond what is used, after the last look: the file system's own. */
  let ownBytes = 0

  let egressEnv: Record<string, string> | undefined
  /** While an archive of a sandbox that rests is made, nothing starts in it. */
  let halt: Promise<unknown> | undefined

  let root: Sandbox['root']
  const adopt = (live: LiveAgent): LiveAgent => {
    current = live
    root = live.image
    if (isStopped) live.kill('the sandbox was stopped')
    void live.gone.finally(() => {
      if (current === live) current = starting = undefined
    })
    return live
  }
  if (warm) starting = Promise.resolve(adopt(warm.live))

  function agent(): Promise<LiveAgent> {
    if (isStopped) return Promise.reject(failure('sandbox_unavailable', 'The sandbox was stopped.'))
    starting ??= startAgent(host, place, user, limits, shown).then(adopt, (error: unknown) => {
      starting = undefined
      throw error
    })
    return starting
  }

  /** Runs `work` on a live agent and keeps it alive meanwhile. An agent that is just dying is waited for and replaced. */
  async function withAgent<Result>(work: (live: LiveAgent) => Promise<Result>): Promise<Result> {
    cancelIdle()
    busyCount++
    try {
      while (halt) await halt
      let live = await agent()
      while (live.isEnding()) {
        await live.gone
        while (halt) await halt
        live = await agent()
      }
      return await work(live)
    } finally {
      busyCount--
      if (busyCount === 0) rest()
    }
  }

  /** Nothing is asked of it for the moment: first the books are brought up to date, later the processes are given back. */
  function rest(): void {
    if (isStopped) return
    const cancelSettle = after(settleMs, () => (resting = settle()), false)
    const cancelEnd = after(idleMs, () => current?.kill('it was idle'), false)
    cancelIdle = () => {
      cancelSettle()
      cancelEnd()
    }
  }

  async function settle(): Promise<void> {
    await host.root.touch(folder).catch((error: unknown) => host.log.warn('a workspace could not be marked as used', { folder, error }))
    if (!isMeasureDue) return
    const use = await measure().catch(() => undefined) // The next command's watch measures again.
    if (disk && use)
      await giveBack(disk, use).catch((error: unknown) => host.log.warn('what was deleted in a workspace did not go back to the host', { folder, error }))
  }

  async function giveBack(disk: DiskHost, { bytes }: DiskUse): Promise<void> {
    if ((await disk.hostBytes(folder)) - bytes <= ownBytes + looseBytesMax) return
    await disk.trim(folder)
    ownBytes = (await disk.hostBytes(folder)) - bytes
  }

  async function exec(given: ExecRequest, options: ExecOptions): Promise<ExecResult> {
    checkCommand(given)
    const request = egressEnv ? { ...given, env: { ...egressEnv, ...given.env } } : given
    const release = await turns.take(options.signal)
    try {
      const attempt = () =>
        withAgent((live) => watched(live, (each) => runCommand({ ...each, driver: host.driver, hasEgress: egressEnv !== undefined }, request, options)))
      return await attempt().catch((error: unknown) => {
        // The agent died before the command began: it did not run, so it may run once more.
        if (error instanceof StepFailure && error.failure.code === 'sandbox_lost') return attempt()
        throw error
      })
    } finally {
      release()
    }
  }

  async function watched(live: LiveAgent, start: (host: LiveAgent & { limits: SandboxLimits }) => RunningCommand): Promise<ExecResult> {
    const command = start({ ...live, limits })
    running.add(command)
    isMeasureDue = true
    if (!disk) watchDisk(live)
    if (!host.cgroups.limits.memory && !host.isMemoryHeld && !isWatchingMemory) watchMemory(live)
    try {
      return await command.result
    } finally {
      running.delete(command)
    }
  }

  const endAll = (note: string) => {
    for (const command of running) command.end(note)
  }

  /** Looks again and again while commands run. One look at a time, whoever started it. */
  function watchDisk(live: LiveAgent): void {
    if (isWatchingDisk) return
    isWatchingDisk = true
    const look = async () => {
      if (running.size === 0) return void (isWatchingDisk = false)
      const startedMs = monotonicMs()
      const before = diskUse
      const now = await measure()
      const note = passedLimit(before, now, limits)
      if (note) {
        endAll(note)
        diskUse = undefined // They write until they are gone: what the next command finds is where it starts from.
      }
      wait(nextMeasureMs(startedMs))
    }
    const wait = (ms: number) =>
      after(
        ms,
        () =>
          void look().catch((error: unknown) => {
            // A limit that cannot be watched is not a limit.
            isWatchingDisk = false
            host.log.error('the disk use of a sandbox cannot be measured', { folder, error })
            live.kill('its disk use could not be measured')
          }),
        false,
      )
    wait(diskWatchMs)
  }

  async function measure(): Promise<DiskUse> {
    const now = disk ? await disk.measure(folder, current?.outer.pid) : await measureFolder()
    diskUse = now
    isMeasureDue = false
    return now
  }

  function measureFolder(): Promise<DiskUse> {
    return measureDisk(host.runtime.tools, workspace, async () => {
      const live = await agent()
      await runCommand(
        { ...live, driver: host.driver, limits },
        { cmd: 'chmod', args: ['-R', 'u+rwX', '/workspace'], timeoutMs: 10_000 },
        { signal: new AbortController().signal },
      ).result
    })
  }

  /** Where no memory group holds a sandbox, its processes are added up twenty times a second. */
  function watchMemory(live: LiveAgent): void {
    isWatchingMemory = running.size > 0
    if (!isWatchingMemory) return
    if (memoryBytesOf(familyOf(live.outer.pid)) > limits.memoryBytesMax) endAll(memoryNote(limits))
    after(memoryWatchMs, () => watchMemory(live), false)
  }

  async function files(request: FilesRequest): Promise<FilesResult> {
    const checked = checkFiles(request)
    if (checked.action === 'write') {
      diskUse ??= await measure()
      if (diskUse.bytes + checked.bytes > limits.diskBytesMax || diskUse.files + checked.files.length > limits.fileCountMax) {
        throw failure(
          'over_limit',
          `The workspace may hold ${limits.diskBytesMax} bytes in ${limits.fileCountMax} files; there is no room for these. Delete files first.`,
        )
      }
    }
    return withAgent((live) => transferFiles(live, checked))
  }

  const treePlace = () => ({ host, folder: place.folder, user, limits, outer: current?.outer.pid })

  async function pack(path: string, isFrozen: boolean): Promise<TreeStream> {
    if (isStopped) throw failure('sandbox_unavailable', 'The sandbox was stopped.')
    await starting?.catch(() => {}) // It is told by whoever needs it. A copied disk is given to this sandbox's user at its first start.
    if (!isFrozen) return packTree(treePlace(), path)
    const packing = Promise.withResolvers<TreeStream>()
    held(async () => {
      const tree = await packTree(treePlace(), path)
      packing.resolve(tree)
      await tree.done.catch(() => {}) // Whoever reads the archive hears of it.
    }).catch(packing.reject)
    return packing.promise
  }

  /** Does `work` while nothing in the sandbox moves, and nothing starts in one that rests. */
  async function held(work: () => Promise<void>): Promise<void> {
    await starting?.catch(() => {}) // As above.
    return current ? current.frozen(work) : halted(work)
  }

  async function halted(work: () => Promise<void>): Promise<void> {
    const working = work()
    const over = working.catch(() => {}) // Our caller hears of it; whoever waits for the halt to end does not.
    halt = over
    try {
      await working
    } finally {
      if (halt === over) halt = undefined
    }
  }

  async function unpack(path: string, archive: Readable): Promise<void> {
    if (isStopped) throw failure('sandbox_unavailable', 'The sandbox was stopped.')
    await starting?.catch(() => {}) // As above.
    diskUse ??= await measure()
    const roomBytes = limits.diskBytesMax - diskUse.bytes
    try {
      // An archive has half a kilobyte more for each file than what it makes.
      await unpackTree(treePlace(), path, archive, Math.max(0, roomBytes) * 1.05 + archiveSlackBytes)
    } finally {
      diskUse = undefined
    }
    assertWithinLimits(await measure())
  }

  async function copyFrom(source: Trees): Promise<void> {
    if (isStopped) throw failure('sandbox_unavailable', 'The sandbox was stopped.')
    const from = sources.get(source)
    if (from?.place().host !== host) throw failure('invalid', 'A workspace is copied between sandboxes of one driver.')
    assertWithinLimits(await from.measure())
    let isWhole = false
    await from.held(async () => {
      isWhole = await copyDisk(from.place(), treePlace())
      if (!isWhole) await copyTree(from.place(), treePlace())
    })
    if (isWhole) return takeDisk()
    assertWithinLimits(await measure())
  }

  /** Goes on with the disk that was copied for it, which has the same limits: its processes end, and start anew while whoever asked goes on. */
  async function takeDisk(): Promise<void> {
    await halted(async () => {
      const live = await starting?.catch(() => undefined) // It did not start: nothing to end.
      live?.kill('its workspace became a copy of another')
      await live?.gone
      await disk?.exchange(folder)
      diskUse = undefined
    })
    withAgent(async () => {}).catch(() => {}) // Whoever asks next is told.
  }

  function assertWithinLimits(now: DiskUse): void {
    if (now.bytes > limits.diskBytesMax || now.files > limits.fileCountMax)
      throw failure(
        'over_limit',
        `The workspace may hold ${limits.diskBytesMax} bytes in ${limits.fileCountMax} files; this makes ${now.bytes} in ${now.files}.`,
      )
  }

  /** The sandbox is in use, and does not rest, while a connection to it is open. */
  function connect(port: number): Promise<Duplex> {
    const opened = Promise.withResolvers<Duplex>()
    withAgent(async ({ client }) => {
      const duplex = await dial(client, port)
      opened.resolve(duplex)
      await new Promise<void>((resolve) => duplex.once('close', resolve))
    }).catch(opened.reject)
    return opened.promise
  }

  async function stats(): Promise<SandboxStats> {
    const live = current
    const { bytes, files: fileCount } = await measure()
    const used = await live?.usage()
    const pids = live && used?.processCount === undefined ? familyOf(live.outer.pid) : []
    return {
      isRunning: live !== undefined,
      memoryBytes: live ? (used?.memoryBytes ?? memoryBytesOf(pids)) : 0,
      cpuMs: used?.cpuMs,
      processCount: live ? (used?.processCount ?? pids.length) : 0,
      diskBytes: bytes,
      fileCount,
    }
  }

  async function stop(): Promise<void> {
    isStopped = true
    cancelIdle()
    const live = await starting?.catch(() => undefined) // It did not start: nothing to end.
    live?.kill('the sandbox was stopped')
    await live?.gone
    await resting
    onStopped()
  }

  await withAgent(async () => {})
  const trees: Trees = { pack, unpack, copyFrom }
  sources.set(trees, { place: treePlace, held, measure })
  return {
    driver: host.driver,
    root,
    ...(!disk && host.disks && { lacks: ['disk' as const] }),
    exec,
    files,
    stats,
    connect,
    watch: (path, options) => withAgent(({ client }) => watch(client, path, options)),
    trees,
    egress: { folder: join(place.folder, 'egress'), open: (env) => (egressEnv = env), close: () => (egressEnv = undefined) },
    stop,
    async destroy() {
      await stop()
      await removeTree(folder)
      onDestroyed()
    },
  }
}
