// The layer and its lexicon, made once for the same files. A question takes several model calls, each of which starts from the transcript
// alone; what they would all compute alike is kept. It changes no answer.
import { createHash } from 'node:crypto'
import { parseLayer, type Layer } from './layer.ts'
import type { Frame, Parsed } from './frame.ts'
import { buildLexicon, withValues, type FoundValue, type Lexicon } from './lexicon.ts'
import { parseQuestion, readQuestion, type Question } from './parse.ts'

/** `readings`: questions that were read, by their text and what they lean on. */
export type Understanding = { layer: Layer; lexicon: Lexicon; readings: Map<string, Reading> }
export type Reading = { question: Question; parsed: Parsed }

const kept = new Map<string, Understanding>()
const keptMax = 4
const readingsMax = 64

export function understandFiles(files: ReadonlyMap<string, string>): Understanding {
  const hash = createHash('sha256')
  for (const [path, content] of files) hash.update(`${path}\n${content.length}\n${content}`)
  const key = hash.digest('hex')
  const known = kept.get(key)
  if (known) return known
  const layer = parseLayer(files)
  const made: Understanding = { layer, lexicon: buildLexicon(layer), readings: new Map() }
  kept.set(key, made)
  forgetOldest(kept, keptMax)
  return made
}

/** What a question asks, given the question before and names that were looked up. The turns of one answer all ask for the same. */
export function readAs({ layer, lexicon, readings }: Understanding, asked: string, context: Frame | undefined, found: readonly FoundValue[] = []): Reading {
  const key = JSON.stringify([asked, context, found])
  const known = readings.get(key)
  if (known) return known
  const words = found.length === 0 ? lexicon : withValues(lexicon, found)
  const question = readQuestion(asked, words)
  const reading = { question, parsed: parseQuestion(question, words, layer, context) }
  readings.set(key, reading)
  forgetOldest(readings, readingsMax)
  return reading
}

function forgetOldest(map: Map<string, unknown>, sizeMax: number): void {
  for (const oldest of map.keys()) {
    if (map.size <= sizeMax) return
    map.delete(oldest)
  }
}
