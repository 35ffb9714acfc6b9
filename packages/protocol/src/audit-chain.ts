/** The audit log's chain: what its hashes cover, and whether entries are what was once written. Pure: the server, the CLI and auditors use the same. */
import type { AuditEntry, AuditHead } from './audit.ts'

/** In hex. */
export type Sha256 = (text: string) => string

/** What the first entry of a chain has instead of a predecessor's hash. */
export const firstHash = '0'.repeat(64)

/** A JSON array, so that no two different entries read the same. */
export const auditHash = (
  sha256: Sha256,
  previousHash: string,
  tenantId: string,
  { seq, at, who, action, target, outcome, detail, requestId }: Omit<AuditEntry, 'hash'>,
): string => sha256(JSON.stringify([previousHash, tenantId, seq, at, who.id, who.name, action, target, outcome, detail, requestId]))

/** What is signed. */
export const auditHeadText = ({ tenantId, seq, hash, at }: Pick<AuditHead, 'tenantId' | 'seq' | 'hash' | 'at'>): string =>
  `longhaul audit head\n${tenantId}\n${seq}\n${hash}\n${at}`

export type ChainCheck = {
  /** Takes the next entries, oldest first. Says what is wrong with the first that is wrong. */
  add(entries: readonly AuditEntry[]): string | undefined
  /** After the last entry. `seq` and `hash` are those of a head or of the row that says where the chain stands. */
  end(): string | undefined
  readonly seq: number
  readonly hash: string
}

type KeptHead = Pick<AuditHead, 'seq' | 'hash' | 'tenantId'>

/** Edits, deletions and reordering show by the hashes alone; a cut end and a chain written anew only by heads that were kept elsewhere. */
export function checkChain(sha256: Sha256, tenantId: string, ...heads: (KeptHead | undefined)[]): ChainCheck {
  const kept = heads.filter((head) => head !== undefined)
  const bySeq = Map.groupBy(kept, ({ seq }) => seq)
  const foreign = kept.find((head) => head.tenantId !== tenantId)
  const last = kept.toSorted((one, other) => other.seq - one.seq)[0]
  let seq = 0
  let hash = firstHash
  const wrongHead = 'was written anew: its hash is not the one of the head that was kept'
  return {
    get seq() {
      return seq
    },
    get hash() {
      return hash
    },
    add(entries) {
      if (foreign) return `The head is of tenant ${foreign.tenantId}, not of ${tenantId}.`
      for (const entry of entries) {
        if (entry.seq !== seq + 1) return `Entry ${seq + 1} is missing or out of order: ${entry.seq} is in its place.`
        if (entry.hash !== auditHash(sha256, hash, tenantId, entry)) return `Entry ${entry.seq} was changed, or one before it: its hash does not fit.`
        seq = entry.seq
        hash = entry.hash
        if (bySeq.get(seq)?.some((head) => head.hash !== hash)) return `The chain up to entry ${seq} ${wrongHead}.`
      }
      return undefined
    },
    end: () => (last && last.seq > seq ? `The end is missing: the chain ends at ${seq}, and the head that was kept is at ${last.seq}.` : undefined),
  }
}
