/** What guards read of a value, and what they say of the files that they cannot read. Pure. */
import type { FoundFile } from './files.ts'
import { mapTexts } from './texts.ts'

/** The longest text that a model judges, in characters. */
export const judgedMax = 200_000

/** All texts of a request, and all files, those with a text among them. */
export function readTexts(value: unknown): { texts: string[]; files: FoundFile[] } {
  const texts: string[] = []
  const files: FoundFile[] = []
  mapTexts(value, (text) => (texts.push(text), text), { onFile: (file) => files.push(file) })
  return { texts, files }
}

/** Files come last, as far as they fit: a long one must not take the place of what was said. */
export function textToJudge(value: unknown): { text: string; tooLong: FoundFile[] } {
  const texts: string[] = []
  const files: FoundFile[] = []
  mapTexts(value, (text, isFixed, file) => {
    if (file) files.push({ ...file, text })
    else if (!isFixed) texts.push(text)
    return text
  })
  let length = texts.reduce((sum, text) => sum + text.length + 1, 0)
  const tooLong = files.filter(({ text = '' }) => {
    if (length + text.length > judgedMax) return true
    texts.push(text)
    length += text.length + 1
    return false
  })
  return { text: texts.join('\n'), tooLong }
}

const unreadKindsMax = 20

/** Their bytes, by media type. */
export function countUnread(files: readonly FoundFile[]): Record<string, number> {
  const found: Record<string, number> = {}
  for (const { mediaType, bytes } of files) {
    const own = `unread:${mediaType}`
    const kind = own in found || Object.keys(found).length < unreadKindsMax ? own : 'unread:*/*'
    found[kind] = (found[kind] ?? 0) + bytes
  }
  return found
}

export function nameUnread(files: readonly FoundFile[]): string {
  const [first, ...more] = files
  const rest = more.length > 0 ? ` and ${more.length} more` : ''
  return first ? `a file (${first.mediaType}, ${first.bytes === 0 ? 'which lies elsewhere' : `${first.bytes} bytes`})${rest}` : 'a file'
}
