import { Worker } from 'node:worker_threads'
import type { WorkerData, WorkerReply, WorkerRequest } from './worker.ts'

/** One life of the interpreter's thread. */
export type Thread = {
  /** Rejects when the thread ends before it answers. One request at a time. */
  ask(request: WorkerRequest): Promise<WorkerReply>
  /** Ends it, whatever it is doing. */
  end(): Promise<void>
  isEnded(): boolean
}

export class ThreadEnded extends Error {
  override readonly name = 'ThreadEnded'
  /** True when its memory limit did it. */
  readonly isOutOfMemory: boolean

  constructor(message: string, isOutOfMemory: boolean) {
    super(message)
    this.isOutOfMemory = isOutOfMemory
  }
}

const megabyte = 1024 * 1024

export async function startThread(data: WorkerData): Promise<Thread> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: data,
    // Nothing of the server's: no environment, no arguments, no streams.
    env: {},
    argv: [],
    execArgv: [],
    stdin: false,
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: Math.ceil(data.memoryBytesMax / megabyte), maxYoungGenerationSizeMb: 32, stackSizeMb: 4 },
  })
  worker.stdout.resume() // Whatever the library prints is nobody's.
  worker.stderr.resume()
  let waiting: PromiseWithResolvers<WorkerReply> | undefined = Promise.withResolvers()
  let isEnded = false
  let cause: Error | undefined
  const ready = waiting.promise
  worker.on('message', (reply: WorkerReply) => {
    waiting?.resolve(reply)
    waiting = undefined
  })
  worker.on('error', (error) => (cause = error))
  worker.on('exit', () => {
    isEnded = true
    const isOutOfMemory = cause !== undefined && 'code' in cause && cause.code === 'ERR_WORKER_OUT_OF_MEMORY'
    waiting?.reject(new ThreadEnded(cause?.message ?? 'it was ended', isOutOfMemory))
    waiting = undefined
  })
  await ready
  return {
    ask(request) {
      if (isEnded) return Promise.reject(new ThreadEnded('it was ended', false))
      if (waiting) throw new Error('The thread is asked one thing at a time.')
      waiting = Promise.withResolvers()
      worker.postMessage(request)
      return waiting.promise
    },
    async end() {
      await worker.terminate()
    },
    isEnded: () => isEnded,
  }
}
