import type { Schedule } from '@longhaul/protocol'
import { queryOptions } from '@tanstack/react-query'
import { client } from './client.ts'

export const agentQuery = (name: string) =>
  queryOptions({
    queryKey: ['agents', 'one', name],
    queryFn: ({ signal }) => client.agents.get({ name }, { signal }),
    refetchInterval: 10_000,
  })

export const versionsQuery = (agent: string) =>
  queryOptions({
    queryKey: ['agents', 'versions', agent],
    queryFn: ({ signal }) => client.versions.list({ agent, limit: 100 }, { signal }),
    refetchInterval: ({ state }) => (state.data?.items.some(({ status }) => status === 'starting') ? 1_500 : 10_000),
  })

export const deploymentsQuery = (agent: string, limit = 20) =>
  queryOptions({
    queryKey: ['agents', 'deployments', agent, limit],
    queryFn: ({ signal }) => client.deployments.list({ agent, limit }, { signal }),
    refetchInterval: 10_000,
  })

/** All schedules, up to a thousand: the server lists them by name, and an agent's are picked out of them here. */
export const schedulesQuery = () =>
  queryOptions({
    queryKey: ['schedules', 'list'],
    queryFn: async ({ signal }) => {
      const items: Schedule[] = []
      let cursor: string | undefined
      do {
        const page = await client.schedules.list({ limit: 200, ...(cursor ? { cursor } : {}) }, { signal })
        items.push(...page.items)
        cursor = page.next ?? undefined
      } while (cursor !== undefined && items.length < 1_000)
      return { items, isCut: cursor !== undefined }
    },
    refetchInterval: 10_000,
  })
