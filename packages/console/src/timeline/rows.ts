import type { Entry, EntryState, Timeline } from './entry.ts'

export type Row = { entry: Entry; depth: number; state: EntryState; startedAt: number; endedAt: number | null; hasChildren: boolean; isCollapsed: boolean }

/** Which lines to show: everything, one kind of work, or only what went wrong. */
export type RowFilter = 'all' | 'model' | 'tool' | 'exec' | 'problem'

/**
 * The tree as lines, in the order of the story. What a collapsed entry holds is left out; a filter keeps the parents of what it finds. `folds` has
 * what the reader opened and closed; a tool that is nothing but its one command says the same twice, so it starts closed unless that went wrong.
 */
export function toRows(timeline: Timeline, folds: ReadonlyMap<string, boolean>, filter: RowFilter = 'all'): Row[] {
  const rows: Row[] = []
  const visit = (key: string, depth: number): boolean => {
    const entry = timeline.entries.get(key)
    if (!entry) return false
    // Side-by-side work of one is just that work.
    const [only] = entry.children
    if (entry.subject.type === 'branch' && entry.children.length === 1 && only !== undefined) return visit(only, depth)
    const place = rows.length
    const isCollapsed = folds.get(key) ?? (filter === 'all' && isOneCommand(timeline, entry))
    const hidden = rows.length
    rows.push({ entry, depth, ...statusOf(timeline, entry), hasChildren: entry.children.length > 0, isCollapsed })
    let isWanted = matches(entry, filter)
    for (const child of entry.children) isWanted = visit(child, depth + 1) || isWanted
    if (isCollapsed) rows.length = hidden + 1
    if (!isWanted) rows.length = place
    return isWanted
  }
  for (const root of timeline.roots) visit(root, 0)
  return rows
}

function isOneCommand(timeline: Timeline, { subject, children }: Entry): boolean {
  const only = children.length === 1 && children[0] !== undefined ? timeline.entries.get(children[0]) : undefined
  if (subject.type !== 'step' || subject.kind !== 'tool' || only?.subject.type !== 'step' || only.subject.kind !== 'exec') return false
  return (only.state === 'running' && !hadProblem(only)) || (only.state === 'completed' && !hadProblem(only) && endedWell(only.output))
}

const endedWell = (output: Entry['output']): boolean => output !== null && typeof output === 'object' && !Array.isArray(output) && output['exitCode'] === 0

function matches(entry: Entry, filter: RowFilter): boolean {
  if (filter === 'all') return true
  if (filter === 'problem') return hadProblem(entry)
  return entry.subject.type === 'step' && entry.subject.kind === filter
}

const hadProblem = ({ state, attempts, subject }: Entry): boolean =>
  state === 'failed' ||
  state === 'retrying' ||
  attempts.some((one) => one.failure || one.isInterrupted) ||
  (subject.type === 'mark' && (subject.event === 'run.interrupted' || subject.event === 'run.failed'))

/** A branch has no events of its own: it is as its children are. */
export function statusOf(timeline: Timeline, entry: Entry): { state: EntryState; startedAt: number; endedAt: number | null } {
  if (entry.subject.type !== 'branch') return entry
  const inside = entry.children.flatMap((key) => {
    const child = timeline.entries.get(key)
    return child ? [statusOf(timeline, child)] : []
  })
  const startedAt = Math.min(...inside.map((child) => child.startedAt))
  const state =
    (['running', 'retrying', 'interrupted', 'waiting', 'failed', 'abandoned'] as const).find((one) => inside.some((child) => child.state === one)) ??
    'completed'
  const isOver = inside.every((child) => child.endedAt !== null)
  return { state, startedAt, endedAt: isOver ? Math.max(...inside.map((child) => child.endedAt ?? 0)) : null }
}
