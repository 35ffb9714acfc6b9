import type { UsageDimension } from '@longhaul/protocol'
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { client } from './client.ts'
import { serverNow } from './connection.ts'
import { startOfToday } from './overview.ts'

export const budgetsQuery = () =>
  queryOptions({ queryKey: ['budgets', 'list'], queryFn: ({ signal }) => client.budgets.list({}, { signal }), refetchInterval: 5_000 })

/** The zone that days and weeks are counted in. */
export const readerZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone

/** How many hours, days or months each has, the last of them being the current one. */
export const spans = {
  day: { grain: 'hour', count: 24 },
  week: { grain: 'day', count: 7 },
  month: { grain: 'day', count: 30 },
  year: { grain: 'month', count: 12 },
} as const
export type Span = keyof typeof spans
export const spanNames = ['day', 'week', 'month', 'year'] as const satisfies readonly Span[]
export const spanOf = (text: string | undefined): Span => spanNames.find((one) => one === text) ?? 'week'

/** From when a span counts: whole days of the reader, the last of them today; of a year whole months. */
export function startOfSpan(span: Span): Date {
  const from = startOfToday()
  if (span === 'week' || span === 'month') from.setDate(from.getDate() - spans[span].count + 1)
  if (span === 'year') from.setMonth(from.getMonth() - spans[span].count + 1, 1)
  return from
}

/** What was used since the start of the span: `by` one dimension, or over time. */
export const usageQuery = (span: Span, by: UsageDimension | 'time') => {
  const from = startOfSpan(span).toISOString()
  return queryOptions({
    queryKey: ['usage', from, span, by],
    queryFn: ({ signal }) =>
      client.usage.summarize(
        { from, timeZone: readerZone(), ...(by === 'time' ? { grain: spans[span].grain, limit: 200 } : { by: by === 'tag' ? 'tag:team' : by, limit: 100 }) },
        { signal },
      ),
    placeholderData: keepPreviousData,
    refetchInterval: 15_000,
  })
}

/** What this month will have cost. Its past changes once a day. */
export const forecastQuery = () =>
  queryOptions({
    queryKey: ['usage', 'forecast'],
    queryFn: ({ signal }) => client.usage.forecast({ timeZone: readerZone() }, { signal }),
    refetchInterval: 60_000,
  })

/** The calls of the span with another model, or against another limit for each month. */
export const trialQuery = (span: Span, { asModel, asLimit }: { asModel: string | undefined; asLimit: number | undefined }) => {
  const from = startOfSpan(span).toISOString()
  return queryOptions({
    queryKey: ['usage', 'trial', from, asModel, asLimit],
    queryFn: ({ signal }) =>
      client.usage.try({ from, timeZone: readerZone(), ...(asModel !== undefined && { asModel }), ...(asLimit !== undefined && { asLimit }) }, { signal }),
    retry: false,
  })
}

/** Calls of the last hour by model: how its provider has been answering. */
export const modelHealthQuery = () =>
  queryOptions({
    queryKey: ['usage', 'health'],
    queryFn: ({ signal }) => client.usage.summarize({ from: new Date(serverNow() - 3_600_000).toISOString(), by: 'provider,model', limit: 1_000 }, { signal }),
    refetchInterval: 15_000,
  })
