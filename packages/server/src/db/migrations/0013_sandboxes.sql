-- Sandboxes that callers made. `home` is the folder on a server's disk that has the workspace; null while it is in the snapshot `snapshot_id`.
create table sandboxes (
  tenant_id text not null,
  id uuid not null,
  name text,
  owner_id uuid not null,
  state text not null check (state in ('active', 'released', 'stopped')),
  home text,
  snapshot_id uuid,
  limits json not null,
  env json not null,
  egress json,
  egress_bytes bigint not null default 0,
  egress_requests bigint not null default 0,
  made_from json not null,
  disk_bytes bigint not null default 0,
  ttl_ms bigint not null,
  created_at timestamptz not null default clock_timestamp(),
  used_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  primary key (tenant_id, id)
);
create unique index sandboxes_by_name on sandboxes (tenant_id, name) where name is not null and state <> 'stopped';
create index sandboxes_left on sandboxes (expires_at) where state <> 'stopped';
create index sandboxes_at_home on sandboxes (home, used_at) where state = 'active';

-- Workspaces as they were at one moment. The archive lies in the blob folder under the snapshot's id. `is_internal`: of a released sandbox.
create table snapshots (
  tenant_id text not null,
  id uuid not null,
  name text,
  owner_id uuid not null,
  sandbox_id uuid not null,
  is_internal boolean not null,
  limits json not null,
  bytes bigint not null,
  digest text not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, id)
);
create unique index snapshots_by_name on snapshots (tenant_id, name) where name is not null;

-- Every attempt to leave a sandbox.
create table sandbox_connections (
  tenant_id text not null,
  sandbox_id uuid not null,
  id uuid not null,
  host text not null,
  port int not null,
  method text,
  path text,
  verdict text not null check (verdict in ('allowed', 'refused', 'failed')),
  reason text,
  status int,
  bytes_out bigint not null,
  bytes_in bigint not null,
  started_at timestamptz not null,
  duration_ms int not null,
  primary key (tenant_id, sandbox_id, id)
);
create index sandbox_connections_old on sandbox_connections (started_at);

select protect_tenant_table('sandboxes');
select protect_tenant_table('snapshots');
select protect_tenant_table('sandbox_connections');
