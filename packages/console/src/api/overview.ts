import { queryOptions } from '@tanstack/react-query'
import { serverNow } from './connection.ts'
import { client } from './client.ts'

/** Midnight in the reader's own time zone. */
export function startOfToday(): Date {
  const today = new Date(serverNow())
  today.setHours(0, 0, 0, 0)
  return today
}

/** Runs under way, and those of today. */
export const runCountsQuery = () => {
  const since = startOfToday().toISOString()
  return queryOptions({
    queryKey: ['runs', 'counts', since],
    queryFn: ({ signal }) => client.runs.count({ since }, { signal }),
    refetchInterval: 5_000,
  })
}

/** Stops that are in force. */
export const stopsQuery = () =>
  queryOptions({ queryKey: ['stops'], queryFn: ({ signal }) => client.stops.list({ limit: 200 }, { signal }), refetchInterval: 15_000 })
