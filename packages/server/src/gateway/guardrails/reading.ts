/** What guards read of a value, and what they say of the files that they cannot read. */
import type { FoundFile } from './files.ts'
import type { PdfReply } from './pdf-reply.ts'
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

/** A file whose text can be read, and not changed where it stands. */
export type ReadDocument = FoundFile & { text: string }

/** `unread`: those without a text, and those whose text is not all that they show. */
export async function readDocuments(
  files: readonly FoundFile[],
  readPdf: (bytes: Buffer) => Promise<PdfReply>,
): Promise<{ documents: ReadDocument[]; unread: FoundFile[] }> {
  const documents: ReadDocument[] = []
  const unread: FoundFile[] = []
  for (const file of files) {
    if (file.text !== undefined) continue
    if (!file.pdf) {
      unread.push(file)
      continue
    }
    const { text, gap } = await readPdf(file.pdf())
    if (gap !== undefined) unread.push({ ...file, gap })
    if (text !== '') documents.push({ ...file, text })
  }
  return { documents, unread }
}

/** Files come last, as far as they fit: a long one must not take the place of what was said. */
export function textToJudge(value: unknown, documents: readonly ReadDocument[] = []): { text: string; tooLong: FoundFile[] } {
  const texts: string[] = []
  const files: FoundFile[] = [...documents]
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

/** Their bytes, by media type, and why where that can be told. */
export function countUnread(files: readonly FoundFile[]): Record<string, number> {
  const found: Record<string, number> = {}
  for (const { mediaType, bytes, gap } of files) {
    const own = `unread:${mediaType}${gap === undefined ? '' : `, ${gap}`}`
    const kind = own in found || Object.keys(found).length < unreadKindsMax ? own : 'unread:*/*'
    found[kind] = (found[kind] ?? 0) + bytes
  }
  return found
}

export function nameUnread(files: readonly FoundFile[]): string {
  const [first, ...more] = files
  const rest = more.length > 0 ? ` and ${more.length} more` : ''
  return first
    ? `a file (${first.mediaType}, ${first.gap === undefined ? '' : `${first.gap}, `}${first.bytes === 0 ? 'which lies elsewhere' : `${first.bytes} bytes`})${rest}`
    : 'a file'
}
