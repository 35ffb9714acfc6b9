/** Approvals, and those who may decide them and want to hear of it by mail. */
import { type Json, roles } from '@longhaul/protocol'
import { type Db, type Sql, type Tx, sql } from '../db/index.ts'
import { newId } from '../kernel/index.ts'
import type { ApprovalMailKind, DueMail, MailLanguage } from './mail-store.ts'

const deciders = Object.entries(roles).flatMap(([role, permissions]) => (permissions.some((permission) => permission === 'approvals:decide') ? [role] : []))

/** On `approvals`, `people` and `runs`, which the approval is of: who may decide it, also by its rule, and has not said that they want no mails. As `isRunFor` has it, and the permission. */
const mayDecide = sql`
  people.tenant_id = runs.tenant_id and not people.is_disabled and people.approval_mails and (people.last_seen_at is not null or people.password_hash is not null)
  and people.roles && ${deciders} and (people.namespaces is null or runs.namespace = any(people.namespaces)) and (people.agents is null or runs.agent = any(people.agents))
  and (((people.access ->> 'personalData')::boolean and people.access -> 'regions' is null) or runs.asker ->> 'id' = people.id::text)
  and not exists (select from tenants where tenants.id = runs.tenant_id and not tenants.approval_mails)
  and (approvals.rule is null or (
    not ((approvals.rule ->> 'excludesAsker')::boolean and runs.asker ->> 'id' = people.id::text)
    and (approvals.rule -> 'roles' is null or approvals.escalates_at <= clock_timestamp() or people.roles && array(select json_array_elements_text(approvals.rule -> 'roles')))
    and not exists (select from json_array_elements(approvals.approved_by) as vote where vote ->> 'id' = people.id::text)))`

const isOpen = sql`(approvals.expires_at is null or approvals.expires_at > clock_timestamp())`
type Stage = { kind: ApprovalMailKind | null; set: Sql; isDue: Sql }
/** In this order, so that what has expired is not reminded of. */
const stages: readonly Stage[] = [
  { kind: 'approval-expired', set: sql`told = 3`, isDue: sql`approvals.told in (1, 2) and not ${isOpen}` },
  { kind: null, set: sql`told = 3`, isDue: sql`approvals.told = 0 and not ${isOpen}` },
  { kind: 'approval', set: sql`told = 1`, isDue: sql`approvals.told = 0 and ${isOpen}` },
  // Those who were not asked before, as its roles left them out.
  {
    kind: 'approval',
    set: sql`is_escalation_told = true`,
    isDue: sql`approvals.told in (1, 2) and not is_escalation_told and escalates_at <= clock_timestamp() and ${isOpen}`,
  },
  // A quarter of the time is left.
  {
    kind: 'approval-reminder',
    set: sql`told = 2`,
    isDue: sql`approvals.told = 1 and ${isOpen} and clock_timestamp() > approvals.expires_at - (approvals.expires_at - approvals.created_at) / 4`,
  },
]

/** Puts the mails that are due, of all tenants, each by one server and once. Returns whether there may be more. */
export async function tellDeciders(db: Db, atOnce: number): Promise<boolean> {
  let hasMore = false
  for (const { kind, set, isDue } of stages) {
    const count = await db.transaction(async (tx) => {
      const due = await tx.rows<{ id: string }>(sql`
        with due as materialized (
          select id from approvals where state = 'pending' and told < 3 and ${isDue} order by id limit ${atOnce} for update skip locked
        ) update approvals set ${set} from due where approvals.id = due.id returning approvals.id`)
      if (kind !== null && due.length > 0)
        await putMails(
          tx,
          kind,
          due.map(({ id }) => id),
        )
      return due.length
    })
    hasMore ||= count === atOnce
  }
  return hasMore
}

async function putMails(tx: Tx, kind: ApprovalMailKind, approvalIds: string[]): Promise<void> {
  const found = await tx.rows<{ approvalId: string; tenantId: string; personId: string; language: MailLanguage }>(sql`
    select approvals.id as "approvalId", people.tenant_id as "tenantId", people.id as "personId", people.mail_language as language
    from approvals join runs on runs.id = approvals.run_id join people on ${mayDecide}
    where approvals.id = any(${approvalIds}) and not exists (select from mails where mails.approval_id = approvals.id and mails.person_id = people.id and mails.kind = ${kind})`)
  const rows = JSON.stringify(found.map((mail) => ({ ...mail, id: newId() })))
  await tx.rows(sql`
    insert into mails (tenant_id, id, person_id, kind, language, approval_id)
    select m."tenantId", m.id, m."personId", ${kind}, m.language, m."approvalId"
    from json_to_recordset(${rows}::json) as m("tenantId" text, id uuid, "personId" uuid, language text, "approvalId" uuid)`)
}

export type AskedApproval = {
  email: string
  name: string
  title: string
  detail: Json
  agent: string
  namespace: string
  runId: string
  asker: string
  expiresAt: Date | null
}

/** What a mail is to say, read when it is sent. Undefined when its person cannot decide it any more, wants no mails, or somebody else has decided. */
export async function findAskedApproval(db: Tx, { id, kind }: Pick<DueMail, 'id' | 'kind'>): Promise<AskedApproval | undefined> {
  const [row] = await db.rows<AskedApproval>(sql`
    select people.email, people.name, approvals.title, approvals.detail, approvals.agent, runs.namespace, approvals.run_id as "runId",
      runs.asker ->> 'name' as asker, approvals.expires_at as "expiresAt"
    from mails join approvals on approvals.id = mails.approval_id join runs on runs.id = approvals.run_id
      join people on people.id = mails.person_id and ${mayDecide}
    where mails.id = ${id} and approvals.state = 'pending' and ${kind === 'approval-expired' ? sql`not ${isOpen}` : isOpen}`)
  return row
}
