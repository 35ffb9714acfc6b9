/** Rights by which a user reaches beyond its database: to programs and files of the host. No row when it has none of them. */
export const powers = `
  select 1 from pg_roles where rolname = current_user and rolsuper
  union all
  select 1 from pg_roles where rolname in ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files') and pg_has_role(current_user, oid, 'usage')`
