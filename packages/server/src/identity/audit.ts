/**
 * The audit log. What happened is noted in the transaction in which it happened (`noteAudit`), so there is no effect without its note
 * and no note without its effect. Notes need no order and wait for nobody. One appender of all nodes takes them into their tenant's chain:
 * a whole batch in one transaction that deletes the notes and inserts the entries, so each is in the chain exactly once.
 */
import { createHash } from 'node:crypto'
import { type AuditEntry, type AuditHead, auditHash, auditHeadText, checkChain, firstHash } from '@longhaul/protocol'
import { type AuditNote, type Db, noteAudit } from '../db/index.ts'
import { AppError, type Log, type Service, loop, monotonicMs, wallClock } from '../kernel/index.ts'
import {
  type AuditFilter,
  type Standing,
  appendEntries,
  findStanding,
  listEntries,
  listStandings,
  loadStandings,
  lockAppending,
  readEntries,
  takeNotes,
} from './audit-store.ts'
import type { Signer } from './signer.ts'

export type Verdict = { isIntact: boolean; entryCount: number; pendingCount: number; problem: string | null; head: AuditHead }

export type Audit = Service & {
  /** For what has no transaction of its own: refusals, above all. */
  note(tenantId: string, note: AuditNote): Promise<void>
  list(tenantId: string, filter: AuditFilter): Promise<AuditEntry[]>
  read(tenantId: string, after: number, limit: number): Promise<AuditEntry[]>
  head(tenantId: string): Promise<AuditHead>
  /** Where the chains of all tenants stand. */
  heads(): Promise<AuditHead[]>
  /** Reads the whole chain. `kept` is a head from before: the chain must go through it. Throws `invalid` when its signature is not right. */
  verify(tenantId: string, kept?: AuditHead): Promise<Verdict>
  /** Takes what is noted into the chains. Returns how many, 0 when another node is at it. */
  append(): Promise<number>
}

const batchMax = 2_000
const appendEveryMs = 250
const pageMax = 1_000
const shipEveryMs = 600_000

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

export function openAudit({ db, signer, log }: { db: Db; signer: Signer; log: Log }): Audit {
  let shippedAt = -Infinity
  const shipped = new Map<string, number>()

  async function append(): Promise<number> {
    return db.transaction(async (tx) => {
      if (!(await lockAppending(tx))) return 0
      const notes = await takeNotes(tx, batchMax)
      if (notes.length === 0) return 0
      const known = await loadStandings(tx, [...new Set(notes.map(({ tenantId }) => tenantId))])
      const standings = new Map(known.map((standing) => [standing.tenantId, standing]))
      const entries = notes.map(({ id: _id, tenantId, whoId, whoName, at, ...note }) => {
        const before = standings.get(tenantId) ?? { tenantId, seq: 0, hash: firstHash }
        const bare = { ...note, seq: before.seq + 1, at: at.toISOString(), who: { id: whoId, name: whoName } }
        const hash = auditHash(sha256, before.hash, tenantId, bare)
        standings.set(tenantId, { tenantId, seq: bare.seq, hash })
        return { ...bare, hash, tenantId }
      })
      await appendEntries(tx, entries, [...standings.values()])
      return notes.length
    })
  }

  const sign = ({ tenantId, seq, hash, at }: Standing & { at: string }): AuditHead => {
    const head = { tenantId, seq, hash: hash || firstHash, at }
    return { ...head, publicKey: signer.publicKey, signature: signer.sign(auditHeadText(head)) }
  }
  async function standing(tenantId: string): Promise<{ pendingCount: number; head: AuditHead }> {
    const { pendingCount, at, ...found } = await findStanding(db.forTenant(tenantId))
    return { pendingCount, head: sign({ ...found, at: at.toISOString() }) }
  }

  /** A log is usually taken away to where whoever owns this database cannot change it: so heads go there too. */
  async function ship(): Promise<void> {
    if (monotonicMs() - shippedAt < shipEveryMs) return
    shippedAt = monotonicMs()
    for (const { tenantId, seq } of await listStandings(db, 10_000)) {
      if (shipped.get(tenantId) === seq) continue
      const { head } = await standing(tenantId)
      log.info('audit head', { head })
      shipped.set(tenantId, head.seq)
    }
  }

  const appending = loop({
    everyMs: appendEveryMs,
    onError: (error) => log.error('the audit log cannot take up what is noted; it keeps trying', { error }),
    async work() {
      if ((await append()) === batchMax) return 0
      await ship()
      return appendEveryMs
    },
  })

  return {
    note: (tenantId, note) => db.forTenant(tenantId).transaction((tx) => noteAudit(tx, note)),
    list: (tenantId, filter) => listEntries(db.forTenant(tenantId), filter),
    read: (tenantId, after, limit) => readEntries(db.forTenant(tenantId), after, limit),
    head: async (tenantId) => (await standing(tenantId)).head,
    async heads() {
      const at = new Date(wallClock()).toISOString()
      return (await listStandings(db, 10_000)).map((found) => sign({ ...found, at }))
    },
    async verify(tenantId, kept) {
      if (kept && !signer.isSigned(auditHeadText(kept), kept.signature))
        throw new AppError('invalid', 'head: its signature is not this installation’s. Verify it where its key is known, or use the server that signed it.')
      const { head, pendingCount } = await standing(tenantId)
      const check = checkChain(sha256, tenantId, kept)
      let problem: string | undefined
      for (let isMore = true; isMore && problem === undefined;) {
        const entries = await readEntries(db.forTenant(tenantId), check.seq, pageMax)
        problem = check.add(entries)
        isMore = entries.length === pageMax
      }
      problem ??= check.end()
      // Entries may have come since; the chain may not stand before what its own row says.
      if (problem === undefined && check.seq < head.seq) problem = `The end is missing: the chain ends at ${check.seq}, and ${head.seq} entries were written.`
      return { isIntact: problem === undefined, entryCount: check.seq, pendingCount, problem: problem ?? null, head }
    },
    append,
    start: appending.start,
    async stop() {
      await appending.stop()
      await append().catch((error: unknown) => log.warn('the last notes go into the audit log at the next start', { error }))
    },
  }
}
