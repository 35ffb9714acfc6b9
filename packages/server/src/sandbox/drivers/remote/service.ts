/** What a hosted sandbox service must be able to do to be a driver. */
import type { TarEntry } from './tar.ts'

export type RemoteCommand = {
  cmd: string
  args: readonly string[]
  cwd: string
  env: Record<string, string>
  /** As the machine's administrator, where the service has one. */
  isPrivileged?: boolean
  timeoutMs: number
  onOutput(stream: 'stdout' | 'stderr', bytes: Uint8Array): void
}
/** A machine that runs. Every method rejects with a `RemoteError`. */
export type RemoteBox = {
  /** `kill` ends the command's first process; `exitCode` is null when the service tells none. */
  run(command: RemoteCommand): { kill(): Promise<void>; ended: Promise<{ exitCode: number | null }> }
  /** Laid out in the workspace, folders on the way made. */
  write(entries: readonly TarEntry[]): Promise<void>
  /** At most `bytesMax` from its beginning. */
  read(path: string, bytesMax: number): Promise<Buffer>
  /** Ends its processes; its files stay. */
  rest(): Promise<void>
}
export type RemoteService = {
  name: 'vercel' | 'e2b'
  /** The machine of this name, which runs then: made where there is none. */
  open(name: string): Promise<{ box: RemoteBox; isNew: boolean }>
  /** Ends and forgets it, files and all. Nothing happens where there is none. */
  remove(name: string): Promise<void>
}

export class RemoteError extends Error {
  override readonly name = 'RemoteError'
  readonly status: number | undefined
  constructor(message: string, status?: number, cause?: unknown) {
    super(message, { cause })
    this.status = status
  }
}

const answerBytesMax = 64 * 1024 * 1024

export type ServiceRequest = { method?: string; headers?: Record<string, string>; body?: string | Uint8Array<ArrayBuffer>; timeoutMs?: number }

/** The answer to a request to `service`, in time; a `RemoteError` for every status from 400 on, with what it said. */
export async function askService(service: string, url: string, { timeoutMs = 60_000, ...init }: ServiceRequest): Promise<Response> {
  const signal = AbortSignal.timeout(timeoutMs)
  let response: Response
  try {
    response = await fetch(url, { redirect: 'error', ...init, signal })
  } catch (cause) {
    throw new RemoteError(`${service} does not answer: ${String((cause as Error).cause ?? cause)}`, undefined, cause) // Node's fetch throws errors.
  }
  if (response.status < 400) return response
  const said = (await response.text().catch(() => '')).slice(0, 500)
  throw new RemoteError(`${service} answered ${response.status}: ${said}`, response.status)
}

export async function bytesOf(response: Response, bytesMax = answerBytesMax): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of response.body ?? []) {
    pieces.push(piece)
    bytes += piece.length
    if (bytes >= bytesMax) break // The rest is not fetched.
  }
  return Buffer.concat(pieces).subarray(0, bytesMax)
}
