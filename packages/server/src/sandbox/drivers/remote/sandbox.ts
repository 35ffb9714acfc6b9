import { readFile } from 'node:fs/promises'
import { posix } from 'node:path'
import type { ExecRequest, ExecResult, FilesRequest, FilesResult } from '@longhaul/protocol'
import { type Log, after, monotonicMs, newId, withTimeout } from '../../../kernel/index.ts'
import type { ExecOptions, Sandbox, SandboxLimits, SandboxStats } from '../../driver.ts'
import { failure } from '../../failures.ts'
import { listEntriesMax, transferBytesMax } from '../../limits.ts'
import { collectOutput } from '../../output.ts'
import { workspacePath } from '../../paths.ts'
import { removeTree } from '../../remove-tree.ts'
import { checkCommand, checkFiles, withNotes } from '../../requests.ts'
import type { Root } from '../../root.ts'
import { walkSeed } from '../../seed.ts'
import { createTurns } from '../../turns.ts'
import { type RemoteBox, type RemoteCommand, RemoteError, type RemoteService } from './service.ts'
import type { TarEntry } from './tar.ts'

export type RemoteSandboxOptions = {
  service: RemoteService
  root: Root
  log: Log
  folder: string
  /** Of the machine, at the service. */
  name: string
  seed: string | undefined
  idleMs: number
  limits: SandboxLimits
  /** It was made before, whole. */
  isMade: boolean
  onMade(): Promise<void>
  onStopped(): void
}

/** Services allow few at once. */
const commandsAtOnceMax = 4
/** Longer ones go as a file: one argument of a program may have 128 KB, and an address less. */
const scriptBytesMax = 32 * 1024
const ownTimeoutMs = 60_000
const ownOutputBytesMax = 8 * 1024 * 1024
const killGraceMs = 5_000
/** A machine is asked for again after this time, which also puts off its end. */
const reopenMs = 10 * 60_000

const makeWorkspace = `mkdir -p ${workspacePath} && chmod 777 ${workspacePath}`
const wrapper = 'i=$1; shift; if [ -n "$i" ]; then exec <"$i"; rm -f -- "$i"; else exec </dev/null; fi; exec "$@"'
const fromFile = 'exec 9<"$1"; rm -f -- "$1"; exec /bin/bash /dev/fd/9'
/** Ends what a command started, by what it inherited. */
const endMarked =
  'for f in /proc/[0-9]*/environ; do tr "\\0" "\\n" <"$f" 2>/dev/null | grep -qxF "SANDBOX_COMMAND_ID=$1" && kill -9 "$(basename "$(dirname "$f")")"; done 2>/dev/null; true'

export async function createRemoteSandbox({
  service,
  root,
  log,
  folder,
  name,
  seed,
  idleMs,
  limits,
  isMade,
  onMade,
  onStopped,
}: RemoteSandboxOptions): Promise<Sandbox> {
  const turns = createTurns(commandsAtOnceMax)
  let isStopped = false
  let opening: Promise<RemoteBox> | undefined
  let openedMs = 0
  let busyCount = 0
  let cancelIdle = () => {}

  async function open(): Promise<RemoteBox> {
    let { box, isNew } = await service.open(name)
    if (!isNew && !isMade) {
      await service.remove(name) // What an attempt left that did not come to its end.
      ;({ box, isNew } = await service.open(name))
    }
    if (isNew) {
      if (isMade) log.warn('the service has lost the machine of a sandbox; its workspace begins anew', { name, folder })
      await prepare(box)
      await onMade()
      isMade = true
    }
    openedMs = monotonicMs()
    return box
  }

  async function prepare(box: RemoteBox): Promise<void> {
    const isThere = `test -d ${workspacePath} -a -w ${workspacePath}`
    if ((await own(box, isThere)).exitCode !== 0) await own(box, makeWorkspace, [], { isPrivileged: true, cwd: '/' })
    if (seed === undefined) return
    const entries: TarEntry[] = []
    const skipped: string[] = []
    for await (const entry of walkSeed(seed, limits)) {
      if (entry.type === 'directory') entries.push({ type: 'directory', path: entry.path, mode: 0o755 })
      else if (entry.type === 'file') entries.push({ type: 'file', path: entry.path, mode: entry.mode, bytes: await readFile(entry.source) })
      else if (entry.type === 'link') entries.push(entry)
      else skipped.push(entry.path)
    }
    if (skipped.length > 0)
      log.warn('seed entries left out: they lead outside, or are not files', { seed, skipped: skipped.slice(0, 20), count: skipped.length })
    if (entries.length > 0) await box.write(entries)
  }

  /** On a machine that runs. One that turns out to be gone is asked for once more: nothing had begun there. */
  async function withBox<Result>(work: (box: RemoteBox) => Promise<Result>): Promise<Result> {
    if (isStopped) throw failure('sandbox_unavailable', 'The sandbox was stopped.')
    cancelIdle()
    busyCount++
    const attempt = async () => {
      if (opening && busyCount === 1 && monotonicMs() - openedMs > reopenMs) opening = undefined
      opening ??= open()
      const mine = opening
      mine.catch(() => opening === mine && (opening = undefined))
      return work(await mine)
    }
    try {
      return await attempt().catch((error: unknown) => {
        if (!(error instanceof RemoteError && error.isGone)) throw error
        opening = undefined
        return attempt()
      })
    } catch (error) {
      throw error instanceof RemoteError ? failure('sandbox_unavailable', `The sandbox cannot be used: ${error.message}`, error) : error
    } finally {
      busyCount--
      if (busyCount === 0 && !isStopped) cancelIdle = after(idleMs, () => void rest(), false)
    }
  }

  async function rest(): Promise<void> {
    const box = await opening?.catch(() => undefined) // It never opened.
    if (busyCount > 0 && !isStopped) return
    opening = undefined
    await box?.rest().catch((error: unknown) => log.warn('a machine was not put to rest; the service ends it by itself', { name, error }))
  }

  async function exec(request: ExecRequest, options: ExecOptions): Promise<ExecResult> {
    if (options.input)
      throw failure(
        'invalid',
        `Sandboxes of ${service.name} take input only as a whole, with the command. Input as it comes needs the driver bwrap, gvisor, docker or kubernetes.`,
      )
    checkCommand(request)
    const release = await turns.take(options.signal)
    try {
      return await withBox((box) => run(box, request, options))
    } finally {
      release()
    }
  }

  async function run(
    box: RemoteBox,
    request: ExecRequest,
    { signal, onOutput, outputBytesMax = limits.outputBytesMax, isKept }: ExecOptions,
  ): Promise<ExecResult> {
    const startedMs = monotonicMs()
    const mark = newId()
    const cwd = posix.resolve(workspacePath, request.cwd ?? '.')
    if (cwd !== workspacePath && (await own(box, 'test -d "$1"', [cwd])).exitCode !== 0)
      throw failure('not_found', `The command could not be started: There is no folder ${cwd}.`)
    const input = request.stdin === undefined ? '' : await lend(box, `.longhaul-input-${mark}`, request.stdin)
    const argv = await argvOf(box, request, mark)
    const stdout = collectOutput(outputBytesMax, (text) => onOutput?.('stdout', text), isKept)
    const stderr = collectOutput(outputBytesMax, (text) => onOutput?.('stderr', text), isKept)
    let reason: 'timeout' | 'cancelled' | undefined
    const { kill, ended } = box.run({
      ...{ cmd: '/bin/sh', args: ['-c', wrapper, 'sh', input, ...argv], cwd, timeoutMs: request.timeoutMs },
      env: { ...request.env, SANDBOX_COMMAND_ID: mark },
      onOutput: (stream, bytes) => (stream === 'stdout' ? stdout : stderr).push(bytes),
    })
    const cut = Promise.withResolvers<undefined>()
    const end = async (why: 'timeout' | 'cancelled') => {
      if (reason) return
      reason = why
      await kill().catch(() => {}) // It ended, or what follows finds it.
      await own(box, endMarked, [mark]).catch((error: unknown) => log.warn('a command may still run', { name, error }))
      await withTimeout(killGraceMs, ended, () => new Error('late')).catch(() => {}) // What it still writes is not waited for.
      cut.resolve(undefined)
    }
    const cancelTimer = after(request.timeoutMs, () => void end('timeout'))
    const onAbort = () => void end('cancelled')
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    try {
      const ending = await Promise.race([ended, cut.promise]).catch((error: unknown) => {
        if (reason === undefined) throw brokenOff(error)
        return undefined
      })
      if (reason) await cut.promise
      if (reason === 'cancelled') throw failure('cancelled', 'The command was cancelled.')
      const isTimedOut = reason === 'timeout'
      const exitCode = isTimedOut ? null : (ending?.exitCode ?? null)
      await root.touch(folder)
      return {
        exitCode,
        signal: exitCode === null ? 'SIGKILL' : null,
        stdout: stdout.end(),
        stderr: withNotes(stderr.end(), isTimedOut ? [`The command took longer than ${request.timeoutMs} ms and was ended.`] : []),
        isTruncated: stdout.isTruncated || stderr.isTruncated,
        isTimedOut,
        durationMs: monotonicMs() - startedMs,
        driver: service.name,
        notEnforced: [],
      }
    } finally {
      cancelTimer()
      signal.removeEventListener('abort', onAbort)
    }
  }

  async function argvOf(box: RemoteBox, request: ExecRequest, mark: string): Promise<readonly string[]> {
    if (!('script' in request)) return [request.cmd, ...request.args]
    if (Buffer.byteLength(request.script) < scriptBytesMax) return ['/bin/bash', '-c', request.script]
    return ['/bin/sh', '-c', fromFile, 'sh', await lend(box, `.longhaul-script-${mark}`, request.script)]
  }

  /** A file that its reader deletes once it has it open. */
  async function lend(box: RemoteBox, path: string, text: string): Promise<string> {
    await box.write([{ type: 'file', path, mode: 0o600, bytes: Buffer.from(text) }])
    return `${workspacePath}/${path}`
  }

  async function files(request: FilesRequest): Promise<FilesResult> {
    const checked = checkFiles(request)
    return withBox(async (box): Promise<FilesResult> => {
      if (checked.action === 'write') {
        const entries = checked.files.map(({ path, bytes }): TarEntry => ({ type: 'file', path: posix.relative(workspacePath, path), mode: 0o644, bytes }))
        await box.write(entries)
        return { action: 'write', count: entries.length }
      }
      const { path } = checked
      const [kind = '', size = ''] = (await own(box, 'stat -Lc "%F|%s" -- "$1"', [path])).said.trim().split('|')
      if (kind === '') throw failure('not_found', `There is no ${path}.`)
      if (checked.action === 'list') {
        if (kind !== 'directory') throw failure('invalid', `${path} is not a folder.`)
        const { said } = await own(box, `find "$1" -mindepth 1 -maxdepth 1 -printf '%y %s %f/'`, [`${path}/`])
        return {
          action: 'list',
          entries: said
            .split('/')
            .slice(0, -1)
            .slice(0, listEntriesMax)
            .map(entryOf)
            .toSorted((one, other) => (one.name < other.name ? -1 : 1)),
        }
      }
      if (!kind.startsWith('regular')) throw failure('invalid', `${path} is not a regular file.`)
      const bytes = Number(size)
      const content = bytes === 0 ? Buffer.alloc(0) : await box.read(path, Math.min(checked.bytesMax, transferBytesMax))
      return { action: 'read', base64: content.toString('base64'), bytes, isTruncated: content.length < bytes }
    })
  }

  async function stats(): Promise<SandboxStats> {
    if (!opening) return { isRunning: false, memoryBytes: undefined, cpuMs: undefined, processCount: undefined, diskBytes: 0, fileCount: 0 }
    const [diskBytes = 0, fileCount = 0] = (
      await withBox((box) => own(box, `du -sb ${workspacePath} | cut -f1; find ${workspacePath} -mindepth 1 | wc -l`))
    ).said
      .split('\n')
      .map(Number)
    return { isRunning: true, memoryBytes: undefined, cpuMs: undefined, processCount: undefined, diskBytes, fileCount }
  }

  async function stop(): Promise<void> {
    if (isStopped) return
    isStopped = true
    cancelIdle()
    await rest()
    onStopped()
  }

  await withBox(async () => {})
  return {
    ...{ driver: service.name, exec, files, stats, stop },
    async destroy() {
      isStopped = true
      cancelIdle()
      await service.remove(name)
      await removeTree(folder)
      onStopped()
    },
  }
}

/** A command is never run twice on a guess: unless it was refused, whether it ran is not known. */
function brokenOff(error: unknown): unknown {
  if (error instanceof RemoteError && error.isRefusal) return error
  const said = error instanceof Error ? error.message : String(error)
  return failure('interrupted', `Whether the command ran, or to its end, is not known: ${said}. Find out before you run it again.`, error)
}

function entryOf(line: string): { name: string; type: 'file' | 'directory' | 'other'; bytes: number } {
  const [kind, size, ...name] = line.split(' ')
  return { name: name.join(' '), type: kind === 'f' ? 'file' : kind === 'd' ? 'directory' : 'other', bytes: Number(size) }
}

/** A line of ours for the shell there. What it prints is bounded. */
async function own(
  box: RemoteBox,
  script: string,
  args: readonly string[] = [],
  more: Partial<RemoteCommand> = {},
): Promise<{ exitCode: number | null; said: string }> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  const { ended } = box.run({
    ...{ cmd: '/bin/sh', args: ['-c', script, 'sh', ...args], cwd: '/', env: {}, timeoutMs: ownTimeoutMs, ...more },
    onOutput(stream, piece) {
      bytes += piece.length
      if (stream === 'stdout' && bytes <= ownOutputBytesMax) pieces.push(piece)
    },
  })
  const { exitCode } = await withTimeout(ownTimeoutMs, ended, () => failure('sandbox_unavailable', 'The machine of the sandbox does not answer.'))
  return { exitCode, said: Buffer.concat(pieces).toString('utf8') }
}
