/** Snapshots' archives in the blob folder: compressed, under their snapshot's id, whole or not there. */
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib'
import { wallClock } from '../kernel/index.ts'
import type { TreeStream } from './driver.ts'
import { failure } from './failures.ts'

export type Archives = {
  /** On disk, to the last byte, when it resolves. */
  keep(id: string, tree: TreeStream): Promise<{ bytes: number; digest: string }>
  open(id: string): Promise<Readable>
  remove(id: string): Promise<void>
  /** Ids of archives that were made longer ago than `ageMs`. */
  old(ageMs: number): Promise<string[]>
}

const ending = '.tar.zst'
/** Of what is read, compressed and unpacked at once: with Node's 16 KB most of the time goes into handing pieces on. */
const pieceBytes = 256 * 1024

export function openArchives(folder: string): Archives {
  const pathOf = (id: string) => join(folder, `${id}${ending}`)
  return {
    async keep(id, tree) {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const draft = `${pathOf(id)}.new`
      const hash = createHash('sha256')
      let bytes = 0
      const count = new Transform({
        transform(piece: Buffer, _, done) {
          hash.update(piece)
          bytes += piece.length
          done(null, piece)
        },
      })
      try {
        await pipeline(
          tree.stream,
          createZstdCompress({ chunkSize: pieceBytes, params: { [constants.ZSTD_c_compressionLevel]: 1 } }),
          count,
          createWriteStream(draft, { flags: 'wx', mode: 0o600, flush: true }),
        )
        await tree.done
        await rename(draft, pathOf(id))
      } catch (error) {
        tree.cancel()
        await rm(draft, { force: true })
        throw error
      }
      return { bytes, digest: hash.digest('hex') }
    },
    async open(id) {
      const known = await stat(pathOf(id)).catch(() => undefined) // Absent: told below.
      if (!known) throw failure('sandbox_unavailable', `The archive of snapshot ${id} is not in ${folder}. Restore it there from a backup of the data folder.`)
      const raw = createReadStream(pathOf(id), { highWaterMark: pieceBytes })
      const plain = createZstdDecompress({ chunkSize: pieceBytes })
      raw.on('error', (error) => plain.destroy(error))
      return raw.pipe(plain)
    },
    remove: (id) => rm(pathOf(id), { force: true }),
    async old(ageMs) {
      const before = wallClock().getTime() - ageMs
      const names = await readdir(folder).catch(() => [] as string[]) // Nothing was ever kept.
      const all = await Promise.all(
        names.map(async (name) => ({ name, at: (await stat(join(folder, name)).catch(() => undefined))?.mtimeMs ?? Number.POSITIVE_INFINITY })),
      )
      return all.filter(({ name, at }) => at < before && name.endsWith(ending)).map(({ name }) => name.slice(0, -ending.length))
    },
  }
}
