/**
 * The two roles that every statement of a running server has, neither of them owner nor superuser, so that row-level security holds.
 *
 * `longhaul_tenant` sees the rows of the one tenant that its transaction named. `longhaul_engine` sees all tenants' rows: a flush writes
 * for all runs that became ready, and a claim takes the next due run whoever's it is. Both are put on by `db.ts`; nobody logs in as either.
 */
import { AppError } from '../kernel/index.ts'
import type { Db } from './db.ts'
import { sqlState } from './db-errors.ts'
import { Sql, identifier, sql } from './sql.ts'

export const tenantRole = 'longhaul_tenant'
export const engineRole = 'longhaul_engine'
const roles = [tenantRole, engineRole]

const refused = '42501'
/** Another database of the same cluster was being prepared in the same moment. */
const concurrent = new Set(['23505', '42710', 'XX000'])

/** Makes the roles where they are missing and has our user put them on. When it may not, says what an administrator has to run. */
export async function ensureRoles(db: Db): Promise<void> {
  for (let tries = 0; ; tries++) {
    const missing = await findMissing(db)
    if (missing.toMake.length + missing.toGrant.length === 0) return
    try {
      for (const role of missing.toMake) await db.rows(sql`create role ${identifier(role)} nologin`)
      for (const role of missing.toGrant) await db.rows(new Sql([`grant ${role} to current_user`], []))
    } catch (error) {
      const state = sqlState(error) ?? ''
      if (concurrent.has(state) && tries < 10) continue
      if (state !== refused) throw error
      throw new AppError(
        'unavailable',
        `The database user ${missing.user} may not make roles. Let an administrator of PostgreSQL run: ${remedy(missing)}`,
        error,
      )
    }
  }
}

type Missing = { user: string; toMake: string[]; toGrant: string[] }

const remedy = ({ user, toMake, toGrant }: Missing): string =>
  [...toMake.map((role) => `create role ${role} nologin;`), `grant ${toGrant.join(', ')} to "${user}";`].join(' ')

async function findMissing(db: Db): Promise<Missing> {
  const [row] = await db.rows<Missing>(sql`
    select current_user as user,
      array(select name from unnest(${roles}::text[]) as name where not exists (select from pg_roles where rolname = name) order by name) as "toMake",
      array(select name from unnest(${roles}::text[]) as name
        where not exists (select from pg_roles where rolname = name and pg_has_role(current_user, oid, 'usage') and exists (
          select from pg_roles me where me.rolname = current_user and (me.rolsuper or exists (
            select from pg_auth_members m where m.member = me.oid and m.roleid = pg_roles.oid)))) order by name) as "toGrant"`)
  return row! // A select without a from has one row.
}

/**
 * Tables with tenants' rows that are not protected, each with why. Empty is good; a server does not start otherwise. A restrictive policy only takes
 * away from what the others show, so a table may have some of its own.
 * A new table is protected by one line of its migration: `select protect_tenant_table('things')`.
 */
export async function unprotectedTables(db: Db): Promise<string[]> {
  const rows = await db.rows<{ problem: string }>(sql`
    select c.relname || case
      when not c.relrowsecurity or not c.relforcerowsecurity then ' has no forced row-level security'
      when not has_of_tenant then ' has no policy for ' || ${tenantRole}::text
      else ' has a policy of its own, ' || odd end as problem
    from pg_class c
    cross join lateral (
      select coalesce(bool_or(polname = 'of_tenant'), false) as has_of_tenant,
        min(polname) filter (where polpermissive and polname not in ('of_tenant', 'across_tenants')) as odd
      from pg_policy where polrelid = c.oid
    ) as p
    where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p')
      and (exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped) or c.relname = 'tenants')
      and (not c.relrowsecurity or not c.relforcerowsecurity or not has_of_tenant or odd is not null)
    order by c.relname
    limit 1000`)
  return rows.map(({ problem }) => problem)
}

export async function assertTenantsApart(db: Db): Promise<void> {
  const problems = await unprotectedTables(db)
  if (problems.length > 0)
    throw new AppError(
      'unavailable',
      `Tenants are not kept apart in the database: ${problems.join('; ')}. It was changed by hand or not restored whole. Run: select protect_tenant_table('<table>'); for each, or restore it again.`,
    )
}
