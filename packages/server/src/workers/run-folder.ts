/** What the workers of one life of the server have on its disk: gone with it, or, when it was killed, at the next start. */
import { mkdir, mkdtemp, readlink, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export const socketName = 'worker.sock'

/** Of the path of a Unix socket, less its end; macOS allows the least. */
const socketPathBytesMax = 103
const elsewhere = /^lh-\w{6}$/

/** Sweeps what an earlier life left in `folder`, which nobody but this server uses, and makes it anew for this user alone. */
export async function openRunFolder(folder: string): Promise<{ socketFolder: string; clear(): Promise<void> }> {
  const link = join(folder, 'socket')
  const sweep = async () => {
    const target = await readlink(link).catch(() => undefined) // There is none, or the socket lies here.
    if (target !== undefined && dirname(target) === tmpdir() && elsewhere.test(target.slice(dirname(target).length + 1))) await clear(target)
    await clear(folder)
  }
  await sweep()
  await mkdir(folder, { recursive: true, mode: 0o700 })
  if (Buffer.byteLength(join(link, socketName)) <= socketPathBytesMax) {
    await mkdir(link, { mode: 0o700 })
    return { socketFolder: link, clear: sweep }
  }
  const socketFolder = await mkdtemp(join(tmpdir(), 'lh-'))
  await symlink(socketFolder, link)
  return { socketFolder, clear: sweep }
}

const clear = (path: string) => rm(path, { recursive: true, force: true, maxRetries: 3 })
