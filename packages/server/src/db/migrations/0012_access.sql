-- Tenants and their namespaces. `quotas` holds what the protocol's `Quotas` says.
create table tenants (
  id text primary key check (id <> ''),
  description text not null default '',
  is_suspended boolean not null default false,
  quotas json not null default '{}',
  created_at timestamptz not null default clock_timestamp()
);
select protect_tenant_table('tenants', 'id');
insert into tenants (id) select 'default' union select tenant_id from keys union select tenant_id from runs;

create table namespaces (
  tenant_id text not null,
  name text not null,
  description text not null default '',
  quotas json not null default '{}',
  created_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, name)
);
select protect_tenant_table('namespaces');

-- Asked only for tenants and namespaces with a quota.
create index runs_in_flight on runs (tenant_id, namespace) where state in ('pending', 'running', 'waiting');
create index files_of_tenant on files (tenant_id) include (bytes);
create index files_of_run on files (run_id);

-- A key's role is resolved when it is used. Null lists: all namespaces, all agents.
alter table keys
  add column role text,
  add column namespaces text[],
  add column agents text[],
  add column expires_at timestamptz;
-- What was one right became several: nobody loses what they could do, and whoever manages keys is the administrator.
update keys set permissions = permissions || '{runs:operate}' where 'runs:write' = any (permissions);
update keys set permissions = permissions || '{namespaces:read}' where 'system:read' = any (permissions);
update keys set permissions = permissions || '{agents:deploy,namespaces:manage,tenants:manage,policies:manage,secrets:manage,audit:read}'
where 'keys:manage' = any (permissions) and 'system:read' = any (permissions);

-- The audit log. What happened is noted in the transaction in which it happened; one appender takes notes into their tenant's chain.
create table audit_notes (
  id uuid primary key,
  tenant_id text not null,
  at timestamptz not null default clock_timestamp(),
  who_id text,
  who_name text not null,
  action text not null,
  target text,
  outcome text not null check (outcome in ('done', 'refused', 'failed')),
  detail json not null,
  request_id text
);
select protect_tenant_table('audit_notes');

create table audit_entries (
  tenant_id text not null,
  seq bigint not null,
  at timestamptz not null,
  who_id text,
  who_name text not null,
  action text not null,
  target text,
  outcome text not null,
  detail json not null,
  request_id text,
  hash text not null,
  primary key (tenant_id, seq)
);
select protect_tenant_table('audit_entries');

create table audit_heads (
  tenant_id text primary key,
  seq bigint not null,
  hash text not null
);
select protect_tenant_table('audit_heads');
-- Requests may note and read. Nobody but the owner of the tables can change an entry.
revoke update, delete on audit_notes, audit_entries, audit_heads from longhaul_tenant;
revoke insert on audit_entries, audit_heads from longhaul_tenant;
revoke update, delete on audit_entries from longhaul_engine;

create table policies (
  tenant_id text not null,
  name text not null,
  version int not null,
  text text not null,
  description text not null,
  is_active boolean not null,
  created_by text not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, name, version)
);
select protect_tenant_table('policies');
create index policies_active on policies (tenant_id, name) where is_active;

-- A value is encrypted with a key of its own, and that key with the installation's master key, which is not in the database.
create table secrets (
  tenant_id text not null,
  name text not null,
  version int not null,
  description text not null,
  ciphertext bytea not null,
  wrapped_key bytea not null,
  master_key_id text not null,
  created_by text not null,
  created_at timestamptz not null default clock_timestamp(),
  last_used_at timestamptz,
  use_count bigint not null default 0,
  primary key (tenant_id, name, version)
);
select protect_tenant_table('secrets');
