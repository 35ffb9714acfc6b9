import type { EgressConnection } from '@longhaul/protocol'
import { type Tx, sql } from '../db/index.ts'

export type ConnectionRow = Omit<EgressConnection, 'startedAt'> & { tenantId: string; sandboxId: string; startedAt: Date }

/** All of them in one statement, and what they moved added to their sandboxes. */
export async function insertConnections(db: Tx, rows: readonly ConnectionRow[]): Promise<void> {
  await db.rows(sql`
    with given as (
      select * from json_to_recordset(${JSON.stringify(rows)}::json) as given(
        "tenantId" text, "sandboxId" uuid, id uuid, host text, port int, method text, path text, verdict text, reason text, status int,
        "bytesOut" bigint, "bytesIn" bigint, "startedAt" timestamptz, "durationMs" int)
    ), added as (
      insert into sandbox_connections (tenant_id, sandbox_id, id, host, port, method, path, verdict, reason, status, bytes_out, bytes_in, started_at, duration_ms)
      select "tenantId", "sandboxId", id, host, port, method, path, verdict, reason, status, "bytesOut", "bytesIn", "startedAt", "durationMs" from given
    )
    update sandboxes
    set egress_bytes = egress_bytes + used.bytes, egress_requests = egress_requests + used.requests
    from (select "tenantId", "sandboxId", sum("bytesOut" + "bytesIn")::bigint as bytes, count(*)::bigint as requests from given group by 1, 2) used
    where sandboxes.tenant_id = used."tenantId" and sandboxes.id = used."sandboxId"`)
}

export async function listConnections(
  db: Tx,
  { tenantId, sandboxId, limit, before }: { tenantId: string; sandboxId: string; limit: number; before: string | undefined },
): Promise<EgressConnection[]> {
  const rows = await db.rows<ConnectionRow>(sql`
    select id, host, port, method, path, verdict, reason, status, bytes_out as "bytesOut", bytes_in as "bytesIn", started_at as "startedAt", duration_ms as "durationMs"
    from sandbox_connections
    where tenant_id = ${tenantId} and sandbox_id = ${sandboxId} and ${before === undefined ? sql`true` : sql`id < ${before}`}
    order by id desc
    limit ${limit}`)
  return rows.map((row) => ({ ...row, startedAt: row.startedAt.toISOString() }))
}

/** What was moved so far, and the hosts that were let through. */
export async function usedBy(
  db: Tx,
  { tenantId, sandboxId }: { tenantId: string; sandboxId: string },
): Promise<{ bytes: number; requests: number; hosts: string[] }> {
  const [row] = await db.rows<{ bytes: number; requests: number; hosts: string[] | null }>(sql`
    select coalesce(sum(bytes_out + bytes_in), 0)::bigint as bytes, count(*)::bigint as requests, array_agg(distinct host) filter (where verdict = 'allowed') as hosts
    from sandbox_connections
    where tenant_id = ${tenantId} and sandbox_id = ${sandboxId}`)
  return { bytes: row?.bytes ?? 0, requests: row?.requests ?? 0, hosts: row?.hosts ?? [] }
}

export async function deleteOldConnections(db: Tx, ageMs: number, limit: number): Promise<number> {
  const rows = await db.rows(sql`
    delete from sandbox_connections
    where ctid = any(array(select ctid from sandbox_connections where started_at < ${db.now} - ${ageMs} * interval '1 ms' limit ${limit}))
    returning id`)
  return rows.length
}
