import { createClient } from '@longhaul/sdk/client'
import { observedFetch } from './connection.ts'
import { readKey } from './key.ts'

/** The console has no door of its own: everything goes through the public API, with the visitor's key. */
export const client = createClient({ url: '', key: () => readKey() ?? undefined, timeoutMs: 30_000, fetch: observedFetch })

/** A client for a key that is being tried at sign-in. */
export const clientWithKey = (key: string) => createClient({ url: '', key, timeoutMs: 15_000, fetch: observedFetch })
