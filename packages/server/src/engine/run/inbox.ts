/** Messages to a run from outside: signals, answers, decisions, ends of children, cancellation. Each is taken in the entry that records what came of it. */
import type { DoubtDecision, Json } from '@longhaul/protocol'
import type { NewEvent } from '../history.ts'
import type { InboxRow } from '../run-store.ts'
import type { ActiveRun } from './active-run.ts'
import { decide } from './doubts.ts'
import { complete } from './waits.ts'

/** Takes messages from outside. `count` is how many were ever sent, as read before these. */
export function takeInbox(run: ActiveRun, rows: InboxRow[], count: number): void {
  // Claimed, but its journal is still being read: what the message is for is not known yet. It stays in the inbox for the next look.
  if (!run.isTakenUp) return
  run.inboxSeen = Math.max(run.inboxSeen, count)
  for (const row of rows) {
    if (run.isLeaving) return
    if (run.takenIds.has(row.id)) continue
    run.takenIds.add(row.id)
    takeMessage(run, row)
  }
}

function takeMessage(run: ActiveRun, row: InboxRow): void {
  const taken = [row.id]
  if (row.kind === 'cancel') {
    const { reason } = row.payload as { reason?: string }
    return run.end('cancelled', { type: 'run.cancelled', data: { by: row.sentBy, ...(reason !== undefined && { reason }) } }, { state: 'cancelled' }, taken)
  }
  if (row.kind === 'steer') return void run.said.push({ id: row.id, input: row.payload, labels: row.labels }) // It stays in the inbox until a model call has taken it.
  if (row.kind === 'retry') {
    return run.append(run.history.parked || run.history.interruptionCount > 0 ? [{ type: 'run.resumed', data: { by: row.sentBy } }] : [], { taken })
  }
  if (row.kind === 'decision') {
    const { decision, output, message, attempt } = row.payload as { decision: DoubtDecision; output: Json; message?: string; attempt: number }
    const known = run.history.ops.get(row.name)
    if (known?.state !== 'open' || !known.doubt || known.attempt !== attempt) return run.append([], { taken })
    return decide(run, row.name, known, { decision, output: known.kind === 'tool' ? { output, parts: [] } : output, message, by: row.sentBy }, taken)
  }
  if (row.kind === 'child') {
    const { name: runId, payload: end } = row
    if (!run.history.children.has(runId) || run.history.ends.has(runId)) return run.append([], { taken })
    const waits = [...run.history.waits()].filter(([, op]) => op.runId === runId)
    if (waits.length === 0) return run.append([{ type: 'child.ended', data: { end } }], { taken })
    for (const [path, op] of waits) complete(run, path, 'run', op.name, end, taken)
    return
  }
  if (row.kind === 'approval') {
    const wait = [...run.history.waits()].find(([, op]) => op.approvalId === row.name)
    return wait ? complete(run, wait[0], 'approval', wait[1].name, row.payload, taken) : run.append([], { taken })
  }
  const waiting = [...run.history.waits()].find(([, op]) => op.kind === 'signal' && op.name === row.name)
  const { name, payload, sentBy: by, labels } = row
  const received: NewEvent = { type: 'signal.received', data: { name, payload, by, ...(labels.length > 0 && { labels }) } }
  if (!waiting) return run.append([received], { taken })
  return complete(run, waiting[0], 'signal', name, payload, taken, [received])
}
