/** How much the images of a tenant may take on this server's disk, and what goes when there is no room. */
import { type Dirent, renameSync, statSync } from 'node:fs'
import { readFile, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { AppError, newId, wallClock } from '../../kernel/index.ts'
import { removeTree } from '../remove-tree.ts'
import type { ImageStart } from './unpack-image.ts'

/** Undefined: as many as there is disk for. */
export type ImageQuota = { countMax?: number | undefined; bytesMax?: number | undefined }
export type ImagesUsed = { count: number; bytes: number }

/** Written last: where it is, the image is whole. Its time is that of the last use. */
export const startName = 'start.json'

/** Names what is not whole, or not there any more; a sweep takes it. */
export const draftPrefix = '.draft-'

/** Whoever opened it may yet be about to use it. */
const inUseMsMax = 9 * 3_600_000

type Kept = { at: string; bytes: number; usedAt: number }

export async function imagesUsed(folder: string): Promise<ImagesUsed> {
  const kept = await keptIn(folder)
  return { count: kept.length, bytes: total(kept) }
}

/**
 * Has `unpack` write one more image into the tenant's folder, of at most so many bytes, and takes away what it then has too much of: images that nobody
 * has used for hours and nobody holds, those that were used longest ago first. Throws `over_limit` when what is in use leaves no room. Not for two at once of a tenant.
 */
export async function withRoom(
  { tenantId, folder, bytesMax, quota, isHeld }: { tenantId: string; folder: string; bytesMax: number; quota: ImageQuota; isHeld(at: string): boolean },
  unpack: (bytesMax: number) => Promise<{ bytes: number }>,
): Promise<void> {
  const kept = await keptIn(folder)
  const before = wallClock().getTime() - inUseMsMax
  const isUsed = ({ at, usedAt }: Kept) => usedAt >= before || isHeld(at)
  const inUse = kept.filter(isUsed)
  const over = () =>
    new AppError(
      'over_limit',
      `The image is not taken: the tenant ${tenantId} has ${inUse.length} images in use on this server, of ${total(inUse)} bytes; allowed are ${allowed(quota)}. One that nobody uses gives place after nine hours. Or have the quota raised: longhaul tenants update ${tenantId} --images <n> --image-bytes <bytes>.`,
    )
  const { countMax = Infinity } = quota
  const room = (quota.bytesMax ?? Infinity) - total(inUse)
  if (inUse.length >= countMax || room <= 0) throw over()
  const { bytes } = await unpack(Math.min(bytesMax, room)).catch((error: unknown) => {
    throw room < bytesMax && error instanceof AppError && error.code === 'too_large' ? over() : error
  })
  const idle = kept.filter((each) => !isUsed(each)).toSorted((one, other) => one.usedAt - other.usedAt)
  while (inUse.length + idle.length + 1 > countMax || total(inUse) + total(idle) + bytes > (quota.bytesMax ?? Infinity)) {
    const oldest = idle.shift()
    if (!oldest) break
    const current = { ...oldest, usedAt: statSync(join(oldest.at, startName)).mtimeMs }
    if (isUsed(current)) inUse.push(current)
    else await removeWhole(oldest.at)
  }
}

/** Out of the way at once: nobody finds half of it. */
async function removeWhole(at: string): Promise<void> {
  const gone = join(dirname(dirname(at)), `${draftPrefix}${newId()}`)
  renameSync(at, gone)
  await removeTree(gone)
}

async function keptIn(folder: string): Promise<Kept[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((): Dirent[] => []) // A tenant without images.
  const found = await Promise.all(
    entries.map(async ({ name }) => {
      const at = join(folder, name)
      const text = await readFile(join(at, startName), 'utf8').catch(() => undefined) // Being deleted.
      const usedAt = statSync(join(at, startName), { throwIfNoEntry: false })?.mtimeMs
      return text === undefined || usedAt === undefined ? [] : [{ at, bytes: (JSON.parse(text) as ImageStart).bytes, usedAt }] // Written by us.
    }),
  )
  return found.flat()
}

const total = (kept: readonly Kept[]): number => kept.reduce((sum, { bytes }) => sum + bytes, 0)
const allowed = ({ countMax, bytesMax }: ImageQuota): string =>
  [...(countMax === undefined ? [] : [`${countMax} images`]), ...(bytesMax === undefined ? [] : [`${bytesMax} bytes`])].join(' and ')
