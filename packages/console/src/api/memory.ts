import type { Memory } from '@longhaul/protocol'
import { queryOptions } from '@tanstack/react-query'
import { client } from './client.ts'

const countMax = 1_000

/** What agents remember of the visitor, the newest thousand: the server lists them by time, and they are searched here. */
export const memoriesQuery = (agent: string | undefined) =>
  queryOptions({
    queryKey: ['memories', agent],
    queryFn: async ({ signal }) => {
      const items: Memory[] = []
      let cursor: string | undefined
      do {
        const page = await client.memory.list({ limit: 200, ...(agent ? { agent } : {}), ...(cursor ? { cursor } : {}) }, { signal })
        items.push(...page.items)
        cursor = page.next ?? undefined
      } while (cursor !== undefined && items.length < countMax)
      return { items, isCut: cursor !== undefined }
    },
    refetchInterval: 15_000,
  })
