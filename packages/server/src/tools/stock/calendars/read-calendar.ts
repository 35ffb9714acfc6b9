/** Reads one calendar in a thread of its own, which is ended when it takes too long or too much: a rule such as every thirtieth of February is looked for without end. */
import { Worker } from 'node:worker_threads'
import { after } from '../../../kernel/index.ts'
import type { Busy, Range } from './busy.ts'
import type { ReadAnswer, ReadRequest } from './thread.ts'

const readMsMax = 5_000
const memoryMbMax = 256

/** What is wrong with the calendar is the `problem`. Rejects with the signal's reason. */
export async function readCalendar(text: string, range: Range, signal: AbortSignal): Promise<{ busy: Busy[] } | { problem: string }> {
  signal.throwIfAborted()
  const thread = new Worker(new URL('./thread.ts', import.meta.url), {
    workerData: { text, range } satisfies ReadRequest,
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: memoryMbMax },
  })
  const { promise, resolve, reject } = Promise.withResolvers<ReadAnswer>()
  const cancel = after(readMsMax, () => resolve({ problem: `it takes more than ${readMsMax / 1_000} s to read` }))
  const stop = () => reject(signal.reason as Error) // Whatever the caller has ended it with.
  signal.addEventListener('abort', stop, { once: true })
  thread.on('message', resolve)
  thread.on('error', (error: Error & { code?: string }) =>
    error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? resolve({ problem: `it takes more than ${memoryMbMax} MB to read` }) : reject(error),
  )
  try {
    return await promise
  } finally {
    cancel()
    signal.removeEventListener('abort', stop)
    await thread.terminate()
  }
}
