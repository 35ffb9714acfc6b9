import { ApiError, createClient } from '@longhaul/sdk/client'
import { observedFetch } from './connection.ts'
import { readKey } from './key.ts'
import { readMe, setMe, withCsrfToken } from './login.ts'
import { withStepUp } from './step-up.ts'

/** The console has no door of its own: everything goes through the public API, with the visitor's key, or the cookie of whoever signed in as a person. */
export const client = createClient({ url: '', key: () => readKey() ?? undefined, timeoutMs: 30_000, fetch: withStepUp(withCsrfToken(observedFetch)) })

/** For what is no operation: the addresses of MCP. */
export const sendAsVisitor: typeof fetch = (input, init) => {
  const key = readKey()
  return withCsrfToken(observedFetch)(input, {
    ...init,
    headers: { ...Object.fromEntries(new Headers(init?.headers)), ...(key && { authorization: `Bearer ${key}` }) },
  })
}

/** Asks without waiting for a second factor: what gives one may not be asked for one. */
export const plainClient = createClient({ url: '', timeoutMs: 30_000, fetch: withCsrfToken(observedFetch) })

/** A client for a key that is being tried at sign-in. */
export const clientWithKey = (key: string) => createClient({ url: '', key, timeoutMs: 15_000, fetch: observedFetch })

/** Who is signed in by the browser's cookie. Asked once for each page that is loaded, and after signing in. */
export async function loadMe(): Promise<boolean> {
  if (readMe()) return true
  try {
    setMe(await plainClient.me.get())
    return true
  } catch (error) {
    if (error instanceof ApiError && (error.code === 'unauthenticated' || error.code === 'forbidden')) return false
    throw error
  }
}
