/**
 * Programs are started by a small process of ours, the fork server. For each program the kernel copies the tables of all memory of whoever starts it:
 * in a server of 150 MB that takes 20 ms, in which it does nothing else. The fork server is small and stays so.
 *
 * It speaks over Node's channel between processes; a program's streams are sockets between the program and us, through nobody's hands. It ends with us.
 */
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { type Socket, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { secret } from './random.ts'

export type RunOptions = {
  /** Absent: the usual search path alone. */
  env?: Record<string, string>
  /** Characters of each output, after which it is ended. Default 1,048,576. */
  outputMax?: number
  /** After which it is ended. Default: never. */
  timeoutMs?: number
}

export type StartOptions = {
  env: Record<string, string>
  cwd: string
  /** By descriptor. A pipe takes and gives. */
  stdio: readonly ('pipe' | 'ignore')[]
  /** In a process group of its own. */
  isDetached?: boolean
}

export type Exit = { code: number | null; signal: NodeJS.Signals | null }

/** One that was started. */
export type Program = {
  pid: number
  /** Throws where the descriptor is no pipe. */
  stream(descriptor: number): Duplex
  /** When it has ended. What it wrote may still be on its way. */
  exited: Promise<Exit>
  /** When its pipes have ended, too: neither it nor what it started has them open. */
  closed: Promise<Exit>
  /** SIGKILL. Nothing when it has ended. */
  kill(): void
}

/** A program that could not be started, or ended with anything but 0. `code` is null where it was not started or a signal ended it. */
export class ProgramError extends Error {
  override readonly name = 'ProgramError'
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string

  constructor(problem: string, { code, stdout, stderr }: { code: number | null; stdout: string; stderr: string } = { code: null, stdout: '', stderr: '' }) {
    super(problem)
    this.code = code
    this.stdout = stdout
    this.stderr = stderr
  }
}

type Command = { id: number; program: string; args: readonly string[]; env: Record<string, string> }
/** To the fork server. `tokens` are by descriptor: null for those without a stream. */
export type ForkRequest =
  | ({ type: 'run'; outputMax: number; timeoutMs: number } & Command)
  | ({ type: 'start'; cwd: string; isDetached: boolean; tokens: (string | null)[]; socket: string } & Command)
  | { type: 'kill'; id: number }
/** From it. Whatever was asked for ends with `ran`, `failed` or `exited`. */
export type ForkReport =
  | { type: 'ran'; id: number; problem?: string; code: number | null; stdout: string; stderr: string }
  | { type: 'started'; id: number; pid: number }
  | { type: 'failed'; id: number; problem: string }
  | ({ type: 'exited'; id: number } & Exit)

/** Of the word before a stream's bytes, which says whose and which it is. */
export const tokenLength = 43

/** Runs a program to its end. Throws a `ProgramError`, whose message holds what it said on its standard error. */
export const runProgram = (program: string, args: readonly string[], options: RunOptions = {}): Promise<{ stdout: string; stderr: string }> =>
  forkServer().run(program, args, options)

/** Throws a `ProgramError` where it cannot be started. */
export const startProgram = (program: string, args: readonly string[], options: StartOptions): Promise<Program> => forkServer().start(program, args, options)

/** Starts the fork server, which is otherwise done for the first program: best while this process is small. */
export const openForkServer = (): void => void forkServer()

type ForkServer = {
  run(program: string, args: readonly string[], options: RunOptions): Promise<{ stdout: string; stderr: string }>
  start(program: string, args: readonly string[], options: StartOptions): Promise<Program>
}

let current: ForkServer | undefined
const forkServer = (): ForkServer => (current ??= open())

const mainFile = fileURLToPath(new URL('./fork-server-main.ts', import.meta.url))
const usualEnv = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' }
const lostProblem = 'the process that starts programs has ended'

function open(): ForkServer {
  const child = spawn(process.execPath, ['--no-warnings', '--max-old-space-size=64', '--max-semi-space-size=1', '--v8-pool-size=0', mainFile], {
    env: usualEnv, // And nothing of what this process knows.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    detached: true, // Ctrl-C in a terminal reaches the server alone.
  })
  const underWay = new Map<number, (report: ForkReport | undefined) => void>()
  const streams = listen()
  let lastId = 0
  // It keeps this process from ending only while something is under way.
  child.unref()
  child.channel?.unref()

  /** `hear` is told of each report; of undefined, when there will be none. */
  function ask(request: (id: number) => ForkRequest, hear: (report: ForkReport | undefined) => void): number {
    const id = ++lastId
    underWay.set(id, hear)
    child.channel?.ref()
    child.send(request(id), () => {}) // A failure to send is followed by its end.
    return id
  }
  function forget(id: number): void {
    underWay.delete(id)
    if (underWay.size === 0) child.channel?.unref()
  }
  child.on('message', (report: ForkReport) => {
    const hear = underWay.get(report.id)
    if (report.type !== 'started') forget(report.id)
    hear?.(report)
  })
  function end(): void {
    if (current === self) current = undefined // The next program starts another one.
    streams.close()
    for (const [id, hear] of underWay) {
      forget(id)
      hear(undefined)
    }
  }
  child.on('exit', end)
  child.on('error', end)

  const self: ForkServer = {
    run: (program, args, { env = usualEnv, outputMax = 1_048_576, timeoutMs = 0 }) =>
      new Promise((resolve, reject) => {
        ask(
          (id) => ({ type: 'run', id, program, args, env, outputMax, timeoutMs }),
          (report) => {
            if (report?.type !== 'ran') reject(new ProgramError(`${program}: ${lostProblem}`))
            else if (report.problem !== undefined) reject(new ProgramError(report.problem, report))
            else resolve({ stdout: report.stdout, stderr: report.stderr })
          },
        )
      }),
    async start(program, args, { stdio, env, cwd, isDetached = false }) {
      const expected = stdio.map((each) => (each === 'pipe' ? streams.expect() : undefined))
      const tokens = expected.map((each) => each?.token ?? null)
      const started = Promise.withResolvers<number>()
      const exited = Promise.withResolvers<Exit>()
      let isLost = false
      const id = ask(
        (id) => ({ type: 'start', id, program, args, env, cwd, isDetached, tokens, socket: streams.path }),
        (report) => {
          if (report?.type === 'started') return started.resolve(report.pid)
          if (report?.type === 'exited') return exited.resolve({ code: report.code, signal: report.signal })
          isLost = true
          started.reject(new ProgramError(`${program}: ${report?.type === 'failed' ? report.problem : lostProblem}`))
          exited.resolve({ code: null, signal: 'SIGKILL' })
        },
      )
      try {
        const pid = await started.promise
        const sockets = await Promise.all(expected.map((each) => each?.socket))
        void exited.promise.then(() => {
          // Whoever reads its input to the end ends now, if the fork server did not take it along.
          if (isLost) return sockets.forEach((socket) => socket?.destroy())
          sockets[0]?.destroy()
          for (const socket of sockets.slice(1)) socket?.resume().end() // None stays open because nobody reads it.
        })
        return {
          pid,
          stream(descriptor) {
            const socket = sockets[descriptor]
            if (!socket) throw new Error(`No pipe ${descriptor}.`)
            return socket
          },
          exited: exited.promise,
          closed: Promise.all([exited.promise, ...sockets.map(whenRead)]).then(([exit]) => exit),
          kill: () => underWay.has(id) && child.send({ type: 'kill', id } satisfies ForkRequest, () => {}),
        }
      } catch (error) {
        for (const each of expected) each?.forget()
        throw error
      }
    },
  }
  return self
}

/** Nothing more comes from the other end. */
function whenRead(socket: Socket | undefined): Promise<void> {
  if (!socket || socket.readableEnded || socket.destroyed) return Promise.resolve()
  return new Promise((resolve) => {
    socket.once('end', resolve)
    socket.once('close', resolve)
  })
}

type Expected = { token: string; socket: Promise<Socket>; forget(): void }

/** Where the streams of programs come in. On Linux the name is in no folder, so that nothing is left of it. */
function listen(): { path: string; expect(): Expected; close(): void } {
  const name = `longhaul-${secret(16)}`
  const path = process.platform === 'linux' ? `\0${name}` : join(tmpdir(), name)
  const expected = new Map<string, PromiseWithResolvers<Socket>>()
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    socket.on('error', () => {}) // Whoever uses it hears of it, too.
    const read = () => {
      const token: Buffer | null = socket.read(tokenLength)
      if (!token) return
      socket.off('readable', read)
      const waiting = expected.get(token.toString())
      expected.delete(token.toString())
      if (waiting) waiting.resolve(socket)
      else socket.destroy() // It came too late, or from somebody else on this host.
    }
    socket.on('readable', read)
  })
  server.listen(path).unref()
  return {
    path,
    expect() {
      const token = secret()
      const waiting = Promise.withResolvers<Socket>()
      waiting.promise.catch(() => {}) // Whoever still waits hears of it.
      expected.set(token, waiting)
      return { token, socket: waiting.promise, forget: () => expected.delete(token) }
    },
    close() {
      server.close()
      for (const { reject } of expected.values()) reject(new ProgramError(lostProblem))
      if (process.platform !== 'linux') rmSync(path, { force: true })
    },
  }
}
