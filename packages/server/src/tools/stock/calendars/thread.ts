/** The thread in which one calendar is read. */
import { parentPort, workerData } from 'node:worker_threads'
import { BadCalendar, type Busy, type Range, busyIn } from './busy.ts'

export type ReadRequest = { text: string; range: Range }
export type ReadAnswer = { busy: Busy[] } | { problem: string }

const { text, range } = workerData as ReadRequest // What `read-calendar.ts` gives.

function answer(): ReadAnswer {
  try {
    return { busy: busyIn(text, range) }
  } catch (error) {
    if (error instanceof BadCalendar) return { problem: error.message }
    // The library has no error of its own for what it cannot make sense of.
    return { problem: `it cannot be read (${error instanceof Error ? error.message.slice(0, 200) : 'for no reason that is said'})` }
  }
}
parentPort?.postMessage(answer())
