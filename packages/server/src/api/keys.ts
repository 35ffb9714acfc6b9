import { createKey, deleteKey, listKeys } from '@longhaul/protocol'
import type { Keys } from '../identity/index.ts'
import { type Implementation, implement } from './implement.ts'

export const keyImplementations = (keys: Keys): Implementation[] => [
  implement(createKey, (caller, input) => keys.create(caller, input)),
  implement(listKeys, async ({ tenantId }) => ({ items: await keys.list(tenantId) })),
  implement(deleteKey, ({ tenantId }, { keyId }) => keys.delete(tenantId, keyId)),
]
