import type { Route } from '@longhaul/protocol'
import { type Tx, sql } from '../../db/index.ts'

/** What is stored as one value. */
export type RouteSpec = Omit<Route, 'name' | 'updatedAt' | 'problems'>
type Row = { name: string; spec: RouteSpec; updatedAt: Date }

const toRoute = ({ name, spec, updatedAt }: Row): Route => ({ name, ...spec, updatedAt: updatedAt.toISOString() })

export async function listRoutes(db: Tx, tenantId: string, limit: number): Promise<Route[]> {
  const rows = await db.rows<Row>(sql`
    select name, spec, updated_at as "updatedAt"
    from routes
    where tenant_id = ${tenantId}
    order by name
    limit ${limit}`)
  return rows.map(toRoute)
}

/** Undefined when it is new and there are `countMax` of them already. */
export async function replaceRoute(db: Tx, tenantId: string, name: string, spec: RouteSpec, countMax: number): Promise<Route | undefined> {
  const [row] = await db.rows<Row>(sql`
    insert into routes (tenant_id, name, spec, updated_at)
    select ${tenantId}, ${name}, ${JSON.stringify(spec)}, ${db.now}
    where exists (select from routes where tenant_id = ${tenantId} and name = ${name})
      or (select count(*) from routes where tenant_id = ${tenantId}) < ${countMax}
    on conflict (tenant_id, name) do update
    set spec = excluded.spec, updated_at = excluded.updated_at
    returning name, spec, updated_at as "updatedAt"`)
  return row && toRoute(row)
}

export async function deleteRoute(db: Tx, tenantId: string, name: string): Promise<Route | undefined> {
  const [row] = await db.rows<Row>(sql`
    delete from routes
    where tenant_id = ${tenantId} and name = ${name}
    returning name, spec, updated_at as "updatedAt"`)
  return row && toRoute(row)
}
