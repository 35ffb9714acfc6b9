/** Files as a tar archive in memory, for services that take nothing else. */
import { gzipSync } from 'node:zlib'

export type TarEntry =
  | { type: 'file'; path: string; mode: number; bytes: Uint8Array }
  | { type: 'directory'; path: string; mode: number }
  | { type: 'link'; path: string; target: string }

const blockBytes = 512
const nameBytesMax = 100
const kinds = { file: '0', link: '2', directory: '5', extended: 'x' }

export const packGzip = (entries: readonly TarEntry[]): Buffer<ArrayBuffer> => gzipSync(packTar(entries), { level: 1 })

/** POSIX's format: names that do not fit, or are not ASCII, stand in a header of their own before. */
export function packTar(entries: readonly TarEntry[]): Buffer<ArrayBuffer> {
  const parts = entries.flatMap((entry) => {
    const bytes = entry.type === 'file' ? entry.bytes : Buffer.alloc(0)
    const target = entry.type === 'link' ? entry.target : ''
    const mode = entry.type === 'link' ? 0o777 : entry.mode
    const long = [...record('path', entry.path), ...record('linkpath', target)]
    const extended = Buffer.concat(long)
    return [
      ...(long.length > 0 ? [head({ path: 'extended', mode: 0o644, size: extended.length, kind: kinds.extended, target: '' }), ...padded(extended)] : []),
      head({ path: entry.path, mode, size: bytes.length, kind: kinds[entry.type], target }),
      ...padded(bytes),
    ]
  })
  return Buffer.concat([...parts, Buffer.alloc(2 * blockBytes)])
}

/** A line that begins with its own length, where one is needed. */
function record(key: string, value: string): Buffer[] {
  if (Buffer.byteLength(value) <= nameBytesMax && /^[\x20-\x7e]*$/.test(value)) return []
  const rest = Buffer.byteLength(` ${key}=${value}\n`)
  let length = rest + String(rest).length
  if (String(length).length > String(rest).length) length++
  return [Buffer.from(`${length} ${key}=${value}\n`)]
}

function head({ path, mode, size, kind, target }: { path: string; mode: number; size: number; kind: string; target: string }): Buffer {
  const block = Buffer.alloc(blockBytes)
  const octal = (value: number, at: number, bytes: number) => block.write(`${value.toString(8).padStart(bytes - 1, '0')}\0`, at)
  block.write(path.slice(0, nameBytesMax), 0, nameBytesMax)
  octal(mode & 0o7777, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(size, 124, 12)
  octal(0, 136, 12)
  block.write('        ', 148)
  block.write(kind, 156)
  block.write(target.slice(0, nameBytesMax), 157, nameBytesMax)
  block.write('ustar\0', 257)
  block.write('00', 263)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

function padded(bytes: Uint8Array): Uint8Array[] {
  const over = bytes.length % blockBytes
  return over === 0 ? [bytes] : [bytes, Buffer.alloc(blockBytes - over)]
}
