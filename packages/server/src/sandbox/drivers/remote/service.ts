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
/** A machine that runs. Every method rejects with a `RemoteError`, and `ended` with whatever broke off. */
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
  /** What was asked for has surely not begun: it was refused, or nobody was there to hear it. */
  readonly isRefusal: boolean
  /** The refusal of a machine that is gone or rests: another may be asked. */
  readonly isGone: boolean
  constructor(
    message: string,
    { status, cause, isRefusal = false, isGone = false }: { status?: number; cause?: unknown; isRefusal?: boolean; isGone?: boolean } = {},
  ) {
    super(message, { cause })
    this.status = status
    this.isRefusal = isRefusal
    this.isGone = isGone
  }
}

const answerBytesMax = 64 * 1024 * 1024
const goneStatuses: readonly number[] = [404, 410, 422]
/** Of connections that were never made. */
const unheard: readonly unknown[] = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT']

export type ServiceRequest = {
  method?: string
  headers?: Record<string, string>
  body?: string | Uint8Array<ArrayBuffer>
  timeoutMs?: number
  /** Whether a status from 500 on, with what was said, is the service's word for a machine that is gone. Absent: it never is. */
  isGone?(status: number, said: string): boolean
}

/** The answer to a request to `service`, in time; a `RemoteError` for every status from 400 on, with what it said. */
export async function askService(service: string, url: string, { timeoutMs = 60_000, isGone, ...init }: ServiceRequest): Promise<Response> {
  const signal = AbortSignal.timeout(timeoutMs)
  let response: Response
  try {
    response = await fetch(url, { redirect: 'error', ...init, signal })
  } catch (error) {
    const { cause } = error as Error & { cause?: Error & { code?: unknown } } // Node's fetch throws errors.
    throw new RemoteError(`${service} does not answer: ${String(cause ?? error)}`, { cause: error, isRefusal: unheard.includes(cause?.code) })
  }
  const { status } = response
  if (status < 400) return response
  const said = (await response.text().catch(() => '')).slice(0, 500)
  const isGoneNow = goneStatuses.includes(status) || (status >= 500 && (isGone?.(status, said) ?? false))
  throw new RemoteError(`${service} answered ${status}: ${said}`, { status, isRefusal: status < 500 || isGoneNow, isGone: isGoneNow })
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
