/** The texts in a JSON value, wherever they stand. */

/** `isFixed`: it names something, so that it cannot be replaced. */
export type Visit = (text: string, isFixed: boolean) => string

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

/** A copy with each text as `visit` returns it. Numbers with as many digits as a phone's are looked at like texts where `withNumbers`. */
export function mapTexts(value: unknown, visit: Visit, { isFixed = false, withNumbers = false }: { isFixed?: boolean; withNumbers?: boolean } = {}): unknown {
  if (typeof value === 'string') return isMedia(value) ? value : visit(value, isFixed)
  if (typeof value === 'number') {
    if (!withNumbers || !Number.isSafeInteger(value) || value < 1_000_000) return value
    const text = visit(String(value), isFixed)
    return text === String(value) ? value : text
  }
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, visit, { isFixed, withNumbers }))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      if (unread.has(key)) return [key, item]
      visit(key, true)
      return [key, mapTexts(item, visit, { isFixed: isFixed || (fixed.has(key) && typeof item === 'string'), withNumbers: withNumbers || said.has(key) })]
    }),
  )
}

/** Images and files as they travel in JSON. */
export const isMedia = (text: string): boolean =>
  /^data:[\w/+.-]{1,100};base64,/.test(text) || (text.length >= mediaLengthMin && /^[A-Za-z0-9+/_-]+={0,2}$/.test(text) && text.length % 4 === 0)
