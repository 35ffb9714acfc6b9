/** The Kubernetes API over HTTPS: no more of it than sandboxes need. Commands are started over WebSocket, by the protocol `v5.channel.k8s.io`. */
import { readFileSync } from 'node:fs'
import { type IncomingMessage, request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { PassThrough, type Readable, Writable } from 'node:stream'
import { WebSocket } from 'ws'
import { z } from 'zod'
import { after } from '../../../kernel/index.ts'

export type ClusterSettings = {
  url: string
  namespace: string
  /** Holds the token of a service account; it is read again for each request, for it is renewed now and then. Absent: none is sent. */
  tokenFile?: string
  /** Certificates to trust, of the cluster's own authority. */
  caFile?: string
}

export type Cluster = {
  readonly host: string
  readonly port: number
  /** The answer's JSON. `path` is below the namespace. Rejects with a `ClusterError` for every status from 400 on. */
  call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<unknown>
  /** Something outside the namespace. */
  read(path: string): Promise<unknown>
  /** Starts a command in a pod that runs. */
  exec(pod: string, command: readonly string[]): PodCommand
}
/** `ended` resolves with the exit code; null: the connection was lost, and with it the command's input. */
export type PodCommand = { input: Writable; output: Readable; stderr: Readable; ended: Promise<number | null>; why(): string; close(): void }

export class ClusterError extends Error {
  override readonly name = 'ClusterError'
  readonly status: number | undefined
  constructor(message: string, status?: number, cause?: unknown) {
    super(message, { cause })
    this.status = status
  }
}

const answerWithinMs = 60_000
const answerBytesMax = 8 * 1024 * 1024
const pingMs = 15_000
/** Of one message; the API server sends at most some 32 KB. */
const messageBytesMax = 4 * 1024 * 1024
const protocol = 'v5.channel.k8s.io'
/** The first byte of each message says what it is. */
const channels = { input: 0, output: 1, stderr: 2, status: 3, close: 255 }
const Complaint = z.looseObject({ message: z.string() })
const ExitStatus = z.looseObject({
  status: z.string(),
  message: z.string().optional(),
  details: z.looseObject({ causes: z.array(z.looseObject({ reason: z.string().optional(), message: z.string().optional() })).optional() }).optional(),
})

export function cluster({ url, namespace, tokenFile, caFile }: ClusterSettings): Cluster {
  const at = new URL(url)
  const isSecure = at.protocol === 'https:'
  const base = `/api/v1/namespaces/${encodeURIComponent(namespace)}`
  const headers = (): Record<string, string> => (tokenFile === undefined ? {} : { authorization: `Bearer ${readFileSync(tokenFile, 'utf8').trim()}` })
  const trust = () => (caFile === undefined ? {} : { ca: readFileSync(caFile) })

  async function ask(method: string, path: string, body?: object): Promise<unknown> {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const sent = (isSecure ? httpsRequest : httpRequest)(new URL(path, at), {
      ...{ method, agent: false, ...trust() },
      headers: {
        ...headers(),
        accept: 'application/json',
        ...(text !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
      },
    })
    const cancelLimit = after(answerWithinMs, () => sent.destroy(new Error(`no answer within ${answerWithinMs} ms`)), false)
    sent.on('error', (error) => reject(new ClusterError(`the API server at ${url} does not answer: ${error.message}`, undefined, error)))
    sent.on('response', resolve)
    sent.end(text)
    const response = await promise.finally(cancelLimit)
    const status = response.statusCode ?? 0
    const answer = await bodyOf(response)
    if (status < 400) return answer
    const said = Complaint.safeParse(answer)
    throw new ClusterError(said.success ? said.data.message : `the API server answered ${status}`, status)
  }

  function exec(pod: string, command: readonly string[]): PodCommand {
    const [output, stderr] = [new PassThrough(), new PassThrough()]
    const query = new URLSearchParams({ container: 'sandbox', stdin: 'true', stdout: 'true', stderr: 'true' })
    for (const word of command) query.append('command', word)
    const address = new URL(`${base}/pods/${encodeURIComponent(pod)}/exec?${query}`, at)
    address.protocol = isSecure ? 'wss:' : 'ws:'
    const socket = new WebSocket(address, protocol, {
      headers: headers(),
      ...trust(),
      maxPayload: messageBytesMax,
      perMessageDeflate: false,
      handshakeTimeout: answerWithinMs,
    })
    const opened = Promise.withResolvers<void>()
    const ended = Promise.withResolvers<number | null>()
    opened.promise.catch(() => {}) // Whoever writes hears of it.
    let problem = ''
    let code: number | null = null
    let cancelPing = () => {}
    const ping = () => {
      cancelPing = after(
        pingMs,
        () => {
          socket.ping()
          ping()
        },
        false,
      )
    }
    socket.on('open', () => {
      if (socket.protocol !== protocol) return socket.terminate() // It could not tell the end of the input.
      ping()
      opened.resolve()
    })
    socket.on('message', (message: Buffer) => {
      const rest = message.subarray(1)
      if (message[0] === channels.output || message[0] === channels.stderr) {
        const to = message[0] === channels.output ? output : stderr
        if (to.write(rest)) return
        socket.pause()
        to.once('drain', () => socket.resume())
      } else if (message[0] === channels.status) {
        const told = codeOf(rest)
        code = told.code
        problem = told.problem
      }
    })
    socket.on('error', (error) => (problem ||= error.message))
    socket.on('close', () => {
      cancelPing()
      for (const each of [output, stderr]) each.end()
      opened.reject(new Error(problem || 'the connection was closed'))
      ended.resolve(code)
    })
    const input = new Writable({
      write(bytes: Buffer, _, done) {
        opened.promise.then(() => socket.send(Buffer.concat([Buffer.from([channels.input]), bytes]), done), done)
      },
      final(done) {
        opened.promise.then(
          () => socket.send(Buffer.from([channels.close, channels.input]), () => done()),
          () => done(),
        )
      },
    })
    input.on('error', () => {}) // It ended; that is told elsewhere.
    return { input, output, stderr, ended: ended.promise, why: () => problem, close: () => socket.terminate() }
  }

  return {
    host: at.hostname,
    port: Number(at.port || (isSecure ? 443 : 80)),
    call: (method, path, body) => ask(method, `${base}${path}`, body),
    read: (path) => ask('GET', path),
    exec,
  }
}

function codeOf(bytes: Buffer): { code: number | null; problem: string } {
  const parsed = ExitStatus.safeParse(parse(bytes.toString('utf8')))
  if (!parsed.success) return { code: null, problem: 'the API server told no end of the command' }
  const { status, message = '', details } = parsed.data
  if (status === 'Success') return { code: 0, problem: '' }
  const code = details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message
  return code === undefined ? { code: null, problem: message } : { code: Number(code), problem: '' }
}

async function bodyOf(response: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of response as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > answerBytesMax) throw new ClusterError(`the API server's answer is longer than ${answerBytesMax} bytes`)
    pieces.push(piece)
  }
  return parse(Buffer.concat(pieces).toString('utf8'))
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // What is expected is checked where it is used.
  }
}
