import { createKey, deleteKey, listKeys, rotateKey } from '@longhaul/protocol'
import type { Keys } from '../identity/index.ts'
import { type Implementation, audited, implement } from './implement.ts'

export const keyImplementations = (keys: Keys): Implementation[] => [
  audited(implement(createKey, (caller, input) => keys.create(caller, input))),
  implement(listKeys, async (caller) => ({ items: await keys.list(caller) })),
  audited(implement(rotateKey, (caller, { keyId, overlapMs }) => keys.rotate(caller, keyId, overlapMs))),
  audited(implement(deleteKey, (caller, { keyId }) => keys.delete(caller, keyId))),
]
