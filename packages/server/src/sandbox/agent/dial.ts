/** Connections from the server to what listens inside a sandbox, through its agent. */
import { Duplex } from 'node:stream'
import { withTimeout } from '../../kernel/index.ts'
import { failure } from '../failures.ts'
import type { AgentClient, AgentMessage } from './agent-client.ts'
import { FrameError } from './frames.ts'

/** Of bytes that came and were not read: the agent sends no more than that before it is asked to. */
const windowBytes = 256 * 1024
/** What it may have read from its socket beyond that. */
const excessBytesMax = 128 * 1024
const pieceBytes = 32 * 1024
const connectWithinMs = 10_000

/** Bytes both ways, each side at the pace of the slower one. Rejects with `not_found` when nothing listens on the port. */
export async function dial(client: AgentClient, port: number): Promise<Duplex> {
  const opened = Promise.withResolvers<void>()
  let taken: (() => void) | undefined
  let unreadBytes = 0
  let isEnded = false
  const endReading = () => {
    if (!isEnded) duplex.push(null)
    isEnded = true
  }

  const agent = client.request(
    { do: 'dial', port },
    {
      message: react,
      data(stream, bytes) {
        unreadBytes += bytes.length
        if (stream !== 'data' || isEnded || unreadBytes > windowBytes + excessBytesMax) throw new FrameError('More of a connection than was asked for.')
        duplex.push(bytes)
      },
      lost() {
        const why = failure('sandbox_lost', 'The sandbox ended, and the connection with it.')
        opened.reject(why)
        duplex.destroy(why)
      },
    },
  )

  const duplex = new Duplex({
    allowHalfOpen: true,
    read() {
      if (unreadBytes === 0) return
      agent.send({ do: 'more', bytes: unreadBytes })
      unreadBytes = 0
    },
    write(bytes: Buffer, _, done) {
      const next = (at: number) => {
        if (at >= bytes.length || duplex.destroyed) return done()
        taken = () => next(at + pieceBytes)
        agent.data(bytes.subarray(at, at + pieceBytes))
      }
      next(0)
    },
    final(done) {
      agent.end()
      done()
    },
    destroy(error, done) {
      agent.send({ do: 'close' })
      agent.close()
      done(error)
    },
  })
  duplex.on('error', () => {}) // Whoever uses it listens, too; while nobody does, it is nobody's.

  function react(message: AgentMessage): void {
    switch (message.event) {
      case 'started':
        return opened.resolve()
      case 'taken': {
        const go = taken
        taken = undefined
        if (!go) throw new FrameError('Something was taken that was not sent.')
        return go()
      }
      case 'done':
        return endReading()
      case 'exited':
        endReading()
        return void duplex.destroy()
      case 'failed':
        return opened.reject(
          failure(
            'not_found',
            `Nothing listens on port ${port} in this sandbox (${message.code.slice(0, 32)}). Start a program there that does, on localhost.`,
          ),
        )
      default:
        throw new FrameError('A message out of turn.')
    }
  }

  try {
    await withTimeout(connectWithinMs, opened.promise, () =>
      failure('sandbox_lost', `Port ${port} of the sandbox did not answer within ${connectWithinMs} ms.`),
    )
    return duplex
  } catch (error) {
    duplex.destroy()
    throw error
  }
}
