/** One program in a sandbox of its own: started, asked over HTTP, ended. */
import { type IncomingMessage, type OutgoingHttpHeaders, request as httpRequest } from 'node:http'
import type { CustomAgent, Egress } from '@longhaul/protocol'
import { StepFailure, monotonicMs, sleep, toFailure, withTimeout } from '../../kernel/index.ts'
import { type Door, type Image, type OpenHosted, type Sandbox, doorUrl } from '../../sandbox/index.ts'

export type Instance = {
  readonly sandbox: Sandbox
  /** Why it has ended; undefined while it lives. A connection may break a moment before that is known: then it is waited for. */
  whyEnded(): Promise<string | undefined>
  /** What it writes goes here. */
  onOutput: ((stream: 'stdout' | 'stderr', text: string) => void) | undefined
  /** The end of what it has written. */
  said(): string
  /** Rejects with a `StepFailure` when it does not answer. */
  ask(path: string, options: { method: 'GET' | 'POST'; headers?: OutgoingHttpHeaders; body?: string; signal: AbortSignal }): Promise<IncomingMessage>
  /** Rejects when it does not answer, or not as it should. */
  ping(): Promise<'Healthy' | 'HealthyBusy'>
  end(why: string): Promise<void>
}

export type InstanceOptions = {
  hosted: OpenHosted
  tenantId: string
  namespace: string
  /** Folder that its workspace begins as, where its image says nothing else. */
  seed: string
  /** Of what its sandbox is made. Absent: of this host's programs. */
  image: { open(): Promise<Image>; hold: NonNullable<Parameters<OpenHosted>[0]['image']> } | undefined
  declared: CustomAgent
  egress: Egress | undefined
  token: string
  door: Door
  onEnd(why: string): void
}

export const lifeMsMax = 8 * 3_600_000
const pingMsMax = 5_000
const pingBytesMax = 64_000
const partingMs = 500
const firstPauseMs = 50
const saidCharactersMax = 4_000

/** Resolves when it has answered its first ping. */
export async function startInstance({
  hosted,
  tenantId,
  namespace,
  seed,
  image: named,
  declared,
  egress,
  token,
  door,
  onEnd,
}: InstanceOptions): Promise<Instance> {
  const { memoryBytesMax, port, startMsMax } = declared
  const image = await named?.open()
  const { seed: ownSeed, ...start } = startOf(declared, image)
  const sandbox = await hosted({
    tenantId,
    namespace,
    seed: ownSeed ?? seed,
    image: named?.hold,
    egress,
    door,
    ...(memoryBytesMax !== undefined && { limits: { memoryBytesMax } }),
  })
  const abort = new AbortController()
  let said = ''
  let why: string | undefined

  async function live(): Promise<void> {
    try {
      const { exitCode, signal, stderr } = await sandbox.exec(
        { ...start, env: { ...environmentOf(port, token), ...declared.env }, timeoutMs: lifeMsMax },
        {
          signal: abort.signal,
          isKept: false,
          outputBytesMax: Number.MAX_SAFE_INTEGER,
          onOutput(stream, text) {
            said = (said + text).slice(-saidCharactersMax)
            instance.onOutput?.(stream, text)
          },
        },
      )
      why ??= `It ended with ${signal ?? `code ${exitCode}`}.`
      said = (said + stderr).slice(-saidCharactersMax) // What the sandbox has to say about it.
    } catch (error) {
      why ??= toFailure(error).message
    }
    await sandbox.end()
    onEnd(why)
  }

  const instance: Instance = {
    sandbox: sandbox.sandbox,
    async whyEnded() {
      await Promise.race([gone, sleep(partingMs)])
      return why
    },
    onOutput: undefined,
    said: () => said.trim(),
    async ask(path, { method, headers, body, signal }) {
      const duplex = await sandbox.connect(port)
      return new Promise((resolve, reject) => {
        const sent = httpRequest({
          ...{ createConnection: () => duplex, method, path, signal, setHost: false },
          headers: { host: `localhost:${port}`, connection: 'close', ...headers },
        })
        sent.on('response', (response) => {
          response.on('close', () => duplex.destroy())
          resolve(response)
        })
        sent.on('error', (cause) => {
          duplex.destroy()
          reject(new StepFailure({ message: `It gave no answer that is HTTP: ${cause.message}.`, code: 'bad_answer', retryable: true }, cause))
        })
        sent.end(body)
      })
    },
    async ping() {
      const stop = new AbortController()
      try {
        return await withTimeout(
          pingMsMax,
          readPing(await this.ask('/ping', { method: 'GET', signal: stop.signal })),
          () => new Error(`GET /ping took longer than ${pingMsMax} ms.`),
        )
      } finally {
        stop.abort()
      }
    },
    async end(reason) {
      why ??= reason
      abort.abort()
      await gone
    },
  }
  const gone = live()

  let last = ''
  for (const until = monotonicMs() + startMsMax, pauses = backoff(); why === undefined; await Promise.race([sleep(pauses.next().value), gone])) {
    try {
      await instance.ping()
      return instance
    } catch (error) {
      last = toFailure(error).message
    }
    if (monotonicMs() > until) await instance.end(`It did not answer GET /ping within ${startMsMax} ms of its start. ${last}`)
  }
  throw new StepFailure({ message: told(`The program of this agent does not start. ${why}`, instance), code: 'not_started', retryable: true })
}

/** As with containers: a command of the declaration stands in place of the image's entry point, and arguments in place of its command. */
function startOf({ command, args }: CustomAgent, image: Image | undefined): { cmd: string; args: string[]; cwd?: string; seed?: string } {
  const own = args.length > 0 ? args : (image?.cmd ?? [])
  const [cmd, ...rest] = command === undefined ? [...(image?.entrypoint ?? []), ...own] : [command, ...args]
  if (cmd === undefined)
    throw new StepFailure({ message: 'The image names no program that it starts: add "command" to agent.json.', code: 'invalid', retryable: false })
  return { cmd, args: rest, ...(image && { cwd: image.workingDir, ...(image.workspace !== undefined && { seed: image.workspace }) }) }
}

/** What went wrong, with what the program said last. */
export const told = (what: string, instance: Pick<Instance, 'said'>): string => {
  const said = instance.said()
  return said === '' ? what : `${what} It said: ${said.slice(-1_000)}`
}

function* backoff(): Generator<number, never> {
  for (let ms = firstPauseMs; ; ms = Math.min(500, ms * 1.5)) yield ms
}

async function readPing(response: IncomingMessage): Promise<'Healthy' | 'HealthyBusy'> {
  let text = ''
  for await (const piece of response) {
    text += String(piece)
    if (text.length > pingBytesMax) throw new Error('GET /ping said too much.')
  }
  if (response.statusCode !== 200) throw new Error(`GET /ping was answered with ${response.statusCode}.`)
  return /"status"\s*:\s*"HealthyBusy"/i.test(text) ? 'HealthyBusy' : 'Healthy'
}

/** Under the names that programs look for by themselves, and under ours. */
function environmentOf(port: number, token: string): Record<string, string> {
  return {
    PORT: String(port),
    OPENAI_BASE_URL: `${doorUrl}/openai/v1`,
    OPENAI_API_BASE: `${doorUrl}/openai/v1`,
    OPENAI_API_KEY: token,
    ANTHROPIC_BASE_URL: `${doorUrl}/anthropic`,
    ANTHROPIC_API_KEY: token,
    LONGHAUL_TOKEN: token,
    LONGHAUL_TOOLS_URL: `${doorUrl}/tools`,
    LONGHAUL_MCP_URL: `${doorUrl}/mcp`,
    LONGHAUL_MEMORY_URL: `${doorUrl}/memory`,
    LONGHAUL_APPROVALS_URL: `${doorUrl}/approvals`,
  }
}
