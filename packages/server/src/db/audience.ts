/** Who reads, and so which rows there are. Every reading of a run, or of what belongs to one, is under one of these conditions. */
import type { DataAccess } from '@longhaul/protocol'
import { type Sql, join, sql } from './sql.ts'

/** All of a tenant, or no more than the runs that this key asked for (`askerId`), of these namespaces, of these agents. */
export type Audience = {
  readonly tenantId: string
  readonly askerId: string | undefined
  readonly namespaces?: readonly string[] | undefined
  readonly agents?: readonly string[] | undefined
  /** Which key this is, for the audit log. */
  readonly keyId?: string | undefined
}

/** An answer holds what its asker may see. So a key with limited access reads its own answers alone: another's may hold more. */
export const audienceOf = (tenantId: string, asker: { id: string; access: DataAccess }): Audience => ({
  tenantId,
  askerId: asker.access.regions === undefined && asker.access.personalData ? undefined : asker.id,
})

/** A condition on `runs`. */
export const isRunFor = ({ tenantId, askerId, namespaces, agents }: Audience): Sql =>
  join(
    [
      sql`runs.tenant_id = ${tenantId}`,
      ...(askerId === undefined ? [] : [sql`runs.asker ->> 'id' = ${askerId}`]),
      ...(namespaces ? [sql`runs.namespace = any(${namespaces})`] : []),
      ...(agents ? [sql`runs.agent = any(${agents})`] : []),
    ],
    sql` and `,
  )

/** A condition on a table whose rows belong to runs: it has `tenant_id` and `run_id`. */
export const isOfRunFor = (audience: Audience): Sql =>
  audience.askerId === undefined && !audience.namespaces && !audience.agents
    ? sql`tenant_id = ${audience.tenantId}`
    : sql`tenant_id = ${audience.tenantId} and exists (select from runs where runs.id = run_id and ${isRunFor(audience)})`
