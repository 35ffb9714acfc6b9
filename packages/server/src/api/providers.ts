import { deleteProvider, listProviders, setProvider } from '@longhaul/protocol'
import type { TenantProviders } from '../gateway/index.ts'
import { type Implementation, audited, implement } from './implement.ts'

export type ProviderService = Pick<TenantProviders, 'list' | 'set' | 'delete'>

export const providerImplementations = (providers: ProviderService): Implementation[] => [
  implement(listProviders, async ({ tenantId }) => ({ items: await providers.list(tenantId) })),
  audited(implement(setProvider, (caller, input) => providers.set(caller, input))),
  audited(implement(deleteProvider, (caller, { name }) => providers.delete(caller, name))),
]
