-- Deployed agents. `digest` is the code's own name: the same code is the same version.
create table versions (
  tenant_id text not null,
  agent text not null,
  version text not null,
  manifest json,
  problem text,
  is_live boolean not null,
  deployed_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, agent, version)
);
create unique index versions_live on versions (tenant_id, agent) where is_live;

-- Files that answers show. The bytes lie in the blob store under `digest`.
create table files (
  id uuid primary key,
  tenant_id text not null,
  run_id uuid not null,
  name text not null,
  media_type text not null,
  bytes int not null,
  digest text not null,
  created_at timestamptz not null default clock_timestamp()
);
