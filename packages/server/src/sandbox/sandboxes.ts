import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, type Log } from '../kernel/index.ts'
import { bwrapDriver } from './drivers/bwrap/bwrap.ts'
import { gvisorDriver } from './drivers/gvisor/gvisor.ts'
import { virtualDriver } from './drivers/virtual/virtual.ts'
import { type Capabilities, type CreateOptions, type Gap, type Sandbox, type SandboxDriver, type SandboxLimits, gaps } from './driver.ts'
import { type Root, claimRoot } from './root.ts'

export type SandboxesOptions = {
  /** `auto`: bubblewrap where it works, the virtual shell elsewhere. */
  driver: 'auto' | 'bwrap' | 'gvisor' | 'virtual'
  /** Folder for everything that sandboxes keep. One server at a time. */
  root: string
  log: Log
  /** A sandbox without a request for so long gives its processes back. */
  idleMs?: number
  /** Sandboxes that are started ahead of time, where the driver has processes to start. */
  poolSize?: number
  /** Limits that this host need not enforce. Anything else that it cannot is an error. */
  accept?: readonly Gap[]
}

/** What a new workspace begins with: called before there is one, and what it returns lays it out. A workspace is whole or begun anew. */
export type Fill = () => Promise<(sandbox: Sandbox) => Promise<void>>

/** All sandboxes of one server. */
export type Sandboxes = {
  readonly capabilities: Capabilities
  /** Of limits that are asked for, those that nothing enforces here. It stands in the record of each command. */
  readonly notEnforced: string[]
  /** Names the folder that has the workspaces, as no other on any machine. */
  readonly home: string
  /** The live sandbox of this id: created by the first caller, shared with the others. `seed` fills a workspace that is new. */
  open(id: string, seed?: string, limits?: Partial<SandboxLimits>, fill?: Fill): Promise<Sandbox>
  /** Ends the sandbox of this id and deletes its workspace, live or not. */
  remove(id: string): Promise<void>
  /** Ends every process of every sandbox. Workspaces stay. */
  stop(): Promise<void>
}

/** Finds the driver that works here, removes what an earlier server left, and throws when the one that was asked for cannot be had. */
export async function openSandboxes({ driver: wanted, root: path, log, idleMs, poolSize, accept = [] }: SandboxesOptions): Promise<Sandboxes> {
  const root = claimRoot(path)
  try {
    const options = { root, log, ...(idleMs !== undefined && { idleMs }) }
    const { driver, capabilities } = await chooseDriver(wanted, {
      bwrap: () => bwrapDriver({ ...options, ...(poolSize !== undefined && { poolSize }) }),
      gvisor: () => gvisorDriver(options),
      virtual: () => virtualDriver(options),
      log,
    })
    const refused = capabilities.gaps.filter((gap) => !accept.includes(gap))
    if (refused.length > 0) {
      await driver.stop()
      throw notAccepted(capabilities, refused)
    }
    return shareSandboxes(driver, capabilities, root)
  } catch (error) {
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

type Chosen = { driver: SandboxDriver; capabilities: Capabilities }

type Choice = { bwrap(): SandboxDriver; gvisor(): SandboxDriver; virtual(): SandboxDriver; log: Log }

/** The driver that works here, swept. Only `auto` may end with another than the one that was wanted first. */
export async function chooseDriver(wanted: SandboxesOptions['driver'], { bwrap, gvisor, virtual, log }: Choice): Promise<Chosen> {
  const tried = wanted === 'virtual' ? undefined : await tryDriver(wanted === 'gvisor' ? gvisor() : bwrap())
  if (tried?.capabilities.isUsable) return tried
  await tried?.driver.stop()
  const why = tried?.capabilities.missing ?? []
  if (wanted === 'bwrap' || wanted === 'gvisor') throw unavailable(wanted, why)
  const fallback = await tryDriver(virtual())
  if (!fallback.capabilities.isUsable) {
    await fallback.driver.stop()
    throw unavailable('virtual', fallback.capabilities.missing)
  }
  if (tried) log.warn('no real sandbox on this host; commands run in the virtual shell', { missing: why })
  return { driver: fallback.driver, capabilities: { ...fallback.capabilities, missing: [...why, ...fallback.capabilities.missing] } }
}

async function tryDriver(driver: SandboxDriver): Promise<Chosen> {
  const capabilities = await driver.probe()
  if (capabilities.isUsable) await driver.sweep()
  return { driver, capabilities }
}

function unavailable(name: string, missing: Capabilities['missing']): AppError {
  const list = missing.map(({ what, remedy }) => `  ${what}\n    → ${remedy}`).join('\n')
  return new AppError('unavailable', `The sandbox driver ${name} cannot work here. Missing:\n${list}`)
}

function notAccepted({ driver, missing }: Capabilities, refused: readonly Gap[]): AppError {
  const list = missing.map(({ what, remedy }) => `  ${what}\n    → ${remedy}`).join('\n')
  return new AppError(
    'unavailable',
    `The sandbox driver ${driver} cannot enforce here: ${refused.map((gap) => gaps[gap]).join(', ')}. Do without by naming it in LONGHAUL_SANDBOX_ACCEPT (${refused.join(',')}), or close the gap:\n${list}`,
  )
}

/** One sandbox for each id, however many ask for it. */
export function shareSandboxes(driver: SandboxDriver, capabilities: Capabilities, root: Pick<Root, 'home' | 'release' | 'folderOf'>): Sandboxes {
  const notEnforced = capabilities.gaps.map((gap) => gaps[gap])
  const told = ({ exec, lacks = [] }: Sandbox): Sandbox['exec'] => {
    const all = [...notEnforced, ...lacks.map((gap) => gaps[gap])]
    return all.length === 0 ? exec : async (request, options) => ({ ...(await exec(request, options)), notEnforced: all })
  }
  const open = new Map<string, Promise<Sandbox>>()
  let isStopped = false

  async function create(options: CreateOptions, fill: Fill | undefined): Promise<Sandbox> {
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

  function openOne(id: string, seed?: string, limits?: Partial<SandboxLimits>, fill?: Fill): Promise<Sandbox> {
    if (isStopped) return Promise.reject(new AppError('unavailable', 'The server is stopping.'))
    const known = open.get(id)
    if (known) return known
    const creating = create({ id, ...(seed !== undefined && { seed }), ...(limits && { limits }) }, fill).then((sandbox) => ({
      ...sandbox,
      exec: inTurn(told(sandbox)),
      // Whoever asks for it after that gets a new one.
      stop: () => forget(id, creating, sandbox.stop),
      destroy: () => forget(id, creating, sandbox.destroy),
    }))
    open.set(id, creating)
    creating.catch(() => open.delete(id)) // The caller hears of it; the next one tries again.
    return creating
  }

  async function forget(id: string, sandbox: Promise<Sandbox>, end: () => Promise<void>): Promise<void> {
    await end()
    if (open.get(id) === sandbox) open.delete(id)
  }

  return {
    capabilities,
    notEnforced,
    home: root.home,
    open: openOne,
    async remove(id) {
      const known = await open.get(id)?.catch(() => undefined) // Whoever opened it was told why.
      await (known ? known.destroy() : driver.remove(id))
    },
    async stop() {
      isStopped = true
      await Promise.allSettled(open.values())
      await driver.stop()
      root.release()
    },
  }
}
