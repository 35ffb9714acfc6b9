/** What a fork takes over of a run's journal. Pure. */
import type { EventType, Json } from '@longhaul/protocol'

export type RecordedEvent = { type: EventType; op: string | null; data: string }

/**
 * The events before the first one of the step `op`, with every result that the code is given by then, in recorded order. What had no result yet is left out, with
 * what was asked inside of it: the fork asks for it anew. So is what happened to the run rather than in it: lost workers, operators, its end. Undefined when
 * there is no such step. `openChildren` are runs that were started and whose end is not among the events.
 */
export function prefixOf(
  events: readonly RecordedEvent[],
  op: string | undefined,
  input?: Json,
): { events: RecordedEvent[]; openChildren: string[] } | undefined {
  const end = op === undefined ? 1 : events.findIndex((event) => event.op === op)
  if (end < 1) return undefined
  const before = events.slice(0, end)
  const data = new Map(before.map((event) => [event, JSON.parse(event.data) as Record<string, Json>])) // As this engine wrote it.
  const settled = new Set<string>()
  const asked = new Set<string>()
  for (const event of before) {
    if (event.op === null) continue
    asked.add(event.op)
    const isFinal =
      event.type === 'step.completed' || event.type === 'wait.completed' || (event.type === 'step.failed' && data.get(event)?.['retryInMs'] === null)
    if (isFinal) settled.add(event.op)
  }
  const isOpen = (path: string): boolean => {
    if (asked.has(path) && !settled.has(path)) return true
    const dot = path.lastIndexOf('.')
    return dot > 0 && isOpen(path.slice(0, dot))
  }
  const kept = before.filter(({ type, op: path }) => (path === null ? ofItself.has(type) : !isOpen(path)))
  const children = new Set<string>()
  const ended = new Set<string>()
  const idIn = (value: Json | undefined) => (value !== null && typeof value === 'object' && !Array.isArray(value) ? String(value['runId']) : '')
  const taken = kept.map((event): RecordedEvent => {
    const found = data.get(event) ?? {}
    if (event.type === 'step.completed' && found['kind'] === 'run') children.add(idIn(found['output']))
    if (event.type === 'wait.completed' && found['kind'] === 'run') ended.add(idIn(found['output']))
    if (event.type === 'child.ended') ended.add(idIn(found['end']))
    if (event.type === 'run.started' && input !== undefined) return { ...event, data: JSON.stringify({ input }) }
    if (event.type !== 'step.completed' || !('usage' in found)) return event
    const { usage: _, ...free } = found // The original paid for it.
    return { ...event, data: JSON.stringify(free) }
  })
  return { events: taken, openChildren: [...children].filter((id) => !ended.has(id)) }
}

const ofItself = new Set<EventType>(['run.started', 'signal.received', 'child.ended'])
