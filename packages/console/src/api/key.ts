/** The API key, kept in this browser only. It arrives in the address's fragment (`#key=…`), which browsers never send anywhere, or by hand. */
const storageKey = 'longhaul.key'
const listeners = new Set<() => void>()
let current: string | null | undefined

export function readKey(): string | null {
  if (current === undefined) current = stored()
  return current
}

export function storeKey(key: string | null): void {
  current = key
  try {
    if (key === null) localStorage.removeItem(storageKey)
    else localStorage.setItem(storageKey, key)
  } catch {
    // Storage may be forbidden: then the key lives as long as the page.
  }
  for (const listener of listeners) listener()
}

export function onKeyChange(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Takes the key out of the fragment, so that it is neither seen over a shoulder nor copied with the address. */
export function takeKeyFromAddress(location: Location, history: History): void {
  const fields = new URLSearchParams(location.hash.slice(1))
  const key = fields.get('key')
  if (!key) return
  fields.delete('key')
  const rest = fields.toString()
  history.replaceState(history.state, '', `${location.pathname}${location.search}${rest ? `#${rest}` : ''}`)
  storeKey(key)
}

/** Signing in or out in one tab holds for all of them. */
window.addEventListener('storage', (event) => {
  if (event.key !== storageKey && event.key !== null) return
  current = undefined
  for (const listener of listeners) listener()
})

function stored(): string | null {
  try {
    return localStorage.getItem(storageKey)
  } catch {
    return null // Storage may be forbidden.
  }
}
