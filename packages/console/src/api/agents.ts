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

export const previewsQuery = (agent: string) =>
  queryOptions({
    queryKey: ['agents', 'previews', agent],
    queryFn: ({ signal }) => client.previews.list({ agent, limit: 200 }, { signal }),
    refetchInterval: 10_000,
  })

export const evaluationsQuery = (agent: string, limit: number) =>
  queryOptions({
    queryKey: ['agents', 'evaluations', agent, limit],
    queryFn: ({ signal }) => client.evaluations.list({ agent, limit }, { signal }),
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

export const firesQuery = (name: string) =>
  queryOptions({
    queryKey: ['schedules', 'fires', name],
    queryFn: ({ signal }) => client.schedules.fires({ name, limit: 20 }, { signal }),
    refetchInterval: 10_000,
  })

/** A version with what it says about itself and how its runs fared. */
export const versionQuery = (agent: string, version: string) =>
  queryOptions({
    queryKey: ['agents', 'version', agent, version],
    queryFn: ({ signal }) => client.versions.get({ agent, version }, { signal }),
    refetchInterval: 10_000,
  })

/** What changed in the code from one version to another. Versions never change, so neither does this. */
export const codeChangesQuery = (agent: string, from: string, to: string) =>
  queryOptions({
    queryKey: ['agents', 'code', agent, from, to],
    queryFn: ({ signal }) => client.versions.compare({ agent, version: to, with: from }, { signal }),
    staleTime: Infinity,
  })
