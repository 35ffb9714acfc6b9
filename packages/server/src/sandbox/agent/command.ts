import type { ExecRequest, ExecResult } from '@longhaul/protocol'
import { after, monotonicMs, withTimeout } from '../../kernel/index.ts'
import type { ExecOptions, ImageRoot, SandboxLimits } from '../driver.ts'
import { failure } from '../failures.ts'
import { collectOutput } from '../output.ts'
import { withNotes } from '../requests.ts'
import { innerPidOf } from '../processes.ts'
import type { AgentClient, AgentMessage, AgentRequest } from './agent-client.ts'
import type { CommandCgroup, SandboxCgroup } from '../host/cgroup.ts'
import { FrameError } from './frames.ts'
import { lacking } from '../lacking.ts'
import type { Spare } from './spare.ts'

/** What a command needs to know of the sandbox it runs in. */
export type CommandHost = {
  driver: string
  client: AgentClient
  cgroup: SandboxCgroup | undefined
  spare: Spare
  limits: SandboxLimits
  image?: ImageRoot | undefined
  /** The agent listens where the command expects a proxy. */
  hasEgress?: boolean
  /** Ends the whole sandbox: the last resort when a command cannot be ended alone, or the agent lies. */
  kill(why: string): void
  /** Why the sandbox ended, when that is known. */
  whyEnded(): string | undefined
}

export type RunningCommand = {
  result: Promise<ExecResult>
  /** Ends it before its time. `note` tells the reader of its output why. */
  end(note: string): void
}

type Reason = { is: 'timeout' } | { is: 'cancelled' } | { is: 'limit'; note: string }
type Ending = { exitCode: number | null; signal: string | null; isLost: boolean; isAbsent?: boolean | undefined }

/** Time for a killed command to be gone before the whole sandbox is ended. */
const killGraceMs = 2_500
/** What a stream may still bring past its limit before we conclude that the agent does not keep to it. */
const excessBytesMax = 128 * 1024

const inputPieceBytes = 32 * 1024

let commandCount = 0

/** Starts one command. Nothing that it started is left when `result` settles, whatever the outcome. */
export function runCommand(host: CommandHost, request: ExecRequest, options: ExecOptions): RunningCommand {
  const { signal, onOutput, outputBytesMax = host.limits.outputBytesMax, isKept, input } = options
  const startedMs = monotonicMs()
  const stdout = collectOutput(outputBytesMax, (text) => onOutput?.('stdout', text), isKept)
  const stderr = collectOutput(outputBytesMax, (text) => onOutput?.('stderr', text), isKept)
  const spared = host.spare.take()
  const group = spared ?? host.cgroup?.command(`c${++commandCount}`)
  const memoryKillsBefore = host.cgroup?.memoryKills() ?? 0
  const ended = Promise.withResolvers<Ending>()
  let isPlaced = group === undefined || spared !== undefined
  /** Without a gate it may have begun before we hear of it. */
  let mayHaveRun = isPlaced
  let isWaitedFor = false
  /** The piece of input that the agent has and the command does not have yet. */
  let taken: PromiseWithResolvers<void> | undefined
  let isFed = input === undefined
  let reason: Reason | undefined

  const agent: AgentRequest = host.client.request(
    {
      do: 'exec',
      ...commandOf(request),
      cwd: request.cwd,
      env: request.env,
      input: request.stdin,
      hasInput: input !== undefined,
      outputBytesMax,
      bridge: host.hasEgress ?? false,
      spare: spared !== undefined,
    },
    {
      message: react,
      data(stream, bytes) {
        const output = stream === 'data' ? stdout : stderr
        output.push(bytes)
        if (output.bytesSeen > outputBytesMax + excessBytesMax) throw new FrameError('More output than the agent sends.')
      },
      lost() {
        if (mayHaveRun) ended.resolve({ exitCode: null, signal: 'SIGKILL', isLost: true })
        else ended.reject(failure('sandbox_lost', 'The sandbox ended before the command began.'))
      },
    },
  )

  function react(message: AgentMessage): void {
    switch (message.event) {
      case 'waiting':
        // With a process ready, too: the agent may have had to start another one.
        if (group && !isWaitedFor) place(group, message.pid).catch(ended.reject)
        feed()
        break
      case 'started':
        feed()
        break
      case 'taken':
        if (!taken) throw new FrameError('Input was taken that was not sent.')
        taken.resolve()
        taken = undefined
        break
      case 'exited':
        return ended.resolve({ exitCode: message.exitCode, signal: message.signal, isLost: false, isAbsent: message.isAbsent })
      case 'failed':
        return ended.reject(failure(message.code === 'ENOENT' ? 'not_found' : 'invalid', `The command could not be started: ${message.message}`))
      default:
        throw new FrameError('A message out of turn.')
    }
  }

  /** Into its own group before its first instruction. The number came from inside: it is looked for among this sandbox's processes only. */
  async function place(group: CommandCgroup, innerPid: number): Promise<void> {
    isWaitedFor = true
    const pid = host.cgroup?.waiting().find((each) => innerPidOf(each) === innerPid)
    if (pid === undefined) return // It is gone; its end is on the way.
    isPlaced = true
    await group.add(pid).catch(() => {}) // It is gone, as above.
    if (reason) return void (await group.kill())
    mayHaveRun = true
    agent.send({ do: 'go' })
  }

  /** Piece by piece, each when the one before was taken: what the command does not read waits with whoever gives it. */
  function feed(): void {
    if (isFed || !input) return
    isFed = true
    void (async () => {
      for await (const bytes of input) {
        for (let at = 0; at < bytes.length; at += inputPieceBytes) {
          taken = Promise.withResolvers<void>()
          agent.data(bytes.subarray(at, at + inputPieceBytes))
          await Promise.race([taken.promise, ended.promise])
          if (taken) return // It ended before it took this.
        }
      }
      agent.end()
    })().catch(() => end({ is: 'cancelled' })) // Whoever gave it failed, and knows why; or the command has ended.
  }

  const end = (why: Reason) => {
    if (reason) return
    reason = why
    if (group && isPlaced) void group.kill()
    else if (!group) agent.send({ do: 'kill' })
    void withTimeout(killGraceMs, ended.promise, () => new Error('late')).catch(() => host.kill('a command could not be ended alone'))
  }

  async function settle(): Promise<ExecResult> {
    const cancelTimer = after(request.timeoutMs, () => end({ is: 'timeout' }))
    const onAbort = () => end({ is: 'cancelled' })
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    try {
      const ending = await ended.promise
      await clean(ending)
      if (reason?.is === 'cancelled') throw failure('cancelled', 'The command was cancelled.')
      return result(ending)
    } catch (error) {
      await clean(undefined)
      throw error
    } finally {
      cancelTimer()
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** What the command left running ends with it. */
  async function clean(ending: Ending | undefined): Promise<void> {
    if (group && !ending?.isLost && !group.isEmpty() && !(await group.kill())) host.kill('a process could not be ended')
    agent.send({ do: 'close' })
    agent.close()
    group?.remove()
  }

  function result({ exitCode, signal, isLost, isAbsent }: Ending): ExecResult {
    const notes: string[] = []
    if (reason?.is === 'timeout') notes.push(`The command took longer than ${request.timeoutMs} ms and was ended.`)
    if (reason?.is === 'limit') notes.push(reason.note)
    if ((host.cgroup?.memoryKills() ?? 0) > memoryKillsBefore) notes.push(memoryNote(host.limits))
    if (isAbsent && exitCode === 127 && host.image) notes.push(lacking(host.image, 'script' in request ? '/bin/sh' : request.cmd))
    if (isLost && notes.length === 0)
      notes.push(
        `The sandbox ended while the command ran${host.whyEnded() ? ` (${host.whyEnded()})` : ''}. It starts again with the next command; files in /workspace are kept.`,
      )
    return {
      exitCode,
      signal,
      stdout: stdout.end(),
      stderr: withNotes(stderr.end(), notes),
      isTruncated: stdout.isTruncated || stderr.isTruncated,
      isTimedOut: reason?.is === 'timeout',
      durationMs: monotonicMs() - startedMs,
      driver: host.driver,
      notEnforced: [],
    }
  }

  return { result: settle(), end: (note) => end({ is: 'limit', note }) }
}

export function memoryNote(limits: SandboxLimits): string {
  return `The sandbox may use ${Math.round(limits.memoryBytesMax / 1024 / 1024)} MB of memory; a process that wanted more was ended.`
}

function commandOf(request: ExecRequest): object {
  return 'script' in request ? { script: request.script } : { cmd: request.cmd, args: request.args }
}
