import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { client } from './client.ts'

export const guardActions = ['block', 'mask', 'annotate', 'repair'] as const
export type DecisionFilter = { guardrail?: string | undefined; action?: string | undefined; run?: string | undefined; cursor?: string | undefined }

export const guardrailsQuery = () =>
  queryOptions({ queryKey: ['guardrails', 'list'], queryFn: ({ signal }) => client.guardrails.list({}, { signal }), refetchInterval: 10_000 })

export const guardDecisionsQuery = ({ guardrail, action, run, cursor }: DecisionFilter) => {
  const known = guardActions.find((one) => one === action)
  return queryOptions({
    queryKey: ['guardrails', 'decisions', { guardrail, action: known, run, cursor }],
    queryFn: ({ signal }) =>
      client.guardrails.decisions(
        { limit: 25, ...(guardrail ? { guardrail } : {}), ...(known ? { action: known } : {}), ...(run ? { run } : {}), ...(cursor ? { cursor } : {}) },
        { signal },
      ),
    placeholderData: keepPreviousData,
    refetchInterval: 5_000,
  })
}
