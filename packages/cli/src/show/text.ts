import stringWidth from 'string-width'

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' })
const isPlain = (text: string) => /^[\x20-\x7e]*$/.test(text)

/** Columns that a terminal gives to the text: two for most East Asian characters, none for combining marks and colour codes. */
export const columnsOf = (text: string): number => (isPlain(text) ? text.length : stringWidth(text))

/** At most so many columns. What is cut off leaves an ellipsis; a character is never split. */
export function cut(text: string, columns: number): string {
  if (columns <= 0) return ''
  if (columnsOf(text) <= columns) return text
  if (isPlain(text)) return `${text.slice(0, columns - 1)}…`
  let kept = ''
  let used = 0
  for (const { segment } of segmenter.segment(text)) {
    used += stringWidth(segment)
    if (used > columns - 1) break
    kept += segment
  }
  return `${kept}…`
}

export const padEnd = (text: string, columns: number): string => text + ' '.repeat(Math.max(0, columns - columnsOf(text)))
export const padStart = (text: string, columns: number): string => ' '.repeat(Math.max(0, columns - columnsOf(text))) + text

/** Breaks at spaces, and between any two East Asian characters, which need none. A word longer than a line is broken where the line ends.
 * What goes on in a further line keeps the indent, and `hanging` more. */
export function wrap(text: string, columns: number, hanging = 0): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = []
    const indent = /^ {0,16}/.exec(paragraph)?.[0] ?? ''
    let line = indent
    for (const piece of piecesOf(paragraph.slice(indent.length), Math.max(1, columns - indent.length - hanging))) {
      if (columnsOf(line) + columnsOf(piece.trimEnd()) > columns && line.trim() !== '') {
        lines.push(line.trimEnd())
        line = indent + ' '.repeat(hanging)
      }
      line += line.trim() === '' ? piece.trimStart() : piece
    }
    return [...lines, line.trimEnd()]
  })
}

/** No line of Chinese or Japanese starts with these. */
const closing = /^[，。、；：？！）」』】》％…,.;:?!)\]%]/u

function* piecesOf(paragraph: string, columnsMax: number): Generator<string> {
  for (const word of paragraph.match(/[^ ]*[ ]*/g) ?? []) {
    if (isPlain(word) && word.length <= columnsMax) {
      if (word) yield word
      continue
    }
    let piece = ''
    for (const { segment } of segmenter.segment(word)) {
      const mayBreak = stringWidth(segment) > 1 || (piece !== '' && stringWidth(piece.at(-1) ?? '') > 1) || columnsOf(piece + segment) > columnsMax
      if (piece && mayBreak && segment !== ' ' && !closing.test(segment)) {
        yield piece
        piece = ''
      }
      piece += segment
    }
    if (piece) yield piece
  }
}

// Colour, cursor and title codes, which a model or a tool could use to draw something that is not there; and what reverses reading order.
const escapes =
  /\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[PX^_][^\u001b]*(?:\u001b\\)?|[\u001b\u009b][[\]()#;?]*(?:\d{1,4}(?:[;:]\d{0,4})*)?[\dA-PR-TZcf-nq-uy=><~]?/g
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** Text from elsewhere made safe for a terminal: printable characters, tabs as spaces, and line feeds. */
export const printable = (text: string): string => text.replace(/\r\n?/g, '\n').replace(escapes, '').replace(/\t/g, '  ').replace(controls, '')

/** The same on one line. */
export const oneLine = (text: string): string => printable(text).replace(/\s+/g, ' ').trim()
