-- Runs wait in lanes: tenant, namespace, agent, and a key that the start may give. `rank` is the place among the runs of a lane:
-- 0 to 2 are the priorities of runs that have not begun, 3 has begun and goes on, 4 is to be cancelled, which needs no slot.
alter table runs add column lane_key text not null default '';
alter table runs add column rank smallint not null default 1;

-- The heads of all lanes are found by skipping from one lane to the next, however many runs wait in each.
create index runs_waiting_in_lane on runs (tenant_id, namespace, agent, lane_key, rank, due_at) where node_id is null and due_at is not null;
-- What is running now, counted under the lock of a limit. It cannot drift, since it is no counter.
create index runs_running_in_lane on runs (tenant_id, namespace, agent, lane_key) where node_id is not null;

-- How much may run at once and begin in a time. An empty name means all; the lane key `*` each one by itself.
create table limits (
  id uuid primary key,
  tenant_id text not null,
  namespace text not null default '',
  agent text not null default '',
  lane_key text not null default '',
  running_max int,
  starts_per_second double precision,
  starts_per_minute double precision,
  set_by text not null,
  set_at timestamptz not null default clock_timestamp(),
  unique (tenant_id, namespace, agent, lane_key)
);

-- The token buckets of limits on starts, written under the lock of their limit. A bucket that is not here is full.
create table limit_buckets (
  tenant_id text not null,
  limit_id uuid not null,
  lane_key text not null,
  second_tokens double precision not null,
  minute_tokens double precision not null,
  at timestamptz not null,
  primary key (limit_id, lane_key)
);

-- A stop holds a run, an agent, a namespace or a whole tenant until it is lifted.
create table stops (
  id uuid primary key,
  tenant_id text not null,
  namespace text not null default '',
  agent text not null default '',
  run_id uuid,
  -- Of a stopped run: it and all that it had started.
  run_ids uuid[] not null default '{}',
  reason text,
  stopped_by text not null,
  stopped_at timestamptz not null default clock_timestamp(),
  lifted_by text,
  lifted_at timestamptz
);
create unique index stops_in_force on stops (tenant_id, namespace, agent, coalesce(run_id, '00000000-0000-0000-0000-000000000000')) where lifted_at is null;
create index stops_newest on stops (tenant_id, id desc);

-- The last raise of its fence that a node has acted on: its own executions under older rules have ended.
alter table nodes add column heard_fence bigint not null default 0;

-- Whoever may manage keys could make a key with the new rights.
update keys set permissions = permissions || array['runs:stop', 'limits:manage'] where 'keys:manage' = any(permissions);
