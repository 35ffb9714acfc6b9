/** A little internet on this machine's loopback: names, addresses that count as public, servers behind them. */
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { createAuthority } from '../../src/sandbox/egress/authority.ts'
import type { Reach } from '../../src/sandbox/egress/index.ts'

export type Seen = { method: string; url: string; headers: IncomingMessage['headers']; body: string; isTls: boolean }
export type Serve = (request: Seen, response: ServerResponse) => void

const publicAddress = '93.184.216.34'

export async function openWorld(names: Record<string, string[]> = {}, serve: Serve = (_, response) => void response.end('hello\n')) {
  const seen: Seen[] = []
  const dialled: string[] = []
  const resolved: string[] = []
  const authority = createAuthority('the world')
  const listener = (isTls: boolean) => (request: IncomingMessage, response: ServerResponse) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const each = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body: Buffer.concat(pieces).toString(), isTls }
      seen.push(each)
      serve(each, response)
    })
  }
  const plain = createServer(listener(false))
  const secure = createTlsServer({ SNICallback: (name, done) => done(null, authority.contextFor(name)) }, listener(true))
  for (const each of [plain, secure]) await new Promise<void>((resolve) => each.listen(0, '127.0.0.1', resolve))
  const portOf = (server: typeof plain) => (server.address() as AddressInfo).port
  const reach: Reach = {
    async resolve(host) {
      resolved.push(host)
      const found = names[host] ?? (host.endsWith('.test') ? [publicAddress] : undefined)
      if (!found) throw new Error('ENOTFOUND')
      return found
    },
    dial(address, port) {
      dialled.push(`${address}:${port}`)
      return connect({ host: '127.0.0.1', port: portOf(port === 443 ? (secure as unknown as typeof plain) : plain) })
    },
    trust: authority.certificate,
  }
  return {
    reach,
    seen,
    dialled,
    resolved,
    certificate: authority.certificate,
    plainPort: portOf(plain),
    async [Symbol.asyncDispose]() {
      for (const each of [plain, secure]) {
        each.closeAllConnections()
        await new Promise((resolve) => each.close(resolve))
      }
    },
  }
}
export type World = Awaited<ReturnType<typeof openWorld>>
