/** Images of programs, unpacked once for each tenant and content, as roots of sandboxes. */
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, lstatSync, mkdirSync, realpathSync, statSync, utimesSync } from 'node:fs'
import { chmod, mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { AppError, type Log, newId, wallClock } from '../../kernel/index.ts'
import { type HeldImage, type ImageRoot, rootNode } from '../driver.ts'
import { workspacePath } from '../paths.ts'
import { removeTree } from '../remove-tree.ts'
import { type ImageSource, readImageFile, readRootFile } from './image-source.ts'
import { type Registries, fetchImage, referenceOf } from './registry.ts'
import { type ImageQuota, type ImagesUsed, draftPrefix, imagesUsed, startName, withRoom } from './image-room.ts'
import { type ImageStart, unpackImage } from './unpack-image.ts'

/** `id` names its content. `workspace`: a folder that its workspaces begin as, where it has one. */
export type Image = { id: string; root: ImageRoot; workspace?: string } & Pick<ImageStart, 'entrypoint' | 'cmd' | 'workingDir'>

/** The path of a file or folder in `folder`, or a registry's by its digest, for which there need not be a folder. */
export type NamedImage = { folder?: string | undefined; image: string }

export type Images = {
  /**
   * The image that is named. Throws `invalid` or `too_large` where it is not taken, `unavailable` where it cannot be had now, `over_limit` where the tenant
   * has too many in use. What another tenant has is not shared.
   */
  open(tenantId: string, at: NamedImage): Promise<Image>
  /** The same as the root of a sandbox, which stays here as long as it is held. */
  hold(tenantId: string, at: NamedImage): Promise<HeldImage>
  /** What the operator gives all sandboxes as their root: the tree of a system as a tar archive, or an image, in a file of this machine's. No tenant's quota counts it. */
  holdRoot(path: string): Promise<HeldImage>
  /** What a tenant has of them on this server. */
  used(tenantId: string): Promise<ImagesUsed>
  /** Deletes what nobody used for a month and nobody holds, and what a killed server left half done. Nothing may be being unpacked. */
  sweep(): Promise<void>
}

export type ImagesOptions = {
  /** Inside the folder of all sandboxes, where their launcher finds it. */
  folder: string
  /** Of one image, unpacked. */
  bytesMax: number
  /** Where images may be fetched from. */
  registries?: Registries
  /** How many of them a tenant may have here, and of how many bytes together. Default: no limit. */
  quotaOf?: (tenantId: string) => Promise<ImageQuota>
  log: Log
}

const filesMax = 300_000
const passable = 0o711
const ageMsMax = 30 * 86_400_000
/** Beside the tenants' folders: no tenant's has such a name. */
const operatorsFolder = 'operator'
const usualPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export function openImages({ folder: given, bytesMax, registries = {}, quotaOf = async () => ({}), log }: ImagesOptions): Images {
  mkdirSync(given, { recursive: true })
  chmodSync(given, passable)
  const folder = realpathSync(given)
  const opening = new Map<string, Promise<Image>>()
  /** What it was when it was first asked for, whatever becomes of the file. */
  let rootSource: Promise<ImageSource> | undefined
  /** By tenant: the last of those that are being unpacked, one after the other, since each is counted before the next one. */
  const lines = new Map<string, Promise<void>>()
  /** By their folders. */
  const holders = new Map<string, number>()
  const isHeld = (at: string) => holders.has(at)
  const folderOf = (tenantId: string) => join(folder, createHash('sha256').update(tenantId).digest('hex').slice(0, 16))

  async function unpackNext(tenantId: string, source: () => Promise<ImageSource>, at: string): Promise<void> {
    const before = lines.get(tenantId)
    const turn = (async () => {
      await before?.catch(() => {}) // Its caller heard of it.
      const quota = await quotaOf(tenantId)
      await withRoom({ tenantId, folder: dirname(at), bytesMax, quota, isHeld }, async (most) => unpack(await source(), at, most))
    })()
    lines.set(tenantId, turn)
    await turn.finally(() => {
      if (lines.get(tenantId) === turn) lines.delete(tenantId)
    })
  }

  async function unpack(source: ImageSource, at: string, bytesMax: number): Promise<ImageStart> {
    const draft = join(folder, `${draftPrefix}${newId()}`)
    await makeFolder(draft)
    try {
      const start = await unpackImage(source, draft, { bytesMax, filesMax })
      await removeTree(join(draft, 'contents'))
      await writeFile(join(draft, startName), JSON.stringify(start))
      await makeFolder(dirname(at))
      await rename(draft, at)
      return start
    } catch (error) {
      await removeTree(draft)
      throw error
    }
  }

  async function openOne(at: string, id: string, name: string, unpackTo: () => Promise<unknown>): Promise<Image> {
    const file = join(at, startName)
    if (!existsSync(file)) {
      const startedAt = wallClock().getTime()
      await unpackTo()
      log.info('an image was unpacked', { name, image: id, durationMs: wallClock().getTime() - startedAt })
    }
    const now = wallClock()
    utimesSync(file, now, now) // In one go with the look at it: what was just used is not deleted.
    const { uid, gid, env, bytes: _, ...start } = JSON.parse(await readFile(file, 'utf8')) as ImageStart // Written by us.
    const root = join(at, 'root')
    const workspace = join(root, basename(workspacePath))
    const isSeeded = lstatSync(workspace, { throwIfNoEntry: false })?.isDirectory() === true
    return { id, root: { name, folder: root, uid, gid, env }, ...(isSeeded && { workspace }), ...start }
  }

  /** Once for all who ask for it at the same time. */
  async function openOnce(at: string, id: string, name: string, unpackTo: () => Promise<unknown>): Promise<Image> {
    const known = opening.get(at)
    if (known) return known
    const image = openOne(at, id, name, unpackTo).catch((error: unknown) => {
      throw fullDisk(error) ?? error
    })
    opening.set(at, image)
    return image.finally(() => opening.delete(at))
  }

  async function open(tenantId: string, { folder: own, image: named }: NamedImage): Promise<Image> {
    const reference = referenceOf(named)
    if (!reference && own === undefined) throw new AppError('invalid', `${named} is not an image of a registry’s, by its digest.`)
    const file = reference ? undefined : await readImageFile(join(own ?? '', named))
    const id = reference?.digest ?? file?.id ?? ''
    const at = join(folderOf(tenantId), id.replace('sha256:', ''))
    const source = async () => (reference ? fetchImage(reference, registries) : (file ?? readImageFile(join(own ?? '', named))))
    const image = await openOnce(at, id, named, () => unpackNext(tenantId, source, at))
    return { ...image, root: { ...image.root, name: named } } // Another may have named the same content.
  }

  function hold(root: ImageRoot): HeldImage {
    const at = dirname(root.folder)
    holders.set(at, (holders.get(at) ?? 0) + 1)
    let isOver = false
    return {
      root,
      release() {
        if (isOver) return
        isOver = true
        const left = (holders.get(at) ?? 1) - 1
        if (left === 0) holders.delete(at)
        else holders.set(at, left)
      },
    }
  }

  return {
    open,
    hold: async (tenantId, at) => hold((await open(tenantId, at)).root),
    async holdRoot(path) {
      rootSource ??= readRootFile(path).catch((error: unknown) => {
        rootSource = undefined // Whoever comes next looks again.
        throw error
      })
      const source = await rootSource
      const at = join(folder, operatorsFolder, source.id.replace('sha256:', ''))
      const { root } = await openOnce(at, source.id, basename(path), () => unpack(source, at, bytesMax))
      const env = { ...root.env, PATH: `${root.env['PATH'] || usualPath}:${dirname(rootNode)}` }
      return hold({ ...root, env, isOperators: true })
    },
    used: (tenantId) => imagesUsed(folderOf(tenantId)),
    async sweep() {
      const before = wallClock().getTime() - ageMsMax
      for (const name of await readdir(folder)) {
        if (name.startsWith(draftPrefix)) await removeTree(join(folder, name))
        else
          for (const id of await readdir(join(folder, name))) {
            const used = statSync(join(folder, name, id, startName), { throwIfNoEntry: false })?.mtimeMs ?? 0
            if (used < before && !isHeld(join(folder, name, id))) await removeTree(join(folder, name, id))
          }
      }
    },
  }
}

/** Whatever the umask: sandboxes' users pass through. */
async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true })
  await chmod(path, passable)
}

const fullDisk = (error: unknown): AppError | undefined =>
  error instanceof Error && 'code' in error && error.code === 'ENOSPC'
    ? new AppError('unavailable', 'The image could not be unpacked: the disk of this server is full.', error)
    : undefined
