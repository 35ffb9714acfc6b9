/** A way to PostgreSQL that can be cut: then nothing passes in either direction and nobody is told, as when a cable is pulled. */
import { type Socket, connect, createServer } from 'node:net'

export type Cuttable = AsyncDisposable & {
  /** Over this way. */
  url: string
  /** From now on nothing passes, what is on its way included. New connections are taken and hang. */
  cut(): void
  /** Old connections are gone for good; new ones pass. */
  mend(): void
}

export async function makeCuttable(url: string): Promise<Cuttable> {
  const target = new URL(url)
  const folder = target.searchParams.get('host')
  const port = Number(target.port || 5432)
  const pairs = new Set<[Socket, Socket]>()
  let isCut = false
  const server = createServer((near) => {
    const far = folder?.startsWith('/') ? connect(`${folder}/.s.PGSQL.${port}`) : connect(port, target.hostname)
    const pair: [Socket, Socket] = [near, far]
    pairs.add(pair)
    for (const [from, to] of [pair, [far, near] as const]) {
      from.on('data', (chunk) => isCut || to.write(chunk))
      from.on('close', () => isCut || to.destroy())
      from.on('error', () => {})
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const near = new URL(url)
  near.searchParams.delete('host')
  near.hostname = '127.0.0.1'
  near.port = String(typeof address === 'object' && address ? address.port : 0)
  const endAll = () => {
    for (const pair of pairs) for (const socket of pair) socket.destroy()
    pairs.clear()
  }
  return {
    url: near.href,
    cut: () => void (isCut = true),
    mend() {
      endAll()
      isCut = false
    },
    async [Symbol.asyncDispose]() {
      endAll()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
