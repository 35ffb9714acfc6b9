/** A receiver of webhooks: a real server on this machine that answers as the test says, and checks signatures by the words of the standard. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Received = { id: string; isSigned: boolean; body: { type: string; data: Record<string, unknown> } }
export type Answer = { status: number; headers?: Record<string, string>; text?: string } | 'hang up'

export const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

export async function openReceiver(answer: (count: number, received: Received) => Answer = () => ({ status: 204 })) {
  const received: Received[] = []
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8')
      const header = (name: string) => String(request.headers[name] ?? '')
      const expected = createHmac('sha256', Buffer.alloc(32, 7))
        .update(`${header('webhook-id')}.${header('webhook-timestamp')}.${text}`)
        .digest()
      const isFresh = Math.abs(Date.now() / 1_000 - Number(header('webhook-timestamp'))) < 300
      const isSigned = header('webhook-signature')
        .split(' ')
        .some(
          (one) => one.startsWith('v1,') && Buffer.from(one.slice(3), 'base64').length === 32 && timingSafeEqual(Buffer.from(one.slice(3), 'base64'), expected),
        )
      const one: Received = { id: header('webhook-id'), isSigned: isSigned && isFresh, body: JSON.parse(text) as Received['body'] }
      received.push(one)
      const given = answer(received.length, one)
      if (given === 'hang up') return void request.socket.destroy()
      response.writeHead(given.status, given.headers).end(given.text)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
