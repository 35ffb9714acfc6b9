/** Reads tar archives of strangers entry by entry: POSIX's and GNU's long names, nothing kept but the entry at hand. */
import { AppError } from '../../kernel/index.ts'

export type TarType = 'file' | 'directory' | 'link' | 'hardlink' | 'device'
export type TarEntry = {
  /** As it stands there. */
  path: string
  type: TarType
  mode: number
  /** Of a file's content. */
  size: number
  /** Of a link: where it leads, as it stands there. */
  target: string
  /** Where its content begins in the archive. */
  offset: number
  /** The content, once. What is not read is passed over. */
  content(): AsyncGenerator<Buffer>
}

const blockBytes = 512
const nameBytesMax = 4_096
const extendedBytesMax = 1_048_576
const types: Record<string, TarType> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'link',
  '3': 'device',
  '4': 'device',
  '5': 'directory',
  '6': 'device',
}

/** Throws `invalid` where it is none, or ends in the middle. */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const from = byteReader(source)
  let long: { path?: string; target?: string; size?: number } = {}
  for (;;) {
    const head = await from.take(blockBytes)
    if (head === undefined || head.every((byte) => byte === 0)) return
    assertSum(head)
    const kind = String.fromCharCode(head[156] ?? 0)
    const size = long.size ?? numberAt(head, 124, 12)
    if ('xgLK'.includes(kind)) {
      const limit = kind === 'x' || kind === 'g' ? extendedBytesMax : nameBytesMax
      if (size > limit) throw broken(`a header of ${size} bytes`)
      const text = await from.need(size)
      await from.need(padding(size))
      if (kind === 'x') long = { ...long, ...recordsOf(text) }
      if (kind === 'L') long.path = textOf(text)
      if (kind === 'K') long.target = textOf(text)
      continue
    }
    const type = types[kind]
    if (type === undefined) throw broken(`an entry of the kind ${JSON.stringify(kind)}`)
    const prefix = textOf(head.subarray(257, 263)) === 'ustar' ? textOf(head.subarray(345, 500)) : ''
    const name = textOf(head.subarray(0, 100))
    const path = long.path ?? (prefix === '' ? name : `${prefix}/${name}`)
    const target = long.target ?? textOf(head.subarray(157, 257))
    long = {}
    if (Buffer.byteLength(path) > nameBytesMax || Buffer.byteLength(target) > nameBytesMax) throw broken('a name that is too long')
    const bytes = type === 'file' ? size : 0
    let left = bytes
    const content = async function* () {
      while (left > 0) {
        const piece = await from.some(left)
        left -= piece.length
        yield piece
      }
    }
    yield { path, type, mode: numberAt(head, 100, 8) & 0o7777, size: bytes, target, offset: from.at(), content }
    for await (const _ of content()) void _
    await from.need(padding(bytes))
  }
}

const padding = (size: number): number => (blockBytes - (size % blockBytes)) % blockBytes

function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end === -1 ? bytes.length : end)
}

/** Octal digits, or where those do not suffice the number itself, with the first bit set. */
function numberAt(head: Buffer, at: number, length: number): number {
  const field = head.subarray(at, at + length)
  const isBinary = ((field[0] ?? 0) & 0x80) !== 0
  const text = textOf(field).trim()
  const value = isBinary ? Number(BigInt(`0x${field.toString('hex')}`) & ((1n << BigInt(length * 8 - 1)) - 1n)) : text === '' ? 0 : Number.parseInt(text, 8)
  if (!Number.isSafeInteger(value) || value < 0 || (!isBinary && !/^[0-7]*$/.test(text))) throw broken('a number that is none')
  return value
}

function assertSum(head: Buffer): void {
  const sum = head.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0)
  if (sum !== numberAt(head, 148, 8)) throw broken('a header whose checksum is wrong')
}

/** `<length> <key>=<value>\n`, of which three keys matter here. */
function recordsOf(bytes: Buffer): { path?: string; target?: string; size?: number } {
  const found: { path?: string; target?: string; size?: number } = {}
  for (let at = 0; at < bytes.length;) {
    const blank = bytes.indexOf(0x20, at)
    const length = Number(bytes.toString('latin1', at, blank))
    if (blank === -1 || !Number.isSafeInteger(length) || length <= blank - at || at + length > bytes.length) throw broken('an extended header that is none')
    const record = bytes.toString('utf8', blank + 1, at + length - 1)
    const equals = record.indexOf('=')
    const [key, value] = [record.slice(0, equals), record.slice(equals + 1)]
    if (key === 'path') found.path = value
    if (key === 'linkpath') found.target = value
    if (key === 'size') {
      if (!/^\d{1,15}$/.test(value)) throw broken('a number that is none')
      found.size = Number(value)
    }
    if (key.startsWith('GNU.sparse.')) throw broken('a file with holes in GNU’s form')
    at += length
  }
  return found
}

function byteReader(source: AsyncIterable<Uint8Array>) {
  const pieces = source[Symbol.asyncIterator]()
  let held: Buffer = Buffer.alloc(0)
  let position = 0
  const fill = async (): Promise<boolean> => {
    const { done, value } = await pieces.next()
    if (done) return false
    held = held.length === 0 ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : Buffer.concat([held, value])
    return true
  }
  const cut = (count: number): Buffer => {
    const piece = held.subarray(0, count)
    held = held.subarray(count)
    position += count
    return piece
  }
  /** So many bytes; undefined where the source has ended. */
  const take = async (count: number): Promise<Buffer | undefined> => {
    while (held.length < count) {
      if (await fill()) continue
      if (held.length === 0) return undefined
      throw broken('an end in the middle')
    }
    return cut(count)
  }
  return {
    take,
    at: () => position,
    async need(count: number): Promise<Buffer> {
      const bytes = await take(count)
      if (bytes === undefined && count > 0) throw broken('an end in the middle')
      return bytes ?? Buffer.alloc(0)
    },
    /** What is there, at most so many. */
    async some(countMax: number): Promise<Buffer> {
      while (held.length === 0) if (!(await fill())) throw broken('an end in the middle')
      return cut(Math.min(countMax, held.length))
    },
  }
}

const broken = (what: string) => new AppError('invalid', `The archive cannot be read: it has ${what}.`)
