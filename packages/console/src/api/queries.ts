import { isTerminal } from '@longhaul/protocol/plain'
import type { Approval, Run, RunState } from '@longhaul/protocol'
import { QueryClient, keepPreviousData, queryOptions } from '@tanstack/react-query'
import { ApiError } from '@longhaul/sdk/client'
import { client } from './client.ts'

/** All that the console asks of the server. Server state lives in this cache and nowhere else. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      gcTime: 300_000,
      // A server on this machine or in this network answers even when the browser holds the world for unreachable.
      networkMode: 'always',
      // What passes is asked again by itself; what does not (no such run, not allowed) is shown at once.
      retry: (failures, error) => error instanceof ApiError && error.code === 'unavailable' && failures < 2,
      retryDelay: 500,
    },
    mutations: { networkMode: 'always' },
  },
})

const page = 25

export type RunFilter = { state?: RunState | undefined; agent?: string | undefined; search?: string | undefined; cursor?: string | undefined }

export const systemQuery = () => queryOptions({ queryKey: ['system'], queryFn: ({ signal }) => client.system.get({}, { signal }), staleTime: 30_000 })

export const agentsQuery = () =>
  queryOptions({
    queryKey: ['agents', 'list'],
    queryFn: ({ signal }) => client.agents.list({}, { signal }),
    refetchInterval: ({ state }) => (state.data?.items.every((agent) => agent.status !== 'starting') ? 30_000 : 1_500),
  })

export const runsQuery = ({ state, agent, search, cursor }: RunFilter, limit = page) =>
  queryOptions({
    queryKey: ['runs', 'list', { state, agent, search, cursor, limit }],
    queryFn: ({ signal }) =>
      client.runs.list(
        { limit, ...(state ? { state } : {}), ...(agent ? { agent } : {}), ...(search ? { search } : {}), ...(cursor ? { cursor } : {}) },
        { signal },
      ),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state: { data } }) => (data?.items.some((run) => !isTerminal(run.state)) ? 2_000 : 5_000),
  })

export const runQuery = (runId: string) =>
  queryOptions({
    queryKey: ['runs', 'one', runId],
    queryFn: ({ signal }) => client.runs.get({ runId }, { signal }),
    // The event stream says when to look again; this only catches what it cannot know, such as the price of a call.
    refetchInterval: ({ state: { data } }) => (data && isTerminal(data.state) ? false : 5_000),
  })

/** `version` counts what was recorded of the step, so that a step which went on is asked for again. */
export const stepQuery = (runId: string, op: string, version: number) =>
  queryOptions({
    queryKey: ['runs', 'step', runId, op, version],
    queryFn: ({ signal }) => client.runs.step({ runId, op }, { signal }),
    staleTime: Number.POSITIVE_INFINITY,
    placeholderData: (before) => (before?.op === op ? before : undefined),
  })

export const approvalsQuery = (state: Approval['state'] | undefined, cursor?: string) =>
  queryOptions({
    queryKey: ['approvals', { state, cursor }],
    queryFn: ({ signal }) => client.approvals.list({ limit: page, ...(state ? { state } : {}), ...(cursor ? { cursor } : {}) }, { signal }),
    placeholderData: keepPreviousData,
    refetchInterval: 5_000,
  })

/** What came before an approval was asked for does not change any more. */
export const approvalQuery = (approvalId: string) =>
  queryOptions({
    queryKey: ['approval', approvalId],
    queryFn: ({ signal }) => client.approvals.get({ approvalId }, { signal }),
    staleTime: Number.POSITIVE_INFINITY,
  })

/** Questions that are open, of a run and of all that it has started. */
export const approvalsBelowQuery = (runId: string) =>
  queryOptions({
    queryKey: ['approvals', 'below', runId],
    queryFn: ({ signal }) => client.approvals.list({ runId, state: 'pending', limit: 50 }, { signal }),
    refetchInterval: 2_000,
  })

/** What two runs did differently. */
export const compareQuery = (runId: string, other: string) =>
  queryOptions({
    queryKey: ['runs', 'compare', runId, other],
    queryFn: ({ signal }) => client.runs.compare({ runId, with: other }, { signal }),
    refetchInterval: ({ state: { data } }) => (data && isTerminal(data.a.state) && isTerminal(data.b.state) ? false : 3_000),
  })

export const fileQuery = (fileId: string, mediaType: string) =>
  queryOptions({
    queryKey: ['files', fileId],
    queryFn: async ({ signal }) => new Blob([new Uint8Array(await client.file(fileId, { signal }))], { type: mediaType }),
    staleTime: Number.POSITIVE_INFINITY,
  })

/** Puts a run that an action answered with where the pages read it, and lets lists look again. */
export function acceptRun(run: Run): void {
  queryClient.setQueryData(runQuery(run.id).queryKey, run)
  void queryClient.invalidateQueries({ queryKey: ['runs', 'list'] })
}

/** The recorded events of one entry, as they are in the journal. Of an entry whose events lie far apart, those within the first thousand. */
export const entryEventsQuery = (runId: string, seqs: readonly number[]) => {
  const first = Math.min(...seqs)
  const wanted = new Set(seqs)
  return queryOptions({
    queryKey: ['runs', 'events', runId, seqs],
    queryFn: async ({ signal }) => {
      const { items } = await client.runs.events({ runId, after: first - 1, limit: Math.min(1_000, Math.max(...seqs) - first + 1) }, { signal })
      return items.filter(({ seq }) => wanted.has(seq))
    },
    staleTime: Number.POSITIVE_INFINITY,
    enabled: seqs.length > 0,
  })
}

/** Runs that a run started, newest first. */
export const childrenQuery = (runId: string) =>
  queryOptions({
    queryKey: ['runs', 'children', runId],
    queryFn: ({ signal }) => client.runs.list({ parent: runId, limit: 100 }, { signal }),
    refetchInterval: ({ state: { data } }) => (data?.items.some((run) => !isTerminal(run.state)) ? 2_000 : 10_000),
  })

/** A page of the journal as it was written. */
export const journalQuery = (runId: string, after: number) =>
  queryOptions({
    queryKey: ['runs', 'journal', runId, after],
    queryFn: ({ signal }) => client.runs.export({ runId, after, limit: 200 }, { signal }),
    placeholderData: keepPreviousData,
  })
