/** An answer of server-sent events. What they say and when is for whoever makes the frames. */

/** How soon a client that was cut off comes back, in milliseconds. */
export const retryMs = 500

/** The next frame is made when the client has taken the last one. `makeFrames` is told when the client has gone or the server stops. */
export function answerWithFrames(makeFrames: (end: AbortSignal) => AsyncGenerator<string, void>, stopping: AbortSignal): Response {
  const gone = new AbortController()
  const frames = makeFrames(AbortSignal.any([gone.signal, stopping]))
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { value, done } = await frames.next()
        if (done) controller.close()
        else controller.enqueue(encoder.encode(value))
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
