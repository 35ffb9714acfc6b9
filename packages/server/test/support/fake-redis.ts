/** As much of a Redis as the cache asks for, over the real protocol (RESP 2): for where there is no Redis to be had. Values have their time, patterns their signs. */
import { type AddressInfo, type Socket, createServer } from 'node:net'

export type FakeRedis = {
  url: string
  /** All commands that came, in order. */
  commands: string[][]
  /** Takes commands and answers none. */
  silence(): void
  [Symbol.asyncDispose](): Promise<void>
}

export async function startFakeRedis({ password }: { password?: string } = {}): Promise<FakeRedis> {
  const values = new Map<string, { value: Buffer; until: number }>()
  const commands: string[][] = []
  const sockets = new Set<Socket>()
  let isSilent = false
  const live = (key: string) => {
    const found = values.get(key)
    if (found && found.until <= Date.now()) values.delete(key)
    return values.get(key)
  }

  function reply([name = Buffer.alloc(0), ...args]: Buffer[], session: { isIn: boolean }): Buffer | string {
    const words = args.map(String)
    commands.push([String(name).toUpperCase(), ...words])
    const command = String(name).toUpperCase()
    if (command === 'AUTH') {
      session.isIn = words.at(-1) === password
      return session.isIn ? '+OK\r\n' : '-WRONGPASS invalid username-password pair\r\n'
    }
    if (!session.isIn) return '-NOAUTH Authentication required.\r\n'
    switch (command) {
      case 'PING':
        return '+PONG\r\n'
      case 'SELECT':
      case 'CLIENT':
        return '+OK\r\n'
      case 'GET': {
        const found = live(words[0] ?? '')
        return found ? Buffer.concat([Buffer.from(`$${found.value.length}\r\n`), found.value, Buffer.from('\r\n')]) : '$-1\r\n'
      }
      case 'SET': {
        const px = words.findIndex((word) => word.toUpperCase() === 'PX')
        values.set(words[0] ?? '', { value: args[1] ?? Buffer.alloc(0), until: px === -1 ? Infinity : Date.now() + Number(words[px + 1]) })
        return '+OK\r\n'
      }
      case 'UNLINK':
        return `:${words.filter((key) => values.delete(key)).length}\r\n`
      case 'SCAN': {
        const pattern = words[words.findIndex((word) => word.toUpperCase() === 'MATCH') + 1] ?? '*'
        const found = [...values.keys()].filter((key) => live(key) && matches(pattern, key))
        return `*2\r\n$1\r\n0\r\n*${found.length}\r\n${found.map((key) => `$${Buffer.byteLength(key)}\r\n${key}\r\n`).join('')}`
      }
      default:
        return `-ERR unknown command '${command}'\r\n`
    }
  }

  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    const session = { isIn: password === undefined }
    let held: Buffer = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk])
      for (;;) {
        const read = readCommand(held)
        if (!read) return
        held = held.subarray(read.length)
        if (!isSilent) socket.write(reply(read.command, session))
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `redis://${password === undefined ? '' : `:${password}@`}127.0.0.1:${port}`,
    commands,
    silence: () => void (isSilent = true),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** `*2\r\n$3\r\nGET\r\n$1\r\na\r\n`. Undefined when it has not come whole. */
function readCommand(bytes: Buffer): { command: Buffer[]; length: number } | undefined {
  let at = 0
  const line = (): string | undefined => {
    const end = bytes.indexOf('\r\n', at)
    if (end === -1) return undefined
    const text = bytes.toString('latin1', at, end)
    at = end + 2
    return text
  }
  const head = line()
  if (head === undefined) return undefined
  const command: Buffer[] = []
  for (let n = 0; n < Number(head.slice(1)); n++) {
    const size = line()
    if (size === undefined) return undefined
    const length = Number(size.slice(1))
    if (bytes.length < at + length + 2) return undefined
    command.push(bytes.subarray(at, at + length))
    at += length + 2
  }
  return { command, length: at }
}

/** As much of Redis's patterns as there is: `*`, and signs behind a backslash. */
function matches(pattern: string, text: string): boolean {
  const source = pattern.replaceAll(/\\(.)|(\*)|([^\w])/g, (_, literal?: string, star?: string, other?: string) => (star ? '.*' : `\\${literal ?? other}`))
  return new RegExp(`^${source.replaceAll(/\\([A-Za-z])/g, '$1')}$`).test(text)
}
