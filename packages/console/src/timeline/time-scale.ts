import type { Timeline } from './entry.ts'

/** A stretch in which the run only waited, drawn narrower than it was. */
export type Break = { from: number; to: number; left: number; width: number }
export type TimeScale = { position(instant: number): number; breaks: readonly Break[]; from: number; to: number }

/**
 * Maps instants to 0…1 over the run's life. Time in which something was executing is drawn to scale; long stretches of waiting (an approval
 * overnight, a timer of a month) take a fixed small width each, so that they do not press everything else into a hair.
 */
export function makeTimeScale(timeline: Timeline, now: number): TimeScale {
  const from = timeline.startedAt ?? now
  const to = Math.max(timeline.endedAt ?? now, from + 1)
  const busy = busyStretches(timeline, from, to)
  const busyMs = busy.reduce((sum, [start, end]) => sum + end - start, 0)
  const breakMsMin = Math.max(2_000, busyMs / 4)
  const breakWidthMs = Math.max(busyMs / 12, 200)

  type Segment = { from: number; to: number; drawn: number; isBreak: boolean }
  const segments: Segment[] = []
  let at = from
  const idle = (until: number) => {
    if (until > at) segments.push({ from: at, to: until, drawn: until - at > breakMsMin ? breakWidthMs : until - at, isBreak: until - at > breakMsMin })
  }
  for (const [start, end] of busy) {
    idle(start)
    segments.push({ from: start, to: end, drawn: end - start, isBreak: false })
    at = end
  }
  idle(to)

  const total = segments.reduce((sum, one) => sum + one.drawn, 0) || 1
  const placed: (Segment & { left: number })[] = []
  let left = 0
  for (const segment of segments) {
    placed.push({ ...segment, left: left / total })
    left += segment.drawn
  }
  return {
    from,
    to,
    breaks: placed.flatMap((one) => (one.isBreak ? [{ from: one.from, to: one.to, left: one.left, width: one.drawn / total }] : [])),
    position(instant) {
      if (instant <= from) return 0
      if (instant >= to) return 1
      const segment = placed[lastStartingBefore(placed, instant)]
      if (!segment) return 0
      return segment.left + ((instant - segment.from) / (segment.to - segment.from)) * (segment.drawn / total)
    },
  }
}

/** For how long the run had a wait open: a person's decision, a timer, a signal. */
export function waitedMs({ entries, endedAt: end }: Timeline, now: number): number {
  const stretches: [number, number][] = []
  for (const { subject, startedAt, endedAt } of entries.values()) if (subject.type === 'wait') stretches.push([startedAt, endedAt ?? end ?? now])
  return merge(stretches).reduce((sum, [from, to]) => sum + to - from, 0)
}

/** Stretches in which at least one attempt at a step went on, merged and in order. */
function busyStretches(timeline: Timeline, from: number, to: number): [number, number][] {
  const stretches: [number, number][] = []
  for (const entry of timeline.entries.values()) {
    // A tool that waits for an approval inside is not busy: only what is at the bottom of the tree counts.
    if (entry.subject.type !== 'step' || hasWaitInside(timeline, entry.key)) continue
    for (const { startedAt, endedAt } of entry.attempts) stretches.push([Math.max(from, startedAt), Math.min(to, endedAt ?? to)])
  }
  return merge(stretches)
}

function merge(stretches: [number, number][]): [number, number][] {
  stretches.sort((a, b) => a[0] - b[0])
  const merged: [number, number][] = []
  for (const [start, end] of stretches) {
    const last = merged.at(-1)
    if (last && start <= last[1]) last[1] = Math.max(last[1], end)
    else if (end > start) merged.push([start, end])
  }
  return merged
}

const hasWaitInside = (timeline: Timeline, key: string): boolean =>
  timeline.entries.get(key)?.children.some((child) => timeline.entries.get(child)?.subject.type === 'wait' || hasWaitInside(timeline, child)) ?? false

function lastStartingBefore(segments: readonly { from: number }[], instant: number): number {
  let low = 0
  let high = segments.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    const segment = segments[middle]
    if (segment && segment.from <= instant) low = middle
    else high = middle - 1
  }
  return low
}
