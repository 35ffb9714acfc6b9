import { existsSync, statSync } from 'node:fs'
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Log, toFailure } from '../../../kernel/index.ts'
import type { Capabilities, CreateOptions, Sandbox, SandboxDriver } from '../../driver.ts'
import { defaultLimits } from '../../limits.ts'
import { removeTree } from '../../remove-tree.ts'
import { type Root, removeOrphans, sandboxFolders } from '../../root.ts'
import { sweepCgroups } from '../../host/cgroup.ts'
import { detectCgroups, removeBases } from '../../host/cgroup-host.ts'
import { etc, findProgram, systemFolders } from '../../host/runtime.ts'
import { chooseUser, userRange } from '../../host/users.ts'
import { type GvisorHost, readable } from './container.ts'
import { createGvisorSandbox } from './sandbox.ts'

export type GvisorOptions = { root: Root; log: Log; orphanAgeMs?: number; cpuCountMax?: number }
type Ready = { host: GvisorHost; du: string; filesProgram: string }

const day = 24 * 60 * 60 * 1_000
const probeTimeoutMs = 60_000

/** A kernel in user space, gVisor's: what runs inside never speaks to the host's. Each command is a container of its own. */
export function gvisorDriver({ root, log, orphanAgeMs = 30 * day, cpuCountMax = Math.max(1, availableParallelism() / 2) }: GvisorOptions): SandboxDriver {
  const live = new Map<string, Promise<Sandbox>>()
  const users = new Map<string, number>()
  let preparing: Promise<Ready> | undefined
  const ready = () => (preparing ??= prepare())

  async function prepare(): Promise<Ready> {
    const [runsc, setpriv, du] = ['runsc', 'setpriv', 'du'].map(findProgram)
    if (!runsc || !setpriv || !du) throw new Error('runsc, setpriv or du is missing.')
    const folder = join(root.path, '.gvisor')
    await rm(join(folder, 'rootfs'), { recursive: true, force: true })
    await mkdir(join(folder, 'state'), { recursive: true, mode: 0o700 })
    await makeRootfs(join(folder, 'rootfs'))
    const filesProgram = await readFile(fileURLToPath(new URL('files.cjs', import.meta.url)), 'utf8')
    return { host: { folder, runsc, setpriv, cgroups: detectCgroups(root.tag), cpuCountMax }, du, filesProgram }
  }

  function newUser(name: string): number {
    const range = userRange()
    if (!range) throw new Error('This container has too few user numbers for sandboxes; the probe reports it.')
    if (users.size === 0) for (const folder of sandboxFolders(root)) users.set(folder, statSync(join(folder, 'workspace'), { throwIfNoEntry: false })?.uid ?? 0)
    const user = chooseUser(range, name, new Set(users.values()))
    users.set(join(root.path, name), user)
    return user
  }

  async function create({ id, seed, limits }: CreateOptions): Promise<Sandbox> {
    const folder = root.folderOf(id)
    const before = await live.get(folder)?.catch(() => undefined) // Its own caller was told why.
    await before?.stop()
    const creating = ready().then((parts) =>
      createGvisorSandbox({
        ...parts,
        ...{ root, log, folder, seed, newUser },
        limits: { ...defaultLimits, ...limits },
        onStopped() {
          if (live.get(folder) === creating) live.delete(folder)
        },
        onDestroyed: () => users.delete(folder),
      }),
    )
    live.set(folder, creating)
    try {
      return await creating
    } catch (error) {
      live.delete(folder)
      throw error
    }
  }

  async function probe(): Promise<Capabilities> {
    const unusable = (what: string, remedy: string): Capabilities => ({
      ...{ driver: 'gvisor', isUsable: false, enforced: [], gaps: [], languages: [] },
      missing: [{ what, remedy }],
    })
    if (process.platform !== 'linux') return unusable(`Linux (this is ${process.platform})`, 'Run the server on Linux, or in a Linux virtual machine.')
    if (!findProgram('runsc')) return unusable('the program runsc', 'apt-get install runsc')
    if (process.getuid?.() !== 0 || !userRange()) return unusable('a server that is root', 'Run the server as root: gVisor needs that to keep files apart.')
    try {
      const { cgroups } = (await ready()).host
      if (!cgroups.kill || !cgroups.limits.memory || !cgroups.limits.pids)
        return unusable('control groups for memory and processes', 'Run the server on a host with control groups, as root.')
      const sandbox = await create({ id: '\0probe' })
      try {
        const look = `dmesg 2>/dev/null | head -n 3; uname -r; test -e ${root.path} || echo apart; python3 -c 'print("python")' 2>/dev/null; node -e 'console.log("node")'; : > /usr/x 2>/dev/null || echo closed; ls -d / >/dev/null 2>&1 && echo lists`
        const { stdout, stderr } = await sandbox.exec({ script: look, timeoutMs: probeTimeoutMs }, { signal: new AbortController().signal })
        for (const [word, what] of [
          ['gVisor', 'gVisor’s own kernel answers'],
          ['apart', 'no files of the host but its programs'],
          ['closed', 'everything read-only but /workspace and /tmp'],
          ['node', 'commands run'],
        ] as const)
          if (!stdout.includes(word)) return unusable(`${what}: ${(stderr || stdout).slice(0, 400)}`, 'runsc do true shows by hand why.')
        return {
          driver: 'gvisor',
          isUsable: true,
          enforced: [
            'a kernel of its own for each command: the host’s is not spoken to',
            'no files of the host but its programs',
            'everything read-only but /workspace and /tmp',
            'no network',
            'a host user of its own for each workspace',
            'a container for each command: nothing outlives it',
            `memory and process limits (control groups ${cgroups.version})`,
            'disk and file count watched from outside; single files hard-limited',
            ...(cgroups.limits.cpu ? [`processor time limit (control group ${cgroups.limits.cpu.version})`] : []),
          ],
          missing: [
            {
              what: 'hard disk limit: a workspace can pass its limit until it is measured again',
              remedy: 'The driver bwrap has one. Put the sandbox folder on a file system of its own.',
            },
            ...(stdout.includes('lists')
              ? []
              : [
                  {
                    what: 'ls and stat: this runsc does not know a call of theirs',
                    remedy: 'Install a newer one: https://gvisor.dev/docs/user_guide/install/',
                  },
                ]),
            ...(cgroups.limits.cpu ? [] : [{ what: 'processor time limit', remedy: 'Run the server where there is a control group for cpu.' }]),
          ],
          gaps: ['disk', ...(cgroups.limits.cpu ? [] : ['cpu' as const])],
          languages: ['sh', 'node', ...(stdout.includes('python') ? ['python3'] : [])],
        }
      } finally {
        await sandbox.destroy()
      }
    } catch (error) {
      return unusable(`gVisor works on this host: ${toFailure(error).message.slice(0, 600)}`, 'runsc do true shows by hand why.')
    }
  }

  return {
    name: 'gvisor',
    probe,
    create,
    async remove(id) {
      const folder = root.folderOf(id)
      const known = await live.get(folder)?.catch(() => undefined) // Its own caller was told why.
      if (known) return known.destroy()
      await removeTree(folder)
      users.delete(folder)
    },
    async sweep() {
      const { host } = await ready()
      const containers = await sweepCgroups(host.cgroups) // Everything of a container is in its group.
      await removeTree(join(host.folder, 'state'))
      await mkdir(join(host.folder, 'state'), { recursive: true, mode: 0o700 })
      const workspacesTooOld = await removeOrphans(root, orphanAgeMs)
      if (containers + workspacesTooOld > 0) log.warn('swept what a killed server left', { containers, workspacesTooOld })
    },
    async stop() {
      await Promise.all([...live.values()].map(async (each) => (await each.catch(() => undefined))?.stop()))
      live.clear()
      const parts = await preparing?.catch(() => undefined) // Nothing was prepared; whoever asked for it was told why.
      if (parts) removeBases(parts.host.cgroups)
    },
  }
}

/** Empty but for a made-up `/etc`, links as the host has them, and the places to mount on. */
async function makeRootfs(rootfs: string): Promise<void> {
  const { link, bind } = systemFolders()
  for (const path of [...bind, '/proc', '/dev', '/tmp', '/workspace', '/etc', '/run/longhaul', '/opt/longhaul/bin', ...readable])
    await mkdir(join(rootfs, path), { recursive: true })
  for (const [target, path] of link) {
    await mkdir(dirname(join(rootfs, path)), { recursive: true })
    if (!existsSync(join(rootfs, path))) await symlink(target, join(rootfs, path))
  }
  for (const [name, text] of Object.entries(etc)) await writeFile(join(rootfs, 'etc', name), text)
  for (const path of ['opt/longhaul/bin/node', 'run/longhaul/script', 'run/longhaul/files.cjs']) await writeFile(join(rootfs, path), '')
  if (existsSync('/etc/ld.so.cache')) await writeFile(join(rootfs, 'etc/ld.so.cache'), await readFile('/etc/ld.so.cache'))
}
