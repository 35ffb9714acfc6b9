/** Lines of a difference as they stand beside each other, with their numbers in both texts. Pure. */
import { foldSame } from './diff-lines.ts'
import type { DiffLine } from './diff-lines.ts'

export type Side = { number: number; text: string }
/** `before` and `after` are both there where the line is the same, or where one replaced the other. A fold stands for lines that are the same. */
export type DiffRow = { kind: 'lines'; before?: Side; after?: Side; isSame: boolean } | { kind: 'fold'; id: number; count: number }

type Layout = 'unified' | 'split'

/** The rows of a difference. Folds whose ids are `open` are shown with their lines. */
export function diffRows(lines: readonly DiffLine[], layout: Layout, open: ReadonlySet<number>): DiffRow[] {
  const rows: DiffRow[] = []
  let [before, after] = [1, 1]
  for (const [id, part] of foldSame(lines).entries()) {
    if (part.isFolded && !open.has(id)) {
      rows.push({ kind: 'fold', id, count: part.lines.length })
      before += part.lines.length
      after += part.lines.length
      continue
    }
    /** Removed lines of the block at hand, for which an added one may still come. */
    let waiting: Extract<DiffRow, { kind: 'lines' }>[] = []
    for (const { kind, text } of part.lines) {
      if (kind === 'same') {
        waiting = []
        rows.push({ kind: 'lines', before: { number: before++, text }, after: { number: after++, text }, isSame: true })
      } else if (kind === 'removed') {
        const row = { kind: 'lines' as const, before: { number: before++, text }, isSame: false }
        rows.push(row)
        waiting.push(row)
      } else {
        const side = { number: after++, text }
        const partner = layout === 'split' ? waiting.shift() : undefined
        if (partner) partner.after = side
        else rows.push({ kind: 'lines', after: side, isSame: false })
      }
    }
  }
  return rows
}

/** How many lines came and went. */
export const countLines = (lines: readonly DiffLine[]): { added: number; removed: number } => ({
  added: lines.filter(({ kind }) => kind === 'added').length,
  removed: lines.filter(({ kind }) => kind === 'removed').length,
})
