import { queryOptions } from '@tanstack/react-query'
import type { ConnectionProblem, ToolLimits } from '@longhaul/protocol'
import { client } from './client.ts'
import { queryClient } from './queries.ts'

export const toolsQuery = (agent: string) =>
  queryOptions({ queryKey: ['tools', agent], queryFn: ({ signal }) => client.tools.list({ agent }, { signal }), refetchInterval: 15_000 })

/** What the tenant's agents share: the newest versions of each entry. */
export const marketplaceQuery = () =>
  queryOptions({ queryKey: ['marketplace'], queryFn: ({ signal }) => client.marketplace.list({}, { signal }), refetchInterval: 30_000 })

/** Asks the tool servers; what they have now is what the page shows then. Gives those that did not answer: who waits for an authorization is with the tools. */
export async function refreshTools(agent: string): Promise<ConnectionProblem[]> {
  const { queryKey } = toolsQuery(agent)
  const { items, problems } = await client.tools.refresh({ agent })
  const waiting = queryClient.getQueryData(queryKey)?.problems ?? []
  queryClient.setQueryData(queryKey, { items, problems: waiting })
  return problems.filter(({ connection }) => !waiting.some((one) => one.connection === connection))
}

export async function approveTool(agent: string, tool: string, hash: string): Promise<void> {
  try {
    await client.tools.approve({ agent, tool, hash })
  } finally {
    await queryClient.invalidateQueries({ queryKey: toolsQuery(agent).queryKey }) // Also after a conflict: it was changed again.
  }
}

export async function limitTool(agent: string, pattern: string, limits: ToolLimits): Promise<void> {
  await client.tools.limit({ agent, pattern, limits })
  await queryClient.invalidateQueries({ queryKey: toolsQuery(agent).queryKey })
}
