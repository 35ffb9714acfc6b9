/** Things that began and wait for their second half, and how often somebody was wrong. */
import type { Json } from '@longhaul/protocol'
import { type TenantTx, type Tx, sql } from '../db/index.ts'

export type Ticket = { tenantId: string; kind: string; personId: string | null; userCode: string | null; data: Json; expiresAt: Date }
export type NewTicket = { kind: string; personId?: string; userCode?: string; data?: Json; inMs: number }

const columns = sql`tenant_id as "tenantId", kind, person_id as "personId", user_code as "userCode", data, expires_at as "expiresAt"`

export async function insertTicket(tx: TenantTx, secretHash: Buffer, { kind, personId, userCode, data, inMs }: NewTicket): Promise<void> {
  await tx.rows(sql`
    insert into tickets (secret_hash, tenant_id, kind, person_id, user_code, data, expires_at)
    values (${secretHash}, ${tx.tenantId}, ${kind}, ${personId ?? null}, ${userCode ?? null}, ${JSON.stringify(data ?? null)}, ${tx.now} + ${inMs} * interval '1 ms')`)
}

/** Across tenants: it is the secret that says whose it is. Counts a try, and is nobody's after `triesMax`. */
export async function tryTicket(db: Tx, secretHash: Buffer, kind: string, triesMax: number): Promise<Ticket | undefined> {
  const [row] = await db.rows<Ticket>(sql`
    update tickets
    set tries = tries + 1
    where secret_hash = ${secretHash} and kind = ${kind} and expires_at > ${db.now} and tries < ${triesMax}
    returning ${columns}`)
  return row
}

/** Once. */
export async function takeTicket(tx: Tx, secretHash: Buffer, kind: string): Promise<Ticket | undefined> {
  const [row] = await tx.rows<Ticket>(sql`
    delete from tickets
    where secret_hash = ${secretHash} and kind = ${kind} and expires_at > ${tx.now}
    returning ${columns}`)
  return row
}

/** Of those that are good. */
export async function countTickets(tx: TenantTx, personId: string, kind: string): Promise<number> {
  const [row] = await tx.rows<{ count: number }>(sql`
    select count(*)::int as count
    from tickets
    where tenant_id = ${tx.tenantId} and person_id = ${personId} and kind = ${kind} and expires_at > ${tx.now}`)
  return row?.count ?? 0
}

/** Whatever of a person's has begun and waits: after a new password none of it goes on. */
export async function deleteTickets(tx: TenantTx, personId: string): Promise<void> {
  await tx.rows(sql`delete from tickets where tenant_id = ${tx.tenantId} and person_id = ${personId}`)
}

export async function findByUserCode(db: TenantTx, userCode: string): Promise<Ticket | undefined> {
  const [row] = await db.rows<Ticket>(sql`
    select ${columns}
    from tickets
    where tenant_id = ${db.tenantId} and user_code = ${userCode} and expires_at > ${db.now} and person_id is null`)
  return row
}

/** The first answer counts. */
export async function answerByUserCode(tx: TenantTx, userCode: string, personId: string, data: Json): Promise<boolean> {
  const rows = await tx.rows(sql`
    update tickets
    set person_id = ${personId}, data = ${JSON.stringify(data)}
    where tenant_id = ${tx.tenantId} and user_code = ${userCode} and expires_at > ${tx.now} and person_id is null
    returning kind`)
  return rows.length > 0
}

/**
 * Counts a guess before it is looked at, so that many at once are no way around. Undefined while this source is not listened to;
 * then nothing changes, so that asking does not make it longer.
 */
export async function countGuess(db: TenantTx, account: string, source: string, free: number, blockMsMax: number): Promise<number | undefined> {
  const delay = sql`interval '1 ms' * case when g.count + 1 < ${free} then 0 else least(${blockMsMax}, 1000 * power(2, least(g.count + 1 - ${free}, 30))) end`
  const [row] = await db.rows<{ count: number }>(sql`
    insert into guesses as g (tenant_id, account, source, count, blocked_until, at)
    values (${db.tenantId}, ${account}, ${source}, 1, ${db.now}, ${db.now})
    on conflict (tenant_id, account, source) do update set
      count = case when g.at < ${db.now} - interval '1 day' then 1 else g.count + 1 end,
      blocked_until = case when g.at < ${db.now} - interval '1 day' then ${db.now} else ${db.now} + ${delay} end,
      at = ${db.now}
    where g.blocked_until <= ${db.now}
    returning count`)
  return row?.count
}

export async function blockedForMs(db: TenantTx, account: string, source: string): Promise<number> {
  const [row] = await db.rows<{ ms: number }>(sql`
    select (extract(epoch from blocked_until - ${db.now}) * 1000)::double precision as ms
    from guesses
    where tenant_id = ${db.tenantId} and account = ${account} and source = ${source}`)
  return Math.max(0, row?.ms ?? 0)
}

export async function forgetGuesses(db: TenantTx, account: string, source: string): Promise<void> {
  await db.rows(sql`delete from guesses where tenant_id = ${db.tenantId} and account = ${account} and source = ${source}`)
}

/** What is of no use to anybody any more, of all tenants. */
export async function sweepSignIns(db: Tx): Promise<void> {
  await db.rows(sql`delete from tickets where expires_at < ${db.now}`)
  await db.rows(sql`delete from logins where expires_at < ${db.now}`)
  await db.rows(sql`delete from guesses where at < ${db.now} - interval '1 day'`)
}
