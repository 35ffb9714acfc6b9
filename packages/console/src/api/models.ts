import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { client } from './client.ts'

export const modelsQuery = (search: string | undefined, limit = 50) =>
  queryOptions({
    queryKey: ['models', search, limit],
    queryFn: ({ signal }) => client.models.list({ limit, ...(search ? { search } : {}) }, { signal }),
    placeholderData: keepPreviousData,
    staleTime: 60_000,
  })
