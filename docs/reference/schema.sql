-- What the migrations in packages/server/src/db/migrations come to. Made by `npm run generate` from the catalogue of a migrated PostgreSQL.

CREATE OR REPLACE FUNCTION public.current_tenant()
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$ select current_setting('longhaul.tenant', true) $function$;

CREATE OR REPLACE FUNCTION public.note_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  new.changed_in := pg_current_xact_id();
  return new;
end
$function$;

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

CREATE OR REPLACE FUNCTION public.use_attachments(tenant text, of_run uuid, of_namespace text, asker text, from_runs uuid[], message json)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  with given as (
    select
      case when item ->> 'id' ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then (item ->> 'id')::uuid end as id,
      left(item ->> 'name', 200) as name
    from json_array_elements(message -> 'attachments') with ordinality as listed (item, place)
    where place <= 100 and item ->> 'name' <> ''
  ), own as (
    select attachments.id, given.name
    from attachments join given on given.id = attachments.id
    where attachments.tenant_id = tenant and attachments.namespace = of_namespace and (
      attachments.uploaded_by = asker
      or exists (
        select from attachment_uses used
        where used.attachment_id = attachments.id and used.tenant_id = tenant and used.run_id = any (from_runs)
      )
    )
    for key share of attachments skip locked
  )
  insert into attachment_uses (tenant_id, attachment_id, run_id, name)
  select tenant, own.id, of_run, own.name from own
  on conflict do nothing;
end
$function$;

CREATE OR REPLACE FUNCTION public.use_attachments_of_message()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  perform use_attachments(runs.tenant_id, runs.id, runs.namespace, runs.asker ->> 'id', array[]::uuid[], new.payload)
  from runs
  where runs.id = new.run_id and runs.tenant_id = new.tenant_id;
  return null;
end
$function$;

CREATE OR REPLACE FUNCTION public.use_attachments_of_run()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  perform use_attachments(
    new.tenant_id, new.id, new.namespace, new.asker ->> 'id', array[new.parent_id, new.lineage_id, (new.fork ->> 'runId')::uuid], new.input
  );
  return null;
end
$function$;

create table agent_limits (
  id uuid not null,
  tenant_id text not null,
  namespace text default ''::text not null,
  agent text default ''::text not null,
  lane_key text default ''::text not null,
  running_max integer,
  starts_per_second double precision,
  starts_per_minute double precision,
  set_by text not null,
  set_at timestamp with time zone default clock_timestamp() not null,
  constraint agent_limits_pkey PRIMARY KEY (id),
  constraint agent_limits_tenant_id_namespace_agent_lane_key_key UNIQUE (tenant_id, namespace, agent, lane_key)
);
alter table agent_limits enable row level security, force row level security;
create policy across_tenants on agent_limits as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on agent_limits as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table agent_mails (
  tenant_id text not null,
  id uuid not null,
  run_id uuid not null,
  op text not null,
  namespace text not null,
  agent text not null,
  recipient text not null,
  subject text not null,
  body text,
  state text default 'pending'::text not null,
  attempt integer default 0 not null,
  due_at timestamp with time zone default clock_timestamp(),
  failure text,
  created_at timestamp with time zone default clock_timestamp() not null,
  ended_at timestamp with time zone,
  constraint agent_mails_pkey PRIMARY KEY (id),
  constraint agent_mails_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'sending'::text, 'sent'::text, 'failed'::text, 'in_doubt'::text]))),
  constraint agent_mails_tenant_id_run_id_op_key UNIQUE (tenant_id, run_id, op)
);
CREATE INDEX agent_mails_due ON public.agent_mails USING btree (due_at) WHERE (state = ANY (ARRAY['pending'::text, 'sending'::text]));
CREATE INDEX agent_mails_ended ON public.agent_mails USING btree (ended_at) WHERE (ended_at IS NOT NULL);
CREATE INDEX agent_mails_newest ON public.agent_mails USING btree (tenant_id, id DESC);
alter table agent_mails enable row level security, force row level security;
create policy across_tenants on agent_mails as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on agent_mails as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

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
  changed_in xid8 default pg_current_xact_id() not null,
  told smallint default 0 not null,
  rule json,
  approved_by json default '[]'::json not null,
  escalates_at timestamp with time zone,
  is_escalation_told boolean default false not null,
  is_announced boolean default false not null,
  rule_from json,
  constraint approvals_pkey PRIMARY KEY (id),
  constraint approvals_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'approved'::text, 'denied'::text, 'expired'::text, 'withdrawn'::text]))),
  constraint approvals_told_check CHECK (((told >= 0) AND (told <= 3)))
);
CREATE INDEX approvals_changes ON public.approvals USING btree (tenant_id, changed_in, id);
CREATE INDEX approvals_newest ON public.approvals USING btree (tenant_id, id DESC);
CREATE INDEX approvals_open ON public.approvals USING btree (run_id) WHERE (state = 'pending'::text);
CREATE INDEX approvals_to_announce ON public.approvals USING btree (id) WHERE ((state = 'pending'::text) AND (NOT is_announced));
CREATE INDEX approvals_to_escalate ON public.approvals USING btree (escalates_at) WHERE ((state = 'pending'::text) AND (NOT is_escalation_told) AND (escalates_at IS NOT NULL));
CREATE INDEX approvals_to_tell ON public.approvals USING btree (id) WHERE ((state = 'pending'::text) AND (told < 3));
alter table approvals enable row level security, force row level security;
create policy across_tenants on approvals as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on approvals as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
CREATE TRIGGER note_change BEFORE UPDATE OF state, approved_by ON public.approvals FOR EACH ROW WHEN (((old.state IS DISTINCT FROM new.state) OR ((old.approved_by)::text IS DISTINCT FROM (new.approved_by)::text))) EXECUTE FUNCTION note_change();

create table attachment_uses (
  tenant_id text not null,
  attachment_id uuid not null,
  run_id uuid not null,
  name text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint attachment_uses_pkey PRIMARY KEY (run_id, attachment_id)
);
CREATE INDEX attachment_uses_of_attachment ON public.attachment_uses USING btree (attachment_id);
alter table attachment_uses enable row level security, force row level security;
create policy across_tenants on attachment_uses as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on attachment_uses as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table attachments (
  id uuid not null,
  tenant_id text not null,
  namespace text not null,
  name text not null,
  media_type text not null,
  bytes integer not null,
  digest text not null,
  uploaded_by text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint attachments_pkey PRIMARY KEY (id)
);
CREATE INDEX attachments_of_digest ON public.attachments USING btree (tenant_id, digest);
CREATE INDEX attachments_oldest ON public.attachments USING btree (created_at);
alter table attachments enable row level security, force row level security;
create policy across_tenants on attachments as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on attachments as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

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
alter table budget_counters enable row level security, force row level security;
create policy across_tenants on budget_counters as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on budget_counters as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

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
  webhook_url text,
  notice_state text,
  notice_attempt integer default 0 not null,
  notice_due_at timestamp with time zone,
  notice_failure text,
  constraint budget_events_pkey PRIMARY KEY (id),
  constraint budget_events_kind_check CHECK ((kind = ANY (ARRAY['warning'::text, 'refused'::text, 'overrun'::text]))),
  constraint budget_events_notice_state_check CHECK ((notice_state = ANY (ARRAY['pending'::text, 'delivered'::text, 'failed'::text])))
);
CREATE INDEX budget_events_newest ON public.budget_events USING btree (tenant_id, at DESC, id DESC);
CREATE UNIQUE INDEX budget_events_once ON public.budget_events USING btree (counter_id, kind, percent, limit_amount);
CREATE INDEX budget_events_to_tell ON public.budget_events USING btree (notice_due_at) WHERE (notice_state = 'pending'::text);
alter table budget_events enable row level security, force row level security;
create policy across_tenants on budget_events as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on budget_events as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

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
  webhook_url text,
  constraint budgets_pkey PRIMARY KEY (id),
  constraint budgets_limit_amount_check CHECK ((limit_amount >= 0)),
  constraint budgets_per_check CHECK ((per = ANY (ARRAY['run'::text, 'hour'::text, 'day'::text, 'week'::text, 'month'::text, 'total'::text]))),
  constraint budgets_scope_check CHECK ((scope = ANY (ARRAY['tenant'::text, 'namespace'::text, 'agent'::text, 'key'::text, 'user'::text, 'session'::text, 'run'::text]))),
  constraint budgets_unit_check CHECK ((unit = ANY (ARRAY['usd'::text, 'tokens'::text, 'requests'::text])))
);
CREATE UNIQUE INDEX budgets_by_name ON public.budgets USING btree (tenant_id, name);
alter table budgets enable row level security, force row level security;
create policy across_tenants on budgets as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on budgets as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table bundles (
  tenant_id text not null,
  agent text not null,
  version text not null,
  content bytea not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint bundles_pkey PRIMARY KEY (tenant_id, agent, version)
);
alter table bundles enable row level security, force row level security;
create policy across_tenants on bundles as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on bundles as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table call_privacy (
  tenant_id text not null,
  namespace text not null,
  privacy text not null,
  days integer not null,
  set_by text not null,
  set_at timestamp with time zone default clock_timestamp() not null,
  constraint call_privacy_pkey PRIMARY KEY (tenant_id, namespace),
  constraint call_privacy_days_check CHECK ((days > 0)),
  constraint call_privacy_privacy_check CHECK ((privacy = ANY (ARRAY['full'::text, 'masked'::text, 'none'::text])))
);
alter table call_privacy enable row level security, force row level security;
create policy across_tenants on call_privacy as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on call_privacy as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table call_texts (
  tenant_id text not null,
  id uuid not null,
  request bytea,
  answer bytea,
  is_cut boolean not null,
  constraint call_texts_pkey PRIMARY KEY (tenant_id, id)
);
alter table call_texts enable row level security, force row level security;
create policy across_tenants on call_texts as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on call_texts as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table calls (
  tenant_id text not null,
  id uuid not null,
  at timestamp with time zone not null,
  namespace text not null,
  key_id text not null,
  user_id text,
  session_id text,
  face text not null,
  is_stream boolean not null,
  model text not null,
  answered_by text,
  outcome text not null,
  status integer not null,
  code text,
  is_kept_answer boolean not null,
  input bigint not null,
  output bigint not null,
  cost bigint,
  duration_ms integer not null,
  tags json,
  privacy text not null,
  expires_at timestamp with time zone not null,
  is_estimated boolean default false not null,
  constraint calls_pkey PRIMARY KEY (tenant_id, id),
  constraint calls_outcome_check CHECK ((outcome = ANY (ARRAY['answered'::text, 'failed'::text, 'aborted'::text]))),
  constraint calls_privacy_check CHECK ((privacy = ANY (ARRAY['full'::text, 'masked'::text, 'none'::text])))
);
CREATE INDEX calls_expiry ON public.calls USING btree (expires_at);
CREATE INDEX calls_newest ON public.calls USING btree (tenant_id, at DESC, id DESC);
CREATE INDEX calls_of_key ON public.calls USING btree (tenant_id, key_id, at DESC, id DESC);
CREATE INDEX calls_of_user ON public.calls USING btree (tenant_id, user_id, at DESC, id DESC) WHERE (user_id IS NOT NULL);
alter table calls enable row level security, force row level security;
create policy across_tenants on calls as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on calls as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table catalogue_versions (
  tenant_id text not null,
  id uuid not null,
  source text not null,
  read_on date not null,
  models json not null,
  change_count integer not null,
  made_by text not null,
  made_at timestamp with time zone default clock_timestamp() not null,
  applied_by text,
  applied_at timestamp with time zone,
  is_current boolean default false not null,
  constraint catalogue_versions_pkey PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX catalogue_versions_current ON public.catalogue_versions USING btree (tenant_id) WHERE is_current;
alter table catalogue_versions enable row level security, force row level security;
create policy across_tenants on catalogue_versions as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on catalogue_versions as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table deliveries (
  tenant_id text not null,
  id uuid not null,
  run_id uuid not null,
  n integer not null,
  agent text not null,
  destination json not null,
  state text default 'pending'::text not null,
  attempt integer default 0 not null,
  due_at timestamp with time zone default clock_timestamp(),
  failure text,
  created_at timestamp with time zone default clock_timestamp() not null,
  ended_at timestamp with time zone,
  changed_in xid8 default pg_current_xact_id() not null,
  approval_id uuid,
  constraint deliveries_pkey PRIMARY KEY (id),
  constraint deliveries_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'failed'::text, 'dismissed'::text])))
);
CREATE INDEX deliveries_attention ON public.deliveries USING btree (tenant_id, id DESC) WHERE (state = 'failed'::text);
CREATE INDEX deliveries_changes ON public.deliveries USING btree (tenant_id, changed_in, id) WHERE (state = 'failed'::text);
CREATE INDEX deliveries_due ON public.deliveries USING btree (due_at) WHERE (state = 'pending'::text);
CREATE INDEX deliveries_newest ON public.deliveries USING btree (tenant_id, id DESC);
CREATE INDEX deliveries_of_approval ON public.deliveries USING btree (approval_id) WHERE (approval_id IS NOT NULL);
CREATE UNIQUE INDEX deliveries_once ON public.deliveries USING btree (run_id, n, COALESCE(approval_id, run_id));
alter table deliveries enable row level security, force row level security;
create policy across_tenants on deliveries as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on deliveries as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
CREATE TRIGGER note_change BEFORE UPDATE OF state ON public.deliveries FOR EACH ROW WHEN ((old.state IS DISTINCT FROM new.state)) EXECUTE FUNCTION note_change();

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
  asker json,
  declared_at timestamp with time zone,
  canary_subjects json,
  constraint deployments_pkey PRIMARY KEY (id),
  constraint deployments_share_check CHECK (((share >= 0) AND (share <= 100))),
  constraint deployments_state_check CHECK ((state = ANY (ARRAY['live'::text, 'canary'::text, 'superseded'::text, 'rolled_back'::text])))
);
CREATE UNIQUE INDEX deployments_canary ON public.deployments USING btree (tenant_id, agent) WHERE (state = 'canary'::text);
CREATE INDEX deployments_guarded ON public.deployments USING btree (created_at) WHERE ((state = ANY (ARRAY['live'::text, 'canary'::text])) AND (guard IS NOT NULL));
CREATE UNIQUE INDEX deployments_live ON public.deployments USING btree (tenant_id, agent) WHERE (state = 'live'::text);
CREATE INDEX deployments_newest ON public.deployments USING btree (tenant_id, agent, id DESC);
CREATE INDEX deployments_undeclared ON public.deployments USING btree (created_at) WHERE ((state = 'live'::text) AND (declared_at IS NULL));
alter table deployments enable row level security, force row level security;
create policy across_tenants on deployments as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on deployments as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table endings (
  tenant_id text not null,
  run_id uuid not null,
  at timestamp with time zone default clock_timestamp() not null,
  constraint endings_pkey PRIMARY KEY (run_id)
);
CREATE INDEX endings_oldest ON public.endings USING btree (at);
alter table endings enable row level security, force row level security;
create policy across_tenants on endings as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on endings as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table evaluations (
  id uuid not null,
  tenant_id text not null,
  agent text not null,
  version text not null,
  suite text not null,
  passed_count integer not null,
  case_count integer not null,
  failed_cases json not null,
  model text,
  cost_usd double precision,
  duration_ms bigint not null,
  made_by text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  judgments json default '[]'::json not null,
  constraint evaluations_pkey PRIMARY KEY (id),
  constraint evaluations_check CHECK (((case_count >= passed_count) AND (passed_count >= 0)))
);
CREATE INDEX evaluations_newest ON public.evaluations USING btree (tenant_id, agent, id DESC);
CREATE INDEX evaluations_of_version ON public.evaluations USING btree (tenant_id, agent, version, suite, id DESC);
alter table evaluations enable row level security, force row level security;
create policy across_tenants on evaluations as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on evaluations as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

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

create table fires (
  tenant_id text not null,
  schedule_id uuid not null,
  fire_at timestamp with time zone not null,
  outcome text not null,
  reason text,
  run_id uuid,
  noticed_at timestamp with time zone default clock_timestamp() not null,
  constraint fires_pkey PRIMARY KEY (schedule_id, fire_at),
  constraint fires_outcome_check CHECK ((outcome = ANY (ARRAY['started'::text, 'queued'::text, 'skipped'::text])))
);
alter table fires enable row level security, force row level security;
create policy across_tenants on fires as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on fires as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table guard_decisions (
  tenant_id text not null,
  id uuid not null,
  at timestamp with time zone not null,
  guardrail text not null,
  guard text not null,
  side text not null,
  action text not null,
  found json not null,
  model text not null,
  request_id text,
  key_id text,
  agent text,
  run_id uuid,
  constraint guard_decisions_pkey PRIMARY KEY (id),
  constraint guard_decisions_action_check CHECK ((action = ANY (ARRAY['block'::text, 'mask'::text, 'annotate'::text, 'repair'::text]))),
  constraint guard_decisions_side_check CHECK ((side = ANY (ARRAY['request'::text, 'answer'::text])))
);
CREATE INDEX guard_decisions_age ON public.guard_decisions USING btree (at);
CREATE INDEX guard_decisions_latest ON public.guard_decisions USING btree (tenant_id, id DESC);
CREATE INDEX guard_decisions_of_run ON public.guard_decisions USING btree (tenant_id, run_id, id DESC) WHERE (run_id IS NOT NULL);
alter table guard_decisions enable row level security, force row level security;
create policy across_tenants on guard_decisions as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on guard_decisions as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table guardrails (
  tenant_id text not null,
  name text not null,
  spec json not null,
  updated_at timestamp with time zone not null,
  constraint guardrails_pkey PRIMARY KEY (tenant_id, name)
);
alter table guardrails enable row level security, force row level security;
create policy across_tenants on guardrails as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on guardrails as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table guesses (
  tenant_id text not null,
  account text not null,
  source text not null,
  count integer not null,
  blocked_until timestamp with time zone not null,
  at timestamp with time zone not null,
  constraint guesses_pkey PRIMARY KEY (tenant_id, account, source)
);
CREATE INDEX guesses_old ON public.guesses USING btree (at);
alter table guesses enable row level security, force row level security;
create policy across_tenants on guesses as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on guesses as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table homes (
  address text not null,
  incarnation text not null,
  adopted_at timestamp with time zone default clock_timestamp() not null,
  constraint homes_pkey PRIMARY KEY (address)
);

create table hook_deliveries (
  tenant_id text not null,
  id uuid not null,
  hook_id uuid not null,
  event_id text,
  key text,
  outcome text not null,
  reason text,
  run_id uuid,
  received_at timestamp with time zone default clock_timestamp() not null,
  constraint hook_deliveries_pkey PRIMARY KEY (id),
  constraint hook_deliveries_outcome_check CHECK ((outcome = ANY (ARRAY['started'::text, 'signalled'::text, 'repeated'::text, 'left'::text, 'refused'::text])))
);
CREATE INDEX hook_deliveries_newest ON public.hook_deliveries USING btree (hook_id, id DESC);
CREATE INDEX hook_deliveries_old ON public.hook_deliveries USING btree (received_at);
CREATE UNIQUE INDEX hook_deliveries_once ON public.hook_deliveries USING btree (hook_id, key) WHERE (outcome = ANY (ARRAY['started'::text, 'signalled'::text]));
CREATE INDEX hook_deliveries_refused ON public.hook_deliveries USING btree (hook_id, id DESC) WHERE (outcome = 'refused'::text);
alter table hook_deliveries enable row level security, force row level security;
create policy across_tenants on hook_deliveries as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on hook_deliveries as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table hooks (
  tenant_id text not null,
  id uuid not null,
  name text not null,
  agent text not null,
  namespace text not null,
  scheme text not null,
  secret text not null,
  action json not null,
  events text[],
  tolerance_ms integer not null,
  is_paused boolean default false not null,
  asker json not null,
  set_by text not null,
  set_at timestamp with time zone default clock_timestamp() not null,
  from_version text,
  channel json,
  constraint hooks_pkey PRIMARY KEY (id),
  constraint hooks_tenant_id_name_key UNIQUE (tenant_id, name)
);
CREATE INDEX hooks_declared ON public.hooks USING btree (tenant_id, agent) WHERE (from_version IS NOT NULL);
alter table hooks enable row level security, force row level security;
create policy across_tenants on hooks as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on hooks as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

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
  labels text[] default '{}'::text[] not null,
  constraint inbox_pkey PRIMARY KEY (id),
  constraint inbox_kind_check CHECK ((kind = ANY (ARRAY['signal'::text, 'approval'::text, 'cancel'::text, 'retry'::text, 'decision'::text, 'child'::text, 'steer'::text])))
);
CREATE UNIQUE INDEX inbox_by_idempotency_key ON public.inbox USING btree (run_id, idempotency_key) WHERE (idempotency_key IS NOT NULL);
CREATE INDEX inbox_open ON public.inbox USING btree (run_id, id) WHERE (NOT is_taken);
alter table inbox enable row level security, force row level security;
create policy across_tenants on inbox as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on inbox as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
CREATE TRIGGER use_attachments AFTER INSERT ON public.inbox FOR EACH ROW WHEN (((new.kind = 'steer'::text) AND (json_typeof((new.payload -> 'attachments'::text)) = 'array'::text))) EXECUTE FUNCTION use_attachments_of_message();

create table kept_answers (
  tenant_id text not null,
  key bytea not null,
  model text not null,
  headers json not null,
  body bytea not null,
  kept_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  constraint kept_answers_pkey PRIMARY KEY (tenant_id, key)
);
CREATE INDEX kept_answers_expiry ON public.kept_answers USING btree (expires_at);
alter table kept_answers enable row level security, force row level security;
create policy across_tenants on kept_answers as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on kept_answers as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

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
  subject_id uuid,
  constraint keys_pkey PRIMARY KEY (id),
  constraint keys_secret_hash_key UNIQUE (secret_hash)
);
CREATE INDEX keys_by_tenant ON public.keys USING btree (tenant_id, created_at DESC) WHERE (deleted_at IS NULL);
alter table keys enable row level security, force row level security;
create policy across_tenants on keys as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on keys as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table limit_buckets (
  tenant_id text not null,
  limit_id uuid not null,
  lane_key text not null,
  second_tokens double precision not null,
  minute_tokens double precision not null,
  at timestamp with time zone not null,
  constraint limit_buckets_pkey PRIMARY KEY (limit_id, lane_key)
);
alter table limit_buckets enable row level security, force row level security;
create policy across_tenants on limit_buckets as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on limit_buckets as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table limits (
  id uuid not null,
  tenant_id text not null,
  namespace text default ''::text not null,
  agent text default ''::text not null,
  lane_key text default ''::text not null,
  running_max integer,
  starts_per_second double precision,
  starts_per_minute double precision,
  set_by text not null,
  set_at timestamp with time zone default clock_timestamp() not null,
  constraint limits_pkey PRIMARY KEY (id),
  constraint limits_tenant_id_namespace_agent_lane_key_key UNIQUE (tenant_id, namespace, agent, lane_key)
);
alter table limits enable row level security, force row level security;
create policy across_tenants on limits as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on limits as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table logins (
  id uuid not null,
  tenant_id text not null,
  person_id uuid not null,
  kind text not null,
  secret_hash bytea not null,
  agent text not null,
  address text not null,
  stepped_up_at timestamp with time zone,
  created_at timestamp with time zone default clock_timestamp() not null,
  last_used_at timestamp with time zone default clock_timestamp() not null,
  expires_at timestamp with time zone not null,
  constraint logins_pkey PRIMARY KEY (id),
  constraint logins_kind_check CHECK ((kind = ANY (ARRAY['browser'::text, 'program'::text]))),
  constraint logins_secret_hash_key UNIQUE (secret_hash)
);
CREATE INDEX logins_expired ON public.logins USING btree (expires_at);
CREATE INDEX logins_of_person ON public.logins USING btree (tenant_id, person_id);
alter table logins enable row level security, force row level security;
create policy across_tenants on logins as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on logins as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table mails (
  tenant_id text not null,
  id uuid not null,
  person_id uuid not null,
  kind text not null,
  language text not null,
  state text default 'pending'::text not null,
  attempt integer default 0 not null,
  due_at timestamp with time zone default clock_timestamp(),
  failure text,
  created_at timestamp with time zone default clock_timestamp() not null,
  ended_at timestamp with time zone,
  approval_id uuid,
  constraint mails_pkey PRIMARY KEY (id),
  constraint mails_kind_check CHECK ((kind = ANY (ARRAY['invitation'::text, 'link'::text, 'reset'::text, 'approval'::text, 'approval-reminder'::text, 'approval-expired'::text]))),
  constraint mails_language_check CHECK ((language = ANY (ARRAY['en'::text, 'zh'::text]))),
  constraint mails_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'sent'::text, 'failed'::text, 'dropped'::text])))
);
CREATE INDEX mails_due ON public.mails USING btree (due_at) WHERE (state = 'pending'::text);
CREATE INDEX mails_ended ON public.mails USING btree (ended_at) WHERE (ended_at IS NOT NULL);
CREATE INDEX mails_newest ON public.mails USING btree (tenant_id, id DESC);
CREATE INDEX mails_of_approval ON public.mails USING btree (approval_id) WHERE (approval_id IS NOT NULL);
CREATE INDEX mails_of_person ON public.mails USING btree (person_id);
alter table mails enable row level security, force row level security;
create policy across_tenants on mails as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on mails as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table marketplace_installs (
  tenant_id text not null,
  namespace text not null,
  entry text not null,
  version integer not null,
  hash text not null,
  installed_by text not null,
  installed_at timestamp with time zone default clock_timestamp() not null,
  constraint marketplace_installs_pkey PRIMARY KEY (tenant_id, namespace, entry)
);
CREATE INDEX marketplace_installs_of_version ON public.marketplace_installs USING btree (tenant_id, entry, version);
alter table marketplace_installs enable row level security, force row level security;
create policy across_tenants on marketplace_installs as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on marketplace_installs as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table marketplace_versions (
  tenant_id text not null,
  entry text not null,
  version integer not null,
  description text not null,
  connection json not null,
  document text,
  tools json not null,
  hash text not null,
  state text default 'published'::text not null,
  published_by text not null,
  published_at timestamp with time zone default clock_timestamp() not null,
  decided_by text,
  decided_at timestamp with time zone,
  reason text,
  constraint marketplace_versions_pkey PRIMARY KEY (tenant_id, entry, version),
  constraint marketplace_versions_state_check CHECK ((state = ANY (ARRAY['published'::text, 'approved'::text, 'rejected'::text, 'revoked'::text])))
);
CREATE INDEX marketplace_versions_newest ON public.marketplace_versions USING btree (tenant_id, published_at DESC);
alter table marketplace_versions enable row level security, force row level security;
create policy across_tenants on marketplace_versions as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on marketplace_versions as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table master_keys (
  id uuid not null,
  service text not null,
  wrapped text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  constraint master_keys_pkey PRIMARY KEY (id)
);

create table memories (
  tenant_id text not null,
  id uuid not null,
  subject_id text not null,
  agent text not null,
  kind text not null,
  name text,
  text text not null,
  words tsvector not null,
  labels json not null,
  run_id uuid not null,
  made_by text not null,
  embedding bytea,
  embedding_model text,
  created_at timestamp with time zone default clock_timestamp() not null,
  recalled_at timestamp with time zone,
  constraint memories_pkey PRIMARY KEY (tenant_id, id),
  constraint memories_kind_check CHECK ((kind = ANY (ARRAY['fact'::text, 'episode'::text]))),
  constraint memories_tenant_id_made_by_key UNIQUE (tenant_id, made_by)
);
CREATE UNIQUE INDEX memories_of_name ON public.memories USING btree (tenant_id, subject_id, agent, name) WHERE (name IS NOT NULL);
CREATE INDEX memories_of_subject ON public.memories USING btree (tenant_id, subject_id, agent, id);
alter table memories enable row level security, force row level security;
create policy across_tenants on memories as permissive for all to longhaul_engine using (true) with check (true);
create policy of_subject on memories as restrictive for all to longhaul_tenant using ((subject_id = current_setting('longhaul.subject'::text, true))) with check ((subject_id = current_setting('longhaul.subject'::text, true)));
create policy of_tenant on memories as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

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
alter table model_overrides enable row level security, force row level security;
create policy across_tenants on model_overrides as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on model_overrides as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table namespaces (
  tenant_id text not null,
  name text not null,
  description text default ''::text not null,
  quotas json default '{}'::json not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  sandbox_policy json default '{}'::json not null,
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
  heard_fence bigint default 0 not null,
  constraint nodes_pkey PRIMARY KEY (id)
) with (fillfactor=50);

create table passkeys (
  id uuid not null,
  tenant_id text not null,
  person_id uuid not null,
  credential_id text not null,
  public_key bytea not null,
  counter bigint not null,
  host text not null,
  name text not null,
  transports text[] not null,
  is_synced boolean not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  last_used_at timestamp with time zone,
  constraint passkeys_pkey PRIMARY KEY (id),
  constraint passkeys_person_id_credential_id_key UNIQUE (person_id, credential_id)
);
alter table passkeys enable row level security, force row level security;
create policy across_tenants on passkeys as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on passkeys as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table people (
  id uuid not null,
  tenant_id text not null,
  email text not null,
  name text not null,
  roles text[] not null,
  namespaces text[],
  agents text[],
  access json not null,
  is_disabled boolean default false not null,
  password_hash text,
  link_hash bytea,
  link_expires_at timestamp with time zone,
  totp_ciphertext bytea,
  totp_wrapped_key bytea,
  totp_master_key_id text,
  totp_confirmed boolean default false not null,
  totp_slice bigint,
  recovery_hashes bytea[] default '{}'::bytea[] not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  last_seen_at timestamp with time zone,
  sso_issuer text,
  sso_subject text,
  approval_mails boolean default true not null,
  mail_language text default 'en'::text not null,
  constraint people_pkey PRIMARY KEY (id),
  constraint people_email_check CHECK ((email = lower(email))),
  constraint people_link_hash_key UNIQUE (link_hash),
  constraint people_mail_language_check CHECK ((mail_language = ANY (ARRAY['en'::text, 'zh'::text]))),
  constraint people_tenant_id_email_key UNIQUE (tenant_id, email),
  constraint people_tenant_id_sso_issuer_sso_subject_key UNIQUE (tenant_id, sso_issuer, sso_subject)
);
alter table people enable row level security, force row level security;
create policy across_tenants on people as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on people as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

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

create table previews (
  tenant_id text not null,
  agent text not null,
  name text not null,
  version text not null,
  source json not null,
  made_by text not null,
  updated_at timestamp with time zone default clock_timestamp() not null,
  expires_at timestamp with time zone not null,
  constraint previews_pkey PRIMARY KEY (tenant_id, agent, name)
);
CREATE INDEX previews_expired ON public.previews USING btree (expires_at);
alter table previews enable row level security, force row level security;
create policy across_tenants on previews as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on previews as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table prices (
  tenant_id text not null,
  id text not null,
  model text not null,
  source text not null,
  rates json not null,
  first_used_at timestamp with time zone default clock_timestamp() not null,
  constraint prices_pkey PRIMARY KEY (tenant_id, id)
);
alter table prices enable row level security, force row level security;
create policy across_tenants on prices as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on prices as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table providers (
  tenant_id text not null,
  name text not null,
  secrets text[] not null,
  base_url text,
  aws_region text,
  set_by_id text,
  set_by text not null,
  set_at timestamp with time zone default clock_timestamp() not null,
  constraint providers_pkey PRIMARY KEY (tenant_id, name),
  constraint providers_secrets_check CHECK (((cardinality(secrets) >= 1) AND (cardinality(secrets) <= 20)))
);
alter table providers enable row level security, force row level security;
create policy across_tenants on providers as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on providers as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table queue_messages (
  tenant_id text not null,
  id uuid not null,
  queue text not null,
  run_id uuid not null,
  agent text not null,
  body json not null,
  sent_at timestamp with time zone default clock_timestamp() not null,
  visible_at timestamp with time zone default clock_timestamp() not null,
  receipt uuid,
  receive_count integer default 0 not null,
  constraint queue_messages_pkey PRIMARY KEY (id)
);
CREATE INDEX queue_messages_next ON public.queue_messages USING btree (tenant_id, queue, visible_at, id);
CREATE INDEX queue_messages_of_run ON public.queue_messages USING btree (run_id);
alter table queue_messages enable row level security, force row level security;
create policy across_tenants on queue_messages as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on queue_messages as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

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
alter table reservations enable row level security, force row level security;
create policy across_tenants on reservations as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on reservations as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table retention (
  tenant_id text not null,
  namespace text not null,
  days integer not null,
  set_by text not null,
  set_at timestamp with time zone default clock_timestamp() not null,
  constraint retention_pkey PRIMARY KEY (tenant_id, namespace),
  constraint retention_days_check CHECK ((days > 0))
);
alter table retention enable row level security, force row level security;
create policy across_tenants on retention as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on retention as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table routes (
  tenant_id text not null,
  name text not null,
  spec json not null,
  updated_at timestamp with time zone not null,
  constraint routes_pkey PRIMARY KEY (tenant_id, name)
);
alter table routes enable row level security, force row level security;
create policy across_tenants on routes as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on routes as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

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
  lane_key text default ''::text not null,
  rank smallint default 1 not null,
  parent_id uuid,
  parent_op text,
  is_detached boolean default false not null,
  depth integer default 0 not null,
  lineage_id uuid,
  continued_as uuid,
  destinations json,
  is_dismissed boolean default false not null,
  part text,
  cost_usd_max double precision,
  labels json,
  imported json,
  fork json,
  withholds_writes boolean default false not null,
  changed_in xid8 default pg_current_xact_id() not null,
  cpu_ms double precision default 0 not null,
  memory_mb_s double precision default 0 not null,
  constraint runs_pkey PRIMARY KEY (id),
  constraint runs_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'running'::text, 'waiting'::text, 'completed'::text, 'failed'::text, 'cancelled'::text])))
) with (fillfactor=80);
CREATE INDEX runs_attention ON public.runs USING btree (tenant_id, id DESC) WHERE (((state = 'failed'::text) AND (NOT is_dismissed) AND ((parent_id IS NULL) OR is_detached)) OR ((state = 'waiting'::text) AND ((wait ->> 'kind'::text) = 'operator'::text)));
CREATE UNIQUE INDEX runs_by_idempotency_key ON public.runs USING btree (tenant_id, agent, idempotency_key) WHERE (idempotency_key IS NOT NULL);
CREATE INDEX runs_changes ON public.runs USING btree (tenant_id, changed_in, id);
CREATE INDEX runs_due ON public.runs USING btree (due_at) WHERE (due_at IS NOT NULL);
CREATE INDEX runs_ended ON public.runs USING btree (tenant_id, ended_at) WHERE (ended_at IS NOT NULL);
CREATE INDEX runs_in_flight ON public.runs USING btree (tenant_id, namespace) WHERE (state = ANY (ARRAY['pending'::text, 'running'::text, 'waiting'::text]));
CREATE INDEX runs_newest ON public.runs USING btree (tenant_id, id DESC);
CREATE INDEX runs_of_agent ON public.runs USING btree (tenant_id, agent, id DESC);
CREATE INDEX runs_of_asker ON public.runs USING btree (tenant_id, ((asker ->> 'id'::text)), id DESC);
CREATE INDEX runs_of_lineage ON public.runs USING btree (tenant_id, lineage_id, id DESC) WHERE (lineage_id IS NOT NULL);
CREATE INDEX runs_of_node ON public.runs USING btree (node_id) WHERE (node_id IS NOT NULL);
CREATE INDEX runs_of_parent ON public.runs USING btree (tenant_id, parent_id, id DESC) WHERE (parent_id IS NOT NULL);
CREATE INDEX runs_of_session ON public.runs USING btree (tenant_id, agent, session_id, id) WHERE (session_id IS NOT NULL);
CREATE INDEX runs_of_state ON public.runs USING btree (tenant_id, state, id DESC) WHERE (state <> 'completed'::text);
CREATE INDEX runs_of_version ON public.runs USING btree (tenant_id, agent, version, id DESC);
CREATE INDEX runs_of_version_in_flight ON public.runs USING btree (tenant_id, agent, version) WHERE (state = ANY (ARRAY['pending'::text, 'running'::text, 'waiting'::text]));
CREATE INDEX runs_running_in_lane ON public.runs USING btree (tenant_id, namespace, agent, lane_key) WHERE (node_id IS NOT NULL);
CREATE INDEX runs_waiting_in_lane ON public.runs USING btree (tenant_id, namespace, agent, lane_key, rank, due_at) WHERE ((node_id IS NULL) AND (due_at IS NOT NULL));
alter table runs enable row level security, force row level security;
create policy across_tenants on runs as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on runs as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));
CREATE TRIGGER note_change BEFORE UPDATE OF state, wait ON public.runs FOR EACH ROW WHEN (((old.state IS DISTINCT FROM new.state) OR ((old.wait)::text IS DISTINCT FROM (new.wait)::text))) EXECUTE FUNCTION note_change();
CREATE TRIGGER use_attachments AFTER INSERT ON public.runs FOR EACH ROW WHEN ((json_typeof((new.input -> 'attachments'::text)) = 'array'::text)) EXECUTE FUNCTION use_attachments_of_run();

create table sandbox_connections (
  tenant_id text not null,
  sandbox_id uuid not null,
  id uuid not null,
  host text not null,
  port integer not null,
  method text,
  path text,
  verdict text not null,
  reason text,
  status integer,
  bytes_out bigint not null,
  bytes_in bigint not null,
  started_at timestamp with time zone not null,
  duration_ms integer not null,
  constraint sandbox_connections_pkey PRIMARY KEY (tenant_id, sandbox_id, id),
  constraint sandbox_connections_verdict_check CHECK ((verdict = ANY (ARRAY['allowed'::text, 'refused'::text, 'failed'::text])))
);
CREATE INDEX sandbox_connections_old ON public.sandbox_connections USING btree (started_at);
alter table sandbox_connections enable row level security, force row level security;
create policy across_tenants on sandbox_connections as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on sandbox_connections as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table sandbox_places (
  tenant_id text not null,
  namespace text not null,
  sandbox_id text not null,
  home text not null,
  seen_at timestamp with time zone default clock_timestamp() not null,
  constraint sandbox_places_pkey PRIMARY KEY (tenant_id, sandbox_id, home)
);
CREATE INDEX sandbox_places_of_home ON public.sandbox_places USING btree (home);
alter table sandbox_places enable row level security, force row level security;
create policy across_tenants on sandbox_places as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on sandbox_places as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table sandboxes (
  tenant_id text not null,
  id uuid not null,
  name text,
  owner_id uuid not null,
  state text not null,
  home text,
  snapshot_id uuid,
  limits json not null,
  env json not null,
  egress json,
  egress_bytes bigint default 0 not null,
  egress_requests bigint default 0 not null,
  made_from json not null,
  disk_bytes bigint default 0 not null,
  ttl_ms bigint not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  used_at timestamp with time zone default clock_timestamp() not null,
  expires_at timestamp with time zone not null,
  driver text,
  image text,
  constraint sandboxes_pkey PRIMARY KEY (tenant_id, id),
  constraint sandboxes_state_check CHECK ((state = ANY (ARRAY['active'::text, 'released'::text, 'stopped'::text])))
);
CREATE INDEX sandboxes_at_home ON public.sandboxes USING btree (home, used_at) WHERE (state = 'active'::text);
CREATE UNIQUE INDEX sandboxes_by_name ON public.sandboxes USING btree (tenant_id, name) WHERE ((name IS NOT NULL) AND (state <> 'stopped'::text));
CREATE INDEX sandboxes_left ON public.sandboxes USING btree (expires_at) WHERE (state <> 'stopped'::text);
alter table sandboxes enable row level security, force row level security;
create policy across_tenants on sandboxes as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on sandboxes as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table schedules (
  id uuid not null,
  tenant_id text not null,
  namespace text default 'default'::text not null,
  name text not null,
  agent text not null,
  input json not null,
  asker json not null,
  calendar json not null,
  overlap text not null,
  catch_up text not null,
  jitter_ms integer default 0 not null,
  lane_key text default ''::text not null,
  rank smallint default 1 not null,
  is_paused boolean default false not null,
  next_at timestamp with time zone,
  queued_at timestamp with time zone,
  last_run_id uuid,
  set_by text not null,
  set_at timestamp with time zone default clock_timestamp() not null,
  from_version text,
  declared json,
  constraint schedules_pkey PRIMARY KEY (id),
  constraint schedules_catch_up_check CHECK ((catch_up = ANY (ARRAY['skip'::text, 'one'::text, 'all'::text]))),
  constraint schedules_overlap_check CHECK ((overlap = ANY (ARRAY['allow'::text, 'skip'::text, 'queue'::text, 'cancel'::text]))),
  constraint schedules_tenant_id_namespace_name_key UNIQUE (tenant_id, namespace, name)
);
CREATE INDEX schedules_declared ON public.schedules USING btree (tenant_id, agent) WHERE (from_version IS NOT NULL);
CREATE INDEX schedules_due ON public.schedules USING btree (next_at) WHERE ((NOT is_paused) AND (next_at IS NOT NULL));
CREATE INDEX schedules_queued ON public.schedules USING btree (queued_at) WHERE ((NOT is_paused) AND (queued_at IS NOT NULL));
alter table schedules enable row level security, force row level security;
create policy across_tenants on schedules as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on schedules as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

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
  hosts text[] default '{}'::text[] not null,
  agents text[],
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

create table similar_answers (
  tenant_id text not null,
  key bytea not null,
  scope bytea not null,
  model text not null,
  text text not null,
  embedding bytea not null,
  kept_at timestamp with time zone not null,
  expires_at timestamp with time zone not null,
  constraint similar_answers_pkey PRIMARY KEY (tenant_id, key)
);
CREATE INDEX similar_answers_expiry ON public.similar_answers USING btree (expires_at);
CREATE INDEX similar_answers_of_scope ON public.similar_answers USING btree (tenant_id, scope, model, kept_at DESC);
alter table similar_answers enable row level security, force row level security;
create policy across_tenants on similar_answers as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on similar_answers as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table single_sign_on (
  tenant_id text not null,
  issuer text not null,
  client_id text not null,
  scopes text[] not null,
  roles_claim text,
  roles json not null,
  creates_people boolean not null,
  updated_at timestamp with time zone default clock_timestamp() not null,
  constraint single_sign_on_pkey PRIMARY KEY (tenant_id)
);
alter table single_sign_on enable row level security, force row level security;
create policy across_tenants on single_sign_on as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on single_sign_on as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table snapshots (
  tenant_id text not null,
  id uuid not null,
  name text,
  owner_id uuid not null,
  sandbox_id uuid not null,
  is_internal boolean not null,
  limits json not null,
  bytes bigint not null,
  digest text not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  image text,
  constraint snapshots_pkey PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX snapshots_by_name ON public.snapshots USING btree (tenant_id, name) WHERE (name IS NOT NULL);
alter table snapshots enable row level security, force row level security;
create policy across_tenants on snapshots as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on snapshots as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table stops (
  id uuid not null,
  tenant_id text not null,
  namespace text default ''::text not null,
  agent text default ''::text not null,
  run_id uuid,
  run_ids uuid[] default '{}'::uuid[] not null,
  reason text,
  stopped_by text not null,
  stopped_at timestamp with time zone default clock_timestamp() not null,
  lifted_by text,
  lifted_at timestamp with time zone,
  constraint stops_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX stops_in_force ON public.stops USING btree (tenant_id, namespace, agent, COALESCE(run_id, '00000000-0000-0000-0000-000000000000'::uuid)) WHERE (lifted_at IS NULL);
CREATE INDEX stops_newest ON public.stops USING btree (tenant_id, id DESC);
alter table stops enable row level security, force row level security;
create policy across_tenants on stops as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on stops as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table templates (
  tenant_id text not null,
  id uuid not null,
  name text not null,
  version integer not null,
  owner_id uuid,
  state text not null,
  spec json not null,
  digest text not null,
  limits json not null,
  env json not null,
  home text not null,
  snapshot_id uuid,
  bytes bigint default 0 not null,
  problem text,
  step text,
  steps_done integer default 0 not null,
  step_count integer not null,
  log text default ''::text not null,
  is_log_cut boolean default false not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  prepared_at timestamp with time zone,
  used_at timestamp with time zone default clock_timestamp() not null,
  use_count integer default 0 not null,
  image text,
  constraint templates_pkey PRIMARY KEY (tenant_id, id),
  constraint templates_state_check CHECK ((state = ANY (ARRAY['preparing'::text, 'ready'::text, 'failed'::text]))),
  constraint templates_tenant_id_name_version_key UNIQUE (tenant_id, name, version)
);
CREATE INDEX templates_by_use ON public.templates USING btree (used_at) WHERE (state <> 'preparing'::text);
CREATE INDEX templates_preparing ON public.templates USING btree (home) WHERE (state = 'preparing'::text);
alter table templates enable row level security, force row level security;
create policy across_tenants on templates as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on templates as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table tenant_keys (
  tenant_id text not null,
  ciphertext bytea not null,
  wrapped_key bytea not null,
  master_key_id text not null,
  constraint tenant_keys_pkey PRIMARY KEY (tenant_id)
);
alter table tenant_keys enable row level security, force row level security;
create policy across_tenants on tenant_keys as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on tenant_keys as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table tenants (
  id text not null,
  description text default ''::text not null,
  is_suspended boolean default false not null,
  quotas json default '{}'::json not null,
  created_at timestamp with time zone default clock_timestamp() not null,
  sandbox_policy json default '{}'::json not null,
  approval_mails boolean default true not null,
  constraint tenants_pkey PRIMARY KEY (id),
  constraint tenants_id_check CHECK ((id <> ''::text))
);
alter table tenants enable row level security, force row level security;
create policy across_tenants on tenants as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on tenants as permissive for all to longhaul_tenant using ((id = current_tenant())) with check ((id = current_tenant()));

create table tickets (
  secret_hash bytea not null,
  tenant_id text not null,
  kind text not null,
  person_id uuid,
  user_code text,
  data json not null,
  tries integer default 0 not null,
  expires_at timestamp with time zone not null,
  constraint tickets_pkey PRIMARY KEY (secret_hash),
  constraint tickets_tenant_id_user_code_key UNIQUE (tenant_id, user_code)
);
CREATE INDEX tickets_expired ON public.tickets USING btree (expires_at);
CREATE INDEX tickets_of_person ON public.tickets USING btree (person_id) WHERE (person_id IS NOT NULL);
alter table tickets enable row level security, force row level security;
create policy across_tenants on tickets as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on tickets as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table tool_limits (
  tenant_id text not null,
  agent text not null,
  pattern text not null,
  limits json not null,
  set_by text not null,
  set_at timestamp with time zone default clock_timestamp() not null,
  constraint tool_limits_pkey PRIMARY KEY (tenant_id, agent, pattern)
);
alter table tool_limits enable row level security, force row level security;
create policy across_tenants on tool_limits as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on tool_limits as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

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
alter table tool_pins enable row level security, force row level security;
create policy across_tenants on tool_pins as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on tool_pins as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table tool_rates (
  tenant_id text not null,
  agent text not null,
  tool text not null,
  paid_until timestamp with time zone not null,
  constraint tool_rates_pkey PRIMARY KEY (tenant_id, agent, tool)
);
alter table tool_rates enable row level security, force row level security;
create policy across_tenants on tool_rates as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on tool_rates as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

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
  route json,
  score double precision,
  constraint usage_pkey PRIMARY KEY (id),
  constraint usage_score_check CHECK (((score >= (0)::double precision) AND (score <= (1)::double precision)))
);
CREATE INDEX usage_newest ON public.usage USING btree (tenant_id, at DESC, id DESC);
CREATE INDEX usage_of_routes ON public.usage USING btree (tenant_id, ((route ->> 'name'::text)), at DESC, id DESC) WHERE (route IS NOT NULL);
CREATE INDEX usage_of_run ON public.usage USING btree (run_id, at) WHERE (run_id IS NOT NULL);
CREATE INDEX usage_of_session ON public.usage USING btree (tenant_id, session_id, at) WHERE (session_id IS NOT NULL);
CREATE INDEX usage_of_user ON public.usage USING btree (tenant_id, user_id, at) WHERE (user_id IS NOT NULL);
alter table usage enable row level security, force row level security;
create policy across_tenants on usage as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on usage as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

create table usage_fresh (
  tenant_id text not null,
  id uuid not null,
  constraint usage_fresh_pkey PRIMARY KEY (id)
);
alter table usage_fresh enable row level security, force row level security;
create policy across_tenants on usage_fresh as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on usage_fresh as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

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
alter table usage_hours enable row level security, force row level security;
create policy across_tenants on usage_hours as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on usage_hours as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

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
alter table versions enable row level security, force row level security;
create policy across_tenants on versions as permissive for all to longhaul_engine using (true) with check (true);
create policy of_tenant on versions as permissive for all to longhaul_tenant using ((tenant_id = current_tenant())) with check ((tenant_id = current_tenant()));

alter table attachment_uses add constraint attachment_uses_attachment_id_fkey FOREIGN KEY (attachment_id) REFERENCES attachments(id);
alter table deliveries add constraint deliveries_approval_id_fkey FOREIGN KEY (approval_id) REFERENCES approvals(id) ON DELETE CASCADE;
alter table hook_deliveries add constraint hook_deliveries_hook_id_fkey FOREIGN KEY (hook_id) REFERENCES hooks(id) ON DELETE CASCADE;
alter table logins add constraint logins_person_id_fkey FOREIGN KEY (person_id) REFERENCES people(id) ON DELETE CASCADE;
alter table mails add constraint mails_approval_id_fkey FOREIGN KEY (approval_id) REFERENCES approvals(id) ON DELETE CASCADE;
alter table mails add constraint mails_person_id_fkey FOREIGN KEY (person_id) REFERENCES people(id) ON DELETE CASCADE;
alter table marketplace_installs add constraint marketplace_installs_tenant_id_entry_version_fkey FOREIGN KEY (tenant_id, entry, version) REFERENCES marketplace_versions(tenant_id, entry, version);
alter table passkeys add constraint passkeys_person_id_fkey FOREIGN KEY (person_id) REFERENCES people(id) ON DELETE CASCADE;
alter table tickets add constraint tickets_person_id_fkey FOREIGN KEY (person_id) REFERENCES people(id) ON DELETE CASCADE;
