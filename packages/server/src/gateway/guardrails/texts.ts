/** The texts in a JSON value, wherever they stand, also in files. */
import { type FoundFile, fileField, filesElsewhere, openBase64, openDataUrl } from './files.ts'

/** `isFixed`: it names something, so that it cannot be replaced. `file`: it is the text of this file. */
export type Visit = (text: string, isFixed: boolean, file?: FoundFile) => string

/** They name things or hold bytes that are no text. */
const fixed = new Set([
  'type',
  'role',
  'id',
  'name',
  'call_id',
  'tool_call_id',
  'tool_use_id',
  'toolCallId',
  'toolName',
  'model',
  'file_id',
  'cache_control',
  'mediaType',
  'digest',
])
/** A signature holds for bytes that we do not change; what is encrypted has no text. */
const unread = new Set(['signature', 'encrypted_content', 'providerData'])
const mediaLengthMin = 200

/** Below these are things that somebody said, also in numbers. Elsewhere numbers are settings. */
const said = new Set(['content', 'input', 'output', 'arguments'])

export type Mapping = {
  isFixed?: boolean
  /** Numbers with as many digits as a phone's are looked at like texts. */
  withNumbers?: boolean
  /** Hears of each file, whether it has a text or not. */
  onFile?: ((file: FoundFile) => void) | undefined
}

/** A copy with each text as `visit` returns it. */
export function mapTexts(value: unknown, visit: Visit, { isFixed = false, withNumbers = false, onFile }: Mapping = {}): unknown {
  if (typeof value === 'string') return mapText(value, openDataUrl(value), visit, { isFixed, onFile })
  if (typeof value === 'number') {
    if (!withNumbers || !Number.isSafeInteger(value) || value < 1_000_000) return value
    const text = visit(String(value), isFixed)
    return text === String(value) ? value : text
  }
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, visit, { isFixed, withNumbers, onFile }))
  if (typeof value !== 'object' || value === null) return value
  const fields = value as Record<string, unknown> // An object that is no array.
  if (onFile) filesElsewhere(fields).forEach(onFile)
  const held = fileField(fields)
  return Object.fromEntries(
    Object.entries(fields).map(([key, item]) => {
      if (unread.has(key)) return [key, item]
      visit(key, true)
      if (key === held?.key && typeof item === 'string') {
        if (held.mediaType === undefined) return [key, visit(item, isFixed)]
        return [key, mapText(item, openDataUrl(item) ?? openBase64(item, held.mediaType), visit, { isFixed, onFile })]
      }
      const inner = { isFixed: isFixed || (fixed.has(key) && typeof item === 'string'), withNumbers: withNumbers || said.has(key), onFile }
      return [key, mapTexts(item, visit, inner)]
    }),
  )
}

function mapText(text: string, file: FoundFile | undefined, visit: Visit, { isFixed = false, onFile }: Mapping): string {
  if (file) onFile?.(file)
  if (file?.text === undefined) return isMedia(text) ? text : visit(text, isFixed)
  const seen = visit(file.text, isFixed, file)
  return seen === file.text ? text : file.write(seen)
}

/** Images and files as they travel in JSON. */
export const isMedia = (text: string): boolean =>
  /^\s{0,20}data:[^;,]{0,200}(?:;[^;,]{0,200}){0,10};\s*base64,[A-Za-z0-9+/_=\s-]*$/i.test(text) ||
  (text.length >= mediaLengthMin && /^[A-Za-z0-9+/_-]+={0,2}$/.test(text) && text.length % 4 === 0)
