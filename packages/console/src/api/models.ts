import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { client } from './client.ts'

export const modelsQuery = (search: string | undefined) =>
  queryOptions({
    queryKey: ['models', search],
    queryFn: ({ signal }) => client.models.list({ limit: 100, ...(search ? { search } : {}) }, { signal }),
    placeholderData: keepPreviousData,
    staleTime: 60_000,
  })

export const routesQuery = () => queryOptions({ queryKey: ['routes'], queryFn: ({ signal }) => client.routes.list({}, { signal }), refetchInterval: 10_000 })
