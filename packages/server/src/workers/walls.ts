/**
 * What a worker sees of this machine: programs, packages that its version may import, the version's own folder, and a folder for its data. By bubblewrap,
 * with namespaces of its own for files, processes and users. The network stays: an agent's own code calls whom it likes.
 */
import { execFile } from 'node:child_process'
import { existsSync, lstatSync, readlinkSync } from 'node:fs'
import { mkdir, readdir, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { promisify } from 'node:util'

export type Walls = {
  /** The command for a worker of the version, whose socket is in `socketFolder`. The descriptor 3 is told of the process that all others within end with (`child-pid`); the worker is its one child. */
  around(place: { folder: string; dataDir: string }, socketFolder: string, command: readonly string[]): Promise<[program: string, ...args: string[]]>
}

const bwrap = '/usr/bin/bwrap'
const install = 'apt-get install bubblewrap'

/** Why there are none here, with the remedy; the walls where they hold. `modules`: folders of packages that every worker needs. */
export async function openWalls(modules: readonly string[]): Promise<Walls | { whyNot: string }> {
  if (process.platform !== 'linux') return { whyNot: 'bubblewrap is for Linux.' }
  if (!existsSync(bwrap)) return { whyNot: `bubblewrap is not installed: ${install}` }
  const own = (await Promise.all(modules.map(packagesOf))).flat()
  const base = [...systemArguments(), ...(await readable([process.execPath, ...own]))]
  try {
    await promisify(execFile)(bwrap, [...base, '--', process.execPath, '--version'], { timeout: 10_000 })
  } catch (error) {
    return { whyNot: `bubblewrap does not work here: ${(error instanceof Error ? error.message : String(error)).split('\n').slice(0, 3).join(' ')}` }
  }
  return {
    async around({ folder, dataDir }, socketFolder, command) {
      await mkdir(dataDir, { recursive: true }) // It could not make it itself.
      const packages = await packagesOf(join(folder, 'node_modules'))
      return [
        bwrap,
        ...base,
        ...(await readable([folder, ...packages])),
        ...['--bind', dataDir, dataDir],
        ...['--ro-bind', socketFolder, socketFolder],
        ...['--info-fd', '3', '--', ...command],
      ]
    },
  }
}

/** Before anything that may lie in `/tmp`, which is the worker's own. */
function systemArguments(): string[] {
  const folders = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/opt', '/nix'].flatMap((path) => {
    const info = lstatSync(path, { throwIfNoEntry: false })
    return info?.isSymbolicLink() ? ['--symlink', readlinkSync(path), path] : info?.isDirectory() ? ['--ro-bind', path, path] : []
  })
  const settings = ['alternatives', 'ca-certificates', 'ssl', 'ld.so.cache', 'ld.so.conf', 'ld.so.conf.d', 'localtime', 'passwd', 'group', 'hosts']
  const names = ['nsswitch.conf', 'resolv.conf', 'gai.conf', 'mime.types', 'os-release']
  return [
    ...['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
    ...['--die-with-parent', '--new-session', '--cap-drop', 'ALL'],
    ...folders,
    ...[...settings, ...names].flatMap((name) => ['--ro-bind-try', `/etc/${name}`, `/etc/${name}`]),
    ...['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', '--dir', '/tmp/home', '--setenv', 'HOME', '/tmp/home', '--setenv', 'TMPDIR', '/tmp'],
  ]
}

const readable = async (paths: readonly string[]): Promise<string[]> => outermost(paths).flatMap((path) => ['--ro-bind', path, path])

/** Without those that lie in another of them: mounting them again would only cost. */
function outermost(paths: readonly string[]): string[] {
  const sorted = [...new Set(paths)].toSorted()
  return sorted.filter((path) => !sorted.some((other) => other !== path && path.startsWith(other + sep)))
}

/** A folder of packages and all that is linked from it: where each package lies, or the whole folder of packages that it lies in. */
async function packagesOf(modules: string): Promise<string[]> {
  if (!existsSync(modules)) return []
  const folder = await realpath(modules)
  const names = (await readdir(folder)).filter((name) => !name.startsWith('.'))
  const linked = await Promise.all(
    names.map(async (name) => {
      const inside = name.startsWith('@') ? (await readdir(join(folder, name))).map((each) => join(folder, name, each)) : [join(folder, name)]
      return Promise.all(inside.filter((path) => lstatSync(path).isSymbolicLink()).map((path) => realpath(path).catch(() => undefined)))
    }),
  )
  return [folder, ...linked.flat().flatMap((path) => (path === undefined ? [] : [aboveModules(path)]))]
}

/** Of `/x/node_modules/.store/a/node_modules/a` the first folder of packages: those that it needs lie in there, too. */
function aboveModules(path: string): string {
  const mark = `${sep}node_modules${sep}`
  const at = path.indexOf(mark)
  return at === -1 ? path : path.slice(0, at + mark.length - 1)
}
