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

create table bundles (
  tenant_id text not null,
  agent text not null,
  version text not null,
  content bytea not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint bundles_pkey PRIMARY KEY (tenant_id, agent, version)
);

create table deployments (
  id uuid not null,
  tenant_id text not null,
  agent text not null,
  version text not null,
  share integer not null,
  state text not null,
  replaced text,
  guard json,
  evidence json,
  reason text,
  made_by text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  ended_at timestamp with time zone,
  constraint deployments_pkey PRIMARY KEY (id),
  constraint deployments_share_check CHECK (((share >= 1) AND (share <= 100))),
  constraint deployments_state_check CHECK ((state = ANY (ARRAY['live'::text, 'canary'::text, 'superseded'::text, 'rolled_back'::text])))
);
CREATE UNIQUE INDEX deployments_canary ON public.deployments USING btree (tenant_id, agent) WHERE (state = 'canary'::text);
CREATE INDEX deployments_guarded ON public.deployments USING btree (created_at) WHERE ((state = ANY (ARRAY['live'::text, 'canary'::text])) AND (guard IS NOT NULL));
CREATE UNIQUE INDEX deployments_live ON public.deployments USING btree (tenant_id, agent) WHERE (state = 'live'::text);
CREATE INDEX deployments_newest ON public.deployments USING btree (tenant_id, agent, id DESC);

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
CREATE INDEX runs_in_flight ON public.runs USING btree (tenant_id, agent, version) WHERE (state = ANY (ARRAY['pending'::text, 'running'::text, 'waiting'::text]));
CREATE INDEX runs_newest ON public.runs USING btree (tenant_id, id DESC);
CREATE INDEX runs_of_asker ON public.runs USING btree (tenant_id, ((asker ->> 'id'::text)), id DESC);
CREATE INDEX runs_of_node ON public.runs USING btree (node_id) WHERE (node_id IS NOT NULL);
CREATE INDEX runs_of_session ON public.runs USING btree (tenant_id, agent, session_id, id) WHERE (session_id IS NOT NULL);
CREATE INDEX runs_of_version ON public.runs USING btree (tenant_id, agent, version, id DESC);

create table sessions (
  tenant_id text not null,
  agent text not null,
  id text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint sessions_pkey PRIMARY KEY (tenant_id, agent, id)
);

create table tool_limits (
  tenant_id text not null,
  agent text not null,
  pattern text not null,
  limits json not null,
  set_by text not null,
  set_at timestamp with time zone default clock_timestamp() not null,
  constraint tool_limits_pkey PRIMARY KEY (tenant_id, agent, pattern)
);

create table tool_pins (
  tenant_id text not null,
  agent text not null,
  connection text not null,
  target text not null,
  tool text not null,
  name text not null,
  hash text,
  definition json,
  offered_hash text,
  offered json,
  is_gone boolean default false not null,
  version text not null,
  decided_by text,
  decided_at timestamp with time zone,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint tool_pins_pkey PRIMARY KEY (tenant_id, agent, connection, target, tool)
);

create table tool_rates (
  tenant_id text not null,
  agent text not null,
  tool text not null,
  paid_until timestamp with time zone not null,
  constraint tool_rates_pkey PRIMARY KEY (tenant_id, agent, tool)
);

create table versions (
  tenant_id text not null,
  agent text not null,
  version text not null,
  manifest json,
  problem text,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint versions_pkey PRIMARY KEY (tenant_id, agent, version)
);
CREATE INDEX versions_newest ON public.versions USING btree (tenant_id, agent, created_at DESC);
