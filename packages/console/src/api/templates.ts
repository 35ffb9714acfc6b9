import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { client } from './client.ts'

/** Looked at often while one is being prepared. */
const everyMs = (isPreparing: boolean | undefined) => (isPreparing ? 1_500 : 10_000)

export const templatesQuery = (cursor?: string) =>
  queryOptions({
    queryKey: ['templates', 'list', cursor],
    queryFn: ({ signal }) => client.templates.list({ limit: 25, ...(cursor && { cursor }) }, { signal }),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state: { data } }) => everyMs(data?.items.some(({ state }) => state === 'preparing')),
  })

/** One version, with the log of its preparation. */
export const templateQuery = (templateId: string) =>
  queryOptions({
    queryKey: ['templates', 'one', templateId],
    queryFn: ({ signal }) => client.templates.get({ templateId }, { signal }),
    refetchInterval: ({ state: { data } }) => everyMs(data?.state === 'preparing'),
  })
