import type { Role } from '@longhaul/protocol'
import { type TenantTx, sql } from '../db/index.ts'

export type SsoRow = {
  issuer: string
  clientId: string
  scopes: string[]
  rolesClaim: string | null
  roles: Record<string, Role[]>
  createsPeople: boolean
  updatedAt: Date
}

const columns = sql`issuer, client_id as "clientId", scopes, roles_claim as "rolesClaim", roles, creates_people as "createsPeople", updated_at as "updatedAt"`

export async function findSso(db: TenantTx): Promise<SsoRow | undefined> {
  const [row] = await db.rows<SsoRow>(sql`select ${columns} from single_sign_on where tenant_id = ${db.tenantId}`)
  return row
}

export async function putSso(tx: TenantTx, { issuer, clientId, scopes, rolesClaim, roles, createsPeople }: Omit<SsoRow, 'updatedAt'>): Promise<SsoRow> {
  const [row] = await tx.rows<SsoRow>(sql`
    insert into single_sign_on (tenant_id, issuer, client_id, scopes, roles_claim, roles, creates_people)
    values (${tx.tenantId}, ${issuer}, ${clientId}, ${scopes}, ${rolesClaim}, ${JSON.stringify(roles)}, ${createsPeople})
    on conflict (tenant_id) do update set
      issuer = excluded.issuer, client_id = excluded.client_id, scopes = excluded.scopes, roles_claim = excluded.roles_claim,
      roles = excluded.roles, creates_people = excluded.creates_people, updated_at = ${tx.now}
    returning ${columns}`)
  return row! // Inserted or updated.
}

export async function deleteSso(tx: TenantTx): Promise<SsoRow | undefined> {
  const [row] = await tx.rows<SsoRow>(sql`delete from single_sign_on where tenant_id = ${tx.tenantId} returning ${columns}`)
  return row
}

type Outside = { issuer: string; subject: string; email: string | undefined }
export type Known = { id: string; isBound: boolean }

/** By the subject; else by the address, if nobody else of that provider is this person already. */
export async function findByIdentity(tx: TenantTx, { issuer, subject, email }: Outside): Promise<Known | undefined> {
  const [row] = await tx.rows<Known>(sql`
    select id, coalesce(sso_issuer = ${issuer} and sso_subject = ${subject}, false) as "isBound"
    from people
    where tenant_id = ${tx.tenantId} and (
      (sso_issuer = ${issuer} and sso_subject = ${subject}) or (email = ${email ?? null} and sso_issuer is distinct from ${issuer}))
    order by 2 desc
    limit 1
    for update`)
  return row
}

export async function bindIdentity(tx: TenantTx, personId: string, { issuer, subject }: Outside): Promise<void> {
  await tx.rows(sql`update people set sso_issuer = ${issuer}, sso_subject = ${subject} where tenant_id = ${tx.tenantId} and id = ${personId}`)
}
