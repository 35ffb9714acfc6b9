/** What streams tell, and an answer of server-sent events that tells it. */

/** Something that happened. Whoever has a `cursor` goes on after it, at any time and on any server. */
export type Frame = { event: string; data: unknown; cursor?: string }
/** In the order of happening. An empty batch says that nothing happened for a while. Returns when there is nothing more to come. */
export type Frames = AsyncGenerator<Frame[], void>
/** `after`: the cursor of the last frame that the client has. `end` aborts when it has gone, may not listen any more, or the server stops. */
export type Following = { after: string | undefined; end: AbortSignal }

/** How soon a client that was cut off comes back, in milliseconds. */
export const retryMs = 500
export const heartbeatMs = 15_000

const chunkCharacters = 64 * 1024

/** The next batch is made when the client has taken the last one. Rejects, before anything is sent, where `open` does. */
export async function answerWithFrames(open: (end: AbortSignal) => Promise<Frames>, stopping: AbortSignal): Promise<Response> {
  const gone = new AbortController()
  const frames = await open(AbortSignal.any([gone.signal, stopping]))
  const encoder = new TextEncoder()
  let batch: Frame[] = []
  let text = `retry: ${retryMs}\n\n` // Sends the headers on their way, too.
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (text === '' && batch.length === 0) {
          const { value, done } = await frames.next()
          if (done) return controller.close()
          batch = value.toReversed()
          if (value.length === 0) text = ': here\n\n'
        }
        for (let frame = batch.pop(); frame; frame = text.length < chunkCharacters ? batch.pop() : undefined) text += write(frame)
        controller.enqueue(encoder.encode(text))
        text = ''
      },
      async cancel() {
        gone.abort() // Wakes it when it waits,
        await frames.return() // and ends it when it does not.
      },
    },
    { highWaterMark: 1 },
  )
  return new Response(body, { headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' } })
}

const write = ({ event, data, cursor }: Frame): string => `${cursor === undefined ? '' : `id: ${cursor}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
