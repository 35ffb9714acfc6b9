/** From a name to a connection: looked up once, every answer checked, and the address that was checked is the one that is dialled. */
import { lookup } from 'node:dns/promises'
import { type Socket, connect } from 'node:net'
import { type TLSSocket, connect as connectTls, rootCertificates } from 'node:tls'
import { after } from '../../kernel/index.ts'
import { isRefused } from './addresses.ts'

export type Reach = {
  /** All addresses of a name. */
  resolve(host: string): Promise<string[]>
  dial(address: string, port: number): Socket
  /** Certificates to trust beside the usual ones. For tests. */
  trust?: string
}

export const publicReach: Reach = {
  resolve: async (host) => (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address),
  dial: (address, port) => connect({ host: address, port, autoSelectFamily: false }),
}

export class Unreachable extends Error {
  override readonly name = 'Unreachable'
  /** `refused`: it could be reached, and must not be. */
  readonly verdict: 'refused' | 'failed'

  constructor(verdict: Unreachable['verdict'], message: string, cause?: unknown) {
    super(message, { cause })
    this.verdict = verdict
  }
}

const dialMs = 15_000

/** An open connection. Throws `Unreachable`. */
export async function reachHost({ resolve, dial }: Reach, host: string, port: number): Promise<Socket> {
  const found = await resolve(host).catch((cause: unknown) => {
    throw new Unreachable('failed', `${host} could not be looked up.`, cause)
  })
  const [address] = found.filter((each) => !isRefused(each))
  if (address === undefined)
    throw new Unreachable(
      'refused',
      found.length === 0 ? `${host} has no address.` : `${host} leads to ${found.slice(0, 3).join(', ')}, which is not a public address.`,
    )
  const socket = dial(address, port)
  return new Promise((settle, reject) => {
    const fail = (error: Error) => {
      cancelLimit()
      socket.destroy()
      reject(new Unreachable('failed', `${host}:${port} does not answer: ${error.message}.`, error))
    }
    const cancelLimit = after(dialMs, () => fail(new Error(`nothing within ${dialMs} ms`)))
    socket.once('error', fail)
    socket.once('connect', () => {
      cancelLimit()
      socket.off('error', fail)
      socket.on('error', () => {}) // 'close' follows; whoever uses it listens for that.
      settle(socket)
    })
  })
}

/** TLS with that host over an open connection, by HTTP/1.1. */
export const secureOver = ({ trust }: Reach, socket: Socket, host: string): TLSSocket =>
  connectTls({ socket, servername: host, ALPNProtocols: ['http/1.1'], ...(trust !== undefined && { ca: [...rootCertificates, trust] }) })
