/** What a sandbox does beyond single requests: output as it comes, and whole folders in and out. */
import type { FileChanges, OutputPiece, SandboxProcess, startProcess } from '@longhaul/protocol'
import { ApiError, isPassing } from './api-error.ts'
import { type Backoff, defaultBackoff, delayMsAfter, pause } from './backoff.ts'
import { type Client, whyLost } from './client.ts'
import type { InputOf } from './contract.ts'
import { eventStreamParser } from './server-sent-events.ts'

export type FollowOptions = {
  /** Number of the last piece that the caller has. Default -1: all that is kept. */
  after?: number
  signal?: AbortSignal
  /** How long to go on without any connection. Default one minute. */
  giveUpAfterMs?: number
  backoff?: Backoff
}

/**
 * What a command writes, each piece once and in order, to its end; returns how it ended. Reconnects by itself. `dropped` stands where pieces
 * were no longer kept. Throws an `ApiError` for what repeating does not mend and when it gives up, and the signal's reason when aborted.
 */
export async function* followProcess(
  client: Client,
  process: Pick<SandboxProcess, 'id' | 'sandboxId'>,
  options: FollowOptions = {},
): AsyncGenerator<OutputPiece | { dropped: number }, SandboxProcess, void> {
  const { signal, giveUpAfterMs = 60_000, backoff = defaultBackoff } = options
  let last = options.after ?? -1
  let failures = 0
  let lostAt = performance.now()
  for (;;) {
    let problem: ApiError
    try {
      for await (const frame of connect(client, process, last, signal)) {
        failures = 0
        lostAt = performance.now()
        if ('end' in frame) return frame.end
        if ('seq' in frame) {
          if (frame.seq <= last) continue // The server may well repeat itself; the caller never sees it.
          last = frame.seq
        }
        yield frame
      }
      problem = new ApiError('unavailable', 'the server ended the stream')
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof ApiError) || !isPassing(error)) throw error
      problem = error
    }
    const retryInMs = delayMsAfter(++failures, backoff, problem)
    if (performance.now() - lostAt + retryInMs > giveUpAfterMs) throw problem
    await pause(retryInMs, signal)
  }
}

type Frame = OutputPiece | { dropped: number } | { end: SandboxProcess }

async function* connect(
  client: Client,
  { id, sandboxId }: Pick<SandboxProcess, 'id' | 'sandboxId'>,
  last: number,
  signal?: AbortSignal,
): AsyncGenerator<Frame, void, void> {
  const headers = { accept: 'text/event-stream', ...(last >= 0 ? { 'last-event-id': String(last) } : {}) }
  const path = `/v1/sandboxes/${encodeURIComponent(sandboxId)}/processes/${encodeURIComponent(id)}/output`
  // The server checked each against the schema before it sent it.
  for await (const { event, data } of eventsOf(client, path, headers, signal)) {
    if (event === 'output') yield JSON.parse(data) as OutputPiece
    else if (event === 'dropped') yield { dropped: (JSON.parse(data) as { count: number }).count }
    else if (event === 'end') yield { end: JSON.parse(data) as SandboxProcess }
  }
}

async function* eventsOf(
  client: Client,
  path: string,
  headers: Record<string, string>,
  signal?: AbortSignal,
): AsyncGenerator<{ event: string; data: string }, void> {
  const response = await client.request(path, { headers, signal })
  if (!response.body) throw new ApiError('internal', `${client.url} did not answer with an event stream. Is it a Longhaul server?`)
  const parser = eventStreamParser()
  const reader = response.body.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw new ApiError('unavailable', whyLost(cause), { cause })
      })
      if (done) return
      yield* parser.push(value)
    }
  } finally {
    await reader.cancel().catch(() => {}) // It may have ended by itself.
  }
}

export type WatchFilesOptions = Omit<FollowOptions, 'after'> & {
  /** From now on every change is told. */
  onReady?(): void
}

/**
 * What changes in a folder and below it, without an end of its own. Reconnects by itself; what happened meanwhile is told as `isPartial`. Throws an `ApiError` for what
 * repeating does not mend and when it gives up, and the signal's reason when aborted.
 */
export async function* watchFiles(
  client: Client,
  { sandboxId, path = '.' }: { sandboxId: string; path?: string },
  { signal, giveUpAfterMs = 60_000, backoff = defaultBackoff, onReady }: WatchFilesOptions = {},
): AsyncGenerator<FileChanges, never, void> {
  const address = `/v1/sandboxes/${encodeURIComponent(sandboxId)}/files/changes?path=${encodeURIComponent(path)}`
  let failures = 0
  let lostAt = performance.now()
  let wasReady = false
  for (;;) {
    let problem: ApiError
    try {
      for await (const { event, data } of eventsOf(client, address, { accept: 'text/event-stream' }, signal)) {
        failures = 0
        lostAt = performance.now()
        if (event === 'changes') yield JSON.parse(data) as FileChanges // The server checked it.
        if (event !== 'ready') continue
        if (wasReady) yield { items: [], isPartial: true }
        else onReady?.()
        wasReady = true
      }
      problem = new ApiError('unavailable', 'the server ended the stream')
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof ApiError) || !isPassing(error)) throw error
      problem = error
    }
    signal?.throwIfAborted()
    const retryInMs = delayMsAfter(++failures, backoff, problem)
    if (performance.now() - lostAt + retryInMs > giveUpAfterMs) throw problem
    await pause(retryInMs, signal)
  }
}

export type RunOptions = FollowOptions & {
  onOutput?(piece: OutputPiece): void
  /** What the command reads, as it comes: each piece is passed on when the command has room for it. */
  input?: AsyncIterable<Uint8Array | string>
}

const inputPieceBytes = 500_000

/** Starts a command, passes on what it writes, and returns how it ended. When the signal aborts, the command is killed. */
export async function runCommand(
  client: Client,
  command: InputOf<typeof startProcess>,
  { onOutput, input, ...options }: RunOptions = {},
): Promise<SandboxProcess> {
  const process = await client.sandboxes.start({ ...command, ...(input && { isInputOpen: true }) }, options.signal ? { signal: options.signal } : {})
  const ref = { sandboxId: process.sandboxId, processId: process.id }
  const fed = new AbortController()
  let broken: unknown
  try {
    if (input) {
      void passOn(client, ref, input, fed.signal).catch(async (error: unknown) => {
        if (fed.signal.aborted) return
        broken = error
        await client.sandboxes.kill(ref).catch(() => {}) // Its input will never end; what broke is told to the caller.
      })
    }
    const pieces = followProcess(client, process, options)
    for (;;) {
      const { done, value } = await pieces.next()
      if (done && broken !== undefined) throw broken
      if (done) return value
      if ('seq' in value) onOutput?.(value)
    }
  } catch (error) {
    if (options.signal?.aborted) await client.sandboxes.kill(ref)
    throw error
  } finally {
    fed.abort()
  }
}

/** Until the input ends, or the command takes no more. */
async function passOn(
  client: Client,
  ref: { sandboxId: string; processId: string },
  input: AsyncIterable<Uint8Array | string>,
  signal: AbortSignal,
): Promise<void> {
  const give = async (bytes: Uint8Array, isEnd: boolean) => {
    for (;;) {
      try {
        return await client.sandboxes.input({ ...ref, base64: toBase64(bytes), isEnd }, { signal })
      } catch (error) {
        if (!(error instanceof ApiError && error.code === 'over_limit')) throw error // It only has not read yet.
      }
    }
  }
  try {
    for await (const piece of input) {
      const bytes = typeof piece === 'string' ? new TextEncoder().encode(piece) : piece
      for (let at = 0; at < bytes.length; at += inputPieceBytes) await give(bytes.subarray(at, at + inputPieceBytes), false)
    }
    await give(new Uint8Array(), true)
  } catch (error) {
    if (!(error instanceof ApiError && error.code === 'conflict')) throw error
  }
}

function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (let at = 0; at < bytes.length; at += 8_192) binary += String.fromCharCode(...bytes.subarray(at, at + 8_192))
  return btoa(binary)
}

const treePath = (sandboxId: string, path: string) => `/v1/sandboxes/${encodeURIComponent(sandboxId)}/tree?path=${encodeURIComponent(path)}`

/** A folder of the workspace as a tar archive. The stream fails when the archive is not whole. */
export async function downloadTree(client: Client, sandboxId: string, path = '.', signal?: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  const { body } = await client.request(treePath(sandboxId, path), { signal })
  if (!body) throw new ApiError('internal', `${client.url} answered without an archive.`)
  return body
}

/** Lays a tar archive out in a folder of the workspace, which is made when it is not there. */
export async function uploadTree(
  client: Client,
  sandboxId: string,
  path: string,
  archive: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
  signal?: AbortSignal,
): Promise<void> {
  const response = await client.request(treePath(sandboxId, path), { method: 'PUT', body: archive, headers: { 'content-type': 'application/x-tar' }, signal })
  await response.body?.cancel()
}
