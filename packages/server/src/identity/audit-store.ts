import type { AuditEntry } from '@longhaul/protocol'
import { type Db, type TenantTx, type Tx, sql } from '../db/index.ts'

export type NoteRow = Omit<AuditEntry, 'seq' | 'hash' | 'at' | 'who'> & { id: string; tenantId: string; at: Date; whoId: string | null; whoName: string }
type EntryRow = Omit<NoteRow, 'id' | 'tenantId'> & { seq: number; hash: string }

/** Any number, the same in every version: whoever holds it appends. */
const lockNumber = 7_231_060_112

/**
 * False when another node is at it. Held until the end of the transaction. It only keeps nodes from doing the same work for nothing: that each note is
 * chained once is due to the transaction that deletes it and inserts its entry, and to the entry's primary key.
 */
export async function lockAppending(tx: Tx): Promise<boolean> {
  const [row] = await tx.rows<{ isLocked: boolean }>(sql`select pg_try_advisory_xact_lock(${lockNumber}) as "isLocked"`)
  return row?.isLocked ?? false
}

/** Across tenants: the appender serves all. */
export async function takeNotes(tx: Tx, limit: number): Promise<NoteRow[]> {
  return tx.rows(sql`
    with taken as (
      delete from audit_notes
      where id in (select id from audit_notes order by id limit ${limit})
      returning id, tenant_id, at, who_id, who_name, action, target, outcome, detail, request_id
    )
    select id, tenant_id as "tenantId", at, who_id as "whoId", who_name as "whoName", action, target, outcome, detail, request_id as "requestId"
    from taken
    order by at, id`)
}

export type Standing = { tenantId: string; seq: number; hash: string }

export async function loadStandings(tx: Tx, tenantIds: string[]): Promise<Standing[]> {
  return tx.rows(sql`
    select tenant_id as "tenantId", seq, hash
    from audit_heads
    where tenant_id = any(${tenantIds})`)
}

export async function appendEntries(tx: Tx, entries: (AuditEntry & { tenantId: string })[], standings: Standing[]): Promise<void> {
  await tx.rows(sql`
    insert into audit_entries (tenant_id, seq, at, who_id, who_name, action, target, outcome, detail, request_id, hash)
    select e."tenantId", e.seq, e.at, e.who ->> 'id', e.who ->> 'name', e.action, e.target, e.outcome, coalesce(e.detail, 'null'), e."requestId", e.hash
    from json_to_recordset(${JSON.stringify(entries)}::json) as e(
      "tenantId" text, seq bigint, at timestamptz, who json, action text, target text, outcome text, detail json, "requestId" text, hash text)`)
  await tx.rows(sql`
    insert into audit_heads (tenant_id, seq, hash)
    select h."tenantId", h.seq, h.hash from json_to_recordset(${JSON.stringify(standings)}::json) as h("tenantId" text, seq bigint, hash text)
    on conflict (tenant_id) do update set seq = excluded.seq, hash = excluded.hash`)
}

const columns = sql`seq, at, who_id as "whoId", who_name as "whoName", action, target, outcome, detail, request_id as "requestId", hash`

const toEntry = ({ whoId, whoName, at, ...row }: EntryRow): AuditEntry => ({ ...row, at: at.toISOString(), who: { id: whoId, name: whoName } })

export type AuditFilter = { limit: number; before?: number | undefined } & Partial<Record<'action' | 'outcome' | 'who' | 'from' | 'to', string | undefined>>

/** Newest first. */
export async function listEntries(db: TenantTx, { limit, before, action, outcome, who, from, to }: AuditFilter): Promise<AuditEntry[]> {
  const rows = await db.rows<EntryRow>(sql`
    select ${columns}
    from audit_entries
    where tenant_id = ${db.tenantId} and seq < ${before ?? Number.MAX_SAFE_INTEGER}
      and (${action ?? null}::text is null or action = ${action ?? null})
      and (${outcome ?? null}::text is null or outcome = ${outcome ?? null})
      and (${who ?? null}::text is null or who_id = ${who ?? null})
      and (${from ?? null}::timestamptz is null or at >= ${from ?? null}::timestamptz)
      and (${to ?? null}::timestamptz is null or at < ${to ?? null}::timestamptz)
    order by seq desc
    limit ${limit}`)
  return rows.map(toEntry)
}

/** Oldest first, from a number on. */
export async function readEntries(db: TenantTx, after: number, limit: number): Promise<AuditEntry[]> {
  const rows = await db.rows<EntryRow>(sql`
    select ${columns}
    from audit_entries
    where tenant_id = ${db.tenantId} and seq > ${after}
    order by seq
    limit ${limit}`)
  return rows.map(toEntry)
}

/** Where the chain stands, and how many notes are not in it. */
export async function findStanding(db: TenantTx): Promise<Standing & { pendingCount: number; at: Date }> {
  const [row] = await db.rows<{ seq: number | null; hash: string | null; pendingCount: number; at: Date }>(sql`
    select head.seq, head.hash, clock_timestamp() as at, (select count(*)::int from (select from audit_notes where tenant_id = ${db.tenantId} limit 100000) as pending) as "pendingCount"
    from (select) as one left join audit_heads as head on head.tenant_id = ${db.tenantId}`)
  return { tenantId: db.tenantId, seq: row?.seq ?? 0, hash: row?.hash ?? '', pendingCount: row?.pendingCount ?? 0, at: row?.at ?? new Date(0) }
}

/** Across tenants, for the heads that the log ships. */
export async function listStandings(db: Db, limit: number): Promise<Standing[]> {
  return db.rows(sql`
    select tenant_id as "tenantId", seq, hash
    from audit_heads
    order by tenant_id
    limit ${limit}`)
}
