/** A real SMTP server on the loopback interface, which keeps what it is given. */
import type { AddressInfo, Socket } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { until } from './api-bed.ts'

export type Received = { to: string[]; text: string }
type Refusal = { code: number; times: number }

export async function startSmtp({ user }: { user?: { name: string; password: string } } = {}) {
  const received: Received[] = []
  const refusal: Refusal = { code: 0, times: 0 }
  let tries = 0
  let answerMs = 0
  let isCutting = false
  const sockets = new Set<Socket>()
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    authOptional: !user,
    allowInsecureAuth: true,
    onAuth: (auth, _, done) =>
      auth.username === user?.name && auth.password === user?.password ? done(null, { user: auth.username }) : done(new Error('wrong')),
    onRcptTo(_, __, done) {
      tries++
      if (refusal.times-- <= 0) return done()
      done(Object.assign(new Error('not now'), { responseCode: refusal.code }))
    },
    onData(stream, session, done) {
      let text = ''
      stream.setEncoding('utf8')
      stream.on('data', (part: string) => (text += part))
      stream.on('end', () => {
        received.push({ to: session.envelope.rcptTo.map(({ address }) => address), text })
        if (isCutting) for (const socket of sockets) socket.destroy()
        else setTimeout(done, answerMs)
      })
    },
  })
  server.server.on('connection', (socket: Socket) => void sockets.add(socket).size)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.server.address() as AddressInfo // It listens on a port.
  return {
    port,
    url: `smtp://127.0.0.1:${port}`,
    received,
    tries: () => tries,
    /** How long it thinks about each mail. */
    slow: (ms: number) => (answerMs = ms),
    /** It takes mails, and is gone before it says so. */
    cut: (isOn: boolean) => (isCutting = isOn),
    /** The next recipients are answered with this code. */
    refuse: (code: number, times: number) => Object.assign(refusal, { code, times }),
    /** The mails to this address, once there are so many. */
    to: (address: string, count = 1) =>
      until(
        async () => received.filter(({ to }) => to.includes(address)),
        (found) => found.length >= count,
      ),
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
}
export type Smtp = Awaited<ReturnType<typeof startSmtp>>

/** What a mail program shows: without quoted-printable or base64. */
export function plainTextOf({ text }: Received): string {
  const at = text.indexOf('\r\n\r\n')
  const [head, body] = [text.slice(0, at), text.slice(at + 4)]
  if (/^content-transfer-encoding: base64/im.test(head)) return Buffer.from(body, 'base64').toString()
  if (!/^content-transfer-encoding: quoted-printable/im.test(head)) return body
  const bytes = body.replaceAll('=\r\n', '').replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, 'latin1').toString()
}
export const headerOf = ({ text }: Received, name: string): string =>
  new RegExp(`^${name}: (.*)$`, 'im').exec(text.slice(0, text.indexOf('\r\n\r\n')))?.[1]?.trim() ?? ''
