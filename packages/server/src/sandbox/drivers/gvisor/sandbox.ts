import type { ExecRequest, ExecResult, FilesRequest } from '@longhaul/protocol'
import { FilesResult } from '@longhaul/protocol'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdir, rename, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { PassThrough, type Readable, pipeline } from 'node:stream'
import { z } from 'zod'
import { after, type Log, monotonicMs, newId } from '../../../kernel/index.ts'
import type { ExecOptions, Sandbox, SandboxLimits, TreeStream, Trees } from '../../driver.ts'
import { failure } from '../../failures.ts'
import { commandsAtOnceMax, listEntriesMax } from '../../limits.ts'
import { collectOutput } from '../../output.ts'
import { insideWorkspace } from '../../paths.ts'
import { removeTree } from '../../remove-tree.ts'
import { checkCommand, checkFiles, withNotes } from '../../requests.ts'
import type { Root } from '../../root.ts'
import { copySeed } from '../../seed.ts'
import { createTurns } from '../../turns.ts'
import { memoryNote } from '../../agent/command.ts'
import { type DiskUse, measureDisk, nextMeasureMs, passedLimit } from '../../host/disk-watch.ts'
import { explain } from '../../agent/files.ts'
import { type Container, type GvisorHost, startContainer } from './container.ts'

export type GvisorSandboxOptions = {
  host: GvisorHost
  root: Root
  log: Log
  folder: string
  limits: SandboxLimits
  seed: string | undefined
  du: string
  filesProgram: string
  newUser(name: string): number
  onStopped(): void
  onDestroyed(): void
}

const baseEnv = {
  PATH: '/opt/longhaul/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/workspace',
  USER: 'sandbox',
  LOGNAME: 'sandbox',
  SHELL: '/bin/sh',
  LANG: 'C.UTF-8',
  TZ: 'UTC',
  TERM: 'dumb',
  TMPDIR: '/tmp',
  PYTHONUNBUFFERED: '1',
}
const shell = existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh'
const scriptPath = '/run/longhaul/script'
const filesPath = '/run/longhaul/files.cjs'
/** The folder first; what cannot be entered is told by a word that no command can know. */
const enter = 'cd -- "$1" 2>/dev/null || { printf %s "$2" >&2; exit 125; }; shift 2; exec "$@"'
const diskWatchMs = 250
const transferMs = 60_000
const treeMs = 10 * 60_000
const transferAnswerMax = 48 * 1024 * 1024
const packing =
  'cd -- "$1" || exit 3; chmod -R u+rX . 2>/dev/null; exec tar --create --file=- --sparse --numeric-owner --owner=0 --group=0 --warning=no-file-changed -- .'
const unpacking =
  'mkdir -p -- "$1" && cd -- "$1" && exec tar --extract --file=- --blocking-factor=512 --no-same-owner --same-permissions --delay-directory-restore'
const Answer = z.union([z.object({ result: FilesResult }), z.object({ code: z.string(), message: z.string() })])

type Reason = { is: 'timeout' } | { is: 'cancelled' } | { is: 'limit'; note: string } | { is: 'stopped' }

export async function createGvisorSandbox(options: GvisorSandboxOptions): Promise<Sandbox> {
  const { host, root, log, folder, limits, du, filesProgram, onStopped, onDestroyed } = options
  const user = await prepare(options)
  const turns = createTurns(commandsAtOnceMax)
  const running = new Map<Container, (reason: Reason) => void>()
  let isStopped = false
  let isWatching = false
  let diskUse: DiskUse | undefined
  /** Nothing starts while an archive of what stands still is made. */
  let halt: Promise<unknown> | undefined

  const measure = async (): Promise<DiskUse> => {
    const of = async (name: string) => measureDisk({ du }, join(folder, name), () => Promise.reject(new Error(`${name} cannot be read`)))
    const [workspace, tmp] = [await of('workspace'), await of('tmp')]
    return (diskUse = { bytes: workspace.bytes + tmp.bytes, files: workspace.files + tmp.files - 1 })
  }

  /** While anything runs, one look at a time. */
  function watchDisk(): void {
    if (isWatching) return
    isWatching = true
    const look = async () => {
      if (running.size === 0) return void (isWatching = false)
      const startedMs = monotonicMs()
      const before = diskUse
      const note = passedLimit(before, await measure(), limits)
      if (note) {
        for (const end of running.values()) end({ is: 'limit', note })
        diskUse = undefined
      }
      wait(nextMeasureMs(startedMs))
    }
    const wait = (ms: number) =>
      after(
        ms,
        () =>
          void look().catch((error: unknown) => {
            isWatching = false
            log.error('the disk use of a sandbox cannot be measured', { folder, error })
            for (const end of running.values()) end({ is: 'limit', note: 'The disk use of the sandbox could not be measured; the command was ended.' })
          }),
        false,
      )
    wait(diskWatchMs)
  }

  type Start = {
    args: readonly string[]
    env?: Record<string, string>
    shown?: Record<string, string>
    hasInput: boolean
    timeoutMs: number
    signal?: AbortSignal
  }
  type Running = { container: Container; ended: Promise<{ code: number | null; reason: Reason | undefined; memoryKills: number }>; end(reason: Reason): void }

  async function start({ args, env = {}, shown = {}, hasInput, timeoutMs, signal }: Start): Promise<Running> {
    while (halt) await halt
    if (isStopped) throw failure('sandbox_unavailable', 'The sandbox was stopped.')
    const container = await startContainer({ host, folder, user, limits, args, env: { ...baseEnv, ...env }, shown, hasInput })
    let reason: Reason | undefined
    let memoryKills = 0
    const end = (why: Reason) => {
      if (reason) return
      reason = why
      void container.kill()
    }
    running.set(container, end)
    const cancelTimer = after(timeoutMs, () => end({ is: 'timeout' }))
    const onAbort = () => end({ is: 'cancelled' })
    signal?.addEventListener('abort', onAbort)
    if (signal?.aborted) onAbort()
    if (isStopped) end({ is: 'stopped' })
    container.child.once('exit', () => (memoryKills = container.cgroup.memoryKills()))
    watchDisk()
    const ended = container.ended.then(async (code) => {
      cancelTimer()
      signal?.removeEventListener('abort', onAbort)
      running.delete(container)
      await root.touch(folder)
      return { code, reason, memoryKills }
    })
    return { container, ended, end }
  }

  async function exec(request: ExecRequest, { signal, onOutput, outputBytesMax = limits.outputBytesMax, isKept, input }: ExecOptions): Promise<ExecResult> {
    checkCommand(request)
    const release = await turns.take(signal)
    try {
      const startedMs = monotonicMs()
      const stdout = collectOutput(outputBytesMax, (text) => onOutput?.('stdout', text), isKept)
      const unheard = newId()
      const cwd = request.cwd === undefined ? '/workspace' : request.cwd.startsWith('/') ? request.cwd : `/workspace/${request.cwd}`
      const argv = 'script' in request ? [shell, scriptPath] : [request.cmd, ...request.args]
      let isLost = false
      const stderr = collectOutput(outputBytesMax, (text) => text !== unheard && onOutput?.('stderr', text), isKept)
      const { container, ended, end } = await start({
        args: ['/bin/sh', '-c', enter, 'sh', cwd, unheard, ...argv],
        ...(request.env && { env: request.env }),
        ...('script' in request && { shown: { [scriptPath]: request.script } }),
        hasInput: request.stdin !== undefined || input !== undefined,
        timeoutMs: request.timeoutMs,
        signal,
      })
      let said = ''
      container.child.stdout?.on('data', (bytes: Buffer) => stdout.push(bytes))
      container.child.stderr?.on('data', (bytes: Buffer) => {
        if (said.length <= unheard.length) said += bytes.toString()
        stderr.push(bytes)
      })
      if (request.stdin !== undefined) container.child.stdin?.end(request.stdin)
      if (input) void feed(input, container, ended).catch(() => end({ is: 'cancelled' })) // Whoever gave it failed, and knows why.
      const { code, reason, memoryKills } = await ended
      if (reason?.is === 'cancelled') throw failure('cancelled', 'The command was cancelled.')
      if (reason?.is === 'stopped') isLost = true
      if (code === 125 && said === unheard) throw failure('not_found', `There is no folder ${cwd}.`)
      const notes: string[] = []
      if (reason?.is === 'timeout') notes.push(`The command took longer than ${request.timeoutMs} ms and was ended.`)
      if (reason?.is === 'limit') notes.push(reason.note)
      if (memoryKills > 0) notes.push(memoryNote(limits))
      if (isLost) notes.push('The sandbox was stopped while the command ran. Files in /workspace are kept.')
      const isKilled = reason !== undefined || code === null || memoryKills > 0
      return {
        exitCode: isKilled ? null : code,
        signal: isKilled ? 'SIGKILL' : null,
        stdout: stdout.end(),
        stderr: withNotes(stderr.end(), notes),
        isTruncated: stdout.isTruncated || stderr.isTruncated,
        isTimedOut: reason?.is === 'timeout',
        durationMs: monotonicMs() - startedMs,
        driver: 'gvisor',
        notEnforced: [],
      }
    } finally {
      release()
    }
  }

  async function files(request: FilesRequest): Promise<FilesResult> {
    const checked = checkFiles(request)
    if (checked.action === 'write') {
      const { bytes, files: count } = await measure()
      if (bytes + checked.bytes > limits.diskBytesMax || count + checked.files.length > limits.fileCountMax)
        throw failure(
          'over_limit',
          `The workspace may hold ${limits.diskBytesMax} bytes in ${limits.fileCountMax} files; there is no room for these. Delete files first.`,
        )
    }
    const { container, ended } = await start({
      args: ['/opt/longhaul/bin/node', '--no-warnings', filesPath],
      shown: { [filesPath]: filesProgram },
      hasInput: true,
      timeoutMs: transferMs,
    })
    const answer = collectOutput(transferAnswerMax)
    container.child.stdout?.on('data', (bytes: Buffer) => answer.push(bytes))
    container.child.stderr?.resume()
    const asked =
      checked.action === 'write'
        ? { action: 'write', files: checked.files.map(({ path, bytes }) => ({ path, base64: bytes.toString('base64') })) }
        : { ...checked, entriesMax: listEntriesMax }
    container.child.stdin?.end(JSON.stringify(asked))
    await ended
    const text = answer.end()
    let parsed: z.output<typeof Answer>
    try {
      parsed = Answer.parse(JSON.parse(text))
    } catch (cause) {
      throw failure('sandbox_lost', 'The sandbox ended during a file transfer. It starts again with the next request.', cause)
    }
    if ('code' in parsed) throw explain(parsed)
    return parsed.result
  }

  async function treeRun(script: string, path: string, hasInput: boolean): Promise<Running & { complaints(): string }> {
    const each = await start({ args: ['/bin/sh', '-c', script, 'sh', path], hasInput, timeoutMs: treeMs })
    let said = ''
    each.container.child.stderr?.on('data', (bytes: Buffer) => (said = (said + bytes.toString()).slice(0, 2_000)))
    return { ...each, complaints: () => said.trim() }
  }

  async function pack(path: string): Promise<TreeStream> {
    const { container, ended, end, complaints } = await treeRun(packing, path, false)
    const stream = new PassThrough()
    if (container.child.stdout) pipeline(container.child.stdout, stream, () => {}) // Whoever reads it hears of its failure.
    const done = ended.then(({ code }) => {
      if (code === 0 || code === 1) return // 1: a file changed while it was read.
      throw failure(
        /No such file|Not a directory/.test(complaints()) || code === 3 ? 'not_found' : 'invalid',
        `The archive could not be made: ${complaints().slice(0, 600)}`,
      )
    })
    done.catch(() => {}) // Whoever reads the stream to its end waits for it.
    return { stream, done, cancel: () => void (stream.readableEnded || end({ is: 'cancelled' })) }
  }

  /** With every command of the sandbox frozen until the archive is made, and none starting. */
  async function packFrozen(path: string): Promise<TreeStream> {
    const frozen = [...running.keys()]
    const thaw = async () => {
      for (const { cgroup } of frozen) await cgroup.setFrozen(false)
    }
    for (const { cgroup } of frozen) {
      if (await cgroup.setFrozen(true)) continue
      await thaw()
      throw failure('sandbox_unavailable', 'Commands run in the sandbox, and this host cannot make them stand still. Wait for them to end.')
    }
    const tree = await pack(path).catch(async (error: unknown) => {
      await thaw()
      throw error
    })
    const over = tree.done.catch(() => {}).then(thaw)
    halt = over
    void over.then(() => halt === over && (halt = undefined))
    return tree
  }

  const trees: Trees = {
    pack: (path, isFrozen) => (isFrozen ? packFrozen(path) : pack(path)),
    async unpack(path, archive) {
      const before = await measure()
      const { container, ended, end, complaints } = await treeRun(unpacking, path === '/' ? '/' : insideWorkspace(path), true)
      container.child.stdout?.resume()
      const room = Math.max(0, limits.diskBytesMax - before.bytes) * 1.05 + 8 * 1024 * 1024
      try {
        await pour(archive, container, room)
      } catch (error) {
        end({ is: 'cancelled' })
        await ended
        throw error
      } finally {
        archive.destroy()
      }
      const { code } = await ended
      if (code !== 0) throw failure('invalid', `The archive could not be unpacked: ${complaints().slice(0, 600) || 'tar was ended'}`)
      const now = await measure()
      if (now.bytes > limits.diskBytesMax || now.files > limits.fileCountMax)
        throw failure(
          'over_limit',
          `The workspace may hold ${limits.diskBytesMax} bytes in ${limits.fileCountMax} files; this makes ${now.bytes} in ${now.files}.`,
        )
    },
    async copyFrom(source) {
      const tree = await source.pack('/workspace', true)
      try {
        await trees.unpack('/workspace', tree.stream)
      } catch (error) {
        tree.cancel()
        throw error
      }
      await tree.done
    },
  }

  async function stop(): Promise<void> {
    isStopped = true
    for (const end of running.values()) end({ is: 'stopped' })
    await Promise.all([...running.keys()].map(({ ended }) => ended))
    onStopped()
  }

  return {
    driver: 'gvisor',
    exec,
    files,
    trees,
    async stats() {
      const { bytes, files: fileCount } = await measure()
      const all = [...running.keys()].map(({ cgroup }) => cgroup.usage())
      const sum = (of: (each: (typeof all)[number]) => number | undefined) => all.reduce((total, each) => total + (of(each) ?? 0), 0)
      return {
        isRunning: all.length > 0,
        memoryBytes: sum(({ memoryBytes }) => memoryBytes),
        cpuMs: undefined, // Of what runs now only; there is no telling for what has ended.
        processCount: undefined, // The host sees gVisor's own threads, not what runs inside.
        diskBytes: bytes,
        fileCount,
      }
    },
    stop,
    async destroy() {
      await stop()
      await removeTree(folder)
      onDestroyed()
    },
  }
}

async function feed(input: AsyncIterable<Uint8Array>, { child }: Container, ended: Promise<unknown>): Promise<void> {
  for await (const bytes of input) {
    if (!child.stdin || child.stdin.destroyed) return
    if (!child.stdin.write(bytes)) await Promise.race([ended, new Promise<void>((resolve) => child.stdin?.once('drain', resolve))])
  }
  child.stdin?.end()
}

/** Returns also when the other end takes no more: what it says then tells why. */
async function pour(archive: Readable, container: Container, bytesMax: number): Promise<void> {
  let bytes = 0
  const { stdin } = container.child
  for await (const piece of archive as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > bytesMax) throw failure('over_limit', `The archive is larger than the ${Math.round(bytesMax)} bytes that the workspace has room for.`)
    if (!stdin || stdin.destroyed) return
    if (!stdin.write(piece)) await Promise.race([container.ended, new Promise<void>((resolve) => stdin.once('drain', resolve))])
  }
  stdin?.end()
}

/** The workspace's folder, whole or not there, and whose it is. What was in `/tmp` ended with the last who used it. */
async function prepare({ root, log, folder, limits, seed, newUser }: GvisorSandboxOptions): Promise<number> {
  await root.touch(folder)
  await chmod(folder, 0o700)
  const workspace = join(folder, 'workspace')
  if (!existsSync(workspace)) {
    const making = join(folder, 'workspace.new')
    await removeTree(making)
    await mkdir(making, { mode: 0o700 })
    const user = newUser(basename(folder))
    const skipped = seed === undefined ? [] : await copySeed(seed, making, user, limits)
    if (skipped.length > 0)
      log.warn('seed entries left out: they lead outside, or are not files', { seed, skipped: skipped.slice(0, 20), count: skipped.length })
    await chown(making, user, user)
    await rename(making, workspace)
  }
  if (existsSync(join(folder, 'disk.img')))
    throw failure('sandbox_unavailable', `The workspace in ${folder} was made by the driver bwrap, as a disk image. Take it there, or delete it.`)
  const { uid } = await stat(workspace)
  if (uid === 0) throw failure('sandbox_unavailable', `The workspace ${workspace} belongs to root. Give it to another user or delete it.`)
  for (const name of ['runs', 'tmp']) await removeTree(join(folder, name))
  await mkdir(join(folder, 'tmp'), { mode: 0o700 })
  await chown(join(folder, 'tmp'), uid, uid)
  return uid
}
