/** Live events over WebSocket: which connections there may be. What one of them says is in `live-connection.ts`, the protocol in `@longhaul/protocol`. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { errorCodes, liveCloses, liveLimits, livePath } from '@longhaul/protocol'
import { type WebSocket, WebSocketServer } from 'ws'
import { AppError, type Log, after, newId, toAppError } from '../kernel/index.ts'
import type { Admission } from './admission.ts'
import { type Asks, assertOwnPage, readCookie } from './exchange.ts'
import type { AddressCheck } from './guard.ts'
import type { Direct } from './listen.ts'
import { type LiveConnection, type LiveLimits, openLiveConnection } from './live-connection.ts'
import type { Pipeline } from './pipeline.ts'

export type LiveOptions = {
  pipeline: Pipeline
  checkAddress: AddressCheck
  /** Connections that one key or person may have. */
  perKeyMax: number
  log: Log
  /** For tests. */
  limits?: Partial<LiveLimits>
}
export type Live = Direct & {
  upgrade: NonNullable<Direct['upgrade']>
  connectionCount(): number
  /** Returns when no connection is left. */ stop(): Promise<void>
}

/** Connections that have not said yet whose they are. */
const strangersMax = 200
const partingMs = 1_000

export function openLive({ pipeline, checkAddress, perKeyMax, log, limits: given }: LiveOptions): Live {
  const limits: LiveLimits = { ...liveLimits, ...given }
  // Nothing is compressed: what is small may not become large here.
  const sockets = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false, maxPayload: limits.messageBytesMax })
  const connections = new Map<LiveConnection, Promise<void>>()
  const counts = new Map<string, number>()
  let strangerCount = 0
  let isStopping = false

  /** Throws `over_limit`. Call the result when it is over. */
  function count({ caller }: Admission): () => void {
    const { keyId, name } = caller
    const before = counts.get(keyId) ?? 0
    if (before >= perKeyMax)
      throw new AppError('over_limit', `${name} has ${before} connections for live events, and may have no more. One carries many subscriptions.`)
    counts.set(keyId, before + 1)
    return () => {
      const left = (counts.get(keyId) ?? 1) - 1
      if (left > 0) counts.set(keyId, left)
      else counts.delete(keyId)
    }
  }

  async function admit(request: IncomingMessage, requestId: string): Promise<Admission | undefined> {
    if (isStopping) throw new AppError('unavailable', 'The server is stopping. Try again in a moment.')
    const asks = asksOf(request)
    checkAddress(asks.header('host'), asks.header('origin'))
    // Browsers let any page connect to any server, with our cookie too. They do say whose page it is.
    if (asks.header('origin') !== undefined) assertOwnPage(asks, pipeline.publicUrl)
    if (asks.header('authorization') !== undefined || readCookie(asks, 'login') !== undefined) return pipeline.admit(asks, requestId, false)
    pipeline.admitUnknown(asks)
    if (strangerCount >= strangersMax) throw new AppError('over_limit', 'Too many connections wait to say whose they are. Try again in a moment.', undefined, 5)
    return undefined
  }

  function begin(socket: WebSocket, requestId: string, admission: Admission | undefined, release: (() => void) | undefined): void {
    let giveBack = release
    let isStranger = admission === undefined
    if (isStranger) strangerCount++
    const known = () => {
      if (isStranger) strangerCount--
      isStranger = false
    }
    const connection = openLiveConnection({
      ...{ socket, pipeline, limits, log, requestId, admission },
      async identify(key) {
        const found = await pipeline.admitKey(key, requestId)
        giveBack = count(found)
        known()
        return found
      },
    })
    connections.set(
      connection,
      connection.ended.finally(() => {
        known()
        giveBack?.()
        connections.delete(connection)
      }),
    )
  }

  return {
    owns: (path) => path === livePath || (path?.startsWith(`${livePath}?`) ?? false),
    async handle(_, response) {
      const message = `${livePath} speaks WebSocket. docs/reference/live.md says what is said there.`
      response.writeHead(426, { 'content-type': 'application/json', upgrade: 'websocket', connection: 'Upgrade', 'x-content-type-options': 'nosniff' })
      response.end(JSON.stringify({ error: { code: 'invalid', message } }))
    },
    async upgrade(request, socket, head) {
      socket.on('error', () => socket.destroy())
      const requestId = newId()
      try {
        const admission = await admit(request, requestId)
        const release = admission && count(admission)
        // From here on the socket is `ws`'s, which also refuses what is no WebSocket; it then calls nobody.
        let isBegun = false
        if (release) socket.once('close', () => isBegun || release())
        sockets.handleUpgrade(request, socket, head, (opened) => {
          isBegun = true
          begin(opened, requestId, admission, release)
        })
      } catch (error) {
        refuse(socket, toAppError(error), requestId, log)
      }
    },
    connectionCount: () => connections.size,
    async stop() {
      isStopping = true
      for (const connection of connections.keys()) connection.close(liveCloses.stopping, 'The server stops. Come back with your cursors.')
      const cancel = after(partingMs, () => {
        for (const connection of connections.keys()) connection.terminate()
      })
      await Promise.all(connections.values())
      cancel()
    },
  }
}

const asksOf = ({ headers, socket }: IncomingMessage): Asks => ({
  header(name) {
    const value = headers[name]
    return Array.isArray(value) ? value[0] : value
  },
  peer: socket.remoteAddress,
})

function refuse(socket: Duplex, { code, message, cause, retryAfterS }: AppError, requestId: string, log: Log): void {
  if (code === 'internal') log.error('request failed', { requestId, error: cause })
  else log.info('request', { requestId, path: livePath, code, status: errorCodes[code].http })
  const body = JSON.stringify({ error: { code, message, requestId } })
  const lines = [
    `HTTP/1.1 ${errorCodes[code].http} ${code}`,
    'connection: close',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${requestId}`,
    ...(code === 'unauthenticated' ? ['www-authenticate: Bearer'] : []),
    ...(retryAfterS === undefined ? [] : [`retry-after: ${retryAfterS}`]),
  ]
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`)
}
