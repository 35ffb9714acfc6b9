/** MCP servers that are programs: each runs in a sandbox of its own, started when it is needed and started anew, after a pause that grows, when it has ended by itself. */
import { type CommandConnection, type Egress, shorten, visibleText } from '@longhaul/protocol'
import { type JSONRPCMessage, type Transport, deserializeMessage, serializeMessage } from '@modelcontextprotocol/client'
import { type Log, StepFailure, monotonicMs, sleep, toFailure } from '../../kernel/index.ts'
import { type OpenHosted, createInputQueue } from '../../sandbox/index.ts'
import { failed } from '../failures.ts'
import { responseBytesMax } from './transports.ts'

export type CommandTarget = {
  tenantId: string
  /** Whose policy on sandboxes counts beside the tenant's. */
  namespace?: string | undefined
  /** What it is called in what is told of it. */
  connection: string
  declared: Pick<CommandConnection, 'command' | 'args' | 'env' | 'memoryBytesMax'>
  egress: Egress | undefined
  seed: string | undefined
}

/** The program has ended, by itself or because it did not keep to its limits. */
export class ProgramEnded extends Error {
  override readonly name = 'ProgramEnded'
}

export type Programs = {
  /** Starts it. `key` names the same program when it is started again. Throws a `StepFailure`, retryable while it is its turn to pause. */
  start(key: string, target: CommandTarget): Promise<ProgramTransport>
  /** Resolves when none is left. */
  stop(): Promise<void>
}
export type ProgramTransport = Transport & { readonly whyEnded: string | undefined }

/** Programs at once on this server: each is a sandbox. */
const programsMax = 64
/** A program that lived for so long was well. */
const wellMs = 60_000
const firstPauseMs = 500
const pauseMsMax = 60_000
const remembered = 2_000
/** A program is ended after that, and started anew when it is needed. */
const usualLifeMs = 3_600_000
const inputBytesMax = 8_000_000
const inputWaitMs = 10_000
/** Time to end by itself when its input has ended. */
const partingMs = 500
const complaintCharactersMax = 2_000

export function openPrograms({ hosted, log, lifeMsMax = usualLifeMs }: { hosted: OpenHosted; log: Log; lifeMsMax?: number }): Programs {
  const ends = new Map<string, { count: number; until: number; why: string }>()
  const running = new Set<{ close(): Promise<void> }>()
  let isStopped = false

  function noteEnd(key: string, livedMs: number, why: string): void {
    const count = livedMs >= wellMs ? 1 : (ends.get(key)?.count ?? 0) + 1
    ends.delete(key)
    ends.set(key, { count, why, until: monotonicMs() + Math.min(pauseMsMax, firstPauseMs * 2 ** (count - 1)) })
    if (ends.size > remembered) for (const oldest of ends.keys().take(1)) ends.delete(oldest)
  }

  async function start(key: string, target: CommandTarget): Promise<ProgramTransport> {
    const { connection } = target
    const last = ends.get(key)
    const pauseMs = Math.ceil((last?.until ?? 0) - monotonicMs())
    if (last && pauseMs > 0)
      throw failed(
        'away',
        `The program of ${connection} has ended ${last.count} times in a row and is started again in a moment. ${last.why}`,
        true,
        undefined,
        pauseMs,
      )
    if (isStopped) throw failed('unavailable', 'The server is stopping.', true)
    if (running.size >= programsMax)
      throw failed('over_limit', `${programsMax} programs of MCP servers run on this server already. One that is not used ends after some minutes.`, true)
    const place = { close: async () => {} }
    running.add(place)
    const from = monotonicMs()
    try {
      const transport = await runProgram(target, {
        hosted,
        log,
        lifeMsMax,
        onGone: () => running.delete(place),
        onEnd: (why) => noteEnd(key, monotonicMs() - from, why),
      })
      place.close = transport.close
      if (isStopped) await transport.close()
      return transport
    } catch (error) {
      running.delete(place)
      noteEnd(key, 0, toFailure(error).message)
      throw error instanceof StepFailure ? error : failed('unavailable', `The sandbox of ${connection} could not be started.`, true, error)
    }
  }

  return {
    start,
    async stop() {
      isStopped = true
      await Promise.all([...running].map(({ close }) => close()))
    },
  }
}

type Keeper = { hosted: OpenHosted; log: Log; lifeMsMax: number; onGone(): void; onEnd(why: string): void }

async function runProgram(
  { tenantId, namespace, connection, declared, egress, seed }: CommandTarget,
  { hosted, log, lifeMsMax, onGone, onEnd }: Keeper,
): Promise<ProgramTransport> {
  const { command: cmd, args, env, memoryBytesMax } = declared
  const sandbox = await hosted({ tenantId, namespace, seed, egress, ...(memoryBytesMax !== undefined && { limits: { memoryBytesMax } }) })
  const input = createInputQueue(inputBytesMax)
  const abort = new AbortController()
  const lines = readLines()
  let complaints = ''
  let why: string | undefined
  let isClosing = false

  /** What was said of it last is what its users are told. */
  function fail(reason: string): void {
    why ??= reason
    abort.abort()
  }

  function read(text: string): void {
    const found = lines.push(text)
    if (found === undefined) return fail(`It wrote more than ${responseBytesMax} bytes at once.`)
    for (const line of found) {
      let message: JSONRPCMessage
      try {
        message = deserializeMessage(line)
      } catch {
        complaints = `${complaints}${line}\n`.slice(-complaintCharactersMax) // Programs greet, and libraries complain, on the wrong stream.
        continue
      }
      transport.onmessage?.(message)
    }
  }

  const transport: ProgramTransport = {
    get whyEnded() {
      return why
    },
    start: async () => {},
    async send(message) {
      lines.refill()
      if (!(await input.give(Buffer.from(serializeMessage(message)), inputWaitMs))) throw new ProgramEnded(why ?? 'It does not read its input.')
    },
    async close() {
      isClosing = true
      input.end()
      await Promise.race([gone, sleep(partingMs)])
      abort.abort()
      await gone
    },
  }

  async function live(): Promise<void> {
    try {
      const { exitCode, signal, stderr } = await sandbox.exec(
        { cmd, args, env, timeoutMs: lifeMsMax },
        {
          signal: abort.signal,
          input: input.pieces,
          isKept: false,
          outputBytesMax: Number.MAX_SAFE_INTEGER,
          onOutput(stream, text) {
            if (stream === 'stdout') read(text)
            else complaints = (complaints + text).slice(-complaintCharactersMax)
          },
        },
      )
      why ??= `It ended with ${signal ?? `code ${exitCode}`}.`
      complaints = (complaints + stderr).slice(-complaintCharactersMax) // What the sandbox has to say about it.
    } catch (error) {
      why ??= toFailure(error).message
    }
    const said = visibleText(complaints).trim()
    if (said !== '') why = `${why} It said: ${shorten(said.slice(-1_000), 1_000)}`
    input.close()
    if (!isClosing) {
      log.warn('the program of a connection has ended', { tenantId, connection, why })
      onEnd(why)
    }
    transport.onclose?.()
    await sandbox.end().catch((error: unknown) => log.error('the sandbox of a connection was not removed', { tenantId, connection, error }))
    onGone()
  }
  const gone = live()
  return transport
}

/** Output as lines. Between two of our messages no more than the maximum is taken, a line without an end included: undefined is more than that. */
function readLines() {
  let rest = ''
  let left = responseBytesMax
  return {
    refill: () => void (left = responseBytesMax),
    push(text: string): string[] | undefined {
      left -= text.length
      if (left < 0 || rest.length + text.length > responseBytesMax) return undefined
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      return lines.map((line) => line.replace(/\r$/, '')).filter((line) => line !== '')
    },
  }
}
