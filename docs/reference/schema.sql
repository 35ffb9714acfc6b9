-- What the migrations in packages/server/src/db/migrations come to. Made by `npm run generate` from the catalogue of a migrated PostgreSQL.

CREATE OR REPLACE FUNCTION public.current_tenant()
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$ select current_setting('longhaul.tenant', true) $function$;

CREATE OR REPLACE FUNCTION public.protect_tenant_table(target regclass, tenant_column name DEFAULT 'tenant_id'::name)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('create policy of_tenant on %s to longhaul_tenant using (%I = current_tenant()) with check (%I = current_tenant())', target, tenant_column, tenant_column);
  execute format('create policy across_tenants on %s to longhaul_engine using (true) with check (true)', target);
  execute format('grant select, insert, update, delete on %s to longhaul_tenant', target);
end
$function$;

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
alter table approvals enable row level security, force row level security;
create policy across_tenants on approvals as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on approvals as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table audit_entries (
  tenant_id text not null,
  seq bigint not null,
  at timestamp with time zone not null,
  who_id text,
  who_name text not null,
  action text not null,
  target text,
  outcome text not null,
  detail json not null,
  request_id text,
  hash text not null,
  constraint audit_entries_pkey PRIMARY KEY (tenant_id, seq)
);
alter table audit_entries enable row level security, force row level security;
create policy across_tenants on audit_entries as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on audit_entries as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table audit_heads (
  tenant_id text not null,
  seq bigint not null,
  hash text not null,
  constraint audit_heads_pkey PRIMARY KEY (tenant_id)
);
alter table audit_heads enable row level security, force row level security;
create policy across_tenants on audit_heads as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on audit_heads as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table audit_notes (
  id uuid not null,
  tenant_id text not null,
  at timestamp with time zone default clock_timestamp() not null,
  who_id text,
  who_name text not null,
  action text not null,
  target text,
  outcome text not null,
  detail json not null,
  request_id text,
  constraint audit_notes_pkey PRIMARY KEY (id),
  constraint audit_notes_outcome_check CHECK ((outcome = ANY (ARRAY['done'::text, 'refused'::text, 'failed'::text])))
);
alter table audit_notes enable row level security, force row level security;
create policy across_tenants on audit_notes as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on audit_notes as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

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
alter table events enable row level security, force row level security;
create policy across_tenants on events as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on events as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

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
CREATE INDEX files_of_run ON public.files USING btree (run_id);
CREATE INDEX files_of_tenant ON public.files USING btree (tenant_id) INCLUDE (bytes);
alter table files enable row level security, force row level security;
create policy across_tenants on files as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on files as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

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
alter table inbox enable row level security, force row level security;
create policy across_tenants on inbox as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on inbox as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

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
  role text,
  namespaces text[],
  agents text[],
  expires_at timestamp with time zone,
  constraint keys_pkey PRIMARY KEY (id),
  constraint keys_secret_hash_key UNIQUE (secret_hash)
);
CREATE INDEX keys_by_tenant ON public.keys USING btree (tenant_id, created_at DESC) WHERE (deleted_at IS NULL);
alter table keys enable row level security, force row level security;
create policy across_tenants on keys as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on keys as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table migrations (
  number integer not null,
  name text not null,
  checksum text not null,
  is_breaking boolean not null,
  applied_at timestamp with time zone default clock_timestamp() not null,
  constraint migrations_pkey PRIMARY KEY (number)
);

create table namespaces (
  tenant_id text not null,
  name text not null,
  description text default ''::text not null,
  quotas json default '{}'::json not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint namespaces_pkey PRIMARY KEY (tenant_id, name)
);
alter table namespaces enable row level security, force row level security;
create policy across_tenants on namespaces as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on namespaces as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

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

create table policies (
  tenant_id text not null,
  name text not null,
  version integer not null,
  text text not null,
  description text not null,
  is_active boolean not null,
  created_by text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint policies_pkey PRIMARY KEY (tenant_id, name, version)
);
CREATE INDEX policies_active ON public.policies USING btree (tenant_id, name) WHERE is_active;
alter table policies enable row level security, force row level security;
create policy across_tenants on policies as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on policies as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

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
CREATE INDEX runs_in_flight ON public.runs USING btree (tenant_id, namespace) WHERE (state = ANY (ARRAY['pending'::text, 'running'::text, 'waiting'::text]));
CREATE INDEX runs_newest ON public.runs USING btree (tenant_id, id DESC);
CREATE INDEX runs_of_asker ON public.runs USING btree (tenant_id, ((asker ->> 'id'::text)), id DESC);
CREATE INDEX runs_of_node ON public.runs USING btree (node_id) WHERE (node_id IS NOT NULL);
CREATE INDEX runs_of_session ON public.runs USING btree (tenant_id, agent, session_id, id) WHERE (session_id IS NOT NULL);
alter table runs enable row level security, force row level security;
create policy across_tenants on runs as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on runs as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table secrets (
  tenant_id text not null,
  name text not null,
  version integer not null,
  description text not null,
  ciphertext bytea not null,
  wrapped_key bytea not null,
  master_key_id text not null,
  created_by text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  last_used_at timestamp with time zone,
  use_count bigint default 0 not null,
  constraint secrets_pkey PRIMARY KEY (tenant_id, name, version)
);
alter table secrets enable row level security, force row level security;
create policy across_tenants on secrets as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on secrets as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table sessions (
  tenant_id text not null,
  agent text not null,
  id text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint sessions_pkey PRIMARY KEY (tenant_id, agent, id)
);
alter table sessions enable row level security, force row level security;
create policy across_tenants on sessions as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on sessions as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table tenants (
  id text not null,
  description text default ''::text not null,
  is_suspended boolean default false not null,
  quotas json default '{}'::json not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint tenants_pkey PRIMARY KEY (id),
  constraint tenants_id_check CHECK ((id <> ''::text))
);
alter table tenants enable row level security, force row level security;
create policy across_tenants on tenants as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on tenants as permissive for all to longhaul_tenant using ((id = current_tenant())) with check ((id = current_tenant()));

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
alter table versions enable row level security, force row level security;
create policy across_tenants on versions as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on versions as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
