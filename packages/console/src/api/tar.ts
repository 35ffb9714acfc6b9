/** A tar archive of some files, as POSIX has it: headers of 512 bytes, contents padded to that, two empty blocks. Pure. */
export type TarFile = { name: string; bytes: Uint8Array; modifiedAt: number }

const block = 512
const encoder = new TextEncoder()
const padded = (length: number) => Math.ceil(length / block) * block

export function makeTar(files: readonly TarFile[]): Uint8Array<ArrayBuffer> {
  const entries = files.flatMap((file) => {
    const name = encoder.encode(file.name)
    // A name that does not fit into the header, or is not plain ASCII, goes before it in an entry of its own.
    const isPlain = name.length <= 100 && name.length === file.name.length
    const record = isPlain ? [] : [{ name: encoder.encode('name'), type: 'x', bytes: pathRecord(file.name), modifiedAt: file.modifiedAt }]
    return [...record, { name: isPlain ? name : encoder.encode('file'), type: '0', bytes: file.bytes, modifiedAt: file.modifiedAt }]
  })
  const archive = new Uint8Array(entries.reduce((sum, { bytes }) => sum + block + padded(bytes.length), 2 * block))
  let at = 0
  for (const { name, type, bytes, modifiedAt } of entries) {
    archive.set(header(name, type, bytes.length, modifiedAt), at)
    archive.set(bytes, at + block)
    at += block + padded(bytes.length)
  }
  return archive
}

/** `27 path=…\n`: its own length counts too. */
function pathRecord(name: string): Uint8Array {
  const rest = ` path=${name}\n`
  const restLength = encoder.encode(rest).length
  let length = restLength + 1
  while (String(length).length + restLength !== length) length = String(length).length + restLength
  return encoder.encode(`${length}${rest}`)
}

function header(name: Uint8Array, type: string, length: number, modifiedAt: number): Uint8Array {
  const bytes = new Uint8Array(block)
  const put = (at: number, text: string) => bytes.set(encoder.encode(text), at)
  const octal = (value: number, width: number) =>
    `${Math.floor(value)
      .toString(8)
      .padStart(width - 1, '0')}\0`
  bytes.set(name, 0)
  put(100, octal(0o644, 8))
  put(108, octal(0, 8))
  put(116, octal(0, 8))
  put(124, octal(length, 12))
  put(136, octal(Math.max(0, modifiedAt / 1_000), 12))
  put(148, ' '.repeat(8))
  put(156, type)
  put(257, 'ustar\x0000')
  const sum = bytes.reduce((total, byte) => total + byte, 0)
  put(148, `${sum.toString(8).padStart(6, '0')}\0 `)
  return bytes
}
