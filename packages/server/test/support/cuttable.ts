/** A way to PostgreSQL that can be cut: then nothing passes in either direction and nobody is told, as when a cable is pulled. */
import { type Socket, connect, createServer } from 'node:net'

export type Cuttable = AsyncDisposable & {
  /** Over this way. */
  url: string
  /** From now on nothing passes, what is on its way included; or nothing in one direction. New connections are taken and hang. */
  cut(way?: 'both' | 'to the database' | 'from the database'): void
  /** Old connections are gone for good; new ones pass, to another database if one is given. */
  mend(url?: string): void
  /** Each piece arrives so much later, in both directions. */
  slow(ms: number): void
}

/** `host` is where it listens: another address of this machine for those who are in a network of their own. */
export async function makeCuttable(url: string, { host = '127.0.0.1' }: { host?: string } = {}): Promise<Cuttable> {
  let target = new URL(url)
  let delayMs = 0
  const connectTarget = () => {
    const folder = target.searchParams.get('host')
    const port = Number(target.port || 5432)
    return folder?.startsWith('/') ? connect(`${folder}/.s.PGSQL.${port}`) : connect(port, target.hostname)
  }
  const pairs = new Set<[Socket, Socket]>()
  const cutWays = { to: false, from: false }
  const server = createServer((near) => {
    const far = connectTarget()
    near.setKeepAlive(true, 2_000) // Who has gone without a word is noticed, as by a PostgreSQL that is set up for it.
    const pair: [Socket, Socket] = [near, far]
    pairs.add(pair)
    for (const [from, to, way] of [
      [near, far, 'to'],
      [far, near, 'from'],
    ] as const) {
      const pass = (chunk: Buffer) => cutWays[way] || to.writableEnded || to.write(chunk)
      from.on('data', (chunk: Buffer) => (delayMs > 0 ? setTimeout(pass, delayMs, chunk) : pass(chunk)))
      from.on('close', () => cutWays[way] || to.destroy())
      from.on('error', () => {})
    }
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  const address = server.address()
  const near = new URL(url)
  near.searchParams.delete('host')
  near.hostname = host
  near.port = String(typeof address === 'object' && address ? address.port : 0)
  const endAll = () => {
    for (const pair of pairs) for (const socket of pair) socket.destroy()
    pairs.clear()
  }
  return {
    url: near.href,
    cut(way = 'both') {
      if (way !== 'from the database') cutWays.to = true
      if (way !== 'to the database') cutWays.from = true
    },
    mend(other) {
      endAll()
      if (other !== undefined) target = new URL(other)
      cutWays.to = cutWays.from = false
    },
    slow: (ms) => void (delayMs = ms),
    async [Symbol.asyncDispose]() {
      endAll()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
