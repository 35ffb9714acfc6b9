import { diffArrays } from 'diff'

export type DiffLine = { kind: 'same' | 'added' | 'removed'; text: string }

/** With more lines changed than these, what lies between the first and the last change is shown as replaced whole: looking for the least would stall the page. */
const editsMax = 2_000

/** Lines of two texts against each other: the fewest that went and came, after what both begin and end with. */
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
  const parts = diffArrays(a, b, { maxEditLength: editsMax }) ?? [
    { value: a, added: false, removed: true },
    { value: b, added: true, removed: false },
  ]
  return parts.flatMap(({ value, added, removed }) => value.map((text): DiffLine => ({ kind: added ? 'added' : removed ? 'removed' : 'same', text })))
}
