/** Who is calling, whichever way they came, and whether they still may. */
import { type Caller, isCsrfToken } from '../identity/index.ts'
import { AppError, after } from '../kernel/index.ts'
import { type Asks, assertOwnPage, readCookie } from './exchange.ts'
import type { Frames } from './server-sent-events.ts'

export type Identify = {
  /** Whose key or token this is; undefined when it is nobody's. `isUse` is false when it is only asked whether it still is. */
  authenticate(secret: string, isUse?: boolean): Promise<Caller | undefined>
  /** Whose cookie. */
  authenticateCookie(secret: string, isUse?: boolean): Promise<Caller | undefined>
  /** The address that people use if it is another than what is listened on. */
  publicUrl?: string | undefined
}
export type Admission = { caller: Caller; /** Undefined when it is over. */ again(): Promise<Caller | undefined> }

/** By the key or token if there is one, else by the cookie, with which only pages of ours may change anything. */
export async function identify(options: Identify, asks: Asks, { isChange }: { isChange: boolean }): Promise<Admission> {
  const authorization = asks.header('authorization')
  const cookie = authorization === undefined ? readCookie(asks, 'login') : undefined
  if (cookie !== undefined) {
    const caller = await options.authenticateCookie(cookie)
    if (!caller) throw new AppError('unauthenticated', 'You were signed out. Sign in again.')
    if (isChange) {
      assertOwnPage(asks, options.publicUrl)
      if (!isCsrfToken(cookie, asks.header('x-csrf-token')))
        throw new AppError('forbidden', 'The header x-csrf-token is missing or wrong. Load the page again.')
    }
    return { caller, again: () => options.authenticateCookie(cookie, false) }
  }
  const [, secret] = /^Bearer +(\S+) *$/i.exec(authorization ?? '') ?? []
  if (secret === undefined) throw new AppError('unauthenticated', 'A key or a login is needed: Authorization: Bearer lh_…')
  return identifyKey(options, secret)
}

export async function identifyKey({ authenticate }: Identify, secret: string): Promise<Admission> {
  const caller = await authenticate(secret)
  if (!caller) throw new AppError('unauthenticated', 'This key or login is unknown, has expired or was revoked.')
  return { caller, again: () => authenticate(secret, false) }
}

const lookEveryMs = 2_000

/** Aborts when the key or login has ended, its tenant was suspended, or it may do something else than at first. A database that does not answer decides nothing. */
export function watchAdmission({ caller, again }: Admission, everyMs = lookEveryMs): { signal: AbortSignal; stop(): void } {
  const ended = new AbortController()
  const rights = rightsOf(caller)
  let isStopped = false
  let cancel = () => {}
  const look = async () => {
    const found = await again().catch((error: unknown) => (error instanceof AppError && error.code === 'forbidden' ? undefined : caller))
    if (isStopped) return
    if (found === undefined || rightsOf(found) !== rights) ended.abort()
    else cancel = after(everyMs, () => void look(), false)
  }
  cancel = after(everyMs, () => void look(), false)
  return {
    signal: ended.signal,
    stop() {
      isStopped = true
      cancel()
    },
  }
}

const rightsOf = ({ permissions, access, namespaces, agents, askerId }: Caller): string => JSON.stringify([permissions, access, namespaces, agents, askerId])

/** A stream, for as long as whoever follows it may. */
export async function whileAdmitted(admission: Admission, end: AbortSignal, open: (end: AbortSignal) => Promise<Frames>): Promise<Frames> {
  const watch = watchAdmission(admission)
  end.addEventListener('abort', watch.stop)
  const frames = await open(AbortSignal.any([end, watch.signal])).catch((error: unknown) => {
    watch.stop()
    throw error
  })
  return (async function* () {
    try {
      yield* frames
    } finally {
      watch.stop()
    }
  })()
}
