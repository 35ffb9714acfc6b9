/** What was used, for the API. */
import { type UsageDimension, type listUsage, type scoreUsage, type summarizeUsage, usageDimensions } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Db } from '../../db/index.ts'
import type { Caller } from '../../identity/index.ts'
import { AppError } from '../../kernel/index.ts'
import { usdOf } from './rates.ts'
import { assertFewCalls, cursorOf, hourAround, isWholeHours, readCursor, readRange, refuseTimeZone } from './usage-range.ts'
import { type CallRow, type Grouping, type Summary, type UsageReach, isInHours, listCalls, scoreCalls, summarizeCalls, summarizeHours } from './usage-store.ts'

type Input<Of extends { input: z.ZodType }> = z.output<Of['input']>
type Output<Of extends { output: z.ZodType }> = z.input<Of['output']>

export type UsageBoard = {
  summarize(of: UsageReach, input: Input<typeof summarizeUsage>): Promise<Output<typeof summarizeUsage>>
  listCalls(of: UsageReach, input: Input<typeof listUsage>): Promise<Output<typeof listUsage>>
  /** Own calls, or all that the caller reaches for whoever manages routes. Throws `not_found`. */
  score(caller: Scorer, input: Input<typeof scoreUsage>): Promise<Output<typeof scoreUsage>>
}

export type Scorer = Pick<Caller, 'tenantId' | 'keyId' | 'askerId' | 'permissions' | 'agents' | 'namespaces'>

export function openUsageBoard(db: Db): UsageBoard {
  return {
    async summarize(of, { from: fromText, to: toText, by, grain, timeZone, limit, ...filters }) {
      const groupings = readGroupings(by)
      const { rows, range } = await sumUsage(db, { of, ...readRange(fromText, toText), groupings, filters, grain, timeZone, limit: limit + 1 })
      const names = groupings.map(({ dimension, name }) => (dimension === 'tag' ? `tag:${name}` : dimension))
      return {
        from: range.from.toISOString(),
        to: range.to.toISOString(),
        groups: rows.slice(0, limit).map(({ at, by: values, calls, failedCalls, estimatedCalls, unpricedCalls, cost, ...tokens }) => ({
          at: at?.toISOString() ?? null,
          by: Object.fromEntries(names.map((name, n) => [name, values[n] ?? null])),
          calls,
          failedCalls,
          estimatedCalls,
          unpricedCalls,
          tokens,
          costUsd: usdOf(Number(cost)),
        })),
        isCut: rows.length > limit,
      }
    },
    async listCalls(of, { cursor, limit, ...filters }) {
      const rows = await listCalls(db, { of, filters, before: readCursor(cursor), limit })
      return { items: rows.map(toCall), next: cursorOf(rows, limit) }
    },
    async score({ tenantId, keyId, askerId, permissions, agents, namespaces }, { call, run, score }) {
      const keyIds = permissions.includes('routes:manage') ? undefined : [keyId, askerId].filter((id) => id !== undefined)
      const scored = await scoreCalls(db.forTenant(tenantId), { call, run, score, keyIds, agents, namespaces })
      if (scored === 0) throw new AppError('not_found', call === undefined ? `No model call of the run ${run} of yours.` : `No model call ${call} of yours.`)
      return { scored }
    },
  }
}

/** From the hours where they say enough, and else from the calls; with the range that was looked at. */
export async function sumUsage(db: Db, summary: Summary) {
  const { from, to, grain, timeZone } = summary
  const usesHours = isInHours(summary) && (grain === 'total' || grain === 'hour' || isWholeHours(timeZone, from))
  if (!usesHours) assertFewCalls({ from, to })
  const range = usesHours ? hourAround(from, to) : { from, to }
  const rows = await (usesHours ? summarizeHours : summarizeCalls)(db, { ...summary, ...range }).catch(refuseTimeZone(timeZone))
  return { rows, range }
}

/** `agent,model,tag:team`. */
function readGroupings(by: string): Grouping[] {
  const words = by.split(',').filter((word) => word !== '')
  if (words.length > 5) throw new AppError('invalid', 'by: at most 5 dimensions.')
  return words.map((word) => {
    const [dimension = '', name] = word.split(':', 2)
    const known = usageDimensions.find((candidate): candidate is UsageDimension => candidate === dimension)
    if (!known || (known === 'tag') !== (name !== undefined && name !== ''))
      throw new AppError(
        'invalid',
        `by: there is no dimension ${JSON.stringify(word)}. There are: ${usageDimensions.map((each) => (each === 'tag' ? 'tag:<name>' : each)).join(', ')}.`,
      )
    return { dimension: known, name }
  })
}

function toCall(row: CallRow): Output<typeof listUsage>['items'][number] {
  const {
    at,
    cursorAt: _,
    cost,
    tags,
    input,
    cacheRead,
    cacheWrite,
    cacheWriteLong,
    inputAudio,
    inputImage,
    output,
    reasoning,
    outputAudio,
    outputImage,
    ...call
  } = row
  return {
    ...call,
    at: at.toISOString(),
    tokens: { input, cacheRead, cacheWrite, cacheWriteLong, inputAudio, inputImage, output, reasoning, outputAudio, outputImage },
    costUsd: cost === null ? null : usdOf(cost),
    tags: tags ?? {},
  }
}
