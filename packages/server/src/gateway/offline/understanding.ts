// The layer and its lexicon, made once for the same files. A question takes several model calls, each of which starts from the transcript
// alone; what they would all compute alike is kept. It changes no answer.
import { createHash } from 'node:crypto'
import { parseLayer, type Layer } from './layer.ts'
import { buildLexicon, type Lexicon } from './lexicon.ts'

export type Understanding = { layer: Layer; lexicon: Lexicon }

const kept = new Map<string, Understanding>()
const keptMax = 4

export function understandFiles(files: ReadonlyMap<string, string>): Understanding {
  const hash = createHash('sha256')
  for (const [path, content] of files) hash.update(`${path}\n${content.length}\n${content}`)
  const key = hash.digest('hex')
  const known = kept.get(key)
  if (known) return known
  const layer = parseLayer(files)
  const made = { layer, lexicon: buildLexicon(layer) }
  kept.set(key, made)
  for (const oldest of kept.keys()) {
    if (kept.size <= keptMax) break
    kept.delete(oldest)
  }
  return made
}
