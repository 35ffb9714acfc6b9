// Whether this caller may see what the question names. A figure for "Germany" from a copy of the data that holds only North America would be
// a 0 that looks like an answer, so the values by which access is limited are looked for first.
import type { Call } from './decide.ts'
import type { Filter } from './frame.ts'
import type { Layer } from './layer.ts'
import { readResult, type QueryResult } from './result.ts'
import { filterCondition } from './sql-figures.ts'
import { resultOf, takes, type Transcript } from './transcript.ts'

/** Values that are not in the caller's part of the data, and the sentence of the tool about that part. */
export type Hidden = { values: string[]; isAll: boolean; regions: string; access: NonNullable<QueryResult['access']> }
export type Visible = { kind: 'look'; call: Call } | { kind: 'seen'; hidden?: Hidden }

/** Only where the tool can look something up without showing it. Columns that are not limited, or within those that are, need no look. */
export function lookForValues(transcript: Transcript, filters: readonly Filter[], layer: Layer): Visible {
  if (!takes(transcript, 'query', 'show')) return { kind: 'seen' }
  for (const filter of filters) {
    const dimension = layer.dimensions.get(filter.ref)
    if (filter.isNegated || !dimension?.isLimited) continue
    const sql = `select distinct ${filter.ref} as name\nfrom ${dimension.table}\nwhere ${filterCondition(filter)}\norder by name`
    const input = { sql, title: filter.values.join(', ').slice(0, 200), show: false }
    const ran = resultOf(transcript, 'query', input)
    if (!ran) return { kind: 'look', call: { tool: 'query', input } }
    const result = readResult(ran.output)
    if ('error' in result || !result.access?.limited) continue
    const there = result.rows.map(([name]) => String(name))
    const values = filter.values.filter((value) => !there.includes(value))
    if (values.length > 0)
      return {
        kind: 'seen',
        hidden: { values, isAll: values.length === filter.values.length, regions: (result.access.regions ?? []).join(', '), access: result.access },
      }
  }
  return { kind: 'seen' }
}
