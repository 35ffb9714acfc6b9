/** PDF files, made by hand: what a writer of them would make, and what only an attacker would. */
import { deflateSync } from 'node:zlib'

/** Objects are numbered from 1, which is the catalogue. */
export function pdfFile(objects: readonly (string | Buffer)[], trailer = ''): Buffer {
  const parts: Buffer[] = [Buffer.from('%PDF-1.7\n')]
  const starts: number[] = []
  let length = parts[0]?.length ?? 0
  const add = (bytes: Buffer) => {
    parts.push(bytes)
    length += bytes.length
  }
  objects.forEach((object, i) => {
    starts.push(length)
    add(Buffer.concat([Buffer.from(`${i + 1} 0 obj\n`), Buffer.from(object), Buffer.from('\nendobj\n')]))
  })
  const table = starts.map((at) => `${String(at).padStart(10, '0')} 00000 n \n`).join('')
  const end = `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R ${trailer} >>\nstartxref\n${length}\n%%EOF\n`
  add(Buffer.from(`xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${table}${end}`))
  return Buffer.concat(parts)
}

export function pdfStream(content: string | Buffer, entries = ''): Buffer {
  return Buffer.concat([Buffer.from(`<< /Length ${Buffer.byteLength(content)} ${entries} >>\nstream\n`), Buffer.from(content), Buffer.from('\nendstream')])
}

/** Packed so many times. */
export function packedStream(content: string | Buffer, times = 1): Buffer {
  let bytes = Buffer.from(content)
  for (let i = 0; i < times; i++) bytes = deflateSync(bytes, { level: 9 })
  return pdfStream(bytes, `/Filter [${'/FlateDecode '.repeat(times)}]`)
}

export const helvetica = '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>'
const lines = (text: string) => text.split('\n').map((line) => `(${line.replaceAll(/[()\\]/g, '\\$&')}) Tj 0 -20 Td`)
/** What shows a text, line by line. */
export const showing = (text: string) => `BT /F1 12 Tf 72 700 Td ${lines(text).join(' ')} ET`

export type PdfParts = { page?: string; font?: string; objects?: readonly (string | Buffer)[]; trailer?: string }

/** One page. `page` goes into its dictionary; `objects` begin with number 6. */
export const pdfPage = (content: Buffer, { page = '', font = helvetica, objects = [], trailer = '' }: PdfParts = {}): Buffer =>
  pdfFile(
    [
      '<< /Type /Catalog /Pages 2 0 R >>',
      '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> ${page} >>`,
      content,
      font,
      ...objects,
    ],
    trailer,
  )

export const pdfOf = (text: string): Buffer => pdfPage(packedStream(showing(text)))
