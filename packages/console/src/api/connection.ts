import { apiPaths } from '../paths.ts'

/** Whether the server answers. One fact for the whole page: every request reports how it went, a probe finds out when it is back. */
type Connection = { isLost: boolean; clockSkewMs: number }

let connection: Connection = { isLost: false, clockSkewMs: 0 }
const listeners = new Set<() => void>()
let probing = false

export const readConnection = (): Connection => connection
export function onConnectionChange(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Now by the server's clock, to within a second: what runs tell are its instants, and this machine's clock may be off. */
export const serverNow = (): number => Date.now() + connection.clockSkewMs

/** `fetch` that keeps the connection's state. */
export const observedFetch: typeof fetch = async (input, init) => {
  try {
    const response = await fetch(input, init)
    const isAnswered = response.status < 502 || response.status > 504 || response.headers.get('content-type')?.startsWith('application/json') === true
    if (isAnswered) noteAnswer(response)
    else noteLoss()
    return response
  } catch (error) {
    if (!init?.signal?.aborted) noteLoss()
    throw error
  }
}

export function noteLoss(): void {
  if (!connection.isLost) publish({ ...connection, isLost: true })
  if (probing) return
  probing = true
  setTimeout(() => void probe(), 1_000)
}

async function probe(): Promise<void> {
  probing = false
  try {
    const response = await fetch(apiPaths.health(), { signal: AbortSignal.timeout(5_000), cache: 'no-store' })
    if (response.ok) return noteAnswer(response)
  } catch {
    // Still away: ask again.
  }
  noteLoss()
}

function noteAnswer(response: Response): void {
  const skew = Date.parse(response.headers.get('date') ?? '') - Date.now()
  // The header counts whole seconds, so a small difference is no difference.
  const clockSkewMs = Number.isFinite(skew) && Math.abs(skew) > 2_000 ? skew : 0
  if (connection.isLost || Math.abs(clockSkewMs - connection.clockSkewMs) > 1_500) publish({ isLost: false, clockSkewMs })
}

function publish(next: Connection): void {
  connection = next
  for (const listener of listeners) listener()
}
