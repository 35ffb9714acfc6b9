import { queryOptions } from '@tanstack/react-query'
import { client } from './client.ts'

export const budgetQuery = (name: string) =>
  queryOptions({ queryKey: ['budgets', 'one', name], queryFn: ({ signal }) => client.budgets.get({ name, limit: 50 }, { signal }), refetchInterval: 5_000 })

export const budgetForecastQuery = (name: string) =>
  queryOptions({
    queryKey: ['budgets', 'forecast', name],
    queryFn: ({ signal }) => client.budgets.forecast({ name }, { signal }),
    refetchInterval: 60_000,
  })

export const budgetEventsQuery = (limit = 20) =>
  queryOptions({ queryKey: ['budgets', 'events', limit], queryFn: ({ signal }) => client.budgets.events({ limit }, { signal }), refetchInterval: 10_000 })
