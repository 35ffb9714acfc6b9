/**
 * The process in which one PDF is read: bytes on its input, one line of JSON on its output. A PDF is a program in disguise, written by
 * anybody: Node's permission model keeps this process from files and programs, its memory is counted here, and the server ends it when
 * it takes too long.
 */
import { writeSync } from 'node:fs'
import type { getDocumentProxy } from 'unpdf'
import type { PdfGap, PdfLimits, PdfReply } from './pdf-reply.ts'

type Pdf = Awaited<ReturnType<typeof getDocumentProxy>>

async function answer(limits: PdfLimits): Promise<void> {
  countBytes(limits.memoryBytesMax)
  const pieces: Buffer[] = []
  for await (const piece of process.stdin) pieces.push(piece as Buffer)
  const reply = await read(Buffer.concat(pieces), limits).catch((error: unknown): PdfReply => ({ text: '', gap: gapOf(error) }))
  process.stdout.write(JSON.stringify(reply), () => process.exit(0))
}

const gapOf = (error: unknown): PdfGap => (error instanceof Error && error.name === 'PasswordException' ? 'encrypted' : 'broken')

async function read(bytes: Buffer, { pagesMax, charactersMax }: PdfLimits): Promise<PdfReply> {
  const { getDocumentProxy: open, getResolvedPDFJS } = await import('unpdf')
  let lacksLetters = false
  /** Tables of letters that are not within the file, most of them of Chinese, Japanese and Korean. */
  class Tables {
    async fetch({ kind }: { kind: string }): Promise<Uint8Array> {
      if (kind === 'cMapUrl') lacksLetters = true
      throw new Error('There are none here.')
    }
  }
  const raw = bytes.toString('latin1')
  const options = { verbosity: 0, useSystemFonts: false, useWorkerFetch: false, useWasm: false, BinaryDataFactory: Tables }
  const pdf = await open(new Uint8Array(bytes), { ...options, stopAtErrors: true })
  if (pdf.numPages > pagesMax) return { text: '', gap: 'too many pages' }
  let hasPictures = hasImage(raw)
  // Pictures are not read, and are errors where they are left out.
  const drawn = hasPictures ? await open(new Uint8Array(bytes), { ...options, maxImageSize: 1 }) : pdf
  const { OPS } = await getResolvedPDFJS()
  const { info } = (await pdf.getMetadata()) as unknown as { info: Record<string, unknown> }
  const texts = ['Title', 'Author', 'Subject', 'Keywords', 'Custom'].flatMap((name) => textsIn(info[name]))
  let length = texts.reduce((sum, text) => sum + text.length, 0)
  for (let number = 1; number <= pdf.numPages; number++) {
    const { text, notes } = await readPage(pdf, number)
    const letters = await lettersOf(drawn, number, OPS.showText)
    // What lies beyond the borders of a page is drawn, and no text of the page.
    const beyond = inkOf(letters) > inkOf(text) ? [letters] : []
    if (inkOf(letters) === 0) hasPictures = true
    const found = [text, ...notes, ...beyond]
    texts.push(...found)
    length += found.reduce((sum, each) => sum + each.length, 0)
    if (length > charactersMax) return { text: '', gap: 'too long' }
  }
  const gap =
    info['IsXFAPresent'] === true
      ? 'with a form of XFA'
      : (await pdf.getAttachments()) !== null || info['IsCollectionPresent'] === true
        ? 'with files in it'
        : lacksLetters
          ? 'with unknown letters'
          : hasPictures
            ? 'with pictures or pages without a text'
            : undefined
  return { text: texts.filter((text) => text !== '').join('\n'), gap }
}

async function readPage(pdf: Pdf, number: number): Promise<{ text: string; notes: string[] }> {
  const page = await pdf.getPage(number)
  const { items } = await page.getTextContent()
  const text = items.map((item) => ('str' in item ? item.str + (item.hasEOL ? '\n' : '') : '')).join('')
  const notes = ((await page.getAnnotations()) as Record<string, unknown>[]).flatMap((note) =>
    ['contentsObj', 'titleObj', 'fieldValue', 'textContent', 'alternativeText', 'url', 'unsafeUrl', 'options'].flatMap((name) => textsIn(note[name])),
  )
  page.cleanup()
  return { text, notes }
}

const inkOf = (text: string): number => text.replace(/\s+/g, '').length

/** All that is drawn as text, piece by piece. */
async function lettersOf(pdf: Pdf, number: number, showText: number): Promise<string> {
  const page = await pdf.getPage(number)
  const { fnArray, argsArray } = await page.getOperatorList()
  const pieces = fnArray.flatMap((what, i) => (what === showText ? [((argsArray[i] as [Drawn[]])[0] ?? []).map(letterOf).join('')] : []))
  page.cleanup()
  return pieces.join('\n')
}

/** A letter, or a gap in thousandths of the size of letters: below this it is a space. */
type Drawn = { unicode?: string } | number
const spaceMax = -200
const letterOf = (drawn: Drawn): string => (typeof drawn === 'number' ? (drawn < spaceMax ? ' ' : '') : (drawn.unicode ?? ''))

const depthMax = 4

function textsIn(value: unknown, depth = 0): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null || depth === depthMax) return []
  if ('str' in value) return textsIn(value.str, depth + 1) // Beside it stands which way it runs.
  return Object.values(value).flatMap((item) => textsIn(item, depth + 1))
}

/** Objects of images are never within packed ones; their names may be written with escapes. */
const hasImage = (raw: string): boolean =>
  /\/Subtype(?:\s|%[^\r\n]{0,500}[\r\n])*\/Image\b/.test(raw.replace(/#([0-9a-f]{2})/gi, (_, code: string) => String.fromCharCode(parseInt(code, 16))))

/** At once: an error could be caught by the library, which would go on. */
function giveUp(): never {
  writeSync(1, JSON.stringify({ text: '', gap: 'too much memory' } satisfies PdfReply))
  process.exit(0)
}

/** Of all that is ever unpacked, freed or not: Node limits objects alone. */
function countBytes(bytesMax: number): void {
  let made = 0
  const counted = <Made extends abstract new (...args: never[]) => object>(type: Made & { BYTES_PER_ELEMENT?: number }): Made =>
    new Proxy(type, {
      construct(target, args: unknown[], newTarget) {
        const [size] = args
        if (typeof size === 'number') made += size * (type.BYTES_PER_ELEMENT ?? 1)
        if (made > bytesMax) giveUp()
        return Reflect.construct(target, args, newTarget) as object
      },
    })
  Object.assign(globalThis, {
    ArrayBuffer: counted(ArrayBuffer),
    Uint8Array: counted(Uint8Array),
    Uint8ClampedArray: counted(Uint8ClampedArray),
    Uint16Array: counted(Uint16Array),
    Int32Array: counted(Int32Array),
    Uint32Array: counted(Uint32Array),
    Float32Array: counted(Float32Array),
    Float64Array: counted(Float64Array),
    DecompressionStream: undefined, // It unpacks beside all this; the library has a way of its own.
  })
}

const [, , given] = process.argv
if (given !== undefined) await answer(JSON.parse(given) as PdfLimits) // From the server itself.
