/** What kind of file some bytes are, by the bytes themselves. */

const isAt = (bytes: Buffer, offset: number, text: string): boolean => bytes.subarray(offset, offset + text.length).equals(Buffer.from(text, 'latin1'))

/** By how they begin. From the registries of these formats. */
const signatures: readonly (readonly [mediaType: string, fits: (bytes: Buffer) => boolean])[] = [
  ['image/png', (bytes) => isAt(bytes, 0, '\x89PNG\r\n\x1a\n')],
  ['image/jpeg', (bytes) => isAt(bytes, 0, '\xff\xd8\xff')],
  ['image/gif', (bytes) => isAt(bytes, 0, 'GIF87a') || isAt(bytes, 0, 'GIF89a')],
  ['image/webp', (bytes) => isAt(bytes, 0, 'RIFF') && isAt(bytes, 8, 'WEBP')],
  ['audio/wav', (bytes) => isAt(bytes, 0, 'RIFF') && isAt(bytes, 8, 'WAVE')],
  ['audio/mpeg', (bytes) => isAt(bytes, 0, 'ID3') || (bytes[0] === 0xff && [0xfb, 0xf3, 0xf2].includes(bytes[1] ?? 0))],
  ['audio/flac', (bytes) => isAt(bytes, 0, 'fLaC')],
  ['audio/ogg', (bytes) => isAt(bytes, 0, 'OggS')],
  ['audio/mp4', (bytes) => isAt(bytes, 4, 'ftypM4A')],
  ['video/mp4', (bytes) => isAt(bytes, 4, 'ftyp')],
  ['application/pdf', (bytes) => isAt(bytes, 0, '%PDF-')],
  ['application/gzip', (bytes) => isAt(bytes, 0, '\x1f\x8b')],
]

/** Zip archives and texts do not say more by their bytes; what their name says of them can do no harm, for nothing of them is ever shown as a page. */
const zipTypes: Record<string, string> = {
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
}
const textTypes: Record<string, string> = { csv: 'text/csv', json: 'application/json', md: 'text/markdown', tsv: 'text/tab-separated-values' }

/** Bytes looked at for whether it is a text. */
const sampleMax = 65_536

/** `application/octet-stream` for what is not known. A page or a drawing with scripts is `text/plain`. */
export function mediaTypeOf(bytes: Buffer, name: string): string {
  const known = signatures.find(([, fits]) => fits(bytes))
  if (known) return known[0]
  const ending = name.toLowerCase().match(/\.(\w{1,8})$/)?.[1] ?? ''
  if (isAt(bytes, 0, 'PK\x03\x04') || isAt(bytes, 0, 'PK\x05\x06')) return zipTypes[ending] ?? 'application/zip'
  return isText(bytes) ? (textTypes[ending] ?? 'text/plain') : 'application/octet-stream'
}

function isText(bytes: Buffer): boolean {
  const sample = bytes.subarray(0, sampleMax)
  if (sample.includes(0)) return false
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(sample, { stream: bytes.length > sampleMax }) // A letter may be cut in two at the end.
    return true
  } catch {
    return false
  }
}
