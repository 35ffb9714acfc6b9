/** One request on its way out, written anew: nothing of how it was written inside gets to the other side. */
import type { EgressRule } from '@longhaul/protocol'
import { type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse, request as startRequest } from 'node:http'
import { type Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { SharedFile } from './package-cache.ts'
import { type Reach, Unreachable, reachHost, secureOver } from './reach.ts'

/** One attempt to leave, until it is written down. */
export type Attempt = {
  readonly used: { out: number; in: number }
  /** False once the sandbox's bytes are used up. */
  spend(way: 'out' | 'in', bytes: number): boolean
  /** The first call counts. */
  end(verdict: 'allowed' | 'refused' | 'failed', reason: string | null, status?: number | null): void
}

type Forwarding = {
  reach: Reach
  target: { host: string; port: number; isTls: boolean }
  rule: EgressRule
  path: string
  /** What others may be given of the answer, and what they have been given. */
  shared?: SharedFile | undefined
  request: IncomingMessage
  response: ServerResponse
  trial: Attempt
  signal: AbortSignal
}

/** Said by one hop to the next and to nobody else (RFC 9110), and what only the proxy is told. */
const hopHeaders = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
]
const silenceMs = 5 * 60_000

export async function forward({ reach, target, rule, path, shared, request, response, trial, signal }: Forwarding): Promise<void> {
  const kept = await shared?.read()
  if (kept) return give(kept, { response, trial, signal })
  const { host, port, isTls } = target
  const socket = await reachHost(reach, host, port)
  const headers = passedOn(request.headers)
  headers['host'] = port === (isTls ? 443 : 80) ? host : `${host}:${port}`
  // Node would write a body without its length after methods that usually have none, and the other side take it for a request of its own.
  if (request.headers['transfer-encoding'] !== undefined) headers['transfer-encoding'] = 'chunked'
  if (rule.credential) headers[rule.credential.header.toLowerCase()] = rule.credential.value
  const outgoing = startRequest({
    method: request.method,
    path,
    headers,
    signal,
    timeout: silenceMs,
    createConnection: () => (isTls ? secureOver(reach, socket, host) : socket),
  })
  outgoing.on('timeout', () => outgoing.destroy(new Unreachable('failed', `${host} said nothing for ${silenceMs} ms.`)))
  outgoing.on('upgrade', (_, upgraded) => upgraded.destroy(new Unreachable('refused', 'Upgrades are not let through where requests are read.')))
  try {
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve)
      outgoing.once('error', reject)
      outgoing.once('upgrade', () => reject(new Unreachable('refused', 'Upgrades are not let through where requests are read.')))
    })
    const sending = pipeline(request, counting(trial, 'out'), outgoing)
    sending.catch(() => {}) // An answer may come before all was sent; a real failure shows there.
    const answer = await answered
    response.writeHead(answer.statusCode ?? 502, passedOn(answer.headers))
    const copy = answer.statusCode === 200 ? shared?.keep(answer.headers) : undefined
    await (copy ? pipeline(answer, counting(trial, 'in'), copy, response) : pipeline(answer, counting(trial, 'in'), response))
    trial.end('allowed', null, answer.statusCode ?? null)
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  } finally {
    socket.destroy()
  }
}

/** In the place of the registry, which would send the same. It counts as if it had. */
async function give({ bytes, stream }: { bytes: number; stream: Readable }, { response, trial, signal }: Pick<Forwarding, 'response' | 'trial' | 'signal'>) {
  try {
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': bytes })
    await pipeline(stream, counting(trial, 'in'), response, { signal })
    trial.end('allowed', null, 200)
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  }
}

function passedOn(headers: NodeJS.Dict<string | string[]>): OutgoingHttpHeaders {
  const named = String(headers['connection'] ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
  return Object.fromEntries(Object.entries(headers).filter(([name, value]) => value !== undefined && !hopHeaders.includes(name) && !named.includes(name)))
}

const counting = (trial: Attempt, way: 'out' | 'in') =>
  new Transform({
    transform(piece: Buffer, _, done) {
      if (trial.spend(way, piece.length)) done(null, piece)
      else done(new Unreachable('refused', 'The sandbox has moved the bytes that it may.'))
    },
  })
