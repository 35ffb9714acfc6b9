/** What a command writes as server-sent events, from a piece on, to the command's end. */
import type { OutputPiece, SandboxProcess } from '@longhaul/protocol'
import { type Log, after as callAfter } from '../kernel/index.ts'
import { answerWithFrames, retryMs } from './server-sent-events.ts'

type Page = { process: SandboxProcess; items: OutputPiece[]; droppedCount: number }
type OutputStreamOptions = {
  read(after: number): Promise<Page>
  /** Resolves when there is more, when the command has ended, or when the signal aborts. */
  wait(after: number, signal: AbortSignal): Promise<void>
  after: number
  stopping: AbortSignal
  log: Log
  heartbeatMs?: number
}

/** Rejects, before anything is sent, when there is no such command. */
export async function streamOutput(options: OutputStreamOptions): Promise<Response> {
  await options.read(options.after)
  return answerWithFrames((end) => makeFrames(options, end), options.stopping)
}

async function* makeFrames({ read, wait, after, log, heartbeatMs = 15_000 }: OutputStreamOptions, end: AbortSignal): AsyncGenerator<string, void> {
  let last = after
  try {
    yield `retry: ${retryMs}\n\n` // Sends the headers on their way, too.
    while (!end.aborted) {
      const { process, items, droppedCount } = await read(last)
      if (droppedCount > 0) yield `event: dropped\ndata: ${JSON.stringify({ count: droppedCount })}\n\n`
      for (const piece of items) {
        yield `id: ${piece.seq}\nevent: output\ndata: ${JSON.stringify(piece)}\n\n`
        last = piece.seq
      }
      if (process.state !== 'running') return yield `event: end\ndata: ${JSON.stringify(process)}\n\n`
      if (!(await waitFor(wait, last, heartbeatMs, end))) yield ': here\n\n'
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
