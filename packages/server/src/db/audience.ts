/** Who reads, and so which rows there are. Every reading of a run, or of what belongs to one, is under one of these conditions. */
import type { DataAccess } from '@longhaul/protocol'
import { type Sql, sql } from './sql.ts'

/** All of a tenant, or, when `askerId` is set, no more than the runs that this key asked for. */
export type Audience = { tenantId: string; askerId: string | undefined }

/** An answer holds what its asker may see. So a key with limited access reads its own answers alone: another's may hold more. */
export const audienceOf = (tenantId: string, asker: { id: string; access: DataAccess }): Audience => ({
  tenantId,
  askerId: asker.access.regions === undefined && asker.access.personalData ? undefined : asker.id,
})

/** A condition on `runs`. */
export const isRunFor = ({ tenantId, askerId }: Audience): Sql =>
  askerId === undefined ? sql`runs.tenant_id = ${tenantId}` : sql`runs.tenant_id = ${tenantId} and runs.asker ->> 'id' = ${askerId}`

/** A condition on a table whose rows belong to runs: it has `tenant_id` and `run_id`. */
export const isOfRunFor = (audience: Audience): Sql =>
  audience.askerId === undefined
    ? sql`tenant_id = ${audience.tenantId}`
    : sql`tenant_id = ${audience.tenantId} and exists (select from runs where runs.id = run_id and ${isRunFor(audience)})`
