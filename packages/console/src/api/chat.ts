import { isTerminal } from '@longhaul/protocol/plain'
import type { Run } from '@longhaul/protocol'
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { client } from './client.ts'

/** How many turns of a conversation are shown. */
export const turnsMax = 100

/** The runs of a conversation, oldest first. */
export const sessionQuery = (agent: string, session: string) =>
  queryOptions({
    queryKey: ['runs', 'session', agent, session],
    queryFn: async ({ signal }) => {
      const { items, next } = await client.runs.list({ agent, session, limit: turnsMax }, { signal })
      return { items: items.toReversed(), isCut: next !== null }
    },
    refetchInterval: ({ state: { data } }) => (data?.items.some((run) => !isTerminal(run.state)) ? 1_500 : 10_000),
  })

export type Prompt = { connection: string; name: string; arguments: Record<string, string> }

/** What a tool server offers people to begin with, as it says now. */
export const promptsQuery = (agent: string, connection: string) =>
  queryOptions({ queryKey: ['prompts', agent, connection], queryFn: ({ signal }) => client.prompts.list({ agent, connection }, { signal }), retry: false })

export type Conversation = { agent: string; session: string; last: Run }

/** Conversations with an agent, by its newest runs. */
export const conversationsQuery = (agent: string) =>
  queryOptions({
    queryKey: ['runs', 'conversations', agent],
    queryFn: async ({ signal }) => {
      const { items } = await client.runs.list({ agent, limit: 100 }, { signal })
      const found = new Map<string, Conversation>()
      for (const run of items)
        if (run.session !== null && !found.has(run.session)) found.set(run.session, { agent: run.agent, session: run.session, last: run })
      return [...found.values()]
    },
    placeholderData: keepPreviousData,
    refetchInterval: 10_000,
  })
