/** Bytes from one connection to another. */
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { after, monotonicMs } from '../../kernel/index.ts'
import { helloBytesMax } from './client-hello.ts'

const firstWithinMs = 15_000
const idleMs = 10 * 60_000

/** What a client says first, until it is enough; undefined when that does not come. The connection is paused then. */
export function firstBytes(socket: Socket, head: Buffer, isEnough: (bytes: Buffer) => boolean): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    let bytes = head
    const finish = (result: Buffer | undefined) => {
      cancel()
      socket.off('data', hear)
      socket.off('close', lose)
      socket.off('end', lose)
      socket.pause()
      resolve(result)
    }
    const look = () => {
      if (bytes.length > 0 && (isEnough(bytes) || bytes.length > helloBytesMax)) finish(bytes)
    }
    const hear = (piece: Buffer) => {
      bytes = Buffer.concat([bytes, piece])
      look()
    }
    const lose = () => finish(undefined)
    const cancel = after(firstWithinMs, lose)
    socket.on('data', hear)
    socket.on('close', lose)
    socket.on('end', lose)
    socket.resume()
    look()
  })
}

/** The connection as it was before its first bytes were taken. A TLS socket over the raw one would lose what is put back. */
export function rejoin(first: Buffer, socket: Socket): Duplex {
  const whole = new Duplex({
    read: () => void socket.resume(),
    write: (piece, _, done) => void socket.write(piece, done),
    final: (done) => void socket.end(done),
    destroy(error, done) {
      socket.destroy()
      done(error)
    },
  })
  whole.push(first)
  socket.on('data', (piece: Buffer) => {
    if (!whole.push(piece)) socket.pause()
  })
  socket.on('end', () => whole.push(null))
  socket.on('close', () => whole.destroy())
  whole.on('error', () => {}) // It ends; whoever reads it hears 'close'.
  return whole
}

/** `end` resolves when both sides are closed: with the reason when we cut it. */
export function tunnel(
  inner: Socket,
  outer: Socket,
  first: Buffer,
  spend: (way: 'out' | 'in', bytes: number) => boolean,
): { end: Promise<string | undefined>; cut(why: string): void } {
  let why: string | undefined
  let saidMs = monotonicMs()
  const cut = (reason: string) => {
    why ??= reason
    inner.destroy()
    outer.destroy()
  }
  const pass = (from: Socket, to: Socket, way: 'out' | 'in') => {
    from.on('data', (piece: Buffer) => {
      saidMs = monotonicMs()
      if (!spend(way, piece.length)) return cut('The sandbox has moved the bytes that it may.')
      if (!to.write(piece)) from.pause()
    })
    to.on('drain', () => from.resume())
    from.on('end', () => to.end())
    from.on('error', () => to.destroy())
    from.on('close', () => to.destroy())
  }
  let cancelWatch = () => {}
  const watch = () => {
    const leftMs = idleMs - (monotonicMs() - saidMs)
    if (leftMs <= 0) cut(`Nothing was said for ${idleMs} ms.`)
    else cancelWatch = after(leftMs, watch, false)
  }
  watch()
  const closed = (socket: Socket) => new Promise<void>((resolve) => (socket.closed ? resolve() : socket.once('close', () => resolve())))
  const end = Promise.all([closed(inner), closed(outer)]).then(() => {
    cancelWatch()
    return why
  })
  pass(inner, outer, 'out')
  pass(outer, inner, 'in')
  if (!spend('out', first.length)) cut('The sandbox has moved the bytes that it may.')
  else outer.write(first)
  inner.resume()
  return { end, cut }
}

/** A last word on a connection. Status 0: it is not HTTP any more, so it just ends. */
export function cutShort(socket: Duplex, status: number, reason: string): void {
  if (status === 0) return void socket.destroy()
  const body = `longhaul: ${reason}\n`
  const names: Record<number, string> = { 403: 'Forbidden', 429: 'Too Many Requests', 501: 'Not Implemented' }
  socket.on('error', () => {}) // It may be gone.
  socket.end(
    `HTTP/1.1 ${status} ${names[status] ?? 'Refused'}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\nx-longhaul-refused: egress\r\n\r\n${body}`,
  )
}
