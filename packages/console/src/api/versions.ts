import { queryOptions } from '@tanstack/react-query'
import { client } from './client.ts'

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
