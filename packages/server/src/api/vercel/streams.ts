/** Commands and what they write, a JSON value to a line. */
import type { SandboxProcess } from '@longhaul/protocol'
import type { Caller } from '../../identity/index.ts'
import type { SandboxStreams } from './routes.ts'
import { type Known, toCommand } from './shapes.ts'

type Output = Pick<SandboxStreams, 'readOutput' | 'waitForOutput'>
type CommandLines = {
  streams: Output
  caller: Caller
  process: SandboxProcess
  known?: Known
  /** Without the command before and after it. */ isOutputAlone?: boolean
}

/** What a command writes, to its end; `gone` ends the waiting when nobody reads any more. The command goes on then. */
export async function* commandLines({ streams, caller, process, known, isOutputAlone = false }: CommandLines, gone: AbortSignal): AsyncGenerator<object> {
  const { sandboxId, id } = process
  if (!isOutputAlone) yield { command: toCommand(process, known) }
  let last = -1
  while (!gone.aborted) {
    const { process: now, items, droppedCount } = await streams.readOutput(caller, sandboxId, id, last)
    if (droppedCount > 0) yield { stream: 'stderr', data: `sandbox: ${droppedCount} pieces of output before this are no longer kept.\n` }
    for (const { seq, stream, text } of items) {
      yield { stream, data: text }
      last = seq
    }
    if (now.state !== 'running') {
      if (now.state === 'failed')
        return yield { stream: 'error', data: { code: 'command_failed', message: now.message ?? 'The command could not be started.' } }
      if (now.message !== null) yield { stream: 'stderr', data: `${now.message}\n` }
      if (!isOutputAlone) yield { command: toCommand(now, known) }
      return
    }
    await streams.waitForOutput(caller, sandboxId, id, last, gone)
  }
}

export async function untilEnd(streams: Output, caller: Caller, sandboxId: string, processId: string): Promise<SandboxProcess> {
  const never = new AbortController().signal
  let last = -1
  for (;;) {
    const { process, items } = await streams.readOutput(caller, sandboxId, processId, last)
    if (process.state !== 'running') return process
    last = items.at(-1)?.seq ?? last
    await streams.waitForOutput(caller, sandboxId, processId, last, never)
  }
}

export function lines(make: (gone: AbortSignal) => AsyncGenerator<object>): Response {
  const gone = new AbortController()
  const values = make(gone.signal)
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { value, done } = await values.next()
          if (done) controller.close()
          else controller.enqueue(encoder.encode(`${JSON.stringify(value)}\n`))
        } catch (error) {
          controller.error(error) // The status is sent; a stream that breaks off tells the client.
        }
      },
      async cancel() {
        gone.abort()
        await values.return(undefined)
      },
    },
    { highWaterMark: 1 },
  )
  return new Response(body, { headers: { 'content-type': 'application/x-ndjson', 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' } })
}
