/** A run's journal as a chain of hashes: whether rows are what was once written. Pure: the server and the CLI use the same. */
import type { Sha256 } from './audit-chain.ts'
import type { JournalEntry } from './runs.ts'

/** Covers the hash before it (empty for the first) and the row, so that no row can be changed, dropped or moved unseen. */
export const journalHash = (
  sha256: Sha256,
  previousHash: string,
  runId: string,
  { seq, type, op, data }: Omit<JournalEntry, 'hash' | 'epoch' | 'at'>,
): string => sha256(`${previousHash}\n${runId} ${seq} ${type} ${op ?? ''}\n${data}`)

/** Undefined when no event was changed, dropped or moved. That the end is there is for the caller to see. */
export function whyNotChained(sha256: Sha256, runId: string, journal: readonly JournalEntry[]): string | undefined {
  let previous = ''
  for (const [i, entry] of journal.entries()) {
    if (entry.seq !== i) return `event ${entry.seq} stands where ${i} should.`
    if (entry.hash !== journalHash(sha256, previous, runId, entry)) return `the chain breaks at event ${entry.seq} (${entry.type}).`
    previous = entry.hash
  }
  return journal.length === 0 ? 'it has no events.' : undefined
}
