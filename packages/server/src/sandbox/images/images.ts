/** Images of programs, unpacked once for each tenant and content, as roots of sandboxes. */
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, lstatSync, mkdirSync, realpathSync, statSync } from 'node:fs'
import { chmod, mkdir, readFile, readdir, rename, utimes, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { AppError, type Log, newId, wallClock } from '../../kernel/index.ts'
import type { ImageRoot } from '../driver.ts'
import { workspacePath } from '../paths.ts'
import { removeTree } from '../remove-tree.ts'
import { type ImageSource, readImageFile } from './image-source.ts'
import { type Registries, fetchImage, referenceOf } from './registry.ts'
import { type ImageQuota, type ImagesUsed, imagesUsed, startName, withRoom } from './image-room.ts'
import { type ImageStart, unpackImage } from './unpack-image.ts'

/** `workspace`: a folder that its workspaces begin as, where it has one. */
export type Image = { root: ImageRoot; workspace?: string } & Pick<ImageStart, 'entrypoint' | 'cmd' | 'env' | 'workingDir'>

export type Images = {
  /**
   * The image that is named: the path of a file or folder in `folder`, or a registry's by its digest. Throws `invalid` or `too_large` where it is not taken,
   * `unavailable` where it cannot be had now, `over_limit` where the tenant has too many in use. What another tenant has is not shared.
   */
  open(tenantId: string, at: { folder: string; image: string }): Promise<Image>
  /** What a tenant has of them on this server. */
  used(tenantId: string): Promise<ImagesUsed>
  /** Deletes what nobody used for a month, and what a killed server left half done. Nothing may be in use. */
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
const draftPrefix = '.draft-'

export function openImages({ folder: given, bytesMax, registries = {}, quotaOf = async () => ({}), log }: ImagesOptions): Images {
  mkdirSync(given, { recursive: true })
  chmodSync(given, passable)
  const folder = realpathSync(given)
  const opening = new Map<string, Promise<Image>>()
  /** By tenant: the last of those that are being unpacked, one after the other, since each is counted before the next one. */
  const lines = new Map<string, Promise<void>>()
  const folderOf = (tenantId: string) => join(folder, createHash('sha256').update(tenantId).digest('hex').slice(0, 16))

  async function unpackNext(tenantId: string, source: () => Promise<ImageSource>, at: string): Promise<void> {
    const before = lines.get(tenantId)
    const turn = (async () => {
      await before?.catch(() => {}) // Its caller heard of it.
      const quota = await quotaOf(tenantId)
      await withRoom({ tenantId, folder: dirname(at), bytesMax, quota }, async (most) => unpack(await source(), at, most))
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

  async function openOne(tenantId: string, id: string, source: () => Promise<ImageSource>): Promise<Image> {
    const at = join(folderOf(tenantId), id.replace('sha256:', ''))
    const file = join(at, startName)
    if (!existsSync(file)) {
      const startedAt = wallClock().getTime()
      await unpackNext(tenantId, source, at)
      log.info('an image was unpacked', { tenantId, image: id, durationMs: wallClock().getTime() - startedAt })
    }
    const now = wallClock()
    await utimes(file, now, now)
    const { uid, gid, bytes: _, ...start } = JSON.parse(await readFile(file, 'utf8')) as ImageStart // Written by us.
    const root = join(at, 'root')
    const workspace = join(root, basename(workspacePath))
    const isSeeded = lstatSync(workspace, { throwIfNoEntry: false })?.isDirectory() === true
    return { root: { folder: root, uid, gid }, ...(isSeeded && { workspace }), ...start }
  }

  return {
    async open(tenantId, { folder: own, image: named }) {
      const reference = referenceOf(named)
      const file = reference ? undefined : await readImageFile(join(own, named))
      const id = reference?.digest ?? file?.id ?? ''
      const key = `${tenantId} ${id}`
      const known = opening.get(key)
      if (known) return known
      const image = openOne(tenantId, id, async () => (reference ? fetchImage(reference, registries) : (file ?? readImageFile(join(own, named))))).catch(
        (error: unknown) => {
          throw fullDisk(error) ?? error
        },
      )
      opening.set(key, image)
      return image.finally(() => opening.delete(key))
    },
    used: (tenantId) => imagesUsed(folderOf(tenantId)),
    async sweep() {
      const before = wallClock().getTime() - ageMsMax
      for (const name of await readdir(folder)) {
        if (name.startsWith(draftPrefix)) await removeTree(join(folder, name))
        else
          for (const id of await readdir(join(folder, name))) {
            const used = statSync(join(folder, name, id, startName), { throwIfNoEntry: false })?.mtimeMs ?? 0
            if (used < before) await removeTree(join(folder, name, id))
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
