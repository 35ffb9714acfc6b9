import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { sandboxDrivers } from '@longhaul/protocol'
import { AppError, type Log } from '../kernel/index.ts'
import { bwrapDriver } from './drivers/bwrap/bwrap.ts'
import { type DockerSettings, dockerDriver } from './drivers/docker/docker.ts'
import { gvisorDriver } from './drivers/gvisor/gvisor.ts'
import { type KubernetesSettings, kubernetesDriver } from './drivers/kubernetes/kubernetes.ts'
import { type E2bSettings, e2bService } from './drivers/remote/e2b.ts'
import { remoteDriver } from './drivers/remote/remote.ts'
import { type VercelSettings, vercelService } from './drivers/remote/vercel.ts'
import { virtualDriver } from './drivers/virtual/virtual.ts'
import {
  type Capabilities,
  type CreateOptions,
  type DataMount,
  type Gap,
  type OpenImage,
  type Sandbox,
  type SandboxDriver,
  type SandboxLimits,
  gaps,
} from './driver.ts'
import { failure } from './failures.ts'
import { type OwnerPolicies, type PoliciesOf, type SandboxOwner, type Wish, chooseDriverFor } from './policy.ts'
import { type Root, claimRoot } from './root.ts'

export type DriverName = (typeof sandboxDrivers)[number]

export type SandboxesOptions = {
  /** What is taken where nobody says otherwise. `auto`: bubblewrap where it works, the virtual shell elsewhere. */
  driver: 'auto' | DriverName
  /** What is offered beside it. One that cannot work here is an error. */
  others?: readonly DriverName[]
  /** What operators allow whose sandboxes. Absent: everything, for a server that is one owner's. */
  policiesOf?: PoliciesOf
  /** Folder for everything that sandboxes keep. One server at a time. */
  root: string
  log: Log
  /** A sandbox without a request for so long gives its processes back. */
  idleMs?: number
  /** Sandboxes of each driver that are started ahead of time, where it has processes to start. */
  poolSize?: number
  /** Limits that this host need not enforce. Anything else that it cannot is an error. */
  accept?: readonly Gap[]
  /** Whether `bwrap` may have this host's kernel favour moves of processes between control groups, where that costs others nothing to speak of. */
  favoursMoves?: boolean
  /** The root of sandboxes that are given no image, in place of this host's programs. An error where no driver takes one. */
  ownRoot?: OpenImage | undefined
  /** Where the engine of the driver `docker` is, and what it is to run. */
  docker?: DockerSettings
  /** Where the cluster of the driver `kubernetes` is, and what its pods are made of. */
  kubernetes?: KubernetesSettings
  /** Accounts of hosted services. Absent: there is none. */
  vercel?: VercelSettings | undefined
  e2b?: E2bSettings | undefined
}

/** What a new workspace begins with: called before there is one, and what it returns lays it out. A workspace is whole or begun anew. */
export type Fill = () => Promise<(sandbox: Sandbox) => Promise<void>>

export type OpenOptions = {
  owner: SandboxOwner
  /** Folder whose content a workspace that is new begins with. */
  seed?: string | undefined
  limits?: Partial<SandboxLimits> | undefined
  fill?: Fill | undefined
  /** Folders of the host's, shown inside read-only. The same for every `open` of one id. */
  mounts?: readonly DataMount[] | undefined
  /** Its root, in place of the operator's or of this host's programs. The same for every `open` of one id. */
  image?: OpenImage | undefined
} & Wish

/** All sandboxes of one server. */
export type Sandboxes = {
  /** Of the driver that is taken where nobody says otherwise. */
  readonly capabilities: Capabilities
  /** Of every driver that is offered, the default first. */
  readonly offers: readonly Capabilities[]
  /** Of limits that are asked for, those that nothing enforces in this driver. It stands in the record of each command. */
  notEnforcedIn(driver: string): string[]
  /** Names the folder that has the workspaces, as no other on any machine. */
  readonly home: string
  /** The driver that a sandbox of this owner's would run in. Throws `forbidden`, with the remedy, where none is allowed. */
  choose(owner: SandboxOwner, wish?: Wish): Promise<string>
  /**
   * The live sandbox of this id: created by the first caller, shared with the others. Where it may no longer run in the driver it lives in, it is
   * stopped and made anew in another, with the files that it has.
   */
  open(id: string, options: OpenOptions): Promise<Sandbox>
  /** Ends the sandbox of this id and deletes its workspace, live or not. */
  remove(id: string): Promise<void>
  /** Ends every process of every sandbox. Workspaces stay. */
  stop(): Promise<void>
}

/** Finds the drivers that work here, removes what an earlier server left, and throws when one that was asked for cannot be had. */
export async function openSandboxes(options: SandboxesOptions): Promise<Sandboxes> {
  const {
    driver: wanted,
    others = [],
    policiesOf,
    root: path,
    log,
    idleMs,
    poolSize,
    favoursMoves,
    accept = [],
    ownRoot,
    docker,
    kubernetes,
    vercel,
    e2b,
  } = options
  const root = claimRoot(path)
  const chosen: Chosen[] = []
  try {
    const given = { root, log, ...(idleMs !== undefined && { idleMs }), ...(poolSize !== undefined && { poolSize }) }
    const makers: Record<DriverName, () => SandboxDriver> = {
      bwrap: () => bwrapDriver({ ...given, favoursMoves, ownRoot }),
      gvisor: () => gvisorDriver(given),
      docker: () => dockerDriver({ ...given, ...docker }),
      kubernetes: () => kubernetesDriver({ ...given, ...needed('kubernetes', kubernetes) }),
      vercel: () => remoteDriver({ root, log, service: vercelService(needed('vercel', vercel)) }),
      e2b: () => remoteDriver({ root, log, service: e2bService(needed('e2b', e2b)) }),
      virtual: () => virtualDriver(given),
      js: () => virtualDriver({ ...given, name: 'js' }),
    }
    const make: Make = (name) => makers[name]()
    chosen.push(await chooseDriver(wanted, make, log, ownRoot !== undefined))
    for (const name of new Set(others)) if (!chosen.some(({ driver }) => driver.name === name)) chosen.push(await chooseDriver(name, make, log))
    if (ownRoot && !chosen.some(({ driver }) => driver.takesImages)) throw noRoot(chosen)
    for (const { capabilities } of chosen) {
      const refused = capabilities.gaps.filter((gap) => !accept.includes(gap))
      if (refused.length > 0) throw notAccepted(capabilities, refused)
    }
    for (const { driver } of chosen) await driver.sweep()
    for (const { driver } of chosen) driver.warm?.()
    return shareSandboxes(chosen, root, policiesOf)
  } catch (error) {
    for (const { driver } of chosen) await driver.stop()
    root.release()
    throw error
  }
}

/** Commands that one sandbox executes at once, fewer than a driver allows. More wait for their turn; their time-out begins with it. */
const commandsAtOnceMax = 7

function inTurn(exec: Sandbox['exec']): Sandbox['exec'] {
  const waiting: (() => void)[] = []
  let count = 0
  return async (request, options) => {
    if (count >= commandsAtOnceMax) await new Promise<void>((resolve) => waiting.push(resolve))
    else count++
    try {
      return await exec(request, options)
    } finally {
      const next = waiting.shift() // Whoever is next takes over the place.
      if (next) next()
      else count--
    }
  }
}

export type Chosen = { driver: SandboxDriver; capabilities: Capabilities }
function needed<Settings>(name: DriverName, settings: Settings | undefined): Settings {
  if (settings === undefined)
    throw new AppError('unavailable', `The sandbox driver ${name} needs LONGHAUL_SANDBOX_${name.toUpperCase()}_…, which this server was not given.`)
  return settings
}

type Make = (name: DriverName) => SandboxDriver

/** The driver that works here. Only `auto` may end with another than the one that was wanted first, and not where only that one does what was asked for. */
export async function chooseDriver(wanted: SandboxesOptions['driver'], make: Make, log: Log, isFirstNeeded = false): Promise<Chosen> {
  const first = await tryDriver(make(wanted === 'auto' ? 'bwrap' : wanted))
  if (first.capabilities.isUsable) return first
  await first.driver.stop()
  const why = first.capabilities.missing
  if (wanted !== 'auto' || isFirstNeeded) throw unavailable(first.driver.name, why)
  const fallback = await tryDriver(make('virtual'))
  if (!fallback.capabilities.isUsable) {
    await fallback.driver.stop()
    throw unavailable('virtual', fallback.capabilities.missing)
  }
  log.warn('no real sandbox on this host; commands run in the virtual shell', { missing: why })
  return { driver: fallback.driver, capabilities: { ...fallback.capabilities, missing: [...why, ...fallback.capabilities.missing] } }
}

const tryDriver = async (driver: SandboxDriver): Promise<Chosen> => ({ driver, capabilities: await driver.probe() })

function unavailable(name: string, missing: Capabilities['missing']): AppError {
  const list = missing.map(({ what, remedy }) => `  ${what}\n    → ${remedy}`).join('\n')
  return new AppError('unavailable', `The sandbox driver ${name} cannot work here. Missing:\n${list}`)
}

const noRoot = (chosen: readonly Chosen[]): AppError =>
  new AppError(
    'unavailable',
    `LONGHAUL_SANDBOX_ROOT is set, and no sandbox here can have it: only the driver bwrap takes it, and this server offers ${chosen.map(({ driver }) => driver.name).join(', ')}. Set LONGHAUL_SANDBOX_DRIVER=bwrap, or do without the setting.`,
  )

function notAccepted({ driver, missing }: Capabilities, refused: readonly Gap[]): AppError {
  const list = missing.map(({ what, remedy }) => `  ${what}\n    → ${remedy}`).join('\n')
  return new AppError(
    'unavailable',
    `The sandbox driver ${driver} cannot enforce here: ${refused.map((gap) => gaps[gap]).join(', ')}. Do without by naming it in LONGHAUL_SANDBOX_ACCEPT (${refused.join(',')}), or close the gap:\n${list}`,
  )
}

const everything: OwnerPolicies = { tenant: {}, namespace: {}, sharesKernel: true }

/** One sandbox for each id, however many ask for it. The first of `chosen` is the default. */
export function shareSandboxes(
  chosen: readonly Chosen[],
  root: Pick<Root, 'home' | 'release' | 'folderOf'>,
  policiesOf: PoliciesOf = async () => everything,
): Sandboxes {
  const [first] = chosen
  if (!first) throw new Error('No driver was chosen.')
  const offers = chosen.map(({ capabilities }) => capabilities)
  const of = (name: string): Chosen => chosen.find(({ driver }) => driver.name === name) ?? first
  const notEnforcedIn = (name: string) => of(name).capabilities.gaps.map((gap) => gaps[gap])
  const told = ({ driver, exec, lacks = [] }: Sandbox): Sandbox['exec'] => {
    const all = [...notEnforcedIn(driver), ...lacks.map((gap) => gaps[gap])]
    return all.length === 0 ? exec : async (request, options) => ({ ...(await exec(request, options)), notEnforced: all })
  }
  const open = new Map<string, { driver: string; sandbox: Promise<Sandbox> }>()
  let isStopped = false

  const choose = async (owner: SandboxOwner, wish: Wish = {}) => chooseDriverFor(owner, offers, await policiesOf(owner), wish)

  async function create(driver: SandboxDriver, options: CreateOptions, fill: Fill | undefined): Promise<Sandbox> {
    if (options.mounts && !driver.mountsFolders)
      throw failure(
        'not_permitted',
        `The sandbox driver ${driver.name} cannot show folders of this server’s machine. Give the tenant one that can (bwrap, gvisor), or take the folders out of the agent’s sandbox.`,
      )
    if (options.image && !driver.takesImages)
      throw failure('not_permitted', `The sandbox driver ${driver.name} cannot run images. Give the tenant bwrap, or leave the image out.`)
    const marker = join(root.folderOf(options.id), 'filled')
    if (!fill || existsSync(marker)) return driver.create(options)
    const layOut = await fill()
    await driver.remove(options.id) // What an attempt left that did not come to its end.
    const sandbox = await driver.create(options)
    try {
      await layOut(sandbox)
      await writeFile(marker, '')
      return sandbox
    } catch (error) {
      await sandbox.destroy()
      throw error
    }
  }

  async function openOne(id: string, { owner, seed, limits, fill, mounts = [], image, ...wish }: OpenOptions): Promise<Sandbox> {
    const name = await choose(owner, { preferred: open.get(id)?.driver, ...wish })
    if (isStopped) throw new AppError('unavailable', 'The server is stopping.')
    const known = open.get(id)
    if (known?.driver === name) return known.sandbox
    const before = known?.sandbox.catch(() => undefined) // Whoever opened it was told why.
    const sandbox = Promise.resolve(before)
      .then((old) => old?.stop())
      .then(() =>
        create(
          of(name).driver,
          { id, ...(seed !== undefined && { seed }), ...(limits && { limits }), ...(mounts.length > 0 && { mounts }), ...(image && { image }) },
          fill,
        ),
      )
      .then((made) => ({
        ...made,
        exec: inTurn(told(made)),
        // Whoever asks for it after that gets a new one.
        stop: () => forget(id, sandbox, made.stop),
        destroy: () => forget(id, sandbox, made.destroy),
      }))
    open.set(id, { driver: name, sandbox })
    sandbox.catch(() => open.get(id)?.sandbox === sandbox && open.delete(id)) // The caller hears of it; the next one tries again.
    return sandbox
  }

  async function forget(id: string, sandbox: Promise<Sandbox>, end: () => Promise<void>): Promise<void> {
    await end()
    if (open.get(id)?.sandbox === sandbox) open.delete(id)
  }

  return {
    capabilities: first.capabilities,
    offers,
    notEnforcedIn,
    home: root.home,
    choose,
    open: openOne,
    async remove(id) {
      const known = await open.get(id)?.sandbox.catch(() => undefined) // Whoever opened it was told why.
      if (known) return known.destroy()
      for (const { driver } of chosen) await driver.remove(id)
    },
    async stop() {
      isStopped = true
      await Promise.allSettled([...open.values()].map(({ sandbox }) => sandbox))
      for (const { driver } of chosen) await driver.stop()
      root.release()
    },
  }
}
