/**
 * What a worker sees of this machine: programs, packages that its version may import, the version's own folder, and a folder for its data. By bubblewrap,
 * with namespaces of its own for files, processes and users. The network stays: an agent's own code calls whom it likes.
 */
import { existsSync, lstatSync, readlinkSync, realpathSync } from 'node:fs'
import { mkdir, readdir, realpath } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import { runProgram } from '../kernel/index.ts'

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
  const base = [...systemArguments(), ...readable([itself(process.execPath), ...own])]
  try {
    await runProgram(bwrap, [...base, '--', process.execPath, '--version'], { timeoutMs: 10_000 })
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
        ...readable([itself(folder), ...packages]),
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
  const settings = [
    'alternatives',
    'ca-certificates',
    'ssl/certs',
    'ssl/openssl.cnf',
    'ld.so.cache',
    'ld.so.conf',
    'ld.so.conf.d',
    'localtime',
    'passwd',
    'group',
    'hosts',
  ]
  const names = ['nsswitch.conf', 'resolv.conf', 'gai.conf', 'mime.types', 'os-release']
  return [
    ...['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
    ...['--die-with-parent', '--new-session', '--cap-drop', 'ALL'],
    ...folders,
    ...[...settings, ...names].flatMap((name) => ['--ro-bind-try', `/etc/${name}`, `/etc/${name}`]),
    ...['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', '--dir', '/tmp/home', '--setenv', 'HOME', '/tmp/home', '--setenv', 'TMPDIR', '/tmp'],
  ]
}

/** What lies at `from` is to be found at `at`: there itself, or where a link on the way to it leads first. */
type Shown = { from: string; at: string }

function readable(shown: readonly Shown[]): string[] {
  const found = new Map(shown.map(({ from, at }) => [at, from]))
  // What comes along with a folder around it need not be shown by itself.
  const isWithin = (at: string, from: string) =>
    [...found].some(([around, source]) => around !== at && at.startsWith(around + sep) && from === source + at.slice(around.length))
  // Folders before what lies in them, which they would cover.
  const sorted = [...found].toSorted(([one], [other]) => (one < other ? -1 : 1))
  return sorted.flatMap(([at, from]) => (isWithin(at, from) ? [] : ['--ro-bind', from, at]))
}

const itself = (path: string): Shown => ({ from: path, at: path })

/** A folder of packages and all that is linked from it: where each package lies, or the whole folder of packages that it lies in. */
async function packagesOf(modules: string): Promise<Shown[]> {
  if (!existsSync(modules)) return []
  const folder = await realpath(modules)
  const names = (await readdir(folder)).filter((name) => !name.startsWith('.'))
  const paths = await Promise.all(
    names.map(async (name) => (name.startsWith('@') ? (await readdir(join(folder, name))).map((each) => join(folder, name, each)) : [join(folder, name)])),
  )
  const linked = await Promise.all(
    paths
      .flat()
      .filter((path) => lstatSync(path).isSymbolicLink())
      .map(async (path) => {
        const real = await realpath(path).catch(() => undefined) // It leads nowhere.
        return real === undefined ? [] : [itself(aboveModules(real)), ...onTheWay(path, real)]
      }),
  )
  return [itself(folder), ...onTheWay(modules, folder), ...linked.flat()]
}

const linksMax = 40

/** Where links lead before they have led to `real`. */
function onTheWay(link: string, real: string): Shown[] {
  const found: Shown[] = []
  for (let path = link; lstatSync(path).isSymbolicLink() && found.length < linksMax;) {
    path = resolve(realpathSync(dirname(path)), readlinkSync(path)) // A folder on the way may be a link itself.
    if (path !== real) found.push({ from: real, at: path })
  }
  return found
}

/** Of `/x/node_modules/.store/a/node_modules/a` the first folder of packages: those that it needs lie in there, too. */
function aboveModules(path: string): string {
  const mark = `${sep}node_modules${sep}`
  const at = path.indexOf(mark)
  return at === -1 ? path : path.slice(0, at + mark.length - 1)
}
