import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Duplex, Readable } from 'node:stream'
import { startProgram } from '../../../kernel/index.ts'
import { collectEnds, launchEnv, outermost } from '../../agent/chain.ts'
import type { LaunchOptions, Launched } from '../../agent/host.ts'
import { dataPath, rootNode } from '../../driver.ts'
import { type ProcessIdentity, identityOf, killProcess, parentOf } from '../../processes.ts'
import { type Runtime, systemFolders } from '../../host/runtime.ts'
import { ownLibraries, ownProgram, ownRoot } from '../../host/own-programs.ts'

/** What bubblewrap needs beside what every launch is given. */
export type BwrapParts = {
  bwrap: string
  runtime: Runtime
  filter: Buffer
  /** Counts processes per sandbox where no control group does. */
  hasProcessLimit: boolean
}

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
export async function launch(parts: BwrapParts, options: LaunchOptions): Promise<Launched> {
  const { runtime } = parts
  const folders = placeFolders(runtime, options)
  const [program = '', ...args] = chain(options)
  const chained = await startProgram(program, args, { stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe'], env: launchEnv, cwd: '/' })
  const complaints = collectEnds(chained.stream(2))
  feed(chained.stream(3), Buffer.from(`${bwrapArguments(runtime, options, folders).join('\0')}\0`))
  feed(chained.stream(4), parts.filter)
  let first: ProcessIdentity | undefined
  readInfo(chained.stream(5), (pid) => {
    // Only a child of the chain's can be the sandbox's first process: a number that was passed on meanwhile is not.
    if (parentOf(pid) === chained.pid) first = identityOf(pid)
  })
  return {
    input: chained.stream(0),
    output: chained.stream(1),
    complaints: () => complaints().trim(),
    exited: chained.closed.then(({ code }) => code),
    outer: identityOf(chained.pid),
    kill() {
      const isFirstKilled = first !== undefined && parentOf(first.pid) === chained.pid && killProcess(first)
      // While bubblewrap prepares, or should its first process be gone already: `--die-with-parent` takes the rest along.
      if (!isFirstKilled) chained.kill()
    },
  }

  function chain({ user, limits }: LaunchOptions): string[] {
    const { prlimit, setpriv = '' } = runtime.tools // Root has `setpriv`.
    const limited = [prlimit, '--core=0', `--nofile=${fileDescriptorsMax}`, `--fsize=${limits.diskBytesMax}`, '--']
    const counted = parts.hasProcessLimit
      ? [...(options.image ? ownProgram('prlimit') : ['/usr/bin/prlimit']), `--nproc=${limits.processCountMax + ownProcessCount}`, '--']
      : []
    const asUser = [setpriv, `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--inh-caps=-all', '--bounding-set=-all', '--no-new-privs', '--']
    const inside = [parts.bwrap, '--args', '3', '--', ...counted, ...options.command]
    return outermost(runtime, { ...options, folders }, [...limited, ...(user === undefined ? [] : asUser), ...inside])
  }
}

type PlacedFolder = { from: string; to: string; inside: string }

/** Where the launching user, who may have no way through the folders above, is to find what is shown inside. Without a stage, where it lies. */
const placeFolders = (runtime: Runtime, { mounts = [] }: LaunchOptions): PlacedFolder[] =>
  mounts.map(({ name, path }, index) => ({ from: path, to: (runtime.stage && runtime.mountPoints[index]) || path, inside: dataPath(name) }))

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

function bwrapArguments(runtime: Runtime, { folder, copyTo, image, hasNoTmp = false }: LaunchOptions, folders: readonly PlacedFolder[]): string[] {
  const at = (name: string) => join(runtime.folder, name)
  const inFolder = (name: string) => runtime.seen(join(folder, name))
  return [
    '--unshare-all',
    '--unshare-user',
    '--disable-userns',
    '--uid',
    String(image?.uid ?? 1_000),
    '--gid',
    String(image?.gid ?? 1_000),
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
    ...(image ? imageRoot(runtime, image.folder) : hostRoot(at)),
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
    at(image ? join(ownRoot, 'node-x') : 'node-x'),
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
    ...(image
      ? [
          '--ro-bind',
          at(ownRoot),
          ownLibraries,
          '--setenv',
          'LD_LIBRARY_PATH',
          `${ownLibraries}/lib`,
          ...(image.isOperators ? ['--ro-bind', runtime.node, rootNode] : []),
        ]
      : ['--ro-bind', runtime.node, '/opt/longhaul/bin/node']),
    ...folders.flatMap(({ to, inside }) => ['--ro-bind', to, inside]),
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

function hostRoot(at: (name: string) => string): string[] {
  const { link, bind } = systemFolders()
  return [
    ...bind.flatMap((path) => ['--ro-bind', path, path]),
    ...link.flatMap(([target, path]) => ['--symlink', target, path]),
    ...['/etc/ssl/certs', '/etc/ca-certificates', '/etc/ld.so.cache', '/etc/alternatives'].flatMap((path) => ['--ro-bind-try', path, path]),
    ...['passwd', 'group', 'hosts', 'nsswitch.conf'].flatMap((name) => ['--ro-bind', at(`etc/${name}`), `/etc/${name}`]),
  ]
}

/** What every sandbox has of its own, whatever an image has there. */
const ownPlaces = ['copy', 'data', 'dev', 'proc', 'run', 'sys', 'tmp', 'workspace']

/** One by one, so that the root itself stays ours to make places in. Links are not followed: they are links inside, too. */
function imageRoot(runtime: Runtime, folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !ownPlaces.includes(name))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      return entry.isSymbolicLink() ? ['--symlink', readlinkSync(path), `/${entry.name}`] : ['--ro-bind', runtime.seen(path), `/${entry.name}`]
    })
}

function mask(path: string): string[] {
  // /proc/mtrr is a file on machines that have it.
  return path === '/proc/mtrr' ? ['--ro-bind', '/dev/null', path] : ['--size', '4096', '--tmpfs', path, '--remount-ro', path]
}

function feed(to: Duplex, bytes: Buffer): void {
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
