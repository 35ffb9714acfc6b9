/** What a command writes, from a piece on, to the command's end. */
import type { OutputPiece, SandboxProcess } from '@longhaul/protocol'
import { type Log, after as callAfter } from '../kernel/index.ts'
import { type Frame, type Frames, heartbeatMs as usualHeartbeatMs } from './server-sent-events.ts'

type Page = { process: SandboxProcess; items: OutputPiece[]; droppedCount: number }
type OutputStreamOptions = {
  read(after: number): Promise<Page>
  /** Resolves when there is more, when the command has ended, or when the signal aborts. */
  wait(after: number, signal: AbortSignal): Promise<void>
  after: number
  end: AbortSignal
  log: Log
  heartbeatMs?: number
}

/** Rejects, before anything is sent, when there is no such command. */
export async function streamOutput(options: OutputStreamOptions): Promise<Frames> {
  await options.read(options.after)
  return makeFrames(options)
}

async function* makeFrames({ read, wait, after, end, log, heartbeatMs = usualHeartbeatMs }: OutputStreamOptions): Frames {
  let last = after
  try {
    while (!end.aborted) {
      const { process, items, droppedCount } = await read(last)
      const frames: Frame[] = droppedCount > 0 ? [{ event: 'dropped', data: { count: droppedCount } }] : []
      for (const piece of items) {
        frames.push({ cursor: String(piece.seq), event: 'output', data: piece })
        last = piece.seq
      }
      const isOver = process.state !== 'running'
      if (isOver) frames.push({ event: 'end', data: process })
      if (frames.length > 0) yield frames
      if (isOver) return
      if (!(await waitFor(wait, last, heartbeatMs, end))) yield []
    }
  } catch (error) {
    // The status is sent long since. The client comes back and is then told.
    log.warn('output stream broke off', { error })
  }
}

/** False when nothing happened for so long. */
async function waitFor(wait: OutputStreamOptions['wait'], last: number, ms: number, end: AbortSignal): Promise<boolean> {
  const late = new AbortController()
  const cancel = callAfter(ms, () => late.abort())
  try {
    await wait(last, AbortSignal.any([end, late.signal]))
    return !late.signal.aborted
  } finally {
    cancel()
  }
}
