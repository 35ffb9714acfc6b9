/** `fetch` as providers get it: bounded, and without the ways in which a server could make it do more than it was asked for. */

/** Larger than any answer: 128,000 tokens streamed one event each are about 40 MB. */
export const answerBytesMax = 64 * 1024 * 1024

export const connectMsMax = 10_000

export class AnswerTooLarge extends Error {
  override readonly name = 'AnswerTooLarge'
}

export class NotAModelServer extends Error {
  override readonly name = 'NotAModelServer'
}

/**
 * Counts what was unpacked, so a small compressed body cannot become a large one in memory. Redirects are not followed: keys
 * in headers of a provider's own would follow to wherever the redirect points.
 */
export function boundedFetch(bytesMax = answerBytesMax): typeof fetch {
  return async (input, init) => {
    const response = await (await patientFetch())(input, { ...init, redirect: 'manual' })
    if (response.ok && response.headers.get('content-type')?.startsWith('text/html')) {
      await response.body?.cancel()
      throw new NotAModelServer('The answer is a web page.')
    }
    if (!response.body) return response
    let bytes = 0
    const limit = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.byteLength
        if (bytes > bytesMax) controller.error(new AnswerTooLarge(`The answer is larger than ${bytesMax} bytes.`))
        else controller.enqueue(chunk)
      },
    })
    return new Response(response.body.pipeThrough(limit), { status: response.status, statusText: response.statusText, headers: response.headers })
  }
}

let loaded: Promise<typeof fetch> | undefined

/** Node's own `fetch` gives up after five minutes of silence, whatever `timeoutMs` says; a large local model may need longer for its first word. */
function patientFetch(): Promise<typeof fetch> {
  loaded ??= import('undici').then(({ Agent, fetch }) => {
    const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0, connect: { timeout: connectMsMax }, allowH2: false })
    return ((input: string, init: object) => fetch(input, { ...init, dispatcher })) as unknown as typeof globalThis.fetch // The same library, under two names of its types.
  })
  return loaded
}
