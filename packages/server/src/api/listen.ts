/** The API on a port. */
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'
import { AppError, after, sleep } from '../kernel/index.ts'

export type Listening = {
  /** For what is not HTTP's question and answer: WebSockets take their `upgrade` event. */
  server: Server
  /** With the real port. */
  url: string
  /**
   * Takes no new requests, waits for the running ones up to a limit, and returns when no connection is left. End event streams first.
   * For `graceMs` before that it still answers, and asks for no second request on any connection: whoever balances load has to hear of it first.
   */
  stop(graceMs?: number): Promise<void>
}

/** Answers some addresses by itself, without the framework. */
export type Direct = {
  owns(path: string | undefined): boolean
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>
  upgrade?(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>
}

const requestTimeoutMs = 60_000
const stopMs = 5_000

export async function listen(
  { fetch }: Pick<Hono, 'fetch'>,
  { host, port, direct = [], connectionsMax = 10_000 }: { host: string; port: number; direct?: readonly Direct[]; connectionsMax?: number },
): Promise<Listening> {
  const answer = getRequestListener(fetch, { overrideGlobalObjects: false }) // The global Request and Response stay as they are.
  const ownerOf = ({ url }: IncomingMessage) => direct.find((each) => each.owns(url))
  const server = createServer((request, response) => {
    const owner = ownerOf(request)
    void (owner ? owner.handle(request, response) : answer(request, response))
  })
  server.on('upgrade', (request, socket, head) => {
    const owner = ownerOf(request)
    if (owner?.upgrade) void owner.upgrade(request, socket, head)
    else socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
  })
  server.maxConnections = connectionsMax // One more is closed as it comes.
  server.requestTimeout = requestTimeoutMs
  server.keepAliveTimeout = 65_000 // Longer than proxies keep theirs, so that it is they who close.
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(explain(cause, host, port)))
    server.listen(port, host, resolve)
  })
  const address = server.address()
  const realPort = typeof address === 'object' && address ? address.port : port
  return {
    server,
    url: `http://${reachable(host)}:${realPort}`,
    async stop(graceMs = 0) {
      server.prependListener('request', (_, response: ServerResponse) => void (response.shouldKeepAlive = false))
      if (graceMs > 0) await sleep(graceMs)
      return new Promise((resolve) => {
        const cancelAll = after(stopMs, () => server.closeAllConnections())
        let cancelIdle = () => {}
        // Again and again: a connection is idle only once its last answer has been sent.
        const closeIdle = () => {
          server.closeIdleConnections()
          cancelIdle = after(20, closeIdle)
        }
        server.close(() => {
          cancelAll()
          cancelIdle()
          resolve()
        })
        closeIdle()
      })
    },
  }
}

/** An address for people: the one that means all interfaces is none that one could go to. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost'
  return host.includes(':') ? `[${host}]` : host
}

function explain(cause: Error, host: string, port: number): AppError {
  const code = 'code' in cause ? cause.code : undefined
  const why =
    code === 'EADDRINUSE'
      ? `Port ${port} on ${host} is taken, maybe by another Longhaul. Stop that program, or set LONGHAUL_HTTP_PORT to another port (0 takes a free one).`
      : code === 'EACCES'
        ? `Port ${port} may not be used by this user. Set LONGHAUL_HTTP_PORT to one above 1023.`
        : code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND'
          ? `${host} is no address of this machine. Set LONGHAUL_HTTP_HOST to one that is, or to 0.0.0.0 for all.`
          : `Cannot listen on ${host} port ${port}: ${cause.message}`
  return new AppError('unavailable', why, cause)
}
