-- Whose rows a statement may see is PostgreSQL's to decide. The two roles are made by `roles.ts` before any migration.

-- Whom this transaction speaks for. Empty outside of one that said so, and no tenant has an empty name.
create function current_tenant() returns text
language sql stable parallel safe
as $$ select current_setting('longhaul.tenant', true) $$;

-- The one line that every migration with a new table of tenants' rows ends with: select protect_tenant_table('things');
create function protect_tenant_table(target regclass, tenant_column name default 'tenant_id') returns void
language plpgsql
as $$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('create policy of_tenant on %s to longhaul_tenant using (%I = current_tenant()) with check (%I = current_tenant())', target, tenant_column, tenant_column);
  execute format('create policy across_tenants on %s to longhaul_engine using (true) with check (true)', target);
  execute format('grant select, insert, update, delete on %s to longhaul_tenant', target);
end
$$;

do $$
begin
  execute format('grant usage on schema %I to longhaul_tenant, longhaul_engine', current_schema());
  execute format('grant select, insert, update, delete on all tables in schema %I to longhaul_engine', current_schema());
  -- Later tables too. Not to `longhaul_tenant`: a table that nobody protected is closed to requests, not open to all of them.
  execute format('alter default privileges in schema %I grant select, insert, update, delete on tables to longhaul_engine', current_schema());
  execute format('alter default privileges in schema %I grant usage on sequences to longhaul_engine, longhaul_tenant', current_schema());
  perform protect_tenant_table(c.oid::regclass)
  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
  where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relrowsecurity;
end
$$;
