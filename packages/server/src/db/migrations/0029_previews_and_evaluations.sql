-- Versions that runs are started on by name, beside the live one.
create table previews (
  tenant_id text not null,
  agent text not null,
  name text not null,
  version text not null,
  -- Where the code comes from, for people: branch, commit, address.
  source json not null,
  made_by text not null,
  updated_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  primary key (tenant_id, agent, name)
);
create index previews_expired on previews (expires_at);
select protect_tenant_table('previews');

-- What evaluations found of a version.
create table evaluations (
  id uuid primary key,
  tenant_id text not null,
  agent text not null,
  version text not null,
  suite text not null,
  passed_count int not null,
  case_count int not null check (case_count >= passed_count and passed_count >= 0),
  failed_cases json not null,
  model text,
  cost_usd double precision,
  duration_ms bigint not null,
  made_by text not null,
  created_at timestamptz not null default clock_timestamp()
);
create index evaluations_newest on evaluations (tenant_id, agent, id desc);
create index evaluations_of_version on evaluations (tenant_id, agent, version, suite, id desc);
select protect_tenant_table('evaluations');
