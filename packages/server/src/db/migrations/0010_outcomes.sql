-- Where the end of a run is told besides, and the runs and deliveries that somebody must look at.
alter table runs
  add column destinations json,
  -- Somebody has seen that it failed, and wants to hear no more of it.
  add column is_dismissed boolean not null default false;

-- A run's failure is its parent's business where it has one.
create index runs_attention on runs (tenant_id, id desc)
  where (state = 'failed' and not is_dismissed and (parent_id is null or is_detached)) or (state = 'waiting' and wait ->> 'kind' = 'operator');

-- One telling of one run's end. Its id is what receivers tell repetitions by.
create table deliveries (
  tenant_id text not null,
  id uuid primary key,
  run_id uuid not null,
  n int not null,
  agent text not null,
  destination json not null,
  state text not null default 'pending' check (state in ('pending', 'delivered', 'failed', 'dismissed')),
  attempt int not null default 0,
  due_at timestamptz default clock_timestamp(),
  failure text,
  created_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  unique (run_id, n)
);
create index deliveries_due on deliveries (due_at) where state = 'pending';
create index deliveries_newest on deliveries (tenant_id, id desc);
create index deliveries_attention on deliveries (tenant_id, id desc) where state = 'failed';
