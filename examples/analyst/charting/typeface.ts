import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { Blob, Buffer as Run, Face, Font, shape, Variation } from 'harfbuzzjs'
import wawoff2 from 'wawoff2'
import { z } from 'zod'

/** A line of text as outlines: each glyph's name in `outline`, and where it stands, in thousandths of the font size. */
export type Line = { glyphs: { key: string; x: number }[]; width: number }
export type Weight = 400 | 600

/**
 * Noto Sans SC, Latin and Chinese, as the package `@fontsource-variable/noto-sans-sc` brings it: a hundred small files, each for some characters. Only those that
 * a chart's text needs are read, and kept. Charts are drawn with outlines instead of text, so that they look the same wherever they are opened, with no font installed.
 */
export type Typeface = {
  lay(text: string, weight: Weight): Line
  width(text: string, weight: Weight): number
  outline(key: string): string
}

type Piece = Record<Weight, Font>

const require = createRequire(import.meta.url)
const packageFile = (name: string) => require.resolve(`@fontsource-variable/noto-sans-sc/${name}`)
const pieces = new Map<string, Promise<Piece>>()
const lines = new Map<string, Line>()
const outlines = new Map<string, string>()
const linesKept = 2_000

/** A typeface that can lay out all of this text. */
export async function typefaceFor(text: string): Promise<Typeface> {
  const pieceOf = await findPieces()
  const names = new Set(['latin', ...[...text].map((character) => pieceOf(character)).filter((name) => name !== undefined)])
  const loaded = new Map(await Promise.all([...names].map(async (name) => [name, await loadPiece(name)] as const)))

  function lay(line: string, weight: Weight): Line {
    const key = `${weight} ${line}`
    const known = lines.get(key)
    if (known) return known
    const laid = layOut(line, weight, (character) => pieceOf(character), loaded)
    if (lines.size > linesKept) lines.clear()
    lines.set(key, laid)
    return laid
  }
  return { lay, width: (line, weight) => lay(line, weight).width, outline: (key) => outlines.get(key) ?? '' }
}

function layOut(line: string, weight: Weight, pieceOf: (character: string) => string | undefined, loaded: ReadonlyMap<string, Piece>): Line {
  const laid: Line = { glyphs: [], width: 0 }
  for (const { name, text } of runsOf(line, pieceOf)) {
    const font = loaded.get(name)?.[weight]
    if (!font) {
      laid.width += 500 * [...text].length // A character that the typeface lacks is a gap.
      continue
    }
    const run = new Run()
    run.addText(text)
    run.guessSegmentProperties()
    shape(font, run)
    for (const { codepoint: glyph, xAdvance = 0, xOffset = 0 } of run.getGlyphInfosAndPositions()) {
      const key = `${name}-${weight}-${glyph}`
      if (!outlines.has(key)) outlines.set(key, font.glyphToPath(glyph))
      laid.glyphs.push({ key, x: laid.width + xOffset })
      laid.width += xAdvance
    }
  }
  return laid
}

/** Neighbouring characters of the same piece are laid out together, which keeps the kerning. */
function runsOf(line: string, pieceOf: (character: string) => string | undefined): { name: string; text: string }[] {
  const runs: { name: string; text: string }[] = []
  for (const character of line) {
    const name = pieceOf(character) ?? ''
    const last = runs.at(-1)
    if (last?.name === name) last.text += character
    else runs.push({ name, text: character })
  }
  return runs
}

function loadPiece(name: string): Promise<Piece> {
  const known = pieces.get(name)
  if (known) return known
  const loading = readPiece(name)
  pieces.set(name, loading)
  return loading
}

async function readPiece(name: string): Promise<Piece> {
  const packed = await readFile(packageFile(`files/noto-sans-sc-${name}-wght-normal.woff2`))
  const face = new Face(new Blob(await wawoff2.decompress(packed)))
  const font = (weight: Weight) => {
    const made = new Font(face)
    made.setScale(1_000, 1_000)
    made.setVariations([new Variation('wght', weight)])
    return made
  }
  return { 400: font(400), 600: font(600) }
}

type FindPiece = (character: string) => string | undefined
let finder: Promise<FindPiece> | undefined
const findPieces = (): Promise<FindPiece> => (finder ??= readRanges())

/** Which file has which characters; Latin first, since other files have some of its letters too. */
async function readRanges(): Promise<FindPiece> {
  const ranges = z.record(z.string(), z.string()).parse(JSON.parse(await readFile(packageFile('unicode.json'), 'utf8')))
  const pieceOf = new Map<number, string>()
  const entries = Object.entries(ranges).sort(([a], [b]) => Number(b === 'latin') - Number(a === 'latin'))
  for (const [key, list] of entries) {
    const name = key.replace(/[[\]]/g, '')
    for (const range of list.split(',')) {
      const [from = 0, to = from] = range
        .replace('U+', '')
        .split('-')
        .map((hex) => Number.parseInt(hex, 16))
      for (let code = from; code <= to; code++) if (!pieceOf.has(code)) pieceOf.set(code, name)
    }
  }
  return (character) => pieceOf.get(character.codePointAt(0) ?? 0)
}
