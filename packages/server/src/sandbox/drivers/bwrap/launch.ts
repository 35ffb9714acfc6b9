import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Duplex, Readable, Writable } from 'node:stream'
import { type ProcessIdentity, identityOf, killProcess, parentOf } from '../../processes.ts'
import { type DiskMount, mountLine } from '../../host/disk-image.ts'
import { type Runtime, systemFolders } from '../../host/runtime.ts'

export type LaunchOptions = {
  runtime: Runtime
  /** The sandbox's folder on the host, with `workspace` and `pipes`. */
  folder: string
  filter: Buffer
  /** Host user of everything inside; undefined when the server is not root: then it is the server's own. */
  user: number | undefined
  joinFiles: readonly string[]
  limits: { diskBytesMax: number; processCountMax: number }
  /** Counts processes per sandbox where no control group does. */
  hasProcessLimit: boolean
  /** Another folder, that can be written at `/copy`; as the launching user sees it after `runtime.seen`. */
  copyTo?: string
  /** File systems that are mounted before anything of the sandbox begins, for it alone. Needs a stage. */
  disks?: readonly DiskMount[]
  /** Nothing but the workspace, and `copyTo`, can be written. */
  hasNoTmp?: boolean
  /** What runs inside. It holds nothing about the host, so it may be seen there. */
  command: readonly string[]
}

export type AgentSettings = { isGated: boolean; dataBytesMax: number; slotCount: number }

export type Launched = {
  input: Writable
  output: Readable
  /** The first and the last of what bubblewrap or its command said before it went wrong. */
  complaints(): string
  /** Resolves when nothing of the sandbox is left, with the exit code of its command; null when a signal ended it. */
  exited: Promise<number | null>
  /** The outermost process, for the record that a later start sweeps by. */
  outer: ProcessIdentity
  /** SIGKILL to the first process of the sandbox's namespace, which takes all others with it. */
  kill(): void
}

const complaintBytesMax = 1_024
const tmpBytesMax = 64 * 1024 * 1024
const sharedMemoryBytesMax = 16 * 1024 * 1024
const fileDescriptorsMax = 1_024
/** Places for the agent's own threads where RLIMIT_NPROC counts them. */
const ownProcessCount = 24

/**
 * Starts bubblewrap with the agent inside. From the outside in: join the control groups; as root a mount namespace in
 * which the sandbox's user can reach its files; limits that every process inherits; another user without any right; bubblewrap;
 * the agent. Nothing about the sandbox is on a command line, where the inside could read it: arguments go through a pipe.
 */
export function launch(options: LaunchOptions): Launched {
  const { runtime } = options
  const [program = '', ...args] = chain(options)
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe'], env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }, cwd: '/' })
  const complaints = collectEnds(stream(child, 2))
  feed(child, 3, Buffer.from(`${bwrapArguments(options).join('\0')}\0`))
  feed(child, 4, options.filter)
  let first: ProcessIdentity | undefined
  readInfo(stream(child, 5), (pid) => {
    // Only a child of ours can be the sandbox's first process: a number that was passed on meanwhile is not.
    if (parentOf(pid) === child.pid) first = identityOf(pid)
  })
  const exited = new Promise<number | null>((resolve) => {
    child.on('close', (code) => resolve(code))
    child.on('error', () => resolve(null))
  })
  return {
    // With 'pipe' for all of them, these are sockets.
    input: stream(child, 0),
    output: stream(child, 1),
    complaints: () => complaints().trim() || (child.pid ? '' : `${program} could not be started`),
    exited,
    outer: identityOf(child.pid ?? 0),
    kill() {
      const isFirstKilled = first !== undefined && parentOf(first.pid) === child.pid && killProcess(first)
      // While bubblewrap prepares, or should its first process be gone already: `--die-with-parent` takes the rest along.
      if (!isFirstKilled) child.kill('SIGKILL')
    },
  }

  function chain({ joinFiles, user, limits }: LaunchOptions): string[] {
    const { tools } = runtime
    const limited = [tools.prlimit, '--core=0', `--nofile=${fileDescriptorsMax}`, `--fsize=${limits.diskBytesMax}`, '--']
    const counted = options.hasProcessLimit ? ['/usr/bin/prlimit', `--nproc=${limits.processCountMax + ownProcessCount}`, '--'] : []
    const bwrap = [tools.bwrap, '--args', '3', '--', ...counted, ...options.command]
    if (user === undefined) return joined(joinFiles, [...limited, ...bwrap])
    const { setpriv = '', unshare = '', mount = '' } = tools // Root has `setpriv`, and the others where there is a stage.
    const asUser = [setpriv, `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--inh-caps=-all', '--bounding-set=-all', '--no-new-privs', '--']
    if (!runtime.stage) return joined(joinFiles, [...limited, ...asUser, ...bwrap])
    const script = `m=$1; "$m" --all --fstab "$2" || exit; shift 2; while [ "$1" != -- ]; do ${mountLine('"$m"')} "$1" "$2" || exit; shift 2; done; shift; exec "$@"`
    const disks = options.disks?.flatMap(({ device, path }) => [device, path]) ?? []
    const mounting = ['/bin/sh', '-c', script, 'sh', mount, runtime.fstab, ...disks, '--']
    return joined(joinFiles, [unshare, '--mount', '--propagation', 'private', '--', ...mounting, ...limited, ...asUser, ...bwrap])
  }
}

/** `sh` writes its own number into each group and then becomes the rest: no process starts outside. */
function joined(files: readonly string[], rest: string[]): string[] {
  if (files.length === 0) return rest
  return ['/bin/sh', '-c', 'while [ "$1" != -- ]; do echo $$ >"$1" || exit 71; shift; done; shift; exec "$@"', 'sh', ...files, '--', ...rest]
}

/** Parts of /proc that tell about the host and are of no use inside. Those that this kernel lacks cannot be covered. */
const maskedFiles = [
  'cmdline',
  'config.gz',
  'kallsyms',
  'kcore',
  'key-users',
  'keys',
  'kmsg',
  'kpagecgroup',
  'kpagecount',
  'kpageflags',
  'latency_stats',
  'locks',
  'modules',
  'pagetypeinfo',
  'sched_debug',
  'slabinfo',
  'sysrq-trigger',
  'timer_list',
  'vmallocinfo',
].map((name) => `/proc/${name}`)
const maskedFolders = ['acpi', 'asound', 'bus', 'driver', 'fs', 'irq', 'scsi', 'mtrr'].map((name) => `/proc/${name}`)

function bwrapArguments({ runtime, folder, copyTo, hasNoTmp = false }: LaunchOptions): string[] {
  const at = (name: string) => join(runtime.folder, name)
  const inFolder = (name: string) => runtime.seen(join(folder, name))
  const { link, bind } = systemFolders()
  return [
    '--unshare-all',
    '--unshare-user',
    '--disable-userns',
    '--uid',
    '1000',
    '--gid',
    '1000',
    '--die-with-parent',
    '--new-session',
    '--hostname',
    'sandbox',
    '--cap-drop',
    'ALL',
    '--clearenv',
    '--setenv',
    'LANG',
    'C.UTF-8',
    '--setenv',
    'UV_THREADPOOL_SIZE',
    '1',
    ...bind.flatMap((path) => ['--ro-bind', path, path]),
    ...link.flatMap(([target, path]) => ['--symlink', target, path]),
    ...['/etc/ssl/certs', '/etc/ca-certificates', '/etc/ld.so.cache', '/etc/alternatives'].flatMap((path) => ['--ro-bind-try', path, path]),
    ...['passwd', 'group', 'hosts', 'nsswitch.conf'].flatMap((name) => ['--ro-bind', at(`etc/${name}`), `/etc/${name}`]),
    '--proc',
    '/proc',
    ...maskedFiles.filter((path) => existsSync(path)).flatMap((path) => ['--ro-bind', '/dev/null', path]),
    ...maskedFolders.filter((path) => existsSync(path)).flatMap((path) => mask(path)),
    '--ro-bind',
    '/proc/sys',
    '/proc/sys',
    '--dev',
    '/dev',
    '--size',
    String(sharedMemoryBytesMax),
    '--perms',
    '1777',
    '--tmpfs',
    '/dev/shm',
    '--remount-ro',
    '/dev',
    '--size',
    String(tmpBytesMax),
    '--perms',
    '1777',
    '--tmpfs',
    '/tmp',
    '--bind',
    inFolder('workspace'),
    '/workspace',
    '--ro-bind',
    at('node-x'),
    '/run/longhaul/node-x',
    '--ro-bind',
    at('agent.cjs'),
    '/run/longhaul/agent.cjs',
    '--ro-bind',
    inFolder('pipes'),
    '/run/longhaul/pipes',
    '--ro-bind',
    inFolder('egress'),
    '/run/longhaul/egress',
    '--ro-bind',
    runtime.node,
    '/opt/longhaul/bin/node',
    ...(copyTo === undefined ? [] : ['--bind', runtime.seen(copyTo), '/copy']),
    ...(hasNoTmp ? ['--remount-ro', '/tmp', '--remount-ro', '/dev/shm'] : []),
    '--remount-ro',
    '/',
    '--chdir',
    '/workspace',
    '--seccomp',
    '4',
    '--info-fd',
    '5',
  ]
}

/** The agent's own command line. */
export const agentCommand = (settings: AgentSettings): string[] => [
  '/run/longhaul/node-x',
  '--no-warnings',
  '--max-old-space-size=64',
  '--v8-pool-size=0',
  '/run/longhaul/agent.cjs',
  JSON.stringify(settings),
]

function mask(path: string): string[] {
  // /proc/mtrr is a file on machines that have it.
  return path === '/proc/mtrr' ? ['--ro-bind', '/dev/null', path] : ['--size', '4096', '--tmpfs', path, '--remount-ro', path]
}

function stream(child: ChildProcess, index: number): Duplex {
  const found = child.stdio[index]
  if (!found) throw new Error(`No stream ${index}.`)
  return found as Duplex // Node types each as one half; with 'pipe' all of them are sockets.
}

function feed(child: ChildProcess, index: number, bytes: Buffer): void {
  const to = stream(child, index)
  to.on('error', () => {}) // bubblewrap ended before it read this; its complaint says why.
  to.end(bytes)
}

/** `--info-fd`: a small JSON object with the host's number of the sandbox's first process. */
function readInfo(from: Readable, onPid: (pid: number) => void): void {
  let text = ''
  from.on('error', () => {}) // It ends with the process.
  from.on('data', (bytes: Buffer) => {
    if (text.length > 4_096) return
    text += bytes.toString()
    const found = /"child-pid"\s*:\s*(\d+)/.exec(text)
    if (found) onPid(Number(found[1]))
  })
}

/** The first complaint is the cause, and the last may say what about it; between them may be a page of usage, or a path of any length. */
function collectEnds(from: Readable): () => string {
  let head = ''
  let tail = ''
  from.on('error', () => {}) // It ends with the process.
  from.on('data', (bytes: Buffer) => {
    const text = bytes.toString()
    const room = complaintBytesMax - head.length
    head += text.slice(0, room)
    tail = (tail + text.slice(room)).slice(-complaintBytesMax)
  })
  return () => (tail ? `${head} … ${tail}` : head)
}
