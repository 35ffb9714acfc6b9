import { accessSync, constants, existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { release } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { runProgram } from '../../kernel/index.ts'

/** One control group hierarchy in which this server may make groups of its own. */
export type Hierarchy = { version: 'v1' | 'v2'; base: string }

/**
 * What this host lets us do with control groups. `limits` has a hierarchy for each limit that can be enforced;
 * `kill` is where a command's processes are kept together so that all of them can be found and ended.
 */
export type CgroupHost = {
  version: 'v1' | 'v2' | 'none'
  limits: { memory?: Hierarchy; pids?: Hierarchy; cpu?: Hierarchy }
  kill?: Hierarchy
  /** Where the second version is mounted. */
  unified?: string
  /** The kernel favours moves of processes between groups. */
  isFast?: boolean
  /** Why something is missing, for the operator. */
  whyNot?: string
}

type Mount = { path: string; version: 'v1' | 'v2'; options: string[] }
/** Where a server whose group hands out controllers keeps itself. */
const serverLeaf = 'longhaul-server'
const wanted = ['memory', 'pids', 'cpu'] as const

/** `tag` names our groups, so that a later start finds what a killed server left. */
export function detectCgroups(tag: string): CgroupHost {
  const mounts = cgroupMounts()
  if (mounts.length === 0) return { version: 'none', limits: {}, whyNot: 'no control groups are mounted' }
  const unified = mounts.find((mount) => mount.version === 'v2')
  const problems: string[] = []

  if (unified && readControllers(unified.path).includes('memory')) {
    for (const parent of [unified.path, join(unified.path, ownPath())]) {
      const base = tryV2(parent, tag, problems)
      if (!base) continue
      const hierarchy: Hierarchy = { version: 'v2', base }
      const enabled = readWords(join(base, 'cgroup.subtree_control'))
      const limits = Object.fromEntries(wanted.filter((name) => enabled.includes(name)).map((name) => [name, hierarchy]))
      return { version: 'v2', limits, kill: hierarchy, unified: unified.path }
    }
    return { version: 'none', limits: {}, whyNot: problems.join('; ') }
  }

  const limits: CgroupHost['limits'] = {}
  for (const name of wanted) {
    const mount = mounts.find((each) => each.version === 'v1' && each.options.includes(name))
    const base = mount && tryMake(mount.path, tag, problems)
    if (base) limits[name] = { version: 'v1', base }
  }
  // On a hybrid host the second version has no controllers but can end a whole group at once; else the first version's groups must do.
  const killBase = unified && existsSync('/proc/self/ns/cgroup') ? tryMake(unified.path, tag, problems) : undefined
  const kill: Hierarchy | undefined = killBase && existsSync(join(killBase, 'cgroup.kill')) ? { version: 'v2', base: killBase } : limits.pids
  if (!limits.memory && !limits.pids && !kill) return { version: 'none', limits: {}, whyNot: problems.join('; ') || 'no usable controller' }
  return {
    version: 'v1',
    limits,
    ...(kill && { kill }),
    ...(unified && { unified: unified.path }),
    ...(problems.length > 0 && { whyNot: problems.join('; ') }),
  }
}

/**
 * Before the kernel moves a process to another group it waits for all that begin or end one, 5 to 13 ms here; where it favours moves (`favordynmods`, the
 * kernel's admin guide on control groups), 0.3. Others pay for that with their own beginnings and ends, but from Linux 6.18 on next to nothing: there the
 * whole host is set so, until it is started again.
 */
export async function favourMoves(host: CgroupHost, mount: string | undefined): Promise<CgroupHost> {
  const { unified } = host
  const areFavoured = () => cgroupMounts().some(({ options }) => options.includes('favordynmods'))
  if (unified !== undefined && mount !== undefined && !areFavoured() && isFrom(6, 18))
    await runProgram(mount, ['-o', 'remount,favordynmods', unified]).catch(() => {}) // It is not ours to set: moves wait, as without this.
  return { ...host, isFast: areFavoured() }
}

function isFrom(major: number, minor: number): boolean {
  const [first = 0, second = 0] = release().split('.').map(Number)
  return first > major || (first === major && second >= minor)
}

/**
 * Where moves are not favoured: none waits that comes soon after another. So this moves the server to the group where it is, while something else has to
 * be waited for: a move that comes within some 20 ms of it then takes no time.
 */
export async function hastenMoves({ unified, isFast = false }: CgroupHost): Promise<void> {
  if (unified === undefined || isFast) return
  await writeFile(join(unified, currentPath(), 'cgroup.procs'), String(process.pid)).catch(() => {}) // The next move waits, as without this.
}

/** Every folder in which this server keeps groups. */
export function basesOf(host: CgroupHost): string[] {
  return [...new Set([host.limits.memory, host.limits.pids, host.limits.cpu, host.kill].flatMap((each) => (each ? [each.base] : [])))]
}

/** Removes our own, by then empty, top groups. */
export function removeBases(host: CgroupHost): void {
  for (const base of basesOf(host)) {
    try {
      rmdirSync(base)
    } catch {
      // A server on the same folder may have started meanwhile; an empty group costs nothing.
    }
  }
}

/** A group below `parent` whose own groups may use the controllers, or undefined with the reason in `problems`. */
function tryV2(parent: string, tag: string, problems: string[]): string | undefined {
  const base = tryMake(parent, tag, problems)
  if (!base) return undefined
  const available = wanted.filter((name) => readControllers(parent).includes(name))
  try {
    enable(parent, available)
    enable(base, available)
    return base
  } catch (error) {
    problems.push(`controllers cannot be enabled in ${parent} (${code(error)})`)
    removeQuietly(base)
    return undefined
  }
}

/** A group with processes of its own cannot hand out controllers: they move to a leaf first, as systemd's delegation foresees. */
function enable(group: string, controllers: readonly string[]): void {
  const control = join(group, 'cgroup.subtree_control')
  const missing = controllers.filter((name) => !readWords(control).includes(name))
  if (missing.length === 0) return
  const write = () => writeFileSync(control, missing.map((name) => `+${name}`).join(' '))
  try {
    write()
  } catch (error) {
    if (code(error) !== 'EBUSY') throw error
    const leaf = join(group, serverLeaf)
    mkdirSync(leaf, { recursive: true })
    for (const pid of readWords(join(group, 'cgroup.procs'))) writeFileSync(join(leaf, 'cgroup.procs'), pid)
    write()
  }
}

function tryMake(parent: string, tag: string, problems: string[]): string | undefined {
  const base = join(parent, `longhaul-${tag}`)
  try {
    mkdirSync(base, { recursive: true })
    accessSync(join(base, 'cgroup.procs'), constants.W_OK)
    return base
  } catch (error) {
    problems.push(`no group can be made in ${parent} (${code(error)})`)
    return undefined
  }
}

function removeQuietly(group: string): void {
  try {
    rmdirSync(group)
  } catch {
    // It was never made, or it is not ours.
  }
}

/** Mounted hierarchies, from /proc/self/mountinfo: `id parent device root PATH options … - TYPE source SUPER-OPTIONS`. */
function cgroupMounts(): Mount[] {
  return readText('/proc/self/mountinfo')
    .split('\n')
    .flatMap((line): Mount[] => {
      const [left = '', right = ''] = line.split(' - ')
      const [type, , options = ''] = right.split(' ')
      const path = (left.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
      if (type !== 'cgroup' && type !== 'cgroup2') return []
      return [{ path, version: type === 'cgroup' ? 'v1' : 'v2', options: options.split(',') }]
    })
}

const currentPath = (): string => /^0::(.*)$/m.exec(readText('/proc/self/cgroup'))?.[1] ?? '/'

/** The group in the unified hierarchy that was given to this process: not the leaf that it moved to itself. */
function ownPath(): string {
  const path = currentPath()
  return basename(path) === serverLeaf ? dirname(path) : path
}

const readControllers = (group: string): string[] => readWords(join(group, 'cgroup.controllers'))
const readWords = (path: string): string[] => readText(path).split(/\s+/).filter(Boolean)

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // Not on this system.
  }
}

function code(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}

/** Names of the groups directly below `group`. */
export function childGroups(group: string): string[] {
  try {
    return readdirSync(group, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
  } catch {
    return [] // Removed meanwhile.
  }
}
