/** What changes in a folder of a sandbox, as its agent tells it. */
import { z } from 'zod'
import { withTimeout } from '../../kernel/index.ts'
import type { WatchOptions } from '../driver.ts'
import { failure } from '../failures.ts'
import type { AgentClient } from './agent-client.ts'
import { explain } from './files.ts'
import { FrameError } from './frames.ts'

const startWithinMs = 30_000
const Told = z.strictObject({ items: z.array(z.tuple([z.string().max(4_096), z.enum(['changed', 'removed'])])).max(1_000), isPartial: z.boolean() })

/** Resolves when `signal` aborts; rejects when the folder cannot be watched, or the sandbox ends. */
export async function watch(client: AgentClient, path: string, { signal, onReady, onChanges }: WatchOptions): Promise<void> {
  if (signal.aborted) return
  const started = Promise.withResolvers<void>()
  const over = Promise.withResolvers<void>()
  const agent = client.request(
    { do: 'watch', path },
    {
      message(message) {
        if (message.event === 'started') return started.resolve()
        if (message.event !== 'failed') throw new FrameError('A message out of turn.')
        const why = explain(message)
        started.reject(why)
        over.reject(why)
      },
      data(_, bytes) {
        const { items, isPartial } = parse(bytes)
        onChanges({ items: items.map(([path, change]) => ({ path, change })), isPartial })
      },
      lost() {
        const why = failure('sandbox_lost', 'The sandbox ended. It starts again with the next request.')
        started.reject(why)
        over.reject(why)
      },
    },
  )
  over.promise.catch(() => {}) // `started` tells it first.
  const stop = () => over.resolve()
  signal.addEventListener('abort', stop)
  try {
    await withTimeout(startWithinMs, Promise.race([started.promise, over.promise]), () =>
      failure('over_limit', `The folder could not be watched within ${startWithinMs} ms. Watch a smaller one.`),
    )
    if (!signal.aborted) onReady()
    await over.promise
  } finally {
    signal.removeEventListener('abort', stop)
    agent.send({ do: 'close' })
    agent.close()
  }
}

function parse(bytes: Buffer): z.infer<typeof Told> {
  try {
    return Told.parse(JSON.parse(bytes.toString('utf8')))
  } catch (error) {
    throw new FrameError('Changes that the agent does not send.', { cause: error })
  }
}
