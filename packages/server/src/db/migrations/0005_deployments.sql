-- Versions outlive the machine they were uploaded to, and which of them new runs get is a history of its own.

-- The code of a version, as it was deployed: gzip over its files. Whichever server needs it unpacks it.
create table bundles (
  tenant_id text not null,
  agent text not null,
  version text not null,
  content bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, agent, version)
);

-- Which version new runs get, since when, and how it ended. One live and one canary per agent at most.
create table deployments (
  id uuid primary key,
  tenant_id text not null,
  agent text not null,
  version text not null,
  -- Percent of new runs. The live one gets what the canary leaves.
  share int not null check (share between 1 and 100),
  state text not null check (state in ('live', 'canary', 'superseded', 'rolled_back')),
  -- What was live before, so what a rollback goes back to.
  replaced text,
  guard json,
  evidence json,
  reason text,
  made_by text not null,
  created_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz
);
create unique index deployments_live on deployments (tenant_id, agent) where state = 'live';
create unique index deployments_canary on deployments (tenant_id, agent) where state = 'canary';
create index deployments_newest on deployments (tenant_id, agent, id desc);
create index deployments_guarded on deployments (created_at) where state in ('live', 'canary') and guard is not null;

insert into deployments (id, tenant_id, agent, version, share, state, made_by, created_at)
select gen_random_uuid(), tenant_id, agent, version, 100, 'live', 'agents folder', deployed_at from versions where is_live;

drop index versions_live;
alter table versions drop column is_live;
alter table versions rename column deployed_at to created_at;
create index versions_newest on versions (tenant_id, agent, created_at desc);

-- How a version's runs fare, and how many still hold on to it.
create index runs_of_version on runs (tenant_id, agent, version, id desc);
create index runs_of_version_in_flight on runs (tenant_id, agent, version) where state in ('pending', 'running', 'waiting');
