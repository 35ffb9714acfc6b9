-- What the migrations in packages/server/src/db/migrations come to. Made by `npm run generate` from the catalogue of a migrated PostgreSQL.

create table approvals (
  id uuid not null,
  tenant_id text not null,
  run_id uuid not null,
  agent text not null,
  op text not null,
  title text not null,
  detail json,
  state text default 'pending'::text not null,
  decided_by text,
  comment text,
  created_at timestamp with time zone default clock_timestamp() not null,
  expires_at timestamp with time zone,
  decided_at timestamp with time zone,
  constraint approvals_pkey PRIMARY KEY (id),
  constraint approvals_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'approved'::text, 'denied'::text, 'expired'::text, 'withdrawn'::text])))
);
CREATE INDEX approvals_newest ON public.approvals USING btree (tenant_id, id DESC);
CREATE INDEX approvals_open ON public.approvals USING btree (run_id) WHERE (state = 'pending'::text);

create table budget_counters (
  tenant_id text not null,
  id bigint generated always as identity not null,
  budget_id uuid not null,
  subject text not null,
  run_id uuid,
  starts_at timestamp with time zone not null,
  ends_at timestamp with time zone,
  spent bigint default 0 not null,
  reserved bigint default 0 not null,
  granted bigint default 0 not null,
  overrun bigint default 0 not null,
  constraint budget_counters_pkey PRIMARY KEY (id),
  constraint budget_counters_reserved_check CHECK ((reserved >= 0)),
  constraint within_limit CHECK (((spent + reserved) <= (granted + overrun)))
) with (fillfactor=50);
CREATE UNIQUE INDEX budget_counters_by_window ON public.budget_counters USING btree (budget_id, subject, run_id, starts_at) NULLS NOT DISTINCT;
CREATE INDEX budget_counters_ended ON public.budget_counters USING btree (ends_at) WHERE (ends_at IS NOT NULL);

create table budget_events (
  tenant_id text not null,
  id uuid default gen_random_uuid() not null,
  counter_id bigint not null,
  budget_id uuid not null,
  kind text not null,
  percent integer not null,
  limit_amount bigint not null,
  spent bigint not null,
  at timestamp with time zone default clock_timestamp() not null,
  constraint budget_events_pkey PRIMARY KEY (id),
  constraint budget_events_kind_check CHECK ((kind = ANY (ARRAY['warning'::text, 'refused'::text, 'overrun'::text])))
);
CREATE INDEX budget_events_newest ON public.budget_events USING btree (tenant_id, at DESC, id DESC);
CREATE UNIQUE INDEX budget_events_once ON public.budget_events USING btree (counter_id, kind, percent, limit_amount);

create table budgets (
  tenant_id text not null,
  id uuid not null,
  name text not null,
  scope text not null,
  subject text not null,
  per text not null,
  time_zone text not null,
  unit text not null,
  limit_amount bigint not null,
  set_by text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  updated_at timestamp with time zone default clock_timestamp() not null,
  constraint budgets_pkey PRIMARY KEY (id),
  constraint budgets_limit_amount_check CHECK ((limit_amount >= 0)),
  constraint budgets_per_check CHECK ((per = ANY (ARRAY['run'::text, 'hour'::text, 'day'::text, 'week'::text, 'month'::text, 'total'::text]))),
  constraint budgets_scope_check CHECK ((scope = ANY (ARRAY['tenant'::text, 'namespace'::text, 'agent'::text, 'key'::text, 'user'::text, 'session'::text, 'run'::text]))),
  constraint budgets_unit_check CHECK ((unit = ANY (ARRAY['usd'::text, 'tokens'::text, 'requests'::text])))
);
CREATE UNIQUE INDEX budgets_by_name ON public.budgets USING btree (tenant_id, name);

create table events (
  run_id uuid not null,
  seq integer not null,
  tenant_id text not null,
  epoch integer not null,
  at timestamp with time zone not null,
  type text not null,
  op text,
  data json not null,
  hash bytea not null,
  constraint events_pkey PRIMARY KEY (run_id, seq)
);

create table files (
  id uuid not null,
  tenant_id text not null,
  run_id uuid not null,
  name text not null,
  media_type text not null,
  bytes integer not null,
  digest text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint files_pkey PRIMARY KEY (id)
);

create table inbox (
  id uuid not null,
  tenant_id text not null,
  run_id uuid not null,
  kind text not null,
  name text not null,
  payload json not null,
  sent_by text not null,
  idempotency_key text,
  is_taken boolean default false not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint inbox_pkey PRIMARY KEY (id),
  constraint inbox_kind_check CHECK ((kind = ANY (ARRAY['signal'::text, 'approval'::text, 'cancel'::text, 'retry'::text])))
);
CREATE UNIQUE INDEX inbox_by_idempotency_key ON public.inbox USING btree (run_id, idempotency_key) WHERE (idempotency_key IS NOT NULL);
CREATE INDEX inbox_open ON public.inbox USING btree (run_id, id) WHERE (NOT is_taken);

create table keys (
  id uuid not null,
  tenant_id text not null,
  name text not null,
  secret_hash bytea not null,
  permissions text[] not null,
  access json not null,
  created_at timestamp with time zone not null,
  last_used_at timestamp with time zone,
  deleted_at timestamp with time zone,
  constraint keys_pkey PRIMARY KEY (id),
  constraint keys_secret_hash_key UNIQUE (secret_hash)
);
CREATE INDEX keys_by_tenant ON public.keys USING btree (tenant_id, created_at DESC) WHERE (deleted_at IS NULL);

create table migrations (
  number integer not null,
  name text not null,
  checksum text not null,
  is_breaking boolean not null,
  applied_at timestamp with time zone default clock_timestamp() not null,
  constraint migrations_pkey PRIMARY KEY (number)
);

create table model_overrides (
  tenant_id text not null,
  model text not null,
  since date not null,
  facts json not null,
  set_by text not null,
  set_at timestamp with time zone default clock_timestamp() not null,
  constraint model_overrides_pkey PRIMARY KEY (tenant_id, model, since)
);

create table nodes (
  id uuid not null,
  incarnation text not null,
  place text not null,
  pid integer not null,
  started_at timestamp with time zone default clock_timestamp() not null,
  lease_until timestamp with time zone not null,
  is_dead boolean default false not null,
  fence bigint default 0 not null,
  flush bigint default 0 not null,
  constraint nodes_pkey PRIMARY KEY (id)
) with (fillfactor=50);

create table prices (
  tenant_id text not null,
  id text not null,
  model text not null,
  source text not null,
  rates json not null,
  first_used_at timestamp with time zone default clock_timestamp() not null,
  constraint prices_pkey PRIMARY KEY (tenant_id, id)
);

create table reservations (
  tenant_id text not null,
  id uuid not null,
  run_id uuid,
  op text,
  attempt integer,
  holds json not null,
  call json not null,
  lease_until timestamp with time zone not null,
  constraint reservations_pkey PRIMARY KEY (id)
) with (fillfactor=50);
CREATE INDEX reservations_lapsed ON public.reservations USING btree (lease_until);
CREATE INDEX reservations_of_step ON public.reservations USING btree (run_id, op) WHERE (run_id IS NOT NULL);

create table runs (
  id uuid not null,
  tenant_id text not null,
  namespace text default 'default'::text not null,
  agent text not null,
  version text not null,
  session_id text,
  state text not null,
  input json not null,
  output json,
  failure json,
  wait json,
  usage json,
  asker json not null,
  idempotency_key text,
  request_hash text,
  node_id uuid,
  epoch integer default 0 not null,
  due_at timestamp with time zone,
  inbox_count integer default 0 not null,
  event_count integer default 0 not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  started_at timestamp with time zone,
  ended_at timestamp with time zone,
  constraint runs_pkey PRIMARY KEY (id),
  constraint runs_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'running'::text, 'waiting'::text, 'completed'::text, 'failed'::text, 'cancelled'::text])))
) with (fillfactor=80);
CREATE UNIQUE INDEX runs_by_idempotency_key ON public.runs USING btree (tenant_id, agent, idempotency_key) WHERE (idempotency_key IS NOT NULL);
CREATE INDEX runs_due ON public.runs USING btree (due_at) WHERE (due_at IS NOT NULL);
CREATE INDEX runs_newest ON public.runs USING btree (tenant_id, id DESC);
CREATE INDEX runs_of_asker ON public.runs USING btree (tenant_id, ((asker ->> 'id'::text)), id DESC);
CREATE INDEX runs_of_node ON public.runs USING btree (node_id) WHERE (node_id IS NOT NULL);
CREATE INDEX runs_of_session ON public.runs USING btree (tenant_id, agent, session_id, id) WHERE (session_id IS NOT NULL);

create table sessions (
  tenant_id text not null,
  agent text not null,
  id text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint sessions_pkey PRIMARY KEY (tenant_id, agent, id)
);

create table usage (
  tenant_id text not null,
  id uuid not null,
  at timestamp with time zone not null,
  namespace text not null,
  agent text,
  version text,
  run_id uuid,
  op text,
  attempt integer,
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
  duration_ms integer,
  tags json,
  constraint usage_pkey PRIMARY KEY (id)
);
CREATE INDEX usage_newest ON public.usage USING btree (tenant_id, at DESC, id DESC);
CREATE INDEX usage_of_run ON public.usage USING btree (run_id, at) WHERE (run_id IS NOT NULL);
CREATE INDEX usage_of_session ON public.usage USING btree (tenant_id, session_id, at) WHERE (session_id IS NOT NULL);
CREATE INDEX usage_of_user ON public.usage USING btree (tenant_id, user_id, at) WHERE (user_id IS NOT NULL);

create table usage_fresh (
  tenant_id text not null,
  id uuid not null,
  constraint usage_fresh_pkey PRIMARY KEY (id)
);

create table usage_hours (
  tenant_id text not null,
  hour timestamp with time zone not null,
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
  constraint usage_hours_pkey PRIMARY KEY (tenant_id, hour, namespace, agent, version, user_id, key_id, provider, model)
) with (fillfactor=80);

create table versions (
  tenant_id text not null,
  agent text not null,
  version text not null,
  manifest json,
  problem text,
  is_live boolean not null,
  deployed_at timestamp with time zone default clock_timestamp() not null,
  constraint versions_pkey PRIMARY KEY (tenant_id, agent, version)
);
CREATE UNIQUE INDEX versions_live ON public.versions USING btree (tenant_id, agent) WHERE is_live;
