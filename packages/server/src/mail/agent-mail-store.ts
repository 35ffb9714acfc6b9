import { type AgentMail as Shown, storableText } from '@longhaul/protocol'
import { type Db, type TenantTx, sql } from '../db/index.ts'

/** What the step of a run has put in the outbox. */
export type AgentMail = { id: string; tenant: string; run: string; op: string; namespace: string; agent: string; to: string; subject: string; text: string }

/** A row for the engine's booking, so that the mail is there if and only if the step is recorded. Made such that the database takes it. */
export const agentMailRow = (mail: AgentMail): string =>
  JSON.stringify({ mail: { ...mail, to: storableText(mail.to), subject: storableText(mail.subject), text: storableText(mail.text) } })

/** The tail of a `with` whose first part is called `fence`. The placeholder is a JSON array of rows, of which those with a `mail` are ours. A step that was executed again finds its mail there. */
export const agentMailSql = (placeholder: string): string => `
mailed as (
  insert into agent_mails (tenant_id, id, run_id, op, namespace, agent, recipient, subject, body)
  select mail ->> 'tenant', (mail ->> 'id')::uuid, (mail ->> 'run')::uuid, mail ->> 'op', mail ->> 'namespace', mail ->> 'agent', mail ->> 'to', mail ->> 'subject', mail ->> 'text'
  from fence, json_to_recordset(${placeholder}::json) as booked(mail json)
  where mail is not null
  on conflict (tenant_id, run_id, op) do nothing
)`

export type DueAgentMail = { id: string; tenantId: string; runId: string; agent: string; recipient: string; subject: string; body: string; attempt: number }

/** Takes mails that are due, of all tenants, but of nothing that is stopped. */
export async function claimAgentMails(db: Db, leaseMs: number, limit: number): Promise<DueAgentMail[]> {
  return db.rows(sql`
    with due as materialized (
      select id from agent_mails
      where state = 'pending' and due_at <= ${db.now} and not exists (
        select from stops
        where stops.tenant_id = agent_mails.tenant_id and lifted_at is null
          and case when stops.run_id is null then stops.namespace in ('', agent_mails.namespace) and stops.agent in ('', agent_mails.agent)
            else agent_mails.run_id = stops.run_id or agent_mails.run_id = any(stops.run_ids) end)
      order by due_at limit ${limit} for update skip locked
    )
    update agent_mails set state = 'sending', attempt = attempt + 1, due_at = ${db.now} + ${leaseMs} * interval '1 ms'
    from due where agent_mails.id = due.id
    returning agent_mails.id, tenant_id as "tenantId", run_id as "runId", agent, recipient, subject, body, attempt`)
}

/** Those whose server did not live to say what came of them. Their ids. */
export async function doubtAgentMails(db: Db, why: string): Promise<string[]> {
  const rows = await db.rows<{ id: string }>(sql`
    update agent_mails set state = 'in_doubt', failure = ${why}, due_at = null, ended_at = ${db.now}
    where state = 'sending' and due_at < ${db.now} returning id`)
  return rows.map(({ id }) => id)
}

export type AgentMailOutcome = { state: 'sent' } | { state: 'pending'; failure: string; inMs: number } | { state: 'failed' | 'in_doubt'; failure: string }

/** Only for the attempt that was claimed. One that came to be in doubt since is so no more. */
export async function recordAgentMail(db: Db, { id, attempt }: Pick<DueAgentMail, 'id' | 'attempt'>, outcome: AgentMailOutcome): Promise<void> {
  const isPending = outcome.state === 'pending'
  await db.rows(sql`
    update agent_mails set state = ${outcome.state}, failure = ${outcome.state === 'sent' ? null : storableText(outcome.failure).slice(0, 1_000)},
      body = case when ${outcome.state === 'sent'} then null else body end,
      due_at = ${isPending ? sql`${db.now} + ${outcome.inMs} * interval '1 ms'` : sql`null`},
      ended_at = ${isPending ? sql`null` : db.now}
    where id = ${id} and attempt = ${attempt} and state in ('sending', 'in_doubt')`)
}

/** Of all tenants. */
export async function sweepAgentMails(db: Db, keepMs: number): Promise<void> {
  await db.rows(sql`delete from agent_mails where ended_at < ${db.now} - ${keepMs} * interval '1 ms'`)
}

type ShownRow = Omit<Shown, 'createdAt' | 'endedAt'> & { createdAt: Date; endedAt: Date | null }
const columns = sql`id, op, recipient as "to", subject, state, attempt, failure, created_at as "createdAt", ended_at as "endedAt"`
const shownMax = 200

/** Newest first. */
export async function listAgentMails(db: TenantTx, runId: string): Promise<Shown[]> {
  const rows = await db.rows<ShownRow>(
    sql`select ${columns} from agent_mails where tenant_id = ${db.tenantId} and run_id = ${runId} order by id desc limit ${shownMax}`,
  )
  return rows.map(toShown)
}

/** Puts those that failed or are in doubt up once more, from their first attempt. */
export async function resetAgentMails(db: TenantTx, runId: string, mailId: string | undefined): Promise<Shown[]> {
  const rows = await db.rows<ShownRow>(sql`
    update agent_mails set state = 'pending', attempt = 0, failure = null, due_at = ${db.now}, ended_at = null
    where tenant_id = ${db.tenantId} and run_id = ${runId} and state in ('failed', 'in_doubt') and (${mailId ?? null}::uuid is null or id = ${mailId ?? null}::uuid)
    returning ${columns}`)
  return rows.map(toShown)
}

const toShown = (row: ShownRow): Shown => ({ ...row, createdAt: row.createdAt.toISOString(), endedAt: row.endedAt?.toISOString() ?? null })
