import type { Json } from '@longhaul/protocol'
import { type Db, type Tx, sql } from '../db/index.ts'

/** Whose pins: one connection of one agent, at one address. */
export type PinScope = { tenantId: string; agent: string; connection: string; target: string }

/** `hash` is null for a tool that was never approved; `offeredHash` is set while its tool server gives something else than what is approved. */
export type Pin = {
  tool: string
  name: string
  hash: string | null
  definition: Json
  offeredHash: string | null
  offered: Json
  isGone: boolean
  decidedBy: string | null
  decidedAt: Date | null
}

export type PinRow = Pick<Pin, 'tool' | 'name' | 'hash' | 'definition' | 'offeredHash' | 'offered' | 'isGone'>

const ofScope = ({ tenantId, agent, connection, target }: PinScope) =>
  sql`tenant_id = ${tenantId} and agent = ${agent} and connection = ${connection} and target = ${target}`

export async function listPins(db: Tx, scope: PinScope): Promise<Pin[]> {
  return db.rows<Pin>(sql`
    select tool, name, hash, definition, offered_hash as "offeredHash", offered, is_gone as "isGone", decided_by as "decidedBy", decided_at as "decidedAt"
    from tool_pins where ${ofScope(scope)} order by tool limit 1000`)
}

/** Makes `work` the only one that decides about these pins while it does. */
export function pinning<Result>(db: Db, { tenantId, agent, connection }: PinScope, work: (tx: Tx) => Promise<Result>): Promise<Result> {
  return db.transaction(async (tx) => {
    await tx.rows(sql`select pg_advisory_xact_lock(hashtextextended(${`tools ${tenantId}/${agent}/${connection}`}, 0))`)
    return work(tx)
  })
}

export async function writePins(tx: Tx, scope: PinScope, version: string, rows: readonly PinRow[]): Promise<void> {
  const { tenantId, agent, connection, target } = scope
  await tx.rows(sql`
    insert into tool_pins (tenant_id, agent, connection, target, tool, name, hash, definition, offered_hash, offered, is_gone, version)
    select ${tenantId}, ${agent}, ${connection}, ${target}, r.tool, r.name, r.hash, r.definition, r."offeredHash", r.offered, r."isGone", ${version}
    from json_to_recordset(${JSON.stringify(rows)}) as r (tool text, name text, hash text, definition json, "offeredHash" text, offered json, "isGone" boolean)
    on conflict (tenant_id, agent, connection, target, tool) do update
    set hash = excluded.hash, definition = excluded.definition, offered_hash = excluded.offered_hash, offered = excluded.offered, is_gone = excluded.is_gone`)
}

/** What is offered becomes what is approved, if it is still what the caller has seen. */
export async function approvePin(db: Tx, scope: PinScope, name: string, hash: string, decidedBy: string): Promise<boolean> {
  const rows = await db.rows(sql`
    update tool_pins set hash = offered_hash, definition = offered, offered_hash = null, offered = null, decided_by = ${decidedBy}, decided_at = ${db.now}
    where ${ofScope(scope)} and name = ${name} and offered_hash = ${hash} returning tool`)
  return rows.length > 0
}
