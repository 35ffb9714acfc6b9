import type { CallOutcome, CallPrivacy } from '@longhaul/protocol'
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import type { CallSearch } from '../paths.ts'
import { client } from './client.ts'
import { instantOf } from './days.ts'

export const callOutcomes = ['answered', 'failed', 'aborted'] as const satisfies readonly CallOutcome[]
export const callPrivacies = ['full', 'masked', 'none'] as const satisfies readonly CallPrivacy[]

/** Calls outside of runs, newest first. Only the first page follows what comes: one that is read goes on where it was. */
export const callsQuery = ({ from, to, namespace, model, key, user, session, outcome, cost, cursor }: CallSearch) =>
  queryOptions({
    queryKey: ['calls', 'list', { from, to, namespace, model, key, user, session, outcome, cost, cursor }],
    queryFn: ({ signal }) => {
      const [fromAt, toAt, known] = [instantOf(from), instantOf(to, 1), callOutcomes.find((each) => each === outcome)]
      return client.calls.list(
        {
          limit: 50,
          ...(fromAt && { from: fromAt }),
          ...(toAt && { to: toAt }),
          ...(namespace && { namespace }),
          ...(model && { model }),
          ...(key && { key }),
          ...(user && { user }),
          ...(session && { session }),
          ...(known && { outcome: known }),
          ...(Number(cost) > 0 && { costUsdMin: Number(cost) }),
          ...(cursor && { cursor }),
        },
        { signal },
      )
    },
    placeholderData: keepPreviousData,
    refetchInterval: cursor ? false : 5_000,
  })

export const callQuery = (callId: string) =>
  queryOptions({ queryKey: ['calls', 'one', callId], queryFn: ({ signal }) => client.calls.get({ callId }, { signal }), staleTime: 60_000 })

/** One for each namespace at most, and one for all others. */
export const callPrivacyQuery = () =>
  queryOptions({ queryKey: ['callPrivacy'], queryFn: ({ signal }) => client.callPrivacy.list({ limit: 200 }, { signal }), refetchInterval: 30_000 })
