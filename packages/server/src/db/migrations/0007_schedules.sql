-- What starts runs by the calendar. `next_at` is the one instant at which somebody must look at it; it moves on in the transaction that fires.
create table schedules (
  id uuid primary key,
  tenant_id text not null,
  namespace text not null default 'default',
  name text not null,
  agent text not null,
  input json not null,
  asker json not null,
  calendar json not null,
  overlap text not null check (overlap in ('allow', 'skip', 'queue', 'cancel')),
  catch_up text not null check (catch_up in ('skip', 'one', 'all')),
  jitter_ms int not null default 0,
  lane_key text not null default '',
  rank smallint not null default 1,
  is_paused boolean not null default false,
  next_at timestamptz,
  -- A fire that waits until the run before it has ended.
  queued_at timestamptz,
  last_run_id uuid,
  set_by text not null,
  set_at timestamptz not null default clock_timestamp(),
  unique (tenant_id, namespace, name)
);
create index schedules_due on schedules (next_at) where not is_paused and next_at is not null;
create index schedules_queued on schedules (queued_at) where not is_paused and queued_at is not null;

-- What became of each fire. Its key is what makes a fire one, whoever noticed it.
create table fires (
  tenant_id text not null,
  schedule_id uuid not null,
  fire_at timestamptz not null,
  outcome text not null check (outcome in ('started', 'queued', 'skipped')),
  reason text,
  run_id uuid,
  noticed_at timestamptz not null default clock_timestamp(),
  primary key (schedule_id, fire_at)
);

update keys set permissions = permissions || array['schedules:manage'] where 'keys:manage' = any(permissions);
