import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import type { Delivery } from '@longhaul/protocol'
import { client } from './client.ts'

/** What the settings pages ask for. */
export const keysQuery = () => queryOptions({ queryKey: ['keys'], queryFn: ({ signal }) => client.keys.list({}, { signal }), refetchInterval: 30_000 })

export const policiesQuery = () => queryOptions({ queryKey: ['policies', 'list'], queryFn: ({ signal }) => client.policies.list({}, { signal }) })
/** All versions, newest first. */
export const policyQuery = (name: string) =>
  queryOptions({ queryKey: ['policies', 'one', name], queryFn: ({ signal }) => client.policies.get({ name }, { signal }) })

export const secretsQuery = () => queryOptions({ queryKey: ['secrets', 'list'], queryFn: ({ signal }) => client.secrets.list({}, { signal }) })
export const secretQuery = (name: string) =>
  queryOptions({ queryKey: ['secrets', 'one', name], queryFn: ({ signal }) => client.secrets.get({ name }, { signal }) })

/** All of them: a tenant has few. */
export const limitsQuery = () => queryOptions({ queryKey: ['limits'], queryFn: ({ signal }) => client.limits.list({ limit: 200 }, { signal }) })
export const namespacesQuery = () =>
  queryOptions({ queryKey: ['namespaces'], queryFn: ({ signal }) => client.namespaces.list({}, { signal }), refetchInterval: 5_000 })
/** One for each namespace at most, and one for all others. */
export const retentionQuery = () =>
  queryOptions({ queryKey: ['retention'], queryFn: ({ signal }) => client.retention.list({ limit: 200 }, { signal }), refetchInterval: 30_000 })
export const queuesQuery = (cursor?: string) =>
  queryOptions({
    queryKey: ['queues', cursor],
    queryFn: ({ signal }) => client.queues.list({ limit: 50, ...(cursor ? { cursor } : {}) }, { signal }),
    placeholderData: keepPreviousData,
    refetchInterval: 5_000,
  })
export const tenantsQuery = (cursor?: string) =>
  queryOptions({
    queryKey: ['tenants', 'list', cursor],
    queryFn: ({ signal }) => client.tenants.list({ limit: 25, ...(cursor ? { cursor } : {}) }, { signal }),
    placeholderData: keepPreviousData,
  })
export const tenantQuery = (id: string) => queryOptions({ queryKey: ['tenants', 'one', id], queryFn: ({ signal }) => client.tenants.get({ id }, { signal }) })

export const deliveriesQuery = (state: Delivery['state'] | undefined, cursor?: string) =>
  queryOptions({
    queryKey: ['deliveries', { state, cursor }],
    queryFn: ({ signal }) => client.deliveries.list({ limit: 25, ...(state ? { state } : {}), ...(cursor ? { cursor } : {}) }, { signal }),
    placeholderData: keepPreviousData,
    refetchInterval: 5_000,
  })
