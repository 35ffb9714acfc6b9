// What a stretch of a question can stand for. The parser chooses one atom for each stretch and then asks what they say together.
import type { System, Unit } from './calendar.ts'
import type { TimePhrase } from './time-reading.ts'
import type { Op } from './words.ts'

export type ValueChoice = { ref: string; value: string; label?: { en: string; zh: string } }

export type Atom =
  /** `needs`: words elsewhere in the question that belong to the same name ("tickets … resolved"). `refs`: columns that its noun names. */
  | {
      kind: 'metric'
      metric: string
      needs?: readonly number[]
      isGuess?: boolean
      /** Only beside a word of pace: "resolved fastest". */ isPaced?: boolean
      refs?: readonly string[]
      /** Only with a value of this column. */ requires?: string
      /** Only beside another metric with the same noun: "tickets opened and resolved". */ noun?: string
    }
  | { kind: 'metric-part'; metric: string }
  /** A noun that some metric counts ("customer", 客户). It is that metric only if the question has no other. */
  | { kind: 'count-noun'; metric: string; refs?: readonly string[] }
  /** Columns with that name; which of them depends on the metric. */
  | { kind: 'dimension'; refs: readonly string[]; isPlural: boolean; isGuess?: boolean }
  | { kind: 'value'; choices: readonly ValueChoice[]; counts?: string }
  /** A thing the warehouse is about, mentioned without being asked for ("MRR from customers in …"). */
  | { kind: 'entity'; table: string }
  | { kind: 'time'; time: TimePhrase }
  | { kind: 'grain'; unit: Unit; system?: System; isPlural: boolean }
  | { kind: 'average-per'; unit: Unit }
  | { kind: 'number'; value: number; unit?: 'percent' | 'money' }
  /** A word of grammar with everything it may do. `isIdle`: it may also do nothing. */
  | { kind: 'op'; ops: readonly Op[]; isIdle: boolean }
  | { kind: 'filler' }
  | { kind: 'unavailable'; topic: number }
  /** A word that nothing explains, or a run of them that may be a name. */
  | { kind: 'unknown' }

/** An atom on tokens `from` until `to`. */
export type Span = { from: number; to: number; atom: Atom; score: number }
