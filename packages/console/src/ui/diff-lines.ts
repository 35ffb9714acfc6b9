export type DiffLine = { kind: 'same' | 'added' | 'removed'; text: string }

/** Above this product of lines the middle is shown as replaced whole: a table of that size would stall the page. */
const cellsMax = 4_000_000

/** Lines of two texts against each other: the longest common subsequence, after what both begin and end with. */
export function diffLines(before: string, after: string): DiffLine[] {
  const a = before === '' ? [] : before.split('\n')
  const b = after === '' ? [] : after.split('\n')
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) start++
  let end = 0
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++
  const same = (lines: string[]): DiffLine[] => lines.map((text) => ({ kind: 'same', text }))
  return [...same(a.slice(0, start)), ...diffMiddle(a.slice(start, a.length - end), b.slice(start, b.length - end)), ...same(end === 0 ? [] : a.slice(-end))]
}

/** So many lines of what is the same stay beside a change. */
const nearCount = 3
/** Fewer than these are not worth folding. */
const foldedMin = 4

export type DiffPart = { lines: DiffLine[]; isFolded: boolean }

/** Long stretches that are the same, apart from the rest. */
export function foldSame(lines: readonly DiffLine[]): DiffPart[] {
  const parts: DiffPart[] = []
  const add = (slice: DiffLine[], isFolded: boolean) => {
    const last = parts.at(-1)
    if (slice.length === 0) return
    if (last && !last.isFolded && !isFolded) last.lines.push(...slice)
    else parts.push({ lines: slice, isFolded })
  }
  for (let at = 0; at < lines.length;) {
    const isSame = lines[at]?.kind === 'same'
    let end = at
    while (end < lines.length && (lines[end]?.kind === 'same') === isSame) end++
    const from = at === 0 ? at : at + nearCount
    const to = end === lines.length ? end : end - nearCount
    if (isSame && to - from >= foldedMin) {
      add(lines.slice(at, from), false)
      add(lines.slice(from, to), true)
      add(lines.slice(to, end), false)
    } else add(lines.slice(at, end), false)
    at = end
  }
  return parts
}

function diffMiddle(a: string[], b: string[]): DiffLine[] {
  const removed = (text: string): DiffLine => ({ kind: 'removed', text })
  const added = (text: string): DiffLine => ({ kind: 'added', text })
  if (a.length * b.length > cellsMax) return [...a.map(removed), ...b.map(added)]
  const width = b.length + 1
  const common = new Uint32Array((a.length + 1) * width)
  const at = (i: number, j: number): number => common[i * width + j] ?? 0
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--) common[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
  const lines: DiffLine[] = []
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    const left = a[i]
    const right = b[j]
    if (left !== undefined && left === right) {
      lines.push({ kind: 'same', text: left })
      i++
      j++
    } else if (left !== undefined && (right === undefined || at(i + 1, j) >= at(i, j + 1))) {
      lines.push(removed(left))
      i++
    } else if (right !== undefined) {
      lines.push(added(right))
      j++
    }
  }
  return lines
}
