/** What is said of a PDF by the process that reads it. */

/** Why a text is not all that the file shows. */
export const pdfGaps = [
  'encrypted',
  'broken',
  'too large',
  'too many pages',
  'too long',
  'too slow',
  'too much memory',
  'nobody free to read it',
  'with a form of XFA',
  'with files in it',
  'with unknown letters',
  'with pictures or pages without a text',
] as const
export type PdfGap = (typeof pdfGaps)[number]
export type PdfReply = { text: string; gap: PdfGap | undefined }
/** `memoryBytesMax`: of all that is unpacked, freed or not. */
export type PdfLimits = { pagesMax: number; charactersMax: number; memoryBytesMax: number }
