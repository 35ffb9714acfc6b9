import { isUtf8 } from 'node:buffer'
import { type CodeChange, changedTextBytesMax, changedTextsBytesMax } from '@longhaul/protocol'
import type { Code } from './code.ts'

/** What changed from one version's code to another's, by path. Their texts up to what one answer may hold. Pure. */
export function codeChanges(before: Code, after: Code): { changes: CodeChange[]; sameCount: number } {
  const [old, now] = [before, after].map(({ files }) => new Map(files.map(({ path, content }) => [path, content]))) as [Files, Files] // Two in, two out.
  let left = changedTextsBytesMax
  let sameCount = 0
  const changes: CodeChange[] = []
  for (const path of [...new Set([...old.keys(), ...now.keys()])].toSorted()) {
    const [one, other] = [old.get(path), now.get(path)]
    if (one && other?.equals(one)) {
      sameCount++
      continue
    }
    const sides = [one, other].filter((side) => side !== undefined)
    const bytes = sides.reduce((sum, side) => sum + side.length, 0)
    const omitted = sides.some(isBinary) ? 'binary' : sides.some(({ length }) => length > changedTextBytesMax) ? 'large' : bytes > left ? 'full' : null
    if (!omitted) left -= bytes
    const shown = (side: Buffer | undefined) => (side ? { bytes: side.length, text: omitted ? null : side.toString() } : null)
    changes.push({ path, change: !one ? 'added' : !other ? 'removed' : 'changed', before: shown(one), after: shown(other), omitted })
  }
  return { changes, sameCount }
}

type Files = Map<string, Buffer>

const isBinary = (content: Buffer): boolean => content.includes(0) || !isUtf8(content)
