import { hookOutcomes } from '@longhaul/protocol/plain'
import type { Hook } from '@longhaul/protocol'
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { client } from './client.ts'

export const hooksQuery = (cursor?: string) =>
  queryOptions({
    queryKey: ['hooks', 'list', cursor],
    queryFn: ({ signal }) => client.hooks.list({ limit: 50, ...(cursor ? { cursor } : {}) }, { signal }),
    placeholderData: keepPreviousData,
    refetchInterval: 10_000,
  })
/** All hooks, up to a thousand: the server lists them by name, and an agent's are picked out of them here. */
export const allHooksQuery = () =>
  queryOptions({
    queryKey: ['hooks', 'all'],
    queryFn: async ({ signal }) => {
      const items: Hook[] = []
      let cursor: string | undefined
      do {
        const page = await client.hooks.list({ limit: 200, ...(cursor ? { cursor } : {}) }, { signal })
        items.push(...page.items)
        cursor = page.next ?? undefined
      } while (cursor !== undefined && items.length < 1_000)
      return { items, isCut: cursor !== undefined }
    },
    refetchInterval: 10_000,
  })
export const hookQuery = (name: string) =>
  queryOptions({ queryKey: ['hooks', 'one', name], queryFn: ({ signal }) => client.hooks.get({ name }, { signal }), refetchInterval: 10_000 })

export const hookDeliveriesQuery = (name: string, outcome: string | undefined, cursor?: string) => {
  const known = hookOutcomes.find((one) => one === outcome)
  return queryOptions({
    queryKey: ['hooks', 'deliveries', name, known, cursor],
    queryFn: ({ signal }) => client.hooks.deliveries({ name, limit: 25, ...(known ? { outcome: known } : {}), ...(cursor ? { cursor } : {}) }, { signal }),
    placeholderData: keepPreviousData,
    refetchInterval: 5_000,
  })
}

/** Where senders post to, as this browser reaches the server. */
export const hookAddress = ({ path }: Hook): string => new URL(path, location.origin).href
