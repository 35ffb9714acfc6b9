/** Files as they travel in the JSON of a call, and the text of those that have one. Pure. */

export type FoundFile = {
  /** As the call says it, in lower case. `application/octet-stream` when it says nothing, or nothing like one. */
  mediaType: string
  /** 0: it lies elsewhere. */
  bytes: number
  /** Of what stands in the call, in characters. */
  length: number
  /** Undefined when it cannot be looked into as it stands. */
  text: string | undefined
  /** Its bytes, when it is a PDF. */
  pdf: (() => Buffer) | undefined
  /** Why it was not looked into, or not into all of it, where that can be told. */
  gap?: string | undefined
  /** What stands in the call when this is its text. */
  write(text: string): string
}

/** The largest that is looked into. */
export const fileBytesMax = 1_000_000

const unknownType = 'application/octet-stream'
const dataUrl = /^\s{0,20}data:([^;,]{0,200})((?:;[^;,]{0,200}){0,10}),/i
/** Of what nobody named, its bytes decide. */
const textTypes =
  /^text\/|^application\/(?:octet-stream|(?:x-)?(?:json|ndjson|jsonl|jsonlines|xml|yaml|toml|csv|markdown|javascript|typescript|sql|sh))$|\+(?:json|xml|yaml)$/
/** What no text has, but for the escape of terminals. */
const control = /[\0-\x08\x0e-\x1a\x1c-\x1f]/

/** A text that is a file: a data URL. Undefined when it only begins like one. */
export function openDataUrl(url: string): FoundFile | undefined {
  const [head, type = '', parameters = ''] = dataUrl.exec(url) ?? []
  if (head === undefined) return undefined
  const content = url.slice(head.length)
  const isBase64 = /;\s*base64$/i.test(parameters)
  const bytes = isBase64 ? fromBase64(content) : fromEscapes(content)
  if (!isBase64 && !type.includes('/') && (!bytes || type !== '')) return undefined
  const isUtf8 = !/;\s*charset=(?!"?(?:utf-?8|us-ascii|ascii)\b)/i.test(parameters)
  const mediaType = typeOf(type || 'text/plain')
  return {
    ...{ mediaType, bytes: bytes?.length ?? content.length, length: url.length, pdf: bytes && pdfOf(mediaType, bytes) },
    text: isUtf8 && bytes ? textOf(mediaType, bytes) : undefined,
    write: (text) => head + (isBase64 ? Buffer.from(text).toString('base64') : encodeURIComponent(text)),
  }
}

/** Content that stands in an object beside its media type. Undefined when it is no base64. */
export function openBase64(content: string, type: string): FoundFile | undefined {
  const bytes = fromBase64(content)
  if (!bytes) return undefined
  const mediaType = typeOf(type)
  return {
    ...{ mediaType, bytes: bytes.length, length: content.length, text: textOf(mediaType, bytes), pdf: pdfOf(mediaType, bytes) },
    write: (text) => Buffer.from(text).toString('base64'),
  }
}

type Fields = Record<string, unknown>
type FileField = { key: string; /** Undefined: it is a text as it stands. */ mediaType: string | undefined }

const typeNames = ['media_type', 'mediaType', 'mime_type', 'mimeType'] as const
const audioFormats = new Set(['wav', 'mp3', 'flac', 'opus', 'aac', 'pcm16'])

/** Where an object has the content of a file: OpenAI's, Anthropic's, and whatever has `data` and its media type. */
export function fileField(fields: Fields): FileField | undefined {
  const type = typeNames.map((name) => fields[name]).find((value) => typeof value === 'string')
  if (typeof fields['file_data'] === 'string') return { key: 'file_data', mediaType: type ?? '' }
  if (typeof fields['data'] !== 'string') return undefined
  if (type !== undefined) return { key: 'data', mediaType: fields['type'] === 'text' ? undefined : type }
  const format = fields['format']
  return typeof format === 'string' && audioFormats.has(format) ? { key: 'data', mediaType: `audio/${format}` } : undefined
}

/** Objects of other types only speak of a file, as a citation does. */
const holders: ReadonlySet<unknown> = new Set([undefined, 'file', 'input_file', 'input_image', 'container_upload'])

/** Files of an object that lie at an address or with the provider. */
export function filesElsewhere(fields: Fields): FoundFile[] {
  const { type, source, image_url: image, file_url: url, file_id: id } = fields
  const sourceFields = isFields(source) ? source : {}
  const types = [
    ...(isAddress(isFields(image) ? image['url'] : image) ? ['image/*'] : []),
    ...(isAddress(url) ? [unknownType] : []),
    ...(typeof id === 'string' && holders.has(type) ? [type === 'input_image' ? 'image/*' : unknownType] : []),
    ...(sourceFields['type'] === 'url' && (type === 'image' || type === 'document') ? [type === 'image' ? 'image/*' : 'application/pdf'] : []),
  ]
  return types.map((mediaType) => ({ mediaType, bytes: 0, length: 0, text: undefined, pdf: undefined, write: (text) => text }))
}

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)
const isAddress = (value: unknown): boolean => typeof value === 'string' && /^https?:/i.test(value)

const typeOf = (type: string): string => (/^\s*([\w.+-]{1,100}\/[\w.+*-]{1,100})\s*(?:;|$)/.exec(type)?.[1] ?? unknownType).toLowerCase()

/** Bytes that are decoded only where they are looked at. */
type Encoded = { length: number; isPdf: boolean; decode(): Buffer }

function fromBase64(content: string): Encoded | undefined {
  if (!/^[A-Za-z0-9+/_\s-]*={0,2}$/.test(content.trimEnd())) return undefined
  const isPdf = Buffer.from(content.slice(0, 50), 'base64').toString('latin1').startsWith('%PDF-')
  return { length: Buffer.byteLength(content, 'base64'), isPdf, decode: () => Buffer.from(content, 'base64') }
}

function fromEscapes(content: string): Encoded | undefined {
  try {
    const bytes = Buffer.from(decodeURIComponent(content))
    return { length: bytes.length, isPdf: bytes.toString('latin1', 0, 5) === '%PDF-', decode: () => bytes }
  } catch {
    return undefined // An escape that is none, or bytes that are no text.
  }
}

/** Whatever it is called, and whatever else is called so. */
const pdfOf = (mediaType: string, { isPdf, decode }: Encoded): (() => Buffer) | undefined =>
  isPdf || /^application\/(?:x-)?pdf$/.test(mediaType) ? decode : undefined

function textOf(mediaType: string, { length, isPdf, decode }: Encoded): string | undefined {
  if (!textTypes.test(mediaType) || length > fileBytesMax || isPdf) return undefined
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(decode())
    return control.test(text) ? undefined : text
  } catch {
    return undefined // No UTF-8.
  }
}
