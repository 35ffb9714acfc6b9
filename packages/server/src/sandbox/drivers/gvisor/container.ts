/** One command as a container of its own: what it runs in ends with it, and nothing that it started is left. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { newId } from '../../../kernel/index.ts'
import type { SandboxLimits } from '../../driver.ts'
import { createSandboxCgroup, type SandboxCgroup } from '../../host/cgroup.ts'
import type { CgroupHost } from '../../host/cgroup-host.ts'
import { systemFolders } from '../../host/runtime.ts'

export type GvisorHost = {
  /** With `rootfs`, `state`, `files.cjs`. */
  folder: string
  runsc: string
  setpriv: string
  cgroups: CgroupHost
  cpuCountMax: number
}

export type ContainerOptions = {
  host: GvisorHost
  /** The sandbox's, with `workspace` and `tmp`. */
  folder: string
  user: number
  limits: SandboxLimits
  args: readonly string[]
  env: Record<string, string>
  /** Files of ours that the inside reads: where it sees them, and what is in them. */
  shown?: Record<string, string>
  hasInput: boolean
}

export type Container = {
  child: ChildProcess
  cgroup: SandboxCgroup
  /** Ends everything in it. */
  kill(): Promise<void>
  /** Resolves when nothing of it is left, with its exit code; null when it was killed from outside. */
  ended: Promise<number | null>
}

/** The kernel that is gVisor's own: its memory, and the threads with which it stands for the processes inside. */
const ownMemoryBytes = 96 * 1024 * 1024
const ownThreadCount = 256
const fileDescriptorsMax = 1_024
/** Of the host's `/etc`; everything else in there is made up. */
export const readable = ['/etc/ssl/certs', '/etc/ca-certificates', '/etc/alternatives']
const sharedMemoryBytesMax = 16 * 1024 * 1024

export async function startContainer(options: ContainerOptions): Promise<Container> {
  const { host, folder, limits, shown = {}, hasInput } = options
  const id = newId()
  const bundle = join(folder, 'runs', id)
  await mkdir(bundle, { recursive: true, mode: 0o700 })
  const binds = await Promise.all(
    Object.entries(shown).map(async ([inside, text], at) => {
      const source = join(bundle, String(at))
      await writeFile(source, text, { mode: 0o644 })
      return bind(source, inside, 'ro')
    }),
  )
  await writeFile(join(bundle, 'config.json'), JSON.stringify(specOf(options, binds)))
  const cgroup = createSandboxCgroup(host.cgroups, `gvisor-${id}`, {
    memoryBytesMax: limits.memoryBytesMax + ownMemoryBytes,
    processCountMax: 2 * limits.processCountMax + ownThreadCount,
    cpuCountMax: host.cpuCountMax,
  })
  if (!cgroup) throw new Error('The driver gvisor needs control groups; the probe reports it.')
  const state = join(host.folder, 'state')
  // Killed with the server; the kernel inside and what serves its files end with that.
  const runsc = [host.setpriv, '--pdeathsig', 'KILL', '--', host.runsc, '--root', state, '--network=none', '--ignore-cgroups', 'run', '--bundle', bundle, id]
  // `sh` writes its own number into each group and then becomes runsc: no process starts outside.
  const script = 'while [ "$1" != -- ]; do echo $$ >"$1" || exit 71; shift; done; shift; exec "$@"'
  const child = spawn('/bin/sh', ['-c', script, 'sh', ...cgroup.joinFiles, '--', ...runsc], {
    stdio: [hasInput ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    cwd: '/',
  })
  child.stdin?.on('error', () => {}) // It reads no more; its end says the rest.
  const ended = new Promise<number | null>((resolve) => {
    child.on('close', (code) => resolve(code))
    child.on('error', () => resolve(null))
  }).then(async (code) => {
    await cgroup.remove()
    await rm(bundle, { recursive: true, force: true })
    await forget(state, id)
    return code
  })
  return { child, cgroup, kill: () => cgroup.remove(), ended }
}

/** What runsc noted of a container that could not clean up after itself. */
async function forget(state: string, id: string): Promise<void> {
  for (const name of await readdir(state)) if (name.startsWith(id)) await rm(join(state, name), { recursive: true, force: true })
}

const bind = (source: string, destination: string, mode: 'ro' | 'rw') => ({
  destination,
  type: 'bind',
  source,
  options: ['rbind', mode, 'nosuid', 'nodev'],
})

function specOf({ host, folder, user, limits, args, env }: ContainerOptions, binds: ReturnType<typeof bind>[]): object {
  const tmpfs = (destination: string, bytes: number) => ({
    destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'nodev', 'mode=1777', `size=${bytes}`],
  })
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: user, gid: user },
      args,
      env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      cwd: '/',
      noNewPrivileges: true,
      capabilities: {},
      rlimits: [
        { type: 'RLIMIT_FSIZE', hard: limits.diskBytesMax, soft: limits.diskBytesMax },
        { type: 'RLIMIT_NOFILE', hard: fileDescriptorsMax, soft: fileDescriptorsMax },
        { type: 'RLIMIT_CORE', hard: 0, soft: 0 },
      ],
    },
    root: { path: join(host.folder, 'rootfs'), readonly: true },
    hostname: 'sandbox',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
      tmpfs('/dev/shm', sharedMemoryBytesMax),
      ...systemFolders().bind.map((path) => bind(path, path, 'ro')),
      ...readable.filter((path) => existsSync(path)).map((path) => bind(path, path, 'ro')),
      bind(process.execPath, '/opt/longhaul/bin/node', 'ro'),
      bind(join(folder, 'workspace'), '/workspace', 'rw'),
      bind(join(folder, 'tmp'), '/tmp', 'rw'),
      ...binds,
    ],
    linux: { namespaces: ['pid', 'network', 'ipc', 'uts', 'mount'].map((type) => ({ type })) },
  }
}
