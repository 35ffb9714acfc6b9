import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { StepFailure } from '../../src/kernel/index.ts'
import type { Capabilities, Sandbox } from '../../src/sandbox/driver.ts'
import { detectCgroups, removeBases } from '../../src/sandbox/host/cgroup-host.ts'
import type { Call, PlainOptions, Reply, Request, ServerSettings } from './sandbox-server.ts'

/** A way to run the real driver on this machine. `whyNot` says why it cannot be tried here. */
export type Mode = {
  name: string
  driver: 'bwrap' | 'gvisor'
  user: number | undefined
  withoutCgroups: boolean
  /** Whether each workspace must have a file system of its own. */
  hasDisks: boolean
  /** False: root as containers have it. */ mayMount?: boolean
  whyNot: string | undefined
}

/** A driver in a process of its own, with the driver's own interface and some more for tests. */
export type DriverProcess = {
  readonly pid: number
  readonly root: string
  probe(): Promise<Capabilities>
  sweep(): Promise<void>
  create(options: PlainOptions): Promise<Sandbox>
  /** Lays the workspace of one sandbox out in another. */
  fork(id: string, to: string, how: 'archive' | 'copy'): Promise<void>
  measure(): Promise<{ memoryBytes: number; resources: number; descriptors: number }>
  /** SIGKILL, as a crash would be. Resolves when it is gone; the folder stays. */
  crash(): Promise<void>
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const isRoot = process.getuid?.() === 0
/** Nobody's on any system we know. */
const ordinaryUser = 54_321
const repository = resolve(import.meta.dirname, '../../../..')
const isContinuousIntegration = process.env['CI'] === 'true'

export const modes: Mode[] = [
  {
    name: 'bwrap as root, with control groups',
    driver: 'bwrap',
    user: undefined,
    withoutCgroups: false,
    hasDisks: whyNotDisks() === undefined,
    whyNot: whyNotBubblewrap() ?? (isRoot ? whyNotCgroups() : 'these tests do not run as root'),
  },
  {
    name: 'bwrap as an ordinary user, without control groups',
    driver: 'bwrap',
    user: isRoot ? ordinaryUser : undefined,
    withoutCgroups: true,
    hasDisks: false,
    whyNot: whyNotBubblewrap(),
  },
]

/** No part of what everything must be tried with: few machines have it. */
export const gvisor: Mode = {
  ...{ name: 'gvisor', driver: 'gvisor', user: undefined, withoutCgroups: false, hasDisks: whyNotDisks() === undefined },
  whyNot: whyNotGvisor(),
}

/** Every way to run a driver that has our agent inside. */
export const everyMode = (): Mode[] => [...usableModes(), ...(gvisor.whyNot === undefined ? [gvisor] : [])]

/**
 * The first way that works here, and with `SANDBOX_MODES=all` every one, which takes several times as long: `npm run verify -- modes`. What every driver
 * must do is tried with each of them in any case, by `drivers.test.ts`, and so are the walls.
 */
export function batteryModes(): Mode[] {
  const every = everyMode()
  if (process.env['SANDBOX_MODES'] === 'all' || every.length === 0) return every
  const [first, ...others] = every
  if (others.length > 0) process.stderr.write(`SKIPPED, and tried by npm run verify -- modes: ${others.map(({ name }) => `the sandbox ${name}`).join(', ')}.\n`)
  return first ? [first] : []
}

/** Why the driver `kubernetes` cannot be tried here; told once where it cannot. */
export function whyNotKubernetes(): string | undefined {
  const whyNot = whyNotBubblewrap() ?? (isRoot ? undefined : 'the cluster of the tests needs root')
  if (whyNot) process.stderr.write(`SKIPPED: the sandbox kubernetes: ${whyNot}.\n`)
  return whyNot
}

/** Modes that can be tried here. The others are named with their reason; where everything must be tried, they are failures. */
export function usableModes(): Mode[] {
  const whyNoDisks = whyNotDisks()
  if (whyNoDisks !== undefined && isRoot) {
    if (isContinuousIntegration) throw new Error(`Hard disk limits could not be tested: ${whyNoDisks}.`)
    process.stderr.write(`SKIPPED: hard disk limits: ${whyNoDisks}.\n`)
  }
  for (const { name, whyNot } of modes) {
    if (whyNot === undefined) continue
    if (isContinuousIntegration) throw new Error(`The sandbox could not be tested ${name}: ${whyNot}.`)
    process.stderr.write(`SKIPPED: the sandbox ${name}: ${whyNot}.\n`)
  }
  return modes.filter((mode) => mode.whyNot === undefined)
}

/** True when it is there. When it is not, the test that needs it says so, or fails where everything must be tried. */
export function isHere(program: string, forWhat: string): boolean {
  if (['/usr/bin', '/bin', '/usr/sbin'].some((folder) => existsSync(join(folder, program)))) return true
  if (isContinuousIntegration) throw new Error(`${program} is missing: apt-get install ${program}. ${forWhat} could not be tested.`)
  process.stderr.write(`SKIPPED: ${forWhat}: ${program} is not installed.\n`)
  return false
}

export async function startDriver(mode: Mode, options: Partial<ServerSettings> & { extraDescriptor?: number } = {}): Promise<DriverProcess> {
  const root = options.root ?? makeRoot(mode)
  const { extraDescriptor, ...rest } = options
  const settings: ServerSettings = { ...rest, root, driver: mode.driver, withoutCgroups: mode.withoutCgroups }
  const child = launch(mode, settings, extraDescriptor)
  const pending = new Map<
    number,
    { resolve(value: unknown): void; reject(error: Error): void; onOutput?: ((stream: 'stdout' | 'stderr', text: string) => void) | undefined }
  >()
  let complaints = ''
  let number = 0
  child.stderr?.on('data', (bytes: Buffer) => (complaints += bytes.toString()))
  child.on('message', (reply: Reply) => {
    const waiting = pending.get(reply.number)
    if ('output' in reply) return waiting?.onOutput?.(...reply.output)
    pending.delete(reply.number)
    if ('failure' in reply) waiting?.reject(new StepFailure(reply.failure))
    else waiting?.resolve(reply.result)
  })
  const exited = new Promise<void>((done) => child.on('exit', () => done()))
  void exited.then(() => {
    for (const { reject } of pending.values()) reject(new Error(`The driver's process ended. ${complaints}`))
    pending.clear()
  })
  type Extra = { signal?: AbortSignal; onOutput?: ((stream: 'stdout' | 'stderr', text: string) => void) | undefined }
  const ask = <Result>(call: Call, extra: Extra = {}): Promise<Result> =>
    new Promise<unknown>((resolve, reject) => {
      const ours = ++number
      pending.set(ours, { resolve, reject, onOutput: extra.onOutput })
      extra.signal?.addEventListener('abort', () => child.send({ abort: ours } satisfies Request))
      child.send({ number: ours, call } satisfies Request)
      if (extra.signal?.aborted) child.send({ abort: ours } satisfies Request)
    }) as Promise<Result> // The process answers what it was asked.

  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    await ask({ do: 'stopAll' })
    child.disconnect()
    await exited
  }
  return {
    pid: child.pid ?? 0,
    root,
    probe: () => ask({ do: 'probe' }),
    sweep: () => ask({ do: 'sweep' }),
    measure: () => ask({ do: 'measure' }),
    fork: (id, to, how) => ask({ do: 'fork', id, to, how }),
    async create(options) {
      await ask({ do: 'create', options })
      const { id } = options
      const about = await ask<Pick<Sandbox, 'lacks'>>({ do: 'about', id })
      return {
        driver: mode.driver,
        ...about,
        exec: (request, { signal, onOutput }) => ask({ do: 'exec', id, request }, { signal, onOutput }),
        files: (request) => ask({ do: 'files', id, request }),
        stats: () => ask({ do: 'stats', id }),
        stop: () => ask({ do: 'stop', id }),
        destroy: () => ask({ do: 'destroy', id }),
      }
    },
    async crash() {
      child.kill('SIGKILL')
      await exited
    },
    stop,
    async [Symbol.asyncDispose]() {
      await stop()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

/** A file in a workspace, seen from outside: where it has a file system of its own, only through a process of the sandbox's that runs. */
export function seenIn(root: string, id: string, path: string): string {
  const plain = join(root, id, 'workspace', path)
  if (!existsSync(join(root, id, 'disk.img')) || !existsSync(join(root, id, 'live.json'))) return plain
  const { pid } = JSON.parse(readFileSync(join(root, id, 'live.json'), 'utf8')) as { pid: number }
  const tag = createHash('sha256').update(realpathSync(root)).digest('hex').slice(0, 10)
  return join(`/proc/${pid}/root/run/longhaul-${tag}`, id, 'workspace', path)
}

/** Loop devices over files in this folder. */
export const devicesOf = (root: string): string[] =>
  readdirSync('/sys/block').filter((name) => {
    const file = `/sys/block/${name}/loop/backing_file`
    try {
      return readFileSync(file, 'utf8').startsWith(`${root}/`)
    } catch {
      return false // It is none, or has just gone.
    }
  })

/** A folder that the mode's user owns. */
export function makeRoot(mode: Mode): string {
  const root = mkdtempSync(join(tmpdir(), 'longhaul-sandbox-'))
  if (mode.user !== undefined) chownSync(root, mode.user, mode.user)
  return root
}

function launch(mode: Mode, settings: ServerSettings, extraDescriptor: number | undefined): ChildProcess {
  const file = 'packages/server/test/support/sandbox-server.ts'
  const stdio: ('ignore' | 'pipe' | 'ipc' | number)[] = ['ignore', 'ignore', 'pipe', 'ipc']
  // Node closes nothing that it inherited: such a descriptor is what a careless operator's shell leaves.
  if (extraDescriptor !== undefined) for (let at = 4; at <= 40; at++) stdio.push(at === 40 ? extraDescriptor : 'ignore')
  const node = (from: string) => [
    process.execPath.startsWith(repository) ? join(from, process.execPath.slice(repository.length)) : process.execPath,
    '--conditions=longhaul-source',
    join(from, file),
    JSON.stringify(settings),
  ]
  if (mode.user === undefined) {
    const [program = '', ...args] =
      mode.mayMount === false ? ['setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin', '--', ...node(repository)] : node(repository)
    return spawn(program, args, { stdio })
  }
  // The repository may lie where an ordinary user cannot go: it is shown elsewhere, in a mount namespace that goes with the process.
  const stage = '/run/longhaul-test'
  mkdirSync(stage, { recursive: true, mode: 0o755 })
  const user = String(mode.user)
  const script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
  return spawn(
    'unshare',
    [
      '--mount',
      '--propagation',
      'private',
      '--',
      'sh',
      '-c',
      script,
      'sh',
      repository,
      stage,
      'setpriv',
      '--reuid',
      user,
      '--regid',
      user,
      '--clear-groups',
      '--',
      ...node(stage),
    ],
    { stdio },
  )
}

function whyNotBubblewrap(): string | undefined {
  if (process.platform !== 'linux') return 'bubblewrap needs Linux'
  try {
    execFileSync('bwrap', ['--version'], { stdio: 'ignore' })
  } catch {
    return 'bubblewrap is not installed (apt-get install bubblewrap)'
  }
  const asUser = isRoot ? ['setpriv', '--reuid', String(ordinaryUser), '--regid', String(ordinaryUser), '--clear-groups', '--'] : []
  try {
    const [program, ...args] = [...asUser, 'bwrap', '--unshare-all', '--unshare-user', '--disable-userns', '--ro-bind', '/', '/', '--proc', '/proc', 'true']
    execFileSync(program, args, { stdio: 'pipe' })
    return undefined
  } catch (error) {
    return `bubblewrap does not work on this kernel or in this container (${error instanceof Error ? error.message.split('\n').slice(1).join(' ').trim() : String(error)})`
  }
}

/** Why gVisor cannot be tried here, which is said; undefined where it can. */
function whyNotGvisor(): string | undefined {
  const why = (() => {
    if (!isRoot) return 'these tests do not run as root'
    if (whyNotCgroups() !== undefined) return whyNotCgroups()
    try {
      execFileSync('runsc', ['--network=none', '--ignore-cgroups', 'do', 'true'], { stdio: 'pipe', timeout: 30_000 })
      return undefined
    } catch (error) {
      return `runsc is not installed or does not work here (${error instanceof Error ? error.message.split('\n').slice(0, 3).join(' ') : String(error)})`
    }
  })()
  if (why !== undefined) process.stderr.write(`SKIPPED: the sandbox gvisor: ${why}.\n`)
  return why
}

function whyNotDisks(): string | undefined {
  if (!isRoot) return 'these tests do not run as root'
  if (!existsSync('/dev/loop-control')) return 'this kernel or container has no loop devices'
  if (!['/usr/sbin/mkfs.ext4', '/sbin/mkfs.ext4'].some((path) => existsSync(path))) return 'mkfs.ext4 is not installed (apt-get install e2fsprogs)'
  return undefined
}

function whyNotCgroups(): string | undefined {
  const host = detectCgroups(`probe-${process.pid}`) // Of this file alone: another would remove them in between.
  removeBases(host)
  return host.version === 'none' || !host.limits.memory || !host.kill ? `no usable control groups (${host.whyNot ?? 'no memory controller'})` : undefined
}
