import type { Failure, HistoryEntry, Json } from '@longhaul/protocol'

export type RecordedResult = { op: string; output?: Json | undefined; failure?: Failure | undefined }

/**
 * What a run has recorded: found by path for the comparison with what the code asks, and in the order of recording for the
 * results. Every question costs the same however long the history is.
 */
export class History {
  readonly #unasked = new Map<string, HistoryEntry>()
  readonly #results: (RecordedResult | undefined)[] = []
  #cursor = 0

  constructor(entries: HistoryEntry[]) {
    const settledTools = new Set<string>()
    for (const entry of entries) if (entry.type !== 'open' && entry.kind === 'tool') settledTools.add(entry.op)
    for (const entry of entries) {
      // A tool that has a result is not executed again, so what was asked inside it will not be asked either.
      if (settledTools.size > 0 && hasAncestorIn(settledTools, entry.op)) continue
      this.#unasked.set(entry.op, entry)
      if (entry.type === 'completed') this.#results.push({ op: entry.op, output: entry.output })
      if (entry.type === 'failed') this.#results.push({ op: entry.op, failure: entry.failure })
    }
  }

  /** What is recorded under the path that the code just asked. Each is taken once: what is left over was never asked. */
  take(path: string): HistoryEntry | undefined {
    const entry = this.#unasked.get(path)
    if (entry) this.#unasked.delete(path)
    return entry
  }

  /** What is recorded under a path that the code has not asked for. */
  unasked(path: string): HistoryEntry | undefined {
    return this.#unasked.get(path)
  }

  firstUnasked(): HistoryEntry | undefined {
    return this.#unasked.values().next().value
  }

  /** A result that was recorded after the history had been sent. */
  append(result: RecordedResult): void {
    this.#results.push(result)
  }

  /** The recorded result that the code gets next; undefined when it has got all of them. */
  next(): RecordedResult | undefined {
    return this.#results[this.#cursor]
  }

  /** The next result has been given to the code. Its value is the code's alone from here on. */
  advance(): void {
    this.#results[this.#cursor++] = undefined
  }
}

/** `step "charge"`, as a person reads it in a divergence. */
export const describeOp = (kind: string, name: string): string => `${kind} ${JSON.stringify(name)}`

export const describeEntry = (entry: HistoryEntry): string =>
  `${describeOp(entry.kind, entry.name)} (${entry.type === 'open' ? 'without a result yet' : entry.type})`

function hasAncestorIn(paths: Set<string>, path: string): boolean {
  for (let dot = path.lastIndexOf('.'); dot > 0; dot = path.lastIndexOf('.', dot - 1)) if (paths.has(path.slice(0, dot))) return true
  return false
}
