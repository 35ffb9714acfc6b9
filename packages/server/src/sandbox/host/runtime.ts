import { constants, existsSync, lstatSync, mkdirSync, readlinkSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { chmod, copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AppError, runProgram } from '../../kernel/index.ts'
import { dataMountsMax } from '../driver.ts'
import type { Root } from '../root.ts'

/** What all sandboxes of a server share: the agent, its Node, a made-up `/etc`, and how sandboxes reach all that. */
export type Runtime = {
  isRoot: boolean
  tools: Tools
  /** Folder with `node-x`, `agent.cjs` and `etc/`, as the launching user sees it. */
  folder: string
  /** Node for commands, as the launching user sees it. */
  node: string
  /**
   * As root, the sandboxes' users cannot pass through folders like `/root`: the root folder is mounted here, in the launcher's
   * own mount namespace. Undefined where the server may not mount, as in most containers: then the folder must be within their reach.
   */
  stage: string | undefined
  fstab: string
  /** A path below the root folder, as the launching user sees it. */
  seen(path: string): string
  /** Empty folders, as the launching user sees them, for what a launch mounts for itself alone. */
  mountPoints: readonly string[]
}

const toolFolders = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin']
export const findProgram = (name: string): string | undefined => toolFolders.map((folder) => join(folder, name)).find((path) => existsSync(path))

export type Tools = { prlimit: string; setpriv?: string; unshare?: string; mount?: string; mkfifo: string; du: string }

export async function prepareRuntime(root: Root, tools: Tools, isRoot: boolean): Promise<Runtime> {
  const folder = join(root.path, '.runtime')
  await mkdir(join(folder, 'etc'), { recursive: true })
  for (const each of [folder, join(folder, 'etc')]) await chmod(each, 0o755) // Whatever the umask.
  await copyNode(folder)
  await replace(join(folder, 'agent.cjs'), (to) => copyFile(fileURLToPath(new URL('../agent/agent.cjs', import.meta.url)), to), 0o444)
  for (const [name, text] of Object.entries(etc)) await replace(join(folder, 'etc', name), async (to) => writeFileSync(to, text), 0o444)
  await replace(join(folder, 'node'), async (to) => writeFileSync(to, ''), 0o444) // A place to mount the host's Node on.

  const points = Array.from({ length: dataMountsMax }, (_, index) => join(folder, 'data', String(index)))
  for (const each of points) await mkdir(each, { recursive: true })
  await chmod(join(folder, 'data'), 0o755)

  const stage = isRoot && (await mayMount(tools)) ? makeStage(root.tag) : undefined
  const seen = (path: string) => (stage ? stage + path.slice(root.path.length) : path)
  const fstab = join(folder, 'fstab')
  if (stage) {
    const lines = [`${escape(root.path)} ${stage} none bind 0 0`, `${escape(process.execPath)} ${escape(join(seen(folder), 'node'))} none bind 0 0`]
    await replace(fstab, async (to) => writeFileSync(to, `${lines.join('\n')}\n`), 0o444)
  }
  return { isRoot, tools, folder: seen(folder), node: stage ? join(seen(folder), 'node') : process.execPath, stage, fstab, seen, mountPoints: points.map(seen) }
}

export function removeStage(runtime: Runtime): void {
  if (!runtime.stage) return
  try {
    rmdirSync(runtime.stage)
  } catch {
    // Another server on the same folder made it its own; empty, it costs nothing.
  }
}

/** Pipes for the streams of each of `slotCount` commands, made once for a workspace. Whoever reaches the folder may open them. */
export async function makePipes(tools: Tools, folder: string, slotCount: number): Promise<void> {
  if (existsSync(folder)) return
  const making = `${folder}.new`
  await rm(making, { recursive: true, force: true })
  await mkdir(making, { recursive: true })
  await chmod(making, 0o755)
  const paths = Array.from({ length: slotCount }, (_, index) => ['in', 'out', 'err'].map((name) => join(making, `${index}.${name}`))).flat()
  await runProgram(tools.mkfifo, ['-m', '666', '--', ...paths])
  await rename(making, folder)
}

/** How the host lays out its programs: links into `/usr`, or folders of their own. */
export function systemFolders(): { link: [target: string, path: string][]; bind: string[] } {
  const link: [string, string][] = []
  const bind = ['/usr']
  for (const path of ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32']) {
    const info = lstatSync(path, { throwIfNoEntry: false })
    if (info?.isSymbolicLink()) link.push([readlinkSync(path), path])
    else if (info?.isDirectory()) bind.push(path)
  }
  return { link, bind }
}

export const etc: Record<string, string> = {
  passwd:
    'root:x:0:0:root:/nonexistent:/usr/sbin/nologin\nsandbox:x:1000:1000:sandbox:/workspace:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
  group: 'root:x:0:\nsandbox:x:1000:\nnogroup:x:65534:\n',
  hosts: '127.0.0.1 localhost sandbox\n::1 localhost\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\n',
}

/**
 * The agent's Node. It may be executed but not read: the kernel then keeps other processes of the same user out of the
 * agent's memory and descriptors. Named for what it is a copy of, so that a new Node gets a new copy.
 */
async function copyNode(folder: string): Promise<void> {
  const { size, mtimeMs } = statSync(process.execPath)
  const key = `node-${process.version}-${size.toString(36)}-${Math.trunc(mtimeMs).toString(36)}`
  const path = join(folder, 'node-x')
  const marker = join(folder, `${key}.is-current`)
  if (existsSync(path) && existsSync(marker)) return
  await replace(path, (to) => copyFile(process.execPath, to, constants.COPYFILE_FICLONE), 0o111)
  for (const name of await readdir(folder)) if (name.endsWith('.is-current')) await rm(join(folder, name))
  writeFileSync(marker, '')
}

/** Makes the file beside its place and moves it there: whoever uses the old one keeps it, and a crash leaves no half. */
async function replace(path: string, make: (to: string) => Promise<void>, mode: number): Promise<void> {
  const making = `${path}.new`
  await rm(making, { force: true })
  await make(making)
  await chmod(making, mode)
  await rename(making, path)
}

async function mayMount({ unshare, mount }: Tools): Promise<boolean> {
  if (!unshare || !mount) return false
  return runProgram(unshare, ['--mount', '--propagation', 'private', '--', 'true']).then(
    () => true,
    () => false,
  )
}

function makeStage(tag: string): string {
  const stage = `/run/longhaul-${tag}`
  mkdirSync(stage, { recursive: true, mode: 0o711 })
  const info = lstatSync(stage)
  if (!info.isDirectory() || info.uid !== 0) throw new AppError('conflict', `${stage} is not a folder of root's. Remove it and start again.`)
  return stage
}

/** In fstab, blanks and backslashes are written in octal. */
function escape(path: string): string {
  return path.replace(/[\s\\#]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`)
}
