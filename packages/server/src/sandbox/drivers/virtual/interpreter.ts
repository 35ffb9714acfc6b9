import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { identityOf, type ProcessIdentity } from '../../processes.ts'
import type { InterpreterReply, InterpreterRequest, Workspace } from './interpreter-main.ts'

/** One life of the interpreter's process. */
export type Interpreter = {
  readonly identity: ProcessIdentity
  /** Rejects when the process ends before it answers. One request at a time. */
  ask(request: InterpreterRequest): Promise<InterpreterReply>
  /** Ends it, whatever it is doing. */
  end(): Promise<void>
  isEnded(): boolean
}

export class InterpreterEnded extends Error {
  override readonly name = 'InterpreterEnded'
  /** True when its memory limit did it. */
  readonly isOutOfMemory: boolean

  constructor(message: string, isOutOfMemory: boolean) {
    super(message)
    this.isOutOfMemory = isOutOfMemory
  }
}

const megabyte = 1024 * 1024
const complaintBytesMax = 8_192
/** Of processor time, in a whole life: what an interpreter can waste at most that hangs where nothing can end it. */
const cpuSecondsMax = 7_200

/**
 * A process and not a thread: a thread that runs out of memory takes the whole server with it, about once in a hundred
 * times. `sh` takes away core dumps, Node's permission model files, programs and native code.
 */
export async function startInterpreter(workspace: Workspace): Promise<Interpreter> {
  const child = spawn('/bin/sh', ['-c', `ulimit -c 0; ulimit -t ${cpuSecondsMax}; exec "$@"`, 'sh', process.execPath, ...nodeOptions(workspace), mainFile], {
    env: {},
    cwd: '/',
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let complaints = ''
  child.stderr?.on('data', (bytes: Buffer) => {
    if (complaints.length < complaintBytesMax) complaints += bytes.toString()
  })
  let waiting: PromiseWithResolvers<InterpreterReply> | undefined
  const exited = Promise.withResolvers<void>()
  let isEnded = false
  child.on('message', (reply: InterpreterReply) => {
    waiting?.resolve(reply)
    waiting = undefined
  })
  child.on('error', (error) => (complaints += error.message)) // 'close' follows, or it never began.
  child.on('close', (code, signal) => {
    isEnded = true
    const isOutOfMemory = complaints.includes('heap out of memory')
    waiting?.reject(
      new InterpreterEnded(
        isOutOfMemory ? 'out of memory' : `it ended with ${signal ?? code}${complaints ? `: ${complaints.slice(0, 500)}` : ''}`,
        isOutOfMemory,
      ),
    )
    waiting = undefined
    exited.resolve()
  })
  const ask = (request: Workspace | InterpreterRequest): Promise<InterpreterReply> => {
    if (isEnded) return Promise.reject(new InterpreterEnded('it was ended', false))
    if (waiting) throw new Error('The interpreter is asked one thing at a time.')
    waiting = Promise.withResolvers()
    const answer = waiting.promise
    child.send(request, () => {}) // A failure to send is followed by 'close'.
    return answer
  }
  await ask(workspace)
  return {
    identity: identityOf(child.pid ?? 0),
    ask,
    async end() {
      child.kill('SIGKILL')
      await exited.promise
    },
    isEnded: () => isEnded,
  }
}

const mainFile = fileURLToPath(new URL('./interpreter-main.ts', import.meta.url))

/** Exported for its test. */
export function nodeOptions({ memoryBytesMax }: Pick<Workspace, 'memoryBytesMax'>): string[] {
  const library = createRequire(import.meta.url).resolve('just-bash')
  const modules = library.slice(0, library.lastIndexOf('/node_modules/') + '/node_modules/'.length)
  return [
    '--permission',
    `--allow-fs-read=${modules}*`,
    `--allow-fs-read=${dirname(mainFile)}/*`,
    `--max-old-space-size=${Math.ceil(memoryBytesMax / megabyte)}`,
    '--max-semi-space-size=8',
    '--no-warnings',
    '--disable-proto=delete',
  ]
}
