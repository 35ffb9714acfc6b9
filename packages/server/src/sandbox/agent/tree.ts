/**
 * Whole trees in and out of a workspace, as tar archives, and copies of it. `tar` runs in a sandbox of its own that sees this workspace and nothing
 * else: no agent, no network, the workspace's own user. So whatever hostile code laid out there (links, pipes, a million files, an archive
 * with paths that climb) can lead it nowhere, and the server itself reads no entry of any archive.
 */
import { chown } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { PassThrough, type Readable, type Writable, pipeline } from 'node:stream'
import { after, runProgram } from '../../kernel/index.ts'
import type { SandboxLimits, TreeStream } from '../driver.ts'
import { failure } from '../failures.ts'
import { type PlacedDisk, placeDisk } from './agent-life.ts'
import { type DiskMount, hasImage } from '../host/disk-image.ts'
import type { AgentHost, LaunchOptions, Launched } from './host.ts'

/** `outer` is the outermost process of a sandbox that runs. */
export type TreePlace = { host: AgentHost; folder: string; user: number | undefined; limits: SandboxLimits; outer: number | undefined }

/** Of one archive, however slowly its other end takes or gives. */
const withinMs = 10 * 60_000
/** bubblewrap's word for SIGXFSZ. */
const endedByFileSize = 128 + 25
const notPacked = 'The archive could not be made'
let jailCount = 0

/** What was closed to its own owner is opened first; holes stay holes; whose a file is does not matter; sockets, which nobody can restore, are left out. 1 is tar's word for a file that changed while it was read, where nothing was stopped. */
const packing =
  'cd -- "$1" || exit 3; chmod -R u+rX . 2>/dev/null; tar --create --file=- --sparse --numeric-owner --owner=0 --group=0 --warning=no-file-changed -- .; code=$?; [ "$code" -eq 1 ] || exit "$code"'
/** Paths are taken below the folder, links are made last, owners are not looked at. */
const unpacking =
  'mkdir -p -- "$1" && cd -- "$1" && exec tar --extract --file=- --blocking-factor=512 --no-same-owner --same-permissions --delay-directory-restore'

/** As above, without an archive between; where the file system can share blocks between files, nothing is copied. */
const copying =
  'cd -- "$1" || exit 3; find . -type d ! -perm -u=rx -exec chmod u+rx {} ";" -o -type f ! -perm -u=r -exec chmod u+r {} ";" 2>/dev/null; exec cp --archive --reflink=auto --no-target-directory -- . /copy'

/** Copies the file system of one workspace as a whole, to be exchanged for the other's; false where it has to be copied file by file. */
export async function copyDisk(from: TreePlace, to: TreePlace): Promise<boolean> {
  const isSame = from.limits.diskBytesMax === to.limits.diskBytesMax && from.limits.fileCountMax === to.limits.fileCountMax
  if (!from.host.disks || !isSame || !(await hasImage(from.folder)) || !(await hasImage(to.folder))) return false
  return from.host.disks.copy(from.folder, from.outer, to.folder)
}

/**
 * Copies one workspace into another, new and empty, as the first one's user: nothing but `cp` can touch the new one meanwhile. Then it is given to
 * its own user, from outside, by descriptor and without following a link; no process is there that could change anything meanwhile.
 */
export async function copyTree(from: TreePlace, to: TreePlace): Promise<void> {
  const target = join(to.folder, 'workspace')
  const disk = await placeDisk(to.host, to.folder)
  const give = async (user: number) => {
    if (disk) await to.host.disks?.giveTo(to.folder, user, to.outer)
    else await runProgram('chown', ['-R', '-P', '-h', '--', `${user}:${user}`, target])
  }
  try {
    if (from.user !== undefined) {
      await chown(to.folder, 0, from.user) // To pass through.
      await give(from.user)
    }
    const jail = await start({ ...from, copyTo: target, ...(disk && { copyMount: disk.mount }) }, copying, '/workspace')
    jail.launched.input.end()
    jail.launched.output.resume()
    const code = await jail.ended
    if (code === endedByFileSize) throw failure('over_limit', 'The workspace holds a file that is larger than the copy may be.')
    if (code !== 0) throw explain(jail.launched, 'The workspace could not be copied')
  } finally {
    if (to.user !== undefined) {
      await chown(to.folder, 0, to.user)
      await give(to.user)
    }
    await disk?.release()
  }
}

/** What lies in `path` of the workspace as an archive. The stream fails when the archive could not be made whole. */
export async function packTree(place: TreePlace, path: string): Promise<TreeStream> {
  const jail = await start(place, packing, path)
  jail.launched.input.end()
  const done = jail.ended.then((code) => {
    if (code !== 0) throw explain(jail.launched, notPacked)
  })
  done.catch(() => {}) // Whoever reads the stream to its end waits for it.
  // A process that ends before anybody reads takes with it what Node has not read yet.
  const stream = new PassThrough()
  pipeline(jail.launched.output, stream, () => {}) // Whoever reads it hears of its failure.
  return { stream, done, cancel: () => void (stream.readableEnded || jail.launched.kill()) }
}

/** Lays an archive out in `path`. Stops at `bytesMax` bytes of archive. */
export async function unpackTree(place: TreePlace, path: string, archive: Readable, bytesMax: number): Promise<void> {
  const jail = await start(place, unpacking, path)
  jail.launched.output.resume()
  try {
    await feed(archive, jail.launched.input, bytesMax)
  } catch (error) {
    jail.launched.kill()
    await jail.ended
    throw error
  } finally {
    archive.destroy()
  }
  const code = await jail.ended
  if (code === endedByFileSize) throw failure('over_limit', 'The archive holds a file that is larger than the workspace may be.')
  if (code !== 0) throw explain(jail.launched, 'The archive could not be unpacked')
}

/** Returns also when the other end takes no more: what it says then tells why. */
async function feed(archive: Readable, input: Writable, bytesMax: number): Promise<void> {
  let bytes = 0
  const closed = new Promise<void>((resolve) => input.once('close', resolve))
  for await (const piece of archive as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > bytesMax) throw failure('over_limit', `The archive is larger than the ${bytesMax} bytes that the workspace has room for.`)
    if (input.destroyed) return
    if (!input.write(piece)) await Promise.race([closed, new Promise<void>((resolve) => input.once('drain', resolve))])
  }
  input.end()
}

async function start(
  { host, folder, user, limits, copyTo, copyMount }: TreePlace & { copyTo?: string; copyMount?: DiskMount },
  script: string,
  path: string,
): Promise<{ launched: Launched; ended: Promise<number | null> }> {
  const disk: PlacedDisk | undefined = await placeDisk(host, folder)
  const cgroup = host.createCgroup(`${basename(folder)}-tree-${++jailCount}`, limits)
  const free = async () => {
    await disk?.release()
    await cgroup?.remove()
  }
  const asked: LaunchOptions = {
    folder,
    user,
    joinFiles: cgroup?.joinFiles ?? [],
    limits,
    ...(copyTo !== undefined && { copyTo }),
    hasNoTmp: true,
    disks: [...(disk ? [disk.mount] : []), ...(copyMount ? [copyMount] : [])],
    command: ['/bin/sh', '-c', script, 'sh', path],
  }
  const launched = await host.launch(asked).catch(async (error: unknown) => {
    await free()
    throw error
  })
  launched.input.on('error', () => {}) // It ended; its complaint says why.
  const cancelLimit = after(withinMs, () => launched.kill(), false)
  const ended = launched.exited.then(async (code) => {
    cancelLimit()
    await free()
    return code
  })
  return { launched, ended }
}

function explain(launched: Launched, what: string, cause?: unknown): Error {
  const said = launched.complaints()
  const code =
    what === notPacked && /No such file|Not a directory/.test(said)
      ? 'not_found'
      : /File name too long|No space left|too large/i.test(said)
        ? 'over_limit'
        : 'invalid'
  return failure(code, `${what}: ${said.split('\n').slice(0, 3).join(' ').slice(0, 600) || 'tar was ended'}`, cause)
}
