import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecRequest, ExecResult, FilesRequest, FilesResult } from '@longhaul/protocol'
import { after, type Log, monotonicMs } from '../../../kernel/index.ts'
import type { ExecOptions, Sandbox, SandboxLimits } from '../../driver.ts'
import { failure } from '../../failures.ts'
import { checkCommand, checkFiles, withNotes } from '../../requests.ts'
import { listEntriesMax } from '../../limits.ts'
import { collectOutput } from '../../output.ts'
import { workspacePath } from '../../paths.ts'
import { forgetProcess, recordProcess } from '../../records.ts'
import { removeTree } from '../../remove-tree.ts'
import type { Root } from '../../root.ts'
import { createTurns } from '../../turns.ts'
import { type Interpreter, InterpreterEnded, startInterpreter } from './interpreter.ts'
import type { InterpreterReply, InterpreterRequest } from './interpreter-main.ts'
import { loadTree, saveTree, seedTree, sizeOf, type TreeEntry } from './tree.ts'

export type VirtualSandboxOptions = {
  driver: 'virtual' | 'js'
  root: Root
  log: Log
  folder: string
  limits: SandboxLimits
  seed: string | undefined
  idleMs: number
  onStopped(): void
}

/** Of a files request: the interpreter's own work, which no model's code prolongs. */
const filesTimeoutMs = 60_000

/**
 * A workspace that lives in a file and is loaded into an interpreter's process. After each command that changed it, it is
 * written back whole. An interpreter that was ended, by a time-out or a limit, leaves the workspace as it was before the command.
 */
export async function createVirtualSandbox({ driver, root, log, folder, limits, seed, idleMs, onStopped }: VirtualSandboxOptions): Promise<Sandbox> {
  const file = join(folder, 'virtual.json')
  const turns = createTurns(1)
  let interpreter: Interpreter | undefined
  let isStopped = false
  let cancelIdle = () => {}

  await root.touch(folder)
  if (!existsSync(file)) await saveTree(file, await firstTree())

  async function firstTree(): Promise<TreeEntry[]> {
    if (seed === undefined) return []
    const { entries, skipped } = await seedTree(seed, limits)
    if (skipped.length > 0)
      log.warn('seed entries left out: they lead outside, or are not files', { seed, skipped: skipped.slice(0, 20), count: skipped.length })
    return entries
  }

  /** One request at a time, on a live interpreter; what it changed is stored before anybody hears that it is done. */
  async function ask(request: InterpreterRequest, signal: AbortSignal, during?: (live: Interpreter) => () => void): Promise<InterpreterReply> {
    const release = await turns.take(signal)
    try {
      if (isStopped) throw failure('sandbox_unavailable', 'The sandbox was stopped.')
      cancelIdle()
      const live = await ready()
      const stopWatching = during?.(live)
      try {
        const reply = await live.ask(request)
        await keep(live, reply)
        return reply
      } finally {
        stopWatching?.()
        cancelIdle = after(idleMs, () => void rest(live), false)
      }
    } finally {
      release()
    }
  }

  async function ready(): Promise<Interpreter> {
    if (!interpreter || interpreter.isEnded()) {
      interpreter = await startInterpreter({ ...limits, tree: loadTree(file), entriesMax: listEntriesMax, hasJavaScript: driver === 'js' })
      recordProcess(folder, interpreter.identity)
    }
    return interpreter
  }

  async function keep(live: Interpreter, reply: InterpreterReply): Promise<void> {
    if (!reply.tree) return
    const { bytes, files } = sizeOf(reply.tree)
    if (bytes > limits.diskBytesMax || files > limits.fileCountMax) {
      await live.end()
      throw failure(
        'over_limit',
        `The workspace may hold ${limits.diskBytesMax} bytes in ${limits.fileCountMax} files. This would have made it ${bytes} bytes in ${files} files, so nothing of it was kept.`,
      )
    }
    await saveTree(file, reply.tree)
    await root.touch(folder)
  }

  /** The tree is on disk; the process's memory is given back. */
  async function rest(live: Interpreter): Promise<void> {
    await live.end()
    if (interpreter === live) interpreter = undefined
    forgetProcess(folder)
  }

  async function exec(request: ExecRequest, { signal, onOutput, isKept, input }: ExecOptions): Promise<ExecResult> {
    if (input)
      throw failure(
        'invalid',
        'The virtual shell takes input only as a whole, with the command. Input as it comes needs the driver bwrap: apt-get install bubblewrap.',
      )
    checkCommand(request)
    const startedMs = monotonicMs()
    const stdout = collectOutput(limits.outputBytesMax, (text) => onOutput?.('stdout', text), isKept)
    const stderr = collectOutput(limits.outputBytesMax, (text) => onOutput?.('stderr', text), isKept)
    let reason: 'timeout' | 'cancelled' | undefined
    const watch = (live: Interpreter) => {
      const end = (why: 'timeout' | 'cancelled') => {
        reason ??= why
        void live.end()
      }
      const cancelTimer = after(request.timeoutMs, () => end('timeout'))
      const onAbort = () => end('cancelled')
      signal.addEventListener('abort', onAbort)
      if (signal.aborted) onAbort()
      return () => {
        cancelTimer()
        signal.removeEventListener('abort', onAbort)
      }
    }
    const result = (exitCode: number | null, notes: string[]): ExecResult => ({
      exitCode,
      signal: exitCode === null ? 'SIGKILL' : null,
      stdout: stdout.end(),
      stderr: withNotes(stderr.end(), notes),
      isTruncated: stdout.isTruncated || stderr.isTruncated,
      isTimedOut: reason === 'timeout',
      durationMs: monotonicMs() - startedMs,
      driver,
      notEnforced: [],
    })
    try {
      const reply = await ask(toInterpreter(request), signal, watch)
      if (reply.is === 'failed') throw failure(reply.code, reply.message)
      if (reply.is !== 'exited') throw new Error(`The interpreter answered ${reply.is}.`)
      stdout.push(Buffer.from(reply.stdout))
      stderr.push(Buffer.from(reply.stderr))
      return result(reply.exitCode, [])
    } catch (error) {
      if (!(error instanceof InterpreterEnded)) throw error
      if (reason === 'cancelled') throw failure('cancelled', 'The command was cancelled.')
      const kept = 'What it changed in /workspace was not kept.'
      if (reason === 'timeout') return result(null, [`The command took longer than ${request.timeoutMs} ms and was ended. ${kept}`])
      if (error.isOutOfMemory)
        return result(null, [
          `The sandbox may use ${Math.round(limits.memoryBytesMax / 1024 / 1024)} MB of memory; the command wanted more and was ended. ${kept}`,
        ])
      return result(null, [`The sandbox ended while the command ran (${error.message}). ${kept}`])
    }
  }

  async function files(request: FilesRequest): Promise<FilesResult> {
    const checked = checkFiles(request)
    const never = new AbortController().signal
    const watch = (live: Interpreter) => after(filesTimeoutMs, () => void live.end())
    const reply = await ask(
      checked.action === 'write'
        ? { do: 'write', files: checked.files }
        : checked.action === 'read'
          ? { do: 'read', path: checked.path, bytesMax: checked.bytesMax }
          : { do: 'list', path: checked.path },
      never,
      watch,
    ).catch((error: unknown) => {
      throw error instanceof InterpreterEnded ? failure('sandbox_lost', `The sandbox ended during a file transfer: ${error.message}`, error) : error
    })
    if (reply.is === 'failed') throw failure(reply.code, reply.message)
    if (checked.action === 'write') return { action: 'write', count: checked.files.length }
    if (reply.is === 'read')
      return { action: 'read', base64: Buffer.from(reply.bytes).toString('base64'), bytes: reply.size, isTruncated: reply.bytes.length < reply.size }
    if (reply.is === 'listed') return { action: 'list', entries: reply.entries }
    throw new Error(`The interpreter answered ${reply.is}.`)
  }

  async function stop(): Promise<void> {
    isStopped = true
    cancelIdle()
    await interpreter?.end()
    ;(await turns.take(new AbortController().signal))() // Whoever was at work has left.
    forgetProcess(folder)
    onStopped()
  }

  return {
    driver,
    exec,
    files,
    async stats() {
      const { bytes, files: fileCount } = sizeOf(loadTree(file))
      return { isRunning: interpreter !== undefined, memoryBytes: undefined, cpuMs: undefined, processCount: undefined, diskBytes: bytes, fileCount }
    },
    stop,
    async destroy() {
      await stop()
      await removeTree(folder)
    },
  }
}

function toInterpreter(request: ExecRequest): InterpreterRequest {
  const cwd = new URL(request.cwd ?? '.', `file://${workspacePath}/`).pathname
  const shared = { do: 'exec' as const, cwd, env: request.env ?? {}, stdin: request.stdin ?? '', timeoutMs: request.timeoutMs }
  if ('script' in request) return { ...shared, script: request.script }
  return { ...shared, script: quoted(request.cmd), args: request.args }
}

const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`
