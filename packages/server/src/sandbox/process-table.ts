/** Commands of one sandbox that outlive the request which started them, with the end of what they wrote. */
import type { ExecRequest, ExecResult, OutputPiece, SandboxProcess } from '@longhaul/protocol'
import { AppError, newId, toFailure, wallClock } from '../kernel/index.ts'
import type { ExecOptions, Sandbox } from './driver.ts'
import { type InputQueue, createInputQueue } from './input-queue.ts'

export type ProcessTable = {
  /** With `hasInput` its input stays open, and `give` adds to it. */
  start(request: ExecRequest, hasInput?: boolean): SandboxProcess
  /** Resolves once there was room for it. Throws `over_limit` when the command does not read; nothing of `bytes` was taken then. */
  give(processId: string, bytes: Uint8Array, isEnd: boolean): Promise<SandboxProcess>
  list(): SandboxProcess[]
  /** Throws `not_found`. */
  get(processId: string): SandboxProcess
  read(processId: string, after: number): { process: SandboxProcess; items: OutputPiece[]; droppedCount: number }
  /** Resolves when there is something after `after`, or the command has ended, or `signal` aborts. */
  wait(processId: string, after: number, signal: AbortSignal): Promise<void>
  kill(processId: string): Promise<SandboxProcess>
  readonly runningCount: number
  /** Ends all of them. */
  stop(): Promise<void>
}

/** Fewer than a sandbox runs at once, so that there is room for plain commands beside them. */
export const processesAtOnceMax = 5
const processesMax = 100
const keptCharactersMax = 1_000_000
const piecesMax = 10_000
/** Of input that a command has not read yet. */
const inputBytesMax = 2 * 1024 * 1024
const inputWaitMs = 20_000
/** Of each stream of a command, over its whole life. */
const outputBytesMax = 1024 * 1024 * 1024

type Entry = {
  process: SandboxProcess
  pieces: OutputPiece[]
  characters: number
  nextSeq: number
  input: InputQueue | undefined
  abort: AbortController
  ended: Promise<void>
  waiting: Set<() => void>
}

export function createProcessTable(sandboxId: string, exec: Sandbox['exec']): ProcessTable {
  const entries = new Map<string, Entry>()
  const running = () => [...entries.values()].filter(({ process }) => process.state === 'running')

  function find(processId: string): Entry {
    const entry = entries.get(processId)
    if (!entry) throw new AppError('not_found', `No process ${processId} in this sandbox. The server forgets them when it is restarted.`)
    return entry
  }

  function start(request: ExecRequest, hasInput = false): SandboxProcess {
    if (running().length >= processesAtOnceMax)
      throw new AppError('over_limit', `${processesAtOnceMax} processes run in this sandbox already. Wait for one to end, or kill one.`)
    const process: SandboxProcess = {
      id: newId(),
      sandboxId,
      command: ('script' in request ? request.script : [request.cmd, ...request.args].join(' ')).slice(0, 500),
      state: 'running',
      exitCode: null,
      signal: null,
      isTimedOut: false,
      isTruncated: false,
      message: null,
      startedAt: wallClock().toISOString(),
      endedAt: null,
    }
    const abort = new AbortController()
    const entry: Entry = {
      process,
      pieces: [],
      characters: 0,
      nextSeq: 0,
      input: hasInput ? createInputQueue(inputBytesMax) : undefined,
      abort,
      ended: Promise.resolve(),
      waiting: new Set(),
    }
    entries.set(process.id, entry)
    entry.ended = follow(entry, exec(request, optionsOf(entry)))
    for (const [id, { process: other }] of entries) if (entries.size > processesMax && other.state !== 'running') entries.delete(id)
    return { ...process }
  }

  const optionsOf = (entry: Entry): ExecOptions => ({
    signal: entry.abort.signal,
    outputBytesMax,
    isKept: false,
    ...(entry.input && { input: entry.input.pieces }),
    onOutput(stream, text) {
      entry.pieces.push({ seq: entry.nextSeq++, stream, text })
      entry.characters += text.length
      while (entry.characters > keptCharactersMax || entry.pieces.length > piecesMax) entry.characters -= entry.pieces.shift()?.text.length ?? 0
      wake(entry)
    },
  })

  async function follow(entry: Entry, result: Promise<ExecResult>): Promise<void> {
    const { process } = entry
    try {
      const { exitCode, signal, isTimedOut, isTruncated, stderr } = await result
      Object.assign(process, { state: 'exited', exitCode, signal, isTimedOut, isTruncated, message: stderr.trim() || null })
    } catch (error) {
      const failure = toFailure(error)
      Object.assign(process, failure.code === 'cancelled' ? { state: 'killed', signal: 'SIGKILL' } : { state: 'failed', message: failure.message })
    }
    entry.input?.close()
    process.endedAt = wallClock().toISOString()
    wake(entry)
  }

  const wake = (entry: Entry) => {
    for (const each of entry.waiting) each()
    entry.waiting.clear()
  }

  async function give(processId: string, bytes: Uint8Array, isEnd: boolean): Promise<SandboxProcess> {
    const { input, process } = find(processId)
    if (!input) throw new AppError('invalid', `The input of process ${processId} is not open. Start it with isInputOpen.`)
    if (input.isOver)
      throw new AppError('conflict', `Process ${processId} takes no more input: ${process.state === 'running' ? 'its input was ended' : 'it has ended'}.`)
    if (bytes.length > 0 && !(await input.give(bytes, inputWaitMs))) {
      if (input.isOver) throw new AppError('conflict', `Process ${processId} takes no more input.`)
      throw new AppError(
        'over_limit',
        `Process ${processId} has not read the ${inputBytesMax} bytes that wait for it. Nothing of this piece was taken; send it again later.`,
      )
    }
    if (isEnd) input.end()
    return { ...process }
  }

  async function kill(processId: string): Promise<SandboxProcess> {
    const entry = find(processId)
    entry.abort.abort()
    await entry.ended
    return { ...entry.process }
  }

  return {
    start,
    give,
    list: () => [...entries.values()].map(({ process }) => ({ ...process })).toReversed(),
    get: (processId) => ({ ...find(processId).process }),
    read(processId, after) {
      const { process, pieces, nextSeq } = find(processId)
      const first = pieces[0]?.seq ?? nextSeq
      return { process: { ...process }, items: pieces.filter(({ seq }) => seq > after), droppedCount: Math.max(0, first - after - 1) }
    },
    async wait(processId, after, signal) {
      const entry = find(processId)
      if (entry.nextSeq > after + 1 || entry.process.state !== 'running' || signal.aborted) return
      await new Promise<void>((resolve) => {
        const done = () => {
          entry.waiting.delete(done)
          signal.removeEventListener('abort', done)
          resolve()
        }
        entry.waiting.add(done)
        signal.addEventListener('abort', done)
      })
    },
    kill,
    get runningCount() {
      return running().length
    },
    async stop() {
      await Promise.all(running().map(({ process }) => kill(process.id)))
    },
  }
}
