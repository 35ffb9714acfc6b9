import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { client } from './client.ts'

export const routesQuery = () => queryOptions({ queryKey: ['routes'], queryFn: ({ signal }) => client.routes.list({}, { signal }), refetchInterval: 10_000 })

/** Providers that are called with keys of the tenant's own: a tenant has few. */
export const providersQuery = () =>
  queryOptions({ queryKey: ['providers'], queryFn: ({ signal }) => client.providers.list({}, { signal }), refetchInterval: 10_000 })

/** Catalogues that were read after the program was made, latest first. */
export const catalogueVersionsQuery = (cursor?: string) =>
  queryOptions({
    queryKey: ['catalogue', cursor],
    queryFn: ({ signal }) => client.models.versions({ limit: 25, ...(cursor ? { cursor } : {}) }, { signal }),
    placeholderData: keepPreviousData,
  })
