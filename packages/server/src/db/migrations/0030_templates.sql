-- Workspaces that are prepared once and that sandboxes begin as copies of. The archive is that of the internal snapshot `snapshot_id`.
create table templates (
  tenant_id text not null,
  id uuid not null,
  name text not null,
  version int not null,
  -- Null: an agent's version declares it.
  owner_id uuid,
  state text not null check (state in ('preparing', 'ready', 'failed')),
  -- What it is made of, without contents of files and values of credentials.
  spec json not null,
  digest text not null,
  limits json not null,
  env json not null,
  -- Which server's folder it is prepared in.
  home text not null,
  snapshot_id uuid,
  bytes bigint not null default 0,
  problem text,
  step text,
  steps_done int not null default 0,
  step_count int not null,
  log text not null default '',
  is_log_cut boolean not null default false,
  created_at timestamptz not null default clock_timestamp(),
  prepared_at timestamptz,
  used_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, id),
  unique (tenant_id, name, version)
);
create index templates_preparing on templates (home) where state = 'preparing';
create index templates_by_use on templates (used_at) where state <> 'preparing';
select protect_tenant_table('templates');
