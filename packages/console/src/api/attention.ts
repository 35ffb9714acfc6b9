import { attentionReasons } from '@longhaul/protocol/plain'
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { client } from './client.ts'

export type AttentionFilter = { agent?: string | undefined; reason?: string | undefined; cursor?: string | undefined }

export const attentionQuery = ({ agent, reason, cursor }: AttentionFilter, limit = 50) => {
  const known = attentionReasons.find((one) => one === reason)
  return queryOptions({
    queryKey: ['attention', { agent, reason: known, cursor, limit }],
    queryFn: ({ signal }) =>
      client.attention.list({ limit, ...(agent ? { agent } : {}), ...(known ? { reason: known } : {}), ...(cursor ? { cursor } : {}) }, { signal }),
    placeholderData: keepPreviousData,
    refetchInterval: 10_000,
  })
}
