-- Budgets, what is held on them, and what was used. Amounts are whole numbers: billionths of a dollar, tokens, or requests.

create table budgets (
  tenant_id text not null,
  id uuid primary key,
  name text not null,
  scope text not null check (scope in ('tenant', 'namespace', 'agent', 'key', 'user', 'session', 'run')),
  -- Whose; `*`: each of them has this much for itself. Of a tenant there is one, so `*`.
  subject text not null,
  -- `per` since "window" is a word of SQL's own.
  per text not null check (per in ('run', 'hour', 'day', 'week', 'month', 'total')),
  time_zone text not null,
  unit text not null check (unit in ('usd', 'tokens', 'requests')),
  limit_amount bigint not null check (limit_amount >= 0),
  set_by text not null,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp()
);
create unique index budgets_by_name on budgets (tenant_id, name);

-- What a budget's subject has spent and holds in one window. `granted` is the limit at the last admission: so the check proves, in the database and at every
-- statement, that nothing was admitted beyond the limit, also after an operator has lowered it under what was spent already. `overrun` is what providers
-- billed beyond the worst case, which no check before the call can prevent and which is written down instead.
create table budget_counters (
  tenant_id text not null,
  id bigint generated always as identity primary key,
  budget_id uuid not null,
  subject text not null,
  run_id uuid,
  starts_at timestamptz not null,
  ends_at timestamptz,
  spent bigint not null default 0,
  reserved bigint not null default 0 check (reserved >= 0),
  granted bigint not null default 0,
  overrun bigint not null default 0,
  constraint within_limit check (spent + reserved <= granted + overrun)
) with (fillfactor = 50);
create unique index budget_counters_by_window on budget_counters (budget_id, subject, run_id, starts_at) nulls not distinct;
create index budget_counters_ended on budget_counters (ends_at) where ends_at is not null;

-- Calls under way that hold something. `holds` is [{counter, unit, amount}], `call` what the row in `usage` will say if nobody comes back to say better.
create table reservations (
  tenant_id text not null,
  id uuid primary key,
  run_id uuid,
  op text,
  attempt int,
  holds json not null,
  call json not null,
  lease_until timestamptz not null
) with (fillfactor = 50);
create index reservations_of_step on reservations (run_id, op) where run_id is not null;
create index reservations_lapsed on reservations (lease_until);

-- A budget reached 50, 80 or 100 % of its limit, refused a call for the first time in its window, or was overrun by a provider.
create table budget_events (
  tenant_id text not null,
  id uuid primary key default gen_random_uuid(),
  counter_id bigint not null,
  budget_id uuid not null,
  kind text not null check (kind in ('warning', 'refused', 'overrun')),
  percent int not null,
  limit_amount bigint not null,
  spent bigint not null,
  at timestamptz not null default clock_timestamp()
);
create unique index budget_events_once on budget_events (counter_id, kind, percent, limit_amount);
create index budget_events_newest on budget_events (tenant_id, at desc, id desc);

-- The rates that calls were billed at, by their content, so that a call's row names exactly those that applied.
create table prices (
  tenant_id text not null,
  id text not null,
  model text not null,
  source text not null,
  rates json not null,
  first_used_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, id)
);

-- What operators say of models: prices from a day on, limits, capabilities. Goes before the catalogue that the program brings along.
create table model_overrides (
  tenant_id text not null,
  model text not null,
  since date not null,
  facts json not null,
  set_by text not null,
  set_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, model, since)
);

-- One row for each model call. `cost` in billionths of a dollar; null: the model has no price.
create table usage (
  tenant_id text not null,
  id uuid primary key,
  at timestamptz not null,
  namespace text not null,
  agent text,
  version text,
  run_id uuid,
  op text,
  attempt int,
  session_id text,
  user_id text,
  key_id text,
  provider text not null,
  model text not null,
  price_id text,
  input bigint not null,
  cache_read bigint not null,
  cache_write bigint not null,
  cache_write_long bigint not null,
  input_audio bigint not null,
  input_image bigint not null,
  output bigint not null,
  reasoning bigint not null,
  output_audio bigint not null,
  output_image bigint not null,
  cost bigint,
  is_estimated boolean not null,
  is_failed boolean not null,
  duration_ms int,
  tags json
);
create index usage_newest on usage (tenant_id, at desc, id desc);
create index usage_of_run on usage (run_id, at) where run_id is not null;
create index usage_of_session on usage (tenant_id, session_id, at) where session_id is not null;
create index usage_of_user on usage (tenant_id, user_id, at) where user_id is not null;

-- Rows of `usage` that `usage_hours` does not count yet. They move over in one transaction, so each is counted once.
create table usage_fresh (
  tenant_id text not null,
  id uuid primary key
);

create table usage_hours (
  tenant_id text not null,
  hour timestamptz not null,
  namespace text not null,
  agent text not null,
  version text not null,
  user_id text not null,
  key_id text not null,
  provider text not null,
  model text not null,
  calls bigint not null,
  failed_calls bigint not null,
  estimated_calls bigint not null,
  unpriced_calls bigint not null,
  input bigint not null,
  cache_read bigint not null,
  cache_write bigint not null,
  cache_write_long bigint not null,
  input_audio bigint not null,
  input_image bigint not null,
  output bigint not null,
  reasoning bigint not null,
  output_audio bigint not null,
  output_image bigint not null,
  cost bigint not null,
  primary key (tenant_id, hour, namespace, agent, version, user_id, key_id, provider, model)
) with (fillfactor = 80);

select protect_tenant_table('budgets');
select protect_tenant_table('budget_counters');
select protect_tenant_table('reservations');
select protect_tenant_table('budget_events');
select protect_tenant_table('prices');
select protect_tenant_table('model_overrides');
select protect_tenant_table('usage');
select protect_tenant_table('usage_fresh');
select protect_tenant_table('usage_hours');
