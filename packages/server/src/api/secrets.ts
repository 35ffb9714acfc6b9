import { deleteSecret, getSecret, listSecrets, setSecret } from '@longhaul/protocol'
import type { Secrets } from '../identity/index.ts'
import { type Implementation, audited, implement } from './implement.ts'

export const secretImplementations = (secrets: Secrets): Implementation[] => [
  audited(implement(setSecret, (caller, input) => secrets.set(caller, input))),
  implement(listSecrets, async ({ tenantId }) => ({ items: await secrets.list(tenantId) })),
  implement(getSecret, async ({ tenantId }, { name }) => ({ items: await secrets.versions(tenantId, name) })),
  audited(implement(deleteSecret, (caller, { name }) => secrets.delete(caller, name))),
]
