/** Changes in a folder of a sandbox: the first ones for a caller who asks once, all of them for one who follows. */
import type { FileChanges } from '@longhaul/protocol'
import { type Log, after } from '../kernel/index.ts'
import { type Frames, heartbeatMs } from './server-sent-events.ts'

type Watch = (options: { signal: AbortSignal; onReady(): void; onChanges(changes: FileChanges): void }) => Promise<void>

/** What a slow reader may have waiting for it; what is more is told as such. */
const waitingMax = 1_000

export async function firstChanges(watch: Watch, waitMs: number): Promise<FileChanges> {
  const done = new AbortController()
  const gathered = gather(() => done.abort())
  const cancel = after(waitMs, () => done.abort())
  try {
    await watch({ signal: done.signal, onReady() {}, onChanges: gathered.add })
    return gathered.take() ?? { items: [], isPartial: false }
  } finally {
    cancel()
  }
}

/** Rejects, before anything is sent, when the folder cannot be watched. `ready` is the first event. */
export async function streamChanges(watch: Watch, { end, log }: { end: AbortSignal; log: Log }): Promise<Frames> {
  const gone = new AbortController()
  const ready = Promise.withResolvers<void>()
  let wake = () => {}
  let isOver = false
  const gathered = gather(() => wake())
  void watch({ signal: AbortSignal.any([gone.signal, end]), onReady: ready.resolve, onChanges: gathered.add })
    .catch((error: unknown) => {
      ready.reject(error)
      log.debug('a watch ended', { error }) // After it began, the client sees the end of the stream and comes back.
    })
    .finally(() => {
      isOver = true
      ready.resolve() // The server stopped meanwhile.
      wake()
    })
  await ready.promise

  async function* frames(): Frames {
    try {
      yield [{ event: 'ready', data: {} }]
      while (!isOver) {
        const changes = gathered.take()
        if (changes) yield [{ event: 'changes', data: changes }]
        else if (!(await waited())) yield []
      }
    } finally {
      gone.abort()
    }
  }
  const waited = () =>
    new Promise<boolean>((resolve) => {
      const cancel = after(heartbeatMs, () => resolve(false))
      wake = () => {
        cancel()
        resolve(true)
      }
    })
  return frames()
}

/** Each path once, with what became of it last. */
function gather(onSome: () => void) {
  let items = new Map<string, 'changed' | 'removed'>()
  let isPartial = false
  return {
    add(changes: FileChanges) {
      for (const { path, change } of changes.items) {
        if (items.size < waitingMax || items.has(path)) items.set(path, change)
        else isPartial = true
      }
      isPartial ||= changes.isPartial
      onSome()
    },
    take(): FileChanges | undefined {
      if (items.size === 0 && !isPartial) return undefined
      const taken = { items: [...items].map(([path, change]) => ({ path, change })), isPartial }
      items = new Map()
      isPartial = false
      return taken
    },
  }
}
