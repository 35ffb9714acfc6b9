import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, rename, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { withTimeout } from '../../kernel/index.ts'
import type { DataMount, ImageRoot, OpenImage, SandboxLimits } from '../driver.ts'
import { failure } from '../failures.ts'
import { commandsAtOnceMax } from '../limits.ts'
import type { ProcessIdentity } from '../processes.ts'
import { forgetProcess, recordProcess } from '../records.ts'
import { removeTree } from '../remove-tree.ts'
import { copySeed } from '../seed.ts'
import { type AgentClient, createAgentClient } from './agent-client.ts'
import type { SandboxCgroup } from '../host/cgroup.ts'
import { hastenMoves } from '../host/cgroup-host.ts'
import { type AttachedDisk, type DiskMount, forgetForeign, hasImage, isForeign, settleImage } from '../host/disk-image.ts'
import { type Freezer, createFreezer } from '../host/freezer.ts'
import type { AgentHost, LaunchOptions, Launched } from './host.ts'
import { makePipes } from '../host/runtime.ts'
import { type Spare, keepSpare } from './spare.ts'

/** One start of a sandbox: its processes and their agent, from launch to death. */
export type LiveAgent = {
  client: AgentClient
  cgroup: SandboxCgroup | undefined
  usage(): Promise<ReturnType<SandboxCgroup['usage']> | undefined>
  outer: ProcessIdentity
  spare: Spare
  /** Stops everything in it for as long as `work` takes. */
  frozen: Freezer
  /** Its root, where that is not this host's programs. */
  image: ImageRoot | undefined
  /** Ends it; `why` goes into the log and into the result of whatever was running. */
  kill(why: string): void
  whyEnded(): string | undefined
  /** True from the moment that it is known to end. */
  isEnding(): boolean
  /** Resolves when nothing of it is left, neither processes nor groups. */
  gone: Promise<void>
}

const readyWithinMs = 15_000
let startCount = 0

/** The workspace's folder, seeded when it is new. Returns whether it is new and whose it is. */
export async function prepareWorkspace(
  host: AgentHost,
  folder: string,
  limits: SandboxLimits,
  seed: string | undefined,
): Promise<{ isNew: boolean; user: number | undefined }> {
  await host.root.touch(folder)
  const workspace = join(folder, 'workspace')
  const isNew = !existsSync(workspace)
  // Both wait for programs; pipes that are there without a workspace harm nobody.
  await Promise.all([
    isNew ? makeWorkspace(host, folder, limits, seed) : host.disks && settleImage(folder),
    host.hasPipes && makePipes(host.runtime.tools, join(folder, 'pipes'), commandsAtOnceMax),
  ])
  await mkdir(join(folder, 'egress'), { recursive: true })
  await chmod(join(folder, 'egress'), 0o755) // Whatever the umask: whoever reaches the folder may use what lies in it.
  const { uid } = await stat(workspace)
  if (host.runtime.isRoot && uid === 0)
    throw failure('sandbox_unavailable', `The workspace ${workspace} belongs to root. Sandboxes never run as root; give it to another user or delete it.`)
  if (!host.runtime.isRoot && uid !== process.getuid?.())
    throw failure(
      'sandbox_unavailable',
      `The workspace ${workspace} belongs to user ${uid}: the server ran as root before. Run it as root again, or delete the workspace.`,
    )
  if (!host.runtime.isRoot) return { isNew, user: undefined }
  // The sandbox's user passes through; other users of this host do not.
  await chown(folder, 0, uid)
  await chmod(folder, 0o710)
  return { isNew, user: uid }
}

/** Complete or not there at all: a crash in the middle leaves a folder that the next attempt replaces. */
async function makeWorkspace(host: AgentHost, folder: string, limits: SandboxLimits, seed: string | undefined): Promise<void> {
  const making = join(folder, 'workspace.new')
  if (existsSync(making)) await removeTree(making)
  await mkdir(making, { mode: 0o700 })
  const user = host.newUser(basename(folder))
  if (seed !== undefined) {
    warnOfSkipped(host, seed, await copySeed(seed, making, user, limits))
  }
  if (user !== undefined && host.disks) {
    await host.disks.make(folder, limits, user, making)
    // What is left is a place to mount it on.
    if (seed !== undefined) {
      await removeTree(making)
      await mkdir(making, { mode: 0o700 })
    }
  }
  if (user !== undefined) await chown(making, user, user)
  await rename(making, join(folder, 'workspace'))
}

export type PlacedDisk = { mount: DiskMount; release(): Promise<void> }

/** The disk of a workspace that has one, for a launch. */
export async function placeDisk(host: AgentHost, folder: string): Promise<PlacedDisk | undefined> {
  if (!(await hasImage(folder))) return undefined
  if (!host.disks)
    throw failure(
      'sandbox_unavailable',
      `The workspace in ${folder} is a disk image, which the server cannot mount now: ${host.whyNoDisks}. Run it as before, or delete the workspace.`,
    )
  const workspace = join(folder, 'workspace')
  const giveTo = (await isForeign(folder)) ? (await stat(workspace)).uid : undefined
  const disk: AttachedDisk = await host.disks.attach(folder)
  return { mount: { device: disk.device, path: host.runtime.seen(workspace), ...(giveTo !== undefined && { giveTo }) }, release: disk.release }
}

export function warnOfSkipped(host: AgentHost, seed: string, skipped: readonly string[]): void {
  if (skipped.length === 0) return
  host.log.warn('seed entries left out: they lead outside, or are not files', { seed, skipped: skipped.slice(0, 20), count: skipped.length })
}

/** Where a sandbox lies. Its folder is renamed once when it comes out of the pool. */
export type Place = { folder: string }
/** What is inside beside the workspace: folders of the host's, and another root than its programs. */
export type Shown = { mounts?: readonly DataMount[]; image?: OpenImage | undefined }

export async function startAgent(host: AgentHost, place: Place, user: number | undefined, limits: SandboxLimits, shown: Shown = {}): Promise<LiveAgent> {
  const release = await host.starts.take(new AbortController().signal)
  try {
    return await startHeld(host, place, user, limits, shown)
  } finally {
    release()
  }
}

/** The image stays here as long as anything runs in it. */
async function startHeld(host: AgentHost, place: Place, user: number | undefined, limits: SandboxLimits, { mounts = [], image }: Shown): Promise<LiveAgent> {
  const held = await image?.()
  const letGo = () => held?.release()
  try {
    if (held) await host.prepareForImages?.()
    const live = await start(host, place, user, limits, { mounts, image: held?.root })
    live.gone.then(letGo, letGo)
    return live
  } catch (error) {
    letGo()
    throw error
  }
}

type Laid = { mounts: readonly DataMount[]; image: ImageRoot | undefined }

async function start(host: AgentHost, place: Place, user: number | undefined, limits: SandboxLimits, { mounts, image }: Laid): Promise<LiveAgent> {
  const hastened = hastenMoves(host.cgroups) // The launcher's into its groups.
  const disk = await placeDisk(host, place.folder)
  const cgroup = host.createCgroup(`${basename(place.folder)}-${++startCount}`, limits)
  await hastened
  const asked: LaunchOptions = {
    folder: place.folder,
    user,
    joinFiles: cgroup?.joinFiles ?? [],
    limits,
    ...(disk && { disks: [disk.mount] }),
    mounts,
    ...(image && { image }),
    command: host.agentCommand(limits, image),
  }
  const launched = await host.launch(asked).catch(async (error: unknown) => {
    await disk?.release()
    await cgroup?.remove()
    throw notStarted(error)
  })
  // For the start after a crash: bubblewrap ends with its parent, but a stopped or half-started one may not.
  recordProcess(place.folder, launched.outer)
  const live = { ...(await waitForAgent(host, launched, launched.engine?.group ?? cgroup, disk, place)), image }
  void hastenMoves(host.cgroups) // The first command's.
  if (disk?.mount.giveTo !== undefined) await forgetForeign(place.folder)
  return live
}

async function waitForAgent(
  host: AgentHost,
  launched: Launched,
  cgroup: SandboxCgroup | undefined,
  disk: PlacedDisk | undefined,
  place: Place,
): Promise<Omit<LiveAgent, 'image'>> {
  let why: string | undefined
  let isEnding = false
  const kill = (reason: string) => {
    why ??= reason
    isEnding = true
    launched.kill()
  }
  let lastKills: number | undefined
  const gone = launched.exited.then(async () => {
    isEnding = true
    lastKills = cgroup?.memoryKills() // The group, and what it counted, is gone before whoever waits for a command can ask.
    await disk?.release()
    await cgroup?.remove()
    forgetProcess(place.folder)
  })
  const client = createAgentClient(launched, (error) => {
    host.log.warn('agent of a sandbox broke its protocol', { error })
    kill('its agent broke the protocol')
  })
  const spare = keepSpare(client, cgroup)
  gone.catch((error: unknown) => host.log.error('a sandbox could not be cleaned up', { error }))
  try {
    const withinMs = host.startsWithinMs ?? readyWithinMs
    await withTimeout(withinMs, client.ready, () => new Error(`it was not ready within ${withinMs} ms`))
  } catch (error) {
    kill('it did not start')
    await gone
    throw notStarted(error)
  }
  return {
    client,
    cgroup: cgroup && { ...cgroup, memoryKills: () => lastKills ?? cgroup.memoryKills() },
    usage: async () => (launched.engine ? launched.engine.usage() : cgroup?.usage()),
    spare,
    outer: launched.outer,
    frozen: createFreezer(cgroup, launched.outer),
    kill,
    whyEnded: () => why,
    isEnding: () => isEnding,
    gone,
  }
}

const notStarted = (cause: unknown): Error =>
  failure('sandbox_unavailable', `The sandbox did not start: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
