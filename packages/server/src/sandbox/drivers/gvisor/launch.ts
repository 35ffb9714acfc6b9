import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { newId, startProgram } from '../../../kernel/index.ts'
import { collectEnds, launchEnv, outermost } from '../../agent/chain.ts'
import type { LaunchOptions, Launched } from '../../agent/host.ts'
import { dataPath } from '../../driver.ts'
import { type Runtime, systemFolders } from '../../host/runtime.ts'
import { familyOf, identityOf, isAlive } from '../../processes.ts'

export type GvisorParts = {
  runsc: string
  /** What lets the agent, inside, connect to the proxy's socket; this runsc's word for it. */
  socketFlag: string
  runtime: Runtime
  places: GvisorPlaces
}

/** On the host: the file system that all see, what runsc notes of containers, and a folder with the description of each. */
export type GvisorPlaces = { rootfs: string; state: string; bundles: string; agent: string }

const tmpBytesMax = 64 * 1024 * 1024
const sharedMemoryBytesMax = 16 * 1024 * 1024
const fileDescriptorsMax = 1_024
const dataPlacesBytesMax = 64 * 1024
/** Of the host's `/etc`; everything else in there is made up. */
export const readable = ['/etc/ssl/certs', '/etc/ca-certificates', '/etc/alternatives']

/**
 * Starts a container of runsc's with the agent inside. From the outside in: join the control groups; a mount namespace with the disk;
 * end with the server; runsc, whose kernel in user space answers every call of what runs inside.
 */
export async function launch(parts: GvisorParts, options: LaunchOptions): Promise<Launched> {
  const { runtime, places, runsc } = parts
  const id = newId()
  const bundle = join(places.bundles, id)
  mkdirSync(bundle, { recursive: true, mode: 0o700 })
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(describe(parts, options)))
  const { setpriv = '' } = runtime.tools // Root has it; the probe refuses others.
  const run = [runsc, '--root', places.state, '--network=none', '--ignore-cgroups', parts.socketFlag, 'run', '--bundle', bundle, id]
  const [program = '', ...args] = outermost(runtime, options, [setpriv, '--pdeathsig', 'KILL', '--', ...run])
  const forget = () => {
    rmSync(bundle, { recursive: true, force: true })
    // What runsc noted of a container that could not clean up after itself.
    for (const name of readdirSync(places.state)) if (name.startsWith(id)) rmSync(join(places.state, name), { recursive: true, force: true })
  }
  try {
    const chained = await startProgram(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: launchEnv, cwd: '/' })
    const complaints = collectEnds(chained.stream(2))
    const outer = identityOf(chained.pid)
    return {
      input: chained.stream(0),
      output: chained.stream(1),
      complaints: () => complaints().trim(),
      exited: chained.closed.then(({ code }) => code).finally(forget),
      outer,
      kill() {
        if (!isAlive(outer)) return
        // The kernel inside and what serves its files end with runsc, but only once they notice.
        for (const pid of familyOf(chained.pid).toReversed()) tryKill(pid)
      },
    }
  } catch (error) {
    forget()
    throw error
  }
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself.
  }
}

function describe({ runtime, places }: GvisorParts, { folder, user, limits, copyTo, hasNoTmp = false, mounts = [], command }: LaunchOptions): object {
  const seen = (name: string) => runtime.seen(join(folder, name))
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: user, gid: user },
      args: command,
      env: ['LANG=C.UTF-8', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'UV_THREADPOOL_SIZE=1'],
      cwd: '/workspace',
      noNewPrivileges: true,
      capabilities: {},
      rlimits: [
        { type: 'RLIMIT_FSIZE', hard: limits.diskBytesMax, soft: limits.diskBytesMax },
        { type: 'RLIMIT_NOFILE', hard: fileDescriptorsMax, soft: fileDescriptorsMax },
        { type: 'RLIMIT_CORE', hard: 0, soft: 0 },
      ],
    },
    root: { path: places.rootfs, readonly: true },
    hostname: 'sandbox',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
      ...(hasNoTmp ? [] : [tmpfs('/dev/shm', sharedMemoryBytesMax), tmpfs('/tmp', tmpBytesMax)]),
      ...systemFolders().bind.map((path) => bind(path, path, 'ro')),
      ...readable.filter((path) => existsSync(path)).map((path) => bind(path, path, 'ro')),
      bind(process.execPath, '/opt/longhaul/bin/node', 'ro'),
      bind(places.agent, '/run/longhaul/agent.cjs', 'ro'),
      bind(seen('egress'), '/run/longhaul/egress', 'ro'),
      bind(seen('workspace'), '/workspace', 'rw'),
      // Over the root's own: there runsc makes the places to mount on, and other sandboxes would see which there are.
      { ...tmpfs('/data', dataPlacesBytesMax), options: ['nosuid', 'nodev', 'mode=0755', `size=${dataPlacesBytesMax}`] },
      ...mounts.map(({ name, path }) => bind(path, dataPath(name), 'ro')),
      ...(copyTo === undefined ? [] : [bind(runtime.seen(copyTo), '/copy', 'rw')]),
    ],
    linux: { namespaces: ['pid', 'network', 'ipc', 'uts', 'mount'].map((type) => ({ type })) },
  }
}

const bind = (source: string, destination: string, mode: 'ro' | 'rw') => ({
  ...{ destination, type: 'bind', source },
  options: ['rbind', mode, 'nosuid', 'nodev'],
})

const tmpfs = (destination: string, bytes: number) => ({
  ...{ destination, type: 'tmpfs', source: 'tmpfs' },
  options: ['nosuid', 'nodev', 'mode=1777', `size=${bytes}`],
})
