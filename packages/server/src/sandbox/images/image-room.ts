/** How much the images of a tenant may take on this server's disk, and what goes when there is no room. */
import { type Dirent, statSync } from 'node:fs'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, wallClock } from '../../kernel/index.ts'
import { removeTree } from '../remove-tree.ts'
import type { ImageStart } from './unpack-image.ts'

/** Undefined: as many as there is disk for. */
export type ImageQuota = { countMax?: number | undefined; bytesMax?: number | undefined }
export type ImagesUsed = { count: number; bytes: number }

/** Written last: where it is, the image is whole. Its time is that of the last use. */
export const startName = 'start.json'

/** No instance is older, so nothing runs in an image that was last asked for before that. */
const inUseMsMax = 9 * 3_600_000

type Kept = { at: string; bytes: number; usedAt: number }

export async function imagesUsed(folder: string): Promise<ImagesUsed> {
  const kept = await keptIn(folder)
  return { count: kept.length, bytes: total(kept) }
}

/**
 * Has `unpack` write one more image into the tenant's folder, of at most so many bytes, and takes away what it then has too much of: images that nobody
 * has used for hours, those that were used last first. Throws `over_limit` when what is in use leaves no room. Not for two at once of a tenant.
 */
export async function withRoom(
  { tenantId, folder, bytesMax, quota }: { tenantId: string; folder: string; bytesMax: number; quota: ImageQuota },
  unpack: (bytesMax: number) => Promise<{ bytes: number }>,
): Promise<void> {
  const kept = await keptIn(folder)
  const before = wallClock().getTime() - inUseMsMax
  const inUse = kept.filter(({ usedAt }) => usedAt >= before)
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
  const left = kept.toSorted((one, other) => one.usedAt - other.usedAt)
  while (left.length + 1 > countMax || total(left) + bytes > (quota.bytesMax ?? Infinity)) {
    const oldest = left.shift()
    if (!oldest) break
    await removeTree(oldest.at)
  }
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
