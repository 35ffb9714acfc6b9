/** Who is signed in by a cookie, which scripts do not see. The token beside it goes along with whatever changes something. */
import type { Me } from '@longhaul/protocol'

let me: Me | null = null
const listeners = new Set<() => void>()

export const readMe = (): Me | null => me

export function setMe(next: Me | null): void {
  const isOther = next?.person.id !== me?.person.id
  me = next
  if (isOther) for (const listener of listeners) listener()
}

/** Another person, or nobody any more. */
export function onPersonChange(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** `fetch` with the token. Requests with a key need none: the key is no cookie. */
export const withCsrfToken =
  (send: typeof fetch): typeof fetch =>
  (input, init) => {
    const token = me?.csrfToken
    if (!token || !init || (init.method ?? 'GET') === 'GET') return send(input, init)
    return send(input, { ...init, headers: { ...Object.fromEntries(new Headers(init.headers)), 'x-csrf-token': token } })
  }
