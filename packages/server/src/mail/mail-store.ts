import { type Mail, storableText } from '@longhaul/protocol'
import { type TenantTx, type Tx, sql } from '../db/index.ts'

export type MailKind = Mail['kind']
export type LinkMailKind = Extract<MailKind, 'invitation' | 'link' | 'reset'>
export type ApprovalMailKind = Exclude<MailKind, LinkMailKind>
export type MailLanguage = Mail['language']
export type MailRow = Omit<Mail, 'dueAt' | 'createdAt' | 'endedAt'> & {
  namespaces: string[] | null
  agents: string[] | null
  dueAt: Date | null
  createdAt: Date
  endedAt: Date | null
}

export async function insertMail(tx: TenantTx, mail: { id: string; personId: string; kind: LinkMailKind; language: MailLanguage }): Promise<void> {
  await tx.rows(sql`
    insert into mails (tenant_id, id, person_id, kind, language)
    values (${tx.tenantId}, ${mail.id}, ${mail.personId}, ${mail.kind}, ${mail.language})`)
  // A reset is asked for by anybody: it says nothing of the person's language.
  if (mail.kind !== 'reset') await tx.rows(sql`update people set mail_language = ${mail.language} where tenant_id = ${tx.tenantId} and id = ${mail.personId}`)
}

/** `attempt` is the one to make now, `failure` what came of the one before. */
export type DueMail = { id: string; tenantId: string; personId: string; kind: MailKind; language: MailLanguage; attempt: number; failure: string | null }

/** Takes mails that are due, of all tenants. They are due again after `leaseMs`, in case that this process does not live to say what came of them. */
export async function claimMails(db: Tx, leaseMs: number, limit: number): Promise<DueMail[]> {
  return db.rows(sql`
    with due as materialized (
      select id from mails where state = 'pending' and due_at <= ${db.now} order by due_at limit ${limit} for update skip locked
    )
    update mails set attempt = attempt + 1, due_at = ${db.now} + ${leaseMs} * interval '1 ms'
    from due where mails.id = due.id
    returning mails.id, tenant_id as "tenantId", person_id as "personId", kind, language, attempt, failure`)
}

/** Milliseconds until the next one is due; null when none is. */
export async function nextMailMs(db: Tx): Promise<number | null> {
  const [row] = await db.rows<{ ms: number | null }>(sql`
    select (extract(epoch from min(due_at) - ${db.now}) * 1000)::double precision as ms from mails where state = 'pending'`)
  return row?.ms ?? null
}

export type MailOutcome = { state: 'sent' } | { state: 'pending'; failure: string; inMs: number } | { state: 'failed' | 'dropped'; failure: string }

/** Only for the attempt that was claimed: another one may have been made since. */
export async function recordMail(db: Tx, { id, attempt }: DueMail, outcome: MailOutcome): Promise<void> {
  const isPending = outcome.state === 'pending'
  await db.rows(sql`
    update mails set state = ${outcome.state}, failure = ${outcome.state === 'sent' ? null : storableText(outcome.failure).slice(0, 1_000)},
      due_at = ${isPending ? sql`${db.now} + ${outcome.inMs} * interval '1 ms'` : sql`null`},
      ended_at = ${isPending ? sql`null` : db.now}
    where id = ${id} and attempt = ${attempt} and state = 'pending'`)
}

/** Of all tenants. */
export async function sweepMails(db: Tx, keepMs: number): Promise<void> {
  await db.rows(sql`delete from mails where ended_at < ${db.now} - ${keepMs} * interval '1 ms'`)
}

const columns = sql`mails.id, mails.person_id as "personId", people.email, people.namespaces, people.agents, kind, language, state, attempt, failure,
  due_at as "dueAt", mails.created_at as "createdAt", ended_at as "endedAt"`

/** Newest first. */
export async function listMails(
  db: TenantTx,
  { before, count, state }: { before?: string | undefined; count: number; state?: Mail['state'] | undefined },
): Promise<MailRow[]> {
  return db.rows(sql`
    select ${columns}
    from mails join people on people.id = mails.person_id and people.tenant_id = mails.tenant_id
    where mails.tenant_id = ${db.tenantId}
      and (${before ?? null}::uuid is null or mails.id < ${before ?? null}::uuid)
      and (${state ?? null}::text is null or state = ${state ?? null})
    order by mails.id desc
    limit ${count}`)
}

/** Locked until the end of the transaction. */
export async function findMail(tx: TenantTx, id: string): Promise<MailRow | undefined> {
  const [row] = await tx.rows<MailRow>(sql`
    select ${columns}
    from mails join people on people.id = mails.person_id and people.tenant_id = mails.tenant_id
    where mails.tenant_id = ${tx.tenantId} and mails.id = ${id}
    for update of mails`)
  return row
}

/** Puts a mail that failed up once more, from its first attempt. False when it has not failed. */
export async function resetMail(tx: TenantTx, id: string): Promise<boolean> {
  const rows = await tx.rows(sql`
    update mails set state = 'pending', attempt = 0, failure = null, due_at = ${tx.now}, ended_at = null
    where tenant_id = ${tx.tenantId} and id = ${id} and state = 'failed'
    returning id`)
  return rows.length > 0
}

/** Where its person may do what is not for the answer, and the operation’s contract drops it. */
export const toMail = (row: MailRow): Mail => ({
  ...row,
  dueAt: row.state === 'pending' ? (row.dueAt?.toISOString() ?? null) : null,
  createdAt: row.createdAt.toISOString(),
  endedAt: row.endedAt?.toISOString() ?? null,
})
