/**
 * A file system of its own for each workspace, in a sparse image beside it, so that bytes and files are limited by the kernel.
 *
 * It is mounted only in the mount namespaces of the sandbox's own launchers, and its loop device lives as long as somebody has it open: so when the
 * server and its sandboxes are killed, the kernel unmounts and detaches. Nothing but the server's kernel ever wrote to the image's blocks.
 */
import { type FileHandle, open, readFile, rename, rm, stat, statfs, truncate, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { runProgram, sleep } from '../../kernel/index.ts'
import type { SandboxLimits } from '../driver.ts'
import { failure } from '../failures.ts'
import type { DiskUse } from './disk-watch.ts'
import { type Runtime, findProgram } from './runtime.ts'

export type DiskLimits = Pick<SandboxLimits, 'diskBytesMax' | 'fileCountMax'>
/** What is mounted where in a launcher's namespace, and the user that everything in it is given to before anything of the sandbox begins. */
export type DiskMount = { device: string; path: string; giveTo?: number }
export type AttachedDisk = { device: string; release(): Promise<void> }

export type DiskHost = {
  /** Makes the image of a workspace, with what lies in `content`. Whole or not there. */
  make(folder: string, limits: DiskLimits, user: number, content: string): Promise<void>
  /** A device over the image, for as long as somebody holds it. Whoever asks again meanwhile gets the same. */
  attach(folder: string): Promise<AttachedDisk>
  /**
   * Lays a copy of one workspace's image beside another's, for `exchange`. Nothing in the first may move; `outer` is a process in whose namespace it is
   * mounted. False, with nothing copied, where the images differ in size or anybody else has the first one mounted, who could write meanwhile.
   */
  copy(from: string, outer: number | undefined, to: string): Promise<boolean>
  /** Puts the copy in the place of the image, which nobody has mounted any more. Its files are still the first one's user's. */
  exchange(folder: string): Promise<void>
  /** What is used, seen from outside. `outer` is a process in whose namespace it is mounted. */
  measure(folder: string, outer: number | undefined): Promise<DiskUse>
  /** What it takes of the host's disk: more than is used while deleted files did not go back. */
  hostBytes(folder: string): Promise<number>
  /** Gives back to the host what was deleted and what the kernel kept: it gives up on that for good while a full file system looks for room. */
  trim(folder: string): Promise<void>
  /** Gives everything in it to a user, following no link. No command of the sandbox's may run. `outer` as above. */
  giveTo(folder: string, user: number, outer: number | undefined): Promise<void>
  /** Detaches what a server left that was killed while it attached. */
  sweep(root: string): Promise<number>
}

/** Whole seconds of unwritten data are lost only with the host. Most of what is deleted goes back to the host at once. */
const mountOptions = 'nosuid,nodev,noatime,discard'
export const mountLine = (mount: string): string => `${mount} -t ext4 -o ${mountOptions}`

const blockBytes = 4_096
const journalBlocks = 1_024
const groupBlocks = 32_768
const inodesPerBlock = 16
/** The file system's own, the first ten of each. */
const ownInodes = 10
const ownBlocks = 64
/** One program to start from here, which takes longest. */
const makingScript = 'image=$1 debugfs=$2; shift 2; "$@" && exec "$debugfs" -w -R "rmdir lost+found" "$image"'
const smallInodeCount = 32_000
const attachTriesMax = 50

export const imageOf = (folder: string): string => join(folder, 'disk.img')
export const hasImage = (folder: string): Promise<boolean> => isThere(imageOf(folder))
const comingOf = (folder: string): string => join(folder, 'disk.new')
/** There while the files of an image are another user's than the workspace's. */
const foreignOf = (folder: string): string => join(folder, 'disk.foreign')
export const isForeign = (folder: string): Promise<boolean> => isThere(foreignOf(folder))
export const forgetForeign = (folder: string): Promise<void> => rm(foreignOf(folder), { force: true })

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/** Ends what a killed server left of a copy: without an image its exchange was half done, else the copy was not whole. */
export async function settleImage(folder: string): Promise<void> {
  if (await hasImage(folder)) return rm(comingOf(folder), { force: true })
  if (await isThere(comingOf(folder))) await rename(comingOf(folder), imageOf(folder))
}

/** Bytes of an image that has room for so much: ext4 keeps two hundredths of it, at most 16 MB, for its own needs. */
export function imageBytes(limits: DiskLimits): number {
  const wanted = Math.ceil(limits.diskBytesMax / blockBytes)
  const usable = wanted + Math.min(Math.ceil(wanted / 49), 4_096)
  const blocks = usable + Math.ceil(inodeCount(limits) / inodesPerBlock) + (hasJournal(limits) ? journalBlocks : 0)
  const groups = Math.ceil(blocks / groupBlocks)
  return (blocks + groups * (4 + 8) + ownBlocks) * blockBytes
}

/** In the smallest a journal would be larger than the rest. */
const hasJournal = ({ diskBytesMax }: DiskLimits): boolean => diskBytesMax >= 16 * 1024 * 1024

/** ext4 has at most one for each block, which every file that is not empty has anyway; in the smallest there are so many for empty ones. */
function inodeCount({ diskBytesMax, fileCountMax }: DiskLimits): number {
  return Math.min(fileCountMax, Math.max(Math.floor(diskBytesMax / blockBytes), smallInodeCount)) + ownInodes
}

/** Undefined with the reason where this host has no loop devices, no ext4, or no right to mount. */
export async function detectDisks(runtime: Runtime, root: string): Promise<{ disks: DiskHost } | { whyNot: string }> {
  if (!runtime.isRoot) return { whyNot: 'the server is not root' }
  if (!runtime.stage) return { whyNot: 'the server may not mount' }
  const [mkfs, debugfs, losetup] = ['mkfs.ext4', 'debugfs', 'losetup'].map(findProgram)
  const { unshare, mount } = runtime.tools
  if (!mkfs || !debugfs) return { whyNot: 'mkfs.ext4 is not installed: apt-get install e2fsprogs' }
  if (!losetup || !unshare || !mount) return { whyNot: 'losetup is not installed: apt-get install mount' }
  const disks = diskHost({ mkfs, debugfs, losetup, unshare, mount, fstrim: findProgram('fstrim') }, runtime)
  const folder = join(root, '.disk-probe')
  try {
    await rm(folder, { recursive: true, force: true })
    await runProgram('mkdir', ['-p', join(folder, 'workspace')])
    await disks.make(folder, { diskBytesMax: 1_000_000, fileCountMax: 100 }, 65_534, join(folder, 'workspace'))
    await disks.measure(folder, undefined)
    return { disks }
  } catch (error) {
    return { whyNot: `loop devices or ext4 do not work here: ${(error instanceof Error ? error.message : String(error)).split('\n').slice(0, 3).join(' ')}` }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Without `fstrim` what the kernel keeps is kept. */
type DiskTools = { mkfs: string; debugfs: string; losetup: string; unshare: string; mount: string; fstrim: string | undefined }

type Device = { device: string; held: FileHandle }

function diskHost({ mkfs, debugfs, losetup, unshare, mount, fstrim }: DiskTools, runtime: Runtime): DiskHost {
  /** By the image's number: two devices of one image would be two file systems that know nothing of each other. To make one takes some 20 ms. */
  const attached = new Map<number, { users: number; opening: Promise<Device> }>()
  /** By the same number: whoever comes meanwhile waits. */
  const copying = new Map<number, Promise<unknown>>()

  async function make(folder: string, limits: DiskLimits, user: number, content: string): Promise<void> {
    const making = comingOf(folder)
    await rm(making, { force: true })
    await writeFile(making, '', { mode: 0o600 })
    await truncate(making, imageBytes(limits))
    const shape = ['-b', String(blockBytes), '-N', String(inodeCount(limits)), '-m', '0']
    const journal = hasJournal(limits)
      ? ['-O', '^resize_inode', '-J', `size=${(journalBlocks * blockBytes) / 1024 / 1024}`]
      : ['-O', '^resize_inode,^has_journal']
    const extended = ['-E', `lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=${user}:${user}`]
    try {
      const shaping = [mkfs, '-q', '-F', ...shape, ...journal, ...extended, '-d', content, making]
      await runProgram('/bin/sh', ['-c', makingScript, 'sh', making, debugfs, ...shaping])
    } catch (error) {
      if (error instanceof Error && /Could not allocate|No space left/i.test(error.message))
        throw failure('over_limit', `The seed has no room in a workspace of ${limits.diskBytesMax} bytes and ${limits.fileCountMax} files.`, error)
      throw error
    }
    await rename(making, imageOf(folder))
  }

  async function attach(folder: string): Promise<AttachedDisk> {
    const image = imageOf(folder)
    const { ino } = await stat(image) // The same wherever its folder is renamed to.
    while (copying.has(ino)) await copying.get(ino)
    const entry = attached.get(ino) ?? { users: 0, opening: openDevice(image) }
    attached.set(ino, entry)
    entry.users++
    const leave = () => {
      entry.users--
      if (entry.users === 0) attached.delete(ino)
      return entry.users === 0
    }
    try {
      const { device, held } = await entry.opening
      return { device, release: async () => (leave() ? held.close() : undefined) }
    } catch (error) {
      leave()
      throw error
    }
  }

  async function openDevice(image: string): Promise<Device> {
    for (let tries = 0; tries < attachTriesMax; tries++) {
      const device = (await runProgram(losetup, ['--find', '--show', '--nooverlap', image])).stdout.trim()
      const held = await open(device, 'r')
      // It is open, so this only says: with the last who has it open.
      await runProgram(losetup, ['--detach', device]).catch(() => {}) // Another was just detaching it; the next line tells.
      if ((await backingOf(device)) === image) return { device, held }
      await held.close()
      await sleep(20) // We came upon one that was just going.
    }
    throw failure('sandbox_unavailable', `No loop device could be had for ${image}.`)
  }

  async function copy(from: string, outer: number | undefined, to: string): Promise<boolean> {
    const { ino, size } = await stat(imageOf(from))
    if (size !== (await stat(imageOf(to))).size) return false
    while (copying.has(ino)) await copying.get(ino)
    const work = copyAlone(from, ino, outer, to)
    const over = work.catch(() => {}) // Our caller hears of it.
    copying.set(ino, over)
    try {
      return await work
    } finally {
      copying.delete(ino)
    }
  }

  /** Nobody can attach it meanwhile. What the file system holds back is written by `sync`; to freeze it would wait for the kernel's readers three times. */
  async function copyAlone(from: string, ino: number, outer: number | undefined, to: string): Promise<boolean> {
    const isOurs = outer === undefined ? !attached.has(ino) && !(await hasDevice(imageOf(from))) : attached.get(ino)?.users === 1
    if (!isOurs) return false
    try {
      if (outer !== undefined) await runProgram('sync', ['--file-system', mountedPath(runtime, from, outer)])
      await runProgram('cp', ['--reflink=auto', '--sparse=auto', '--', imageOf(from), comingOf(to)])
    } catch (error) {
      await rm(comingOf(to), { force: true })
      throw failure('sandbox_unavailable', 'The workspace could not be copied. Is there room on the disk of the server?', error)
    }
    // Had its last process ended meanwhile, the kernel would have written to it once more.
    const isStill = outer === undefined || (await isThere(mountedPath(runtime, from, outer)))
    if (!isStill) await rm(comingOf(to), { force: true })
    return isStill
  }

  /** Also one that goes with a process that has just ended. */
  const hasDevice = async (image: string): Promise<boolean> =>
    (await runProgram(losetup, ['--noheadings', '--output', 'NAME', '--associated', image])).stdout !== ''

  /** Runs a program of ours as root, with the workspace mounted over its place for this program alone. */
  async function mounted(folder: string, ...command: string[]): Promise<string> {
    const disk = await attach(folder)
    try {
      const script = `${mountLine('"$1"')} "$2" "$3" && shift 3 && exec "$@"`
      const args = ['--mount', '--propagation', 'private', '--', '/bin/sh', '-c', script, 'sh', mount, disk.device, join(folder, 'workspace')]
      return (await runProgram(unshare, [...args, ...command])).stdout
    } finally {
      await disk.release()
    }
  }

  return {
    make,
    attach,
    copy,
    async exchange(folder) {
      await writeFile(foreignOf(folder), '')
      // In two steps: ext4 writes a file to the disk before it takes another's name, which takes longer than all the rest.
      await rm(imageOf(folder))
      await settleImage(folder)
    },
    async measure(folder, outer) {
      const seen = outer === undefined ? undefined : await statfs(mountedPath(runtime, folder, outer)).catch(() => undefined) // It ended meanwhile.
      if (seen) return used(seen.blocks, seen.bfree, seen.files, seen.ffree)
      const [blocks = 0, bfree = 0, files = 0, ffree = 0] = (await mounted(folder, 'stat', '-f', '-c', '%b %f %c %d', join(folder, 'workspace')))
        .trim()
        .split(' ')
        .map(Number)
      return used(blocks, bfree, files, ffree)
    },
    hostBytes: async (folder) => (await stat(imageOf(folder))).blocks * 512,
    async trim(folder) {
      if (fstrim !== undefined) await mounted(folder, '/bin/sh', '-c', 'sync --file-system "$1" && exec "$2" "$1"', 'sh', join(folder, 'workspace'), fstrim)
    },
    async giveTo(folder, user, outer) {
      const give = (path: string) => ['-R', '-P', '-h', '--', `${user}:${user}`, path]
      if (outer === undefined) await mounted(folder, 'chown', ...give(join(folder, 'workspace')))
      else await runProgram('chown', give(mountedPath(runtime, folder, outer)))
    },
    async sweep(root) {
      const list = (await runProgram(losetup, ['--list', '--noheadings', '--raw', '--output', 'NAME,BACK-FILE'])).stdout.split('\n')
      const left = list.filter((line) => line.slice(line.indexOf(' ') + 1).startsWith(`${root}/`)).map((line) => line.slice(0, line.indexOf(' ')))
      for (const device of left) await runProgram(losetup, ['--detach', device]).catch(() => {}) // It went by itself.
      return left.length
    },
  }
}

const used = (blocks: number, bfree: number, files: number, ffree: number): DiskUse => ({
  bytes: (blocks - bfree) * blockBytes,
  files: files - ffree - ownInodes + 1, // The workspace itself, as `du` counts it.
})

/** The mounted workspace, through a process in whose namespace it is. */
export const mountedPath = (runtime: Runtime, folder: string, outer: number): string => `/proc/${outer}/root${runtime.seen(join(folder, 'workspace'))}`

const backingOf = (device: string): Promise<string | undefined> =>
  readFile(`/sys/block/${basename(device)}/loop/backing_file`, 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  )
