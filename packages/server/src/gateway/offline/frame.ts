// What a question asks for, free of language and before any SQL: the parser's result.
import type { System, Unit } from './calendar.ts'
import type { TimePhrase } from './time-reading.ts'

export type Filter = { ref: string; values: string[]; isNegated: boolean }
export type Comparison = '>' | '>=' | '<' | '<='
/** A limit on a group's figure. `metric` is the one it was said of. */
export type Condition = { comparison: Comparison; value: number; unit?: 'percent' | 'money'; metric: string; of: 'value' | 'change' | 'difference' }

export type Frame = {
  metrics: string[]
  /** "per customer": the metric that counts what is divided by. */
  per?: string
  /** The metric as a share of `per`, in percent. */
  isShareOfPer?: boolean
  groups: string[]
  grain?: { unit: Unit; system?: System }
  filters: Filter[]
  /** Share of a whole. `part` are the filters that make the part; without any, every group is one. */
  share?: { part: Filter[] }
  times: TimePhrase[]
  /** Two times set against each other, or against an earlier one that is only named by its distance. */
  compare?: 'times' | 'year-ago' | 'previous'
  /** "Month over month" says of which unit the earlier period is. */
  compareUnit?: Unit
  change?: 'rate' | 'difference'
  rank?: {
    direction: 'desc' | 'asc'
    limit?: number
    by: 'value' | 'change' | 'rate'
    /** "The largest", without saying how many. */ isVague?: boolean
    /** Ranked anew within each of these. */ within?: { refs: string[]; isByTime: boolean }
  }
  having: Condition[]
  /** How many groups there are, rather than which. */
  isCountOfGroups: boolean
  isList: boolean
  /** The difference of two values set side by side is asked for. */
  isDifference: boolean
  /** Several values of a column, of which the total is wanted as well. */
  isListedBesideTotal: boolean
  /** An average over such units of time; `auto` when the unit was not said. */
  average?: Unit | 'auto' | 'groups'
  /** All groups in one figure: their sum, or what they are on average. */
  fold?: 'sum' | 'average'
  /** Only things with so many different values in this column; how many such things there are, or which. */
  breadth?: { ref: string; comparison: Comparison; value: number; isCount?: boolean }
  isCumulative: boolean
  isDefinition: boolean
  /** Readings that were not certain, for the answer to say. */
  assumptions: Assumption[]
}

export type Assumption =
  | { kind: 'spelling'; written: string; read: string }
  | { kind: 'metric'; said: string; metric: string }
  | { kind: 'dimension'; said: string; ref: string }
  | { kind: 'value'; said: string; ref: string; value: string }
  | { kind: 'follow-up' }

/** Why a reading of the question cannot be answered. */
export type Problem =
  | { kind: 'unknown-words'; words: string[]; spans: { from: number; to: number }[] }
  | { kind: 'unavailable'; topic: number }
  | { kind: 'beyond'; what: 'personal' | 'why' | 'write' | 'forecast' | 'statistics' | 'vague' }
  | { kind: 'no-metric' }
  | { kind: 'several-metrics'; metrics: string[] }
  | { kind: 'not-by'; metric: string; ref: string }
  | { kind: 'not-value'; metric: string; said: string }
  /** No other reading of the question can be better. */
  | { kind: 'exclusive'; said: string }
  | { kind: 'other-unit'; metric: string; said: string }
  | { kind: 'unused'; said: string }

/** `suspects`: words read as grammar that are written like parts of a name. */
export type Parsed = { frame: Frame; suspects?: { from: number; to: number }[] } | { problem: Problem }
